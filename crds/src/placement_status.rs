//! What the centres say of a placement, and what is told of it in all.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Assignment, Condition, FenceRow, LastFailover, PlacedObject, RightEpoch, TemplateKind};

/// How far a workload is in a centre | 工作负载在一个中心的进度
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadRow {
    /// Kind | 类型
    pub kind: TemplateKind,
    /// Its name | 名称
    pub name: String,
    /// Generation of the template that the centre's controllers have taken up | 已生效的模板版本
    #[serde(default)]
    pub generation: i64,
    /// Revision of that template: a fingerprint without the number of copies | 已生效的模板指纹
    #[serde(default)]
    pub revision: String,
    /// Copies that should be there | 应有副本
    #[serde(default)]
    pub wanted: i64,
    /// Copies that are there | 现有副本
    #[serde(default)]
    pub replicas: i64,
    /// Copies of the newest template | 已更新副本
    #[serde(default)]
    pub updated: i64,
    /// Copies that are ready | 就绪副本
    #[serde(default)]
    pub ready: i64,
    /// Copies that have been ready long enough | 可用副本
    #[serde(default)]
    pub available: i64,
}

/// How far a Job or CronJob is in a centre | 任务在一个中心的进度
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobRow {
    /// Kind | 类型
    pub kind: TemplateKind,
    /// Its name | 名称
    pub name: String,
    /// Uid of the template that it was made of | 所依据模板的uid
    #[serde(default)]
    pub template: String,
    /// Pods that run | 运行中
    #[serde(default)]
    pub active: i64,
    /// Pods that are ready | 就绪
    #[serde(default)]
    pub ready: i64,
    /// Pods that succeeded | 成功
    #[serde(default)]
    pub succeeded: i64,
    /// Pods that failed | 失败
    #[serde(default)]
    pub failed: i64,
    /// When it began, RFC 3339 | 开始时间
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// How it ended; left out while it runs | 结束情况
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<JobEnd>,
    /// With a CronJob: when a Job was due last, RFC 3339 | 最近调度时间
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_schedule_time: Option<String>,
    /// With a CronJob: when one succeeded last, RFC 3339 | 最近成功时间
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_successful_time: Option<String>,
}

/// How a Job ended | 任务结束情况
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobEnd {
    /// How | 结果
    pub outcome: JobOutcome,
    /// In one word, by the centre's own controller | 原因
    #[serde(default)]
    pub reason: String,
    /// In words | 说明
    #[serde(default)]
    pub message: String,
    /// When, RFC 3339 | 时间
    #[serde(default)]
    pub at: String,
}

/// How a Job may end | 任务结果
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum JobOutcome {
    /// It did what it was for | 完成
    Complete,
    /// It gave up | 失败
    Failed,
}

/// A service in a centre | 一个中心的服务
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRow {
    /// Its name | 名称
    pub name: String,
    /// Endpoints that are ready to serve | 就绪端点数
    pub ready: i64,
    /// Requests a second over the window of the centre's metric source; left out where nobody knows | 每秒请求数，未知则缺省
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<Amount>,
}

/// Six layers of a placement that runs in both centres | 双活六层
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum LayerName {
    /// Copies of data | 存储
    Storage,
    /// Nodes of the pool | 计算
    Compute,
    /// Ready copies | 应用
    Application,
    /// Endpoints of services | 网络
    Network,
    /// Protection of what runs | 安全
    Security,
    /// Between the centres and the hub | 传输
    Transport,
}

/// State of a layer | 层状态
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LayerState {
    /// As it should be in every centre | 正常
    Normal,
    /// Not in every centre | 降级
    Degraded,
    /// Nobody measures it, or whoever does is silent | 未知
    #[default]
    Unknown,
}

/// One layer | 一层
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Layer {
    /// Which | 名称
    pub name: LayerName,
    /// How it is | 状态
    pub state: LayerState,
    /// Why, in one word | 原因
    pub reason: String,
    /// In words, with numbers | 说明
    pub message: String,
    /// Since when it has this state, RFC 3339 | 起始时间
    pub since: String,
}

/// What a centre says of the placement; written by its agent alone | 中心上报，仅由其代理写入
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacementRow {
    /// Centre | 中心
    pub name: String,
    /// Number of the decision that it last carried out | 已落实的分派序号
    #[serde(default)]
    pub number: i64,
    /// Epoch of that decision | epoch
    #[serde(default)]
    pub epoch: i64,
    /// Copies that should be there | 应有副本
    #[serde(default)]
    pub wanted: i64,
    /// Copies that are there | 现有副本
    #[serde(default)]
    pub applied: i64,
    /// Copies that are ready | 就绪副本
    #[serde(default)]
    pub ready: i64,
    /// Workload by workload | 各工作负载
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadRow>,
    /// Job by job, where they run | 各任务
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobRow>,
    /// Service by service, with what serves behind it | 各服务
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceRow>,
    /// With `Exclusive`: epoch of the right that the centre holds | 所持独占权的epoch
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<RightEpoch>,
    /// With `Exclusive`: since when it was stopped because its right ended, RFC 3339 | 隔离起始时间
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced_since: Option<String>,
    /// With `Exclusive`: what could prove that it is silent here | 隔离条件
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<FenceRow>,
    /// Of a member cloud: what has to be confirmed there before it is carried out; it names the decision and the content of
    /// its templates | 待成员云确认的分派与内容
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// Of a member cloud: the same of what it last carried out | 最近落实的分派与内容
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// `Applied`, `Applying`, `Starting`, `ObjectFailed`, `ObjectExists`, `OverrideFailed`, `Drifted`, `ApplyFailed`,
    /// `NamespaceMissing`, `KindMissing`, `RoleMissing`, `StaleEpoch`, `Removed`; with `Exclusive` also `NoRight`, `Fenced`;
    /// of a member cloud also `AwaitingConfirmation`, `StageObserved` | 原因
    pub reason: String,
    /// In words where it is not `Applied`, or where there is something to note | 说明
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When a fact last changed | 最近变化时间
    pub reported_at: String,
}

impl PlacementRow {
    /// How far that workload is.
    pub fn workload(&self, object: &PlacedObject) -> Option<&WorkloadRow> {
        let mut all = self.workloads.iter();
        all.find(|w| w.kind == object.kind && w.name == object.name)
    }

    /// How far that Job or CronJob is.
    pub fn job(&self, object: &PlacedObject) -> Option<&JobRow> {
        let mut all = self.jobs.iter();
        all.find(|j| j.kind == object.kind && j.name == object.name)
    }
}

/// Sums over the centres | 合计
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlacementTotal {
    /// Copies that should be there | 应有副本
    pub wanted: i64,
    /// Copies that are ready | 就绪副本
    pub ready: i64,
}

/// A centre that could not run all of it, were it moved there now | 无法承载全部副本的中心
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShortCentre {
    /// Centre | 中心
    pub name: String,
    /// Whether not even what the grants keep there for a loss would do | 失联保障额度是否也不足
    pub alone: bool,
    /// What is missing, with numbers | 缺口
    pub message: String,
}

/// What became of the placement | 部署状态
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(oldSelf.assignment) || has(self.assignment)", "a decision does not vanish; an empty one is written | 分派结果不能消失"))]
pub struct DualActivePlacementStatus {
    /// Centres that run it | 运行中的中心
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub active: Vec<String>,
    /// What was decided | 分派
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Assignment>,
    /// What the centres say | 各中心
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub centres: Vec<PlacementRow>,
    /// With `Exclusive`: epoch of the right that is held now, or was last | 独占权的epoch
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<RightEpoch>,
    /// The last move | 最近一次切换
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failover: Option<LastFailover>,
    /// Six layers | 六层
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub layers: Vec<Layer>,
    /// With one active centre: others that have no room for it | 无余量承接的中心
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub short: Vec<ShortCentre>,
    /// Sums over the centres | 合计
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<PlacementTotal>,
    /// Ready of wanted in each centre, for people | 各中心就绪数，供人查看
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<String>,
    /// Generation that the conditions speak of | 对应的版本
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions: Ready, Survivable, EffectivelyActiveActive, RestartOnly | 条件
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
