//! `DataCenter` (数据中心): a centre, who runs it, and what its agent reports.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amounts, CentreWitness, Condition, Member, MemberStage};

/// Reasons of a centre's conditions.
pub mod reason {
    /// The agent's report is fresh.
    pub const REPORTING: &str = "Reporting";
    /// No agent has ever reported.
    pub const NEVER_REPORTED: &str = "NeverReported";
    /// The last report is older than `staleAfter` of the pools.
    pub const REPORT_STALE: &str = "ReportStale";
    /// Two observers saw it silent for the whole time of the arbiter.
    pub const LOST: &str = "Lost";
}

/// What the centre is for | 数据中心的角色
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CentreRole {
    /// Serves; takes the odd remainder of a split | 主数据中心
    Primary,
    /// Serves at the same time | 备份数据中心
    Backup,
    /// Holds a full copy | 异地灾备
    DisasterRecovery,
    /// A cloud of somebody else, that joined as far as its `member` says | 接入的成员云
    Member,
}

/// Who owns it | 归属
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Ownership {
    /// The government | 政府
    #[default]
    Government,
    /// A company that lends it; data of level 3 and above does not go there | 社会化算力，三级及以上数据不得部署
    Social,
}

impl Ownership {
    /// Whether it is the default.
    pub fn is_government(&self) -> bool {
        *self == Self::Government
    }
}

/// A data centre of the province | 省级云的一个数据中心
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "DataCenter",
    plural = "datacenters",
    shortname = "dcn",
    category = "xyplatform",
    status = "DataCenterStatus",
    derive = "PartialEq",
    doc = "A data centre, who runs it and what its agent reports | 数据中心：由谁运营，代理上报了什么",
    printcolumn(name = "Role", type_ = "string", json_path = ".spec.role"),
    printcolumn(name = "Operator", type_ = "string", json_path = ".spec.operator"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Witness", type_ = "string", json_path = ".status.witness.state"),
    printcolumn(name = "Serving", type_ = "integer", json_path = ".status.serving"),
    printcolumn(name = "Headroom", type_ = "string", json_path = ".status.headroom"),
    printcolumn(name = "Nodes", type_ = "integer", json_path = ".status.report.readyNodes"),
    printcolumn(name = "Reported", type_ = "date", json_path = ".status.report.reportedAt"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Stage", type_ = "string", json_path = ".spec.member.stage", priority = 1),
    printcolumn(name = "Name-zh", type_ = "string", json_path = ".spec.displayName", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("(self.role == 'Member') == has(self.member)", "member goes with role Member, and only with it | 仅 Member 角色须填写 member"),
    validation = ("(self.role == 'Member') == (oldSelf.role == 'Member')", "a cloud that joined does not become one of the province's centres by an edit: it would be written to without limit; create another DataCenter | 成员云与省级中心不能通过修改 role 互换，请另建数据中心")
)]
pub struct DataCenterSpec {
    /// Name for people, at most 64 characters | 显示名称，最多64个字符
    #[schemars(length(min = 1, max = 64))]
    pub display_name: String,
    /// What the centre is for | 角色
    pub role: CentreRole,
    /// The company that runs it | 运营单位
    #[schemars(length(min = 1, max = 64))]
    pub operator: String,
    /// Who owns it | 归属
    #[serde(default, skip_serializing_if = "Ownership::is_government")]
    pub ownership: Ownership,
    /// How far a member cloud has joined, and what it lends; with role `Member` alone | 成员云的接入阶段与出借额度
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Member>,
    /// Addresses at which users' traffic enters the centre | 业务入口地址
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 2, max = 45), regex(pattern = r"^[0-9a-fA-F:.]+$"))
    )]
    pub ingress: Vec<String>,
    /// Short code of the site | 机房代码
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub site_code: Option<String>,
    /// Where the centre's agent reads what its pods really use and what requests they get; the first one is asked. Without one nothing is ever idle, and endpoints alone say who serves | 指标来源，缺省则不判定闲置，也不比较流量
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub metric_sources: Vec<MetricSource>,
}

/// A Prometheus with the kubelets' figures of the centre's containers, and those of its ingress | 中心的 Prometheus
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricSource {
    /// Name | 名称
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Addresses of one Prometheus, or of a pair that scrapes the same; the next one is asked where one does not answer | 地址，一对互备时填两个
    #[schemars(
        length(min = 1, max = 2),
        inner(
            length(max = 256),
            regex(pattern = r"^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._/-]*)?$")
        )
    )]
    pub endpoints: Vec<String>,
    /// Labels that this centre's series have, where others are kept there too | 本中心时序的标签
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(length(max = 8))]
    pub match_labels: BTreeMap<String, MetricLabel>,
    /// How requests are counted by Service; ingress-nginx where it is left out | 按 Service 计数的请求，缺省为 ingress-nginx
    #[serde(default)]
    pub requests: RequestCounter,
}

/// A counter of requests with the Service that they went to. Where no label names the Service (Envoy names its clusters), a
/// recording rule with `label_replace` makes such a counter | 带 Service 标签的请求计数器，标签不同时用记录规则转换
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestCounter {
    /// Name of the counter, such as istio_requests_total | 计数器名称
    #[serde(default = "nginx")]
    #[schemars(length(max = 128), regex(pattern = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"))]
    pub series: String,
    /// Its label with the namespace of the Service; `exported_` before it is understood too | 命名空间标签
    #[serde(default = "namespace")]
    #[schemars(length(max = 128), regex(pattern = r"^[a-zA-Z_][a-zA-Z0-9_]*$"))]
    pub namespace_label: String,
    /// Its label with the name of the Service; `exported_` before it is understood too | 服务名标签
    #[serde(default = "service")]
    #[schemars(length(max = 128), regex(pattern = r"^[a-zA-Z_][a-zA-Z0-9_]*$"))]
    pub service_label: String,
    /// A series that is there as long as requests are counted, also before the first one. Only a window in which it was seen
    /// all along says that a Service had none. The counter itself where it is left out | 计数期间恒在的时序，缺省为计数器自身
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128), regex(pattern = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"))]
    pub alive: Option<String>,
    /// Time over which requests are counted; a centre without any in it serves nobody | 统计窗口
    #[serde(default = "five_minutes")]
    #[schemars(length(max = 5), regex(pattern = r"^([1-9][0-9]{1,3}s|[1-9][0-9]?m|1h)$"))]
    pub window: String,
}

fn nginx() -> String {
    "nginx_ingress_controller_requests".to_owned()
}

fn namespace() -> String {
    "namespace".to_owned()
}

fn service() -> String {
    "service".to_owned()
}

fn five_minutes() -> String {
    "5m".to_owned()
}

impl Default for RequestCounter {
    /// What ingress-nginx exports: the counter of a Service begins with its first request, the controller's version is always
    /// there.
    fn default() -> Self {
        Self {
            series: nginx(),
            namespace_label: namespace(),
            service_label: service(),
            alive: Some("nginx_ingress_controller_build_info".to_owned()),
            window: five_minutes(),
        }
    }
}

/// Value of a label | 标签值
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct MetricLabel(#[schemars(length(max = 128), regex(pattern = r"^[A-Za-z0-9._/-]*$"))] pub String);

/// What is known of the centre | 已知状态
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataCenterStatus {
    /// Written by the centre's agent alone | 仅由该中心的代理写入
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<CentreReport>,
    /// What the arbiter says of it; left out where none is there | 仲裁见证
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<CentreWitness>,
    /// Placements that it runs | 承载的部署数
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<i64>,
    /// What it has left beside everything that it runs or must be able to run alone, of the scarcest resource, in percent | 余量
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headroom: Option<String>,
    /// Generation that the conditions speak of | 条件所对应的版本
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions | 条件
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// One report of a centre's agent | 代理的一次上报
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CentreReport {
    /// Counts up with every report; never goes back | 上报序号，只增不减
    pub number: i64,
    /// When the agent looked, by its own clock, RFC 3339 | 采集时间
    #[schemars(extend("format" = "date-time"))]
    pub reported_at: String,
    /// Version of the agent | 代理版本
    #[serde(default)]
    pub agent_version: String,
    /// Version of the centre's API server | 集群版本
    #[serde(default)]
    pub kubernetes_version: String,
    /// In a member cloud: the stage that its agent goes by | 代理遵循的接入阶段
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<MemberStage>,
    /// Nodes in the centre | 节点数
    #[serde(default)]
    pub nodes: i64,
    /// Nodes that are Ready | 就绪节点数
    #[serde(default)]
    pub ready_nodes: i64,
    /// Capacity found for each pool, by the node label `xiangyun.io/pool` | 按资源池汇总的容量
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub pools: Vec<PoolCapacity>,
}

/// Capacity of one pool in one centre | 一个中心内一个资源池的容量
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolCapacity {
    /// Pool | 资源池
    pub name: String,
    /// Ready nodes that carry its label | 就绪节点数
    pub ready_nodes: i64,
    /// Sum of what those of them can allocate that belong to no phase of expansion | 不属于扩容期次的节点可分配总量
    pub allocatable: Amounts,
    /// The same for those that do, by their label `xiangyun.io/phase` | 按扩容期次汇总
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseCapacity>,
    /// What the tenants' quotas in this centre show as used | 已用量
    #[serde(default)]
    pub used: Amounts,
    /// How the cards lie in the nodes | 加速卡在节点上的分布
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub cards: Vec<CardNodes>,
}

/// Nodes alike in their cards | 加速卡分布相同的节点
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CardNodes {
    /// Cards of each | 每节点卡数
    pub cards: i64,
    /// Of which no pod holds | 其中空闲
    pub free: i64,
    /// Number of such nodes | 节点数
    pub nodes: i64,
}

/// Nodes of one phase of expansion in a pool | 一个扩容期次的节点
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseCapacity {
    /// Phase | 期次
    pub name: String,
    /// Sum of what they can allocate | 可分配总量
    pub allocatable: Amounts,
}

impl DataCenter {
    /// Whether others carry what belongs here: it is lost, or is back and does not have everything again.
    pub fn is_carried(&self) -> bool {
        let witness = self.status.as_ref().and_then(|s| s.witness.as_ref());
        witness.is_some_and(crate::CentreWitness::is_carried)
    }
}
