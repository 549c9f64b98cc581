//! `QuotaPool` (资源池): one sort of capacity over the centres, and its arithmetic in the status.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Amounts, Condition, Normalization, UnitPrice};

/// Reasons of a pool's conditions.
pub mod reason {
    /// Every centre of the pool reports, and no more is charged than can be committed.
    pub const AVAILABLE: &str = "Available";
    /// A centre that the pool names does not exist yet.
    pub const CENTRE_MISSING: &str = "CentreMissing";
    /// A centre's report is missing or too old: nothing is sold there.
    pub const CAPACITY_UNKNOWN: &str = "CapacityUnknown";
    /// More is charged than can be committed; nothing is evicted, nothing more is granted.
    pub const OVER_COMMITTED: &str = "OverCommitted";
    /// No more is charged than can be committed.
    pub const WITHIN_COMMITTABLE: &str = "WithinCommittable";
    /// The platform team holds or drains the pool.
    pub const ON_HOLD: &str = "OnHold";
    /// Nodes belong to a phase of expansion that is unknown or not accepted: they do not count.
    pub const PHASE_NOT_ACCEPTED: &str = "PhaseNotAccepted";
    /// No node waits for the acceptance of its phase.
    pub const NOTHING_WAITS: &str = "NothingWaits";
    /// The spec cannot be worked with.
    pub const MISCONFIGURED: &str = "Misconfigured";
}

/// Processor architecture | 处理器架构
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// x86 | x86
    Amd64,
    /// ARM | ARM
    Arm64,
}

impl Architecture {
    /// As Kubernetes calls it in the label `kubernetes.io/arch`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// Network zone | 网络区域
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Zone {
    /// Government extranet | 政务外网
    GovExtranet,
    /// Facing the internet | 互联网区
    InternetFacing,
    /// Dedicated to one use | 专用区
    Dedicated,
}

/// What the cards of a pool are for | 加速卡用途
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AcceleratorUse {
    /// Inference | 推理
    Inference,
    /// Training | 训练
    Training,
    /// Video | 视频图像
    Video,
}

/// Storage tier | 存储层级
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum StorageTier {
    /// Fast | 热
    Hot,
    /// Ordinary | 温
    Warm,
    /// Archive | 归档
    Archive,
}

/// Cards of one model and one use | 同型号同用途的加速卡
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceleratorSpec {
    /// Vendor | 厂商
    #[schemars(length(min = 1, max = 64))]
    pub vendor: String,
    /// Model | 型号
    #[schemars(length(min = 1, max = 64))]
    pub model: String,
    /// Use | 用途
    #[serde(rename = "use")]
    pub use_: AcceleratorUse,
    /// Extended resource of the nodes, such as `nvidia.com/gpu` | 节点上的扩展资源名
    #[schemars(length(min = 3, max = 128), regex(pattern = r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$"))]
    pub resource_name: String,
    /// CPU and memory that a card brings from its own node | 每卡附带的CPU与内存
    #[schemars(schema_with = "crate::amounts::written")]
    pub per_unit: Amounts,
}

/// A storage pool | 存储池
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageSpec {
    /// Tier | 层级
    pub tier: StorageTier,
    /// StorageClass in the centres | 各中心的存储类
    #[schemars(length(min = 1, max = 63))]
    pub storage_class_name: String,
}

/// Where the capacity of a centre is known from | 容量来源
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CapacitySource {
    /// Found on ready nodes with the pool's label | 由节点标签汇总
    Nodes,
    /// Declared in `amounts` | 人工声明
    Declared,
}

/// A centre of the pool | 资源池所在的中心
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("(self.source == 'Declared') == has(self.amounts)", "amounts goes with source Declared, and only with it | 仅当 source 为 Declared 时须填写 amounts"))]
pub struct PoolCentre {
    /// Name of a DataCenter | 数据中心名称
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Weight of its share of a split | 分配权重
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: i32,
    /// Where its capacity is known from | 容量来源
    pub source: CapacitySource,
    /// Capacity, with source `Declared` | 声明的容量
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::amounts::written")]
    pub amounts: Option<Amounts>,
}

const fn one() -> i32 {
    1
}

/// What is kept back for the system, maintenance and emergencies | 预留
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = ("has(self.percent) != has(self.amounts)", "reserve is either percent or amounts | 预留填写 percent 或 amounts 之一"))]
pub struct Reserve {
    /// Per cent of gross, rounded up | 占总量的百分比，向上取整
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub percent: Option<i32>,
    /// Amounts in each centre | 每个中心的预留量
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::amounts::written")]
    pub amounts: Option<Amounts>,
}

/// What a pool or a tenant still takes in; nothing that was granted is taken back by it | 准入状态
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Intake {
    /// Everything | 开放
    #[default]
    Open,
    /// No new grant and no larger one; terms may be renewed | 暂停新增
    Hold,
    /// Nothing new, nothing larger, no renewal: it empties as terms end and grants are released | 排空
    Drain,
}

impl Intake {
    /// Whether it is the default, which is not stored.
    pub fn is_open(&self) -> bool {
        *self == Self::Open
    }
}

/// Who must agree before a grant | 审批策略
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalPolicy {
    /// Up to these amounts no person is asked | 不超过此量自动批准
    #[serde(default)]
    #[schemars(schema_with = "crate::amounts::written")]
    pub automatic_up_to: Amounts,
    /// One or two levels | 一级或两级审批
    #[serde(default)]
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["level".into()]))]
    pub levels: Vec<ApprovalLevel>,
}

/// One level of approval | 一级审批
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = ("has(self.groups) || has(self.users)", "a level names groups or users | 审批级别须填写 groups 或 users"))]
pub struct ApprovalLevel {
    /// 1 or 2 | 级别
    #[schemars(range(min = 1, max = 2))]
    pub level: i32,
    /// Asked only where the request is above one of these amounts; the lowest level is asked for all above automaticUpTo | 超过此量才需要本级；超出自动额度时最低一级必审
    #[serde(default)]
    #[schemars(schema_with = "crate::amounts::written")]
    pub above: Amounts,
    /// Groups whose members may decide | 可审批的用户组
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub groups: Vec<String>,
    /// Persons who may decide, by the name that the API server knows; they need the role `xiangyun-approver` as well | 可审批的用户
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub users: Vec<String>,
}

/// One sort of capacity over the centres | 跨中心的同类容量
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "QuotaPool",
    plural = "quotapools",
    shortname = "qpool",
    category = "xyplatform",
    status = "QuotaPoolStatus",
    derive = "PartialEq",
    doc = "One sort of capacity over the centres, and how much of it can be sold | 资源池：跨中心的同类容量及可售余量",
    printcolumn(name = "Arch", type_ = "string", json_path = ".spec.architecture"),
    printcolumn(name = "Gross-CPU", type_ = "string", json_path = ".status.total.gross.cpu"),
    printcolumn(name = "Gross-Mem", type_ = "string", json_path = ".status.total.gross.memory"),
    printcolumn(name = "Committable", type_ = "string", json_path = ".status.total.committable.cpu"),
    printcolumn(name = "Charged", type_ = "string", json_path = ".status.total.charged.cpu"),
    printcolumn(name = "Free-DA", type_ = "string", json_path = ".status.freeDualActive.cpu"),
    printcolumn(name = "Cards", type_ = "string", json_path = ".status.total.gross.accelerators"),
    printcolumn(
        name = "Free-Cards-DA",
        type_ = "string",
        json_path = ".status.freeDualActive.accelerators"
    ),
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
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Gross-Storage",
        type_ = "string",
        json_path = ".status.total.gross.storage",
        priority = 1
    ),
    printcolumn(name = "Name-zh", type_ = "string", json_path = ".spec.displayName", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.storage) != has(self.architecture)", "a pool has an architecture, or is a storage pool | 资源池须指定 architecture，存储池则指定 storage"),
    validation = ("!(has(self.storage) && has(self.accelerator))", "a storage pool has no accelerator | 存储池不能有加速卡"),
    validation = ("!has(self.storage) || self.centres.all(c, c.source == 'Declared')", "the capacity of a storage pool is declared | 存储池容量须人工声明")
)]
pub struct QuotaPoolSpec {
    /// Name for people, at most 64 characters | 显示名称
    #[schemars(length(min = 1, max = 64))]
    pub display_name: String,
    /// Architecture of its nodes | 节点架构
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// Network zone | 网络区域
    pub zone: Zone,
    /// Cards of the pool | 加速卡
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accelerator: Option<AcceleratorSpec>,
    /// Storage of the pool | 存储
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageSpec>,
    /// Centres it spans | 所在中心
    #[schemars(length(min = 1, max = 4))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub centres: Vec<PoolCentre>,
    /// Tenants get a namespace `<tenant>-<pool>` of its own for it (ARM, GPU) | 是否使用独立命名空间
    #[serde(default)]
    pub separate_namespace: bool,
    /// A report older than this counts as unknown, such as 60s | 上报超过此时长视为未知
    #[serde(default = "sixty_seconds")]
    #[schemars(length(max = 16), regex(pattern = r"^[1-9][0-9]{0,4}s$"))]
    pub stale_after: String,
    /// Sold CPU per real CPU, 1 when absent | CPU超分比
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overcommit: Option<Overcommit>,
    /// What is kept back | 预留
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve: Option<Reserve>,
    /// What it costs; without it nothing | 单价，缺省为不计费
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<UnitPrice>,
    /// What its vCPU is worth beside that of other pools; reports compare by it, quota does not | 算力折算系数，仅用于报表比较，不影响配额
    #[serde(default, skip_serializing_if = "Normalization::is_one")]
    pub normalization: Normalization,
    /// Who must agree before a grant; without it nobody is asked | 审批策略，缺省为自动批准
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalPolicy>,
    /// What it still takes in | 准入状态
    #[serde(default, skip_serializing_if = "Intake::is_open")]
    pub intake: Intake,
    /// The first of the queue that has waited this long keeps what is freed for itself, such as 72h | 队首等待超过此时长后，释放的余量为其保留
    #[serde(default = "three_days")]
    #[schemars(length(max = 16), regex(pattern = r"^[1-9][0-9]{0,5}[smh]$"))]
    pub hold_after: String,
}

fn three_days() -> String {
    "72h".to_owned()
}

fn sixty_seconds() -> String {
    "60s".to_owned()
}

/// Over-commit | 超分
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overcommit {
    /// Sold vCPU per vCPU of a node, 1 to 10, three decimals at the most | CPU超分比，1至10
    #[x_kube(validation = ("string(self).matches('^(10|[1-9])([.][0-9]{1,3})?$')", "overcommit.cpu is between 1 and 10 | 超分比须在1到10之间"))]
    pub cpu: Amount,
}

/// The arithmetic of the pool | 资源池台账
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaPoolStatus {
    /// Per centre | 各中心
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub centres: Vec<CentrePool>,
    /// Over all centres | 合计
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<PoolFigures>,
    /// What still fits as a grant with survival `Full` | 还可授予的双活余量
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_dual_active: Option<Amounts>,
    /// Generation that the figures speak of | 对应的版本
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions | 条件
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The six figures | 六项数字
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PoolFigures {
    /// Found or declared, times over-commit | 总量
    pub gross: Amounts,
    /// Kept back | 预留
    pub reserved: Amounts,
    /// gross − reserved | 可承诺
    pub committable: Amounts,
    /// Charged by live grants | 已计
    pub charged: Amounts,
    /// committable − charged | 余量
    pub free: Amounts,
    /// What runs now | 在用
    pub used: Amounts,
}

/// The figures of one centre | 一个中心的数字
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CentrePool {
    /// Centre | 中心
    pub name: String,
    /// Its figures | 数字
    #[serde(flatten)]
    pub figures: PoolFigures,
    /// When its capacity was reported; absent where it is declared | 上报时间
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<String>,
}
