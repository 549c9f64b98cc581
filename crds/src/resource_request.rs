//! `ResourceRequest` (资源申请): what a department asks, and in its status what it was granted.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Allocation, CentreRow, Condition, HistoryEntry, PoolNeed, Reclaim, ResourceNeed, Utilization, Zone};

/// Reasons of a request's conditions. One at a time; `plan::admission` says which wins.
pub mod reason {
    /// Granted and in force in every centre.
    pub const ACTIVE: &str = "Active";
    /// Somebody said no.
    pub const REJECTED: &str = "Rejected";
    /// The request cannot be read.
    pub const MISCONFIGURED: &str = "Misconfigured";
    /// The tenant is missing or its place in the tree is not valid.
    pub const TENANT_SUSPENDED: &str = "TenantSuspended";
    /// No pool of that sort is open to the tenant.
    pub const NO_MATCHING_POOL: &str = "NoMatchingPool";
    /// Larger than an empty pool: it will never fit.
    pub const EXCEEDS_MAX_QUOTA: &str = "ExceedsMaxQuota";
    /// A person has to agree.
    pub const AWAITING_APPROVAL: &str = "AwaitingApproval";
    /// An ancestor's ceiling is in the way.
    pub const CEILING_REACHED: &str = "CeilingReached";
    /// The pool takes nothing in now, because the platform team said so.
    pub const ON_HOLD: &str = "OnHold";
    /// The pool has too little room now.
    pub const WAITING_FOR_QUOTA: &str = "WaitingForQuota";
    /// There are enough cards, but not enough of them on one node.
    pub const FRAGMENTED: &str = "Fragmented";
    /// A centre's capacity is not known: nothing is sold against it.
    pub const CAPACITY_UNKNOWN: &str = "CapacityUnknown";
    /// Granted and in force; its trial run has not ended.
    pub const TRIAL_RUN: &str = "TrialRun";
    /// In force; its term ends within 30, 7 or 1 days.
    pub const EXPIRING: &str = "Expiring";
    /// Its term ended; the quota stays for the days of grace.
    pub const IN_GRACE: &str = "InGrace";
    /// Granted; the centres have not all reported it as applied.
    pub const PROVISIONING: &str = "Provisioning";
    /// The ledger decided, the allocation is being written.
    pub const QUOTA_RESERVED: &str = "QuotaReserved";
    /// A centre could not apply it.
    pub const CENTRE_CONFLICT: &str = "CentreConflict";
    /// The ledger is being recounted and sells nothing meanwhile.
    pub const RECOUNTING: &str = "Recounting";
    /// Given back.
    pub const RELEASED: &str = "Released";
    /// Being given back; charged until the use is gone.
    pub const RELEASING: &str = "Releasing";
    /// Its term ended.
    pub const EXPIRED: &str = "Expired";
    /// A `Change`, `Renew` or `Release` that did its work.
    pub const COMPLETED: &str = "Completed";
    /// A `Change`, `Renew` or `Release` whose target is no live grant.
    pub const TARGET_NOT_FOUND: &str = "TargetNotFound";
}

/// What is asked | 申请类型
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RequestType {
    /// A new grant | 新申请
    New,
    /// Other amounts for a grant, up or down | 变更
    Change,
    /// A longer term for a grant; a trial becomes a grant by it | 续期，试用转正
    Renew,
    /// Give a grant back | 释放
    Release,
    /// A grant for some days | 试用
    Trial,
    /// A grant above the ceilings, first in the queue, with a date on which it is given back | 应急
    Emergency,
    /// Leave to build apart from this cloud until a date; takes no quota | 自行建设例外
    Exception,
    /// Keep a grant that is to be taken back because it is idle | 闲置配额申诉保留
    Keep,
}

/// Where the money comes from | 资金来源
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Funding {
    /// Special fund | 专项资金
    SpecialFund,
    /// Annual budget | 年度预算
    AnnualBudget,
    /// Own funds | 自筹
    SelfRaised,
}

/// Project | 项目
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Number of its approval | 立项文号
    #[schemars(length(min = 1, max = 64))]
    pub approval_no: String,
    /// Source of its money | 资金来源
    pub funding: Funding,
}

/// Architecture that is accepted | 可接受的架构
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RequestArchitecture {
    /// amd64 first, then arm64 | 任意，优先x86
    #[default]
    Any,
    /// x86 | x86
    #[serde(rename = "amd64")]
    Amd64,
    /// ARM | ARM
    #[serde(rename = "arm64")]
    Arm64,
}

/// What one centre must be able to hold alone: `Full`, a percentage such as `60%`, or `None` | 单中心保障比例
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Survival(pub String);

impl JsonSchema for Survival {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Survival".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "maxLength": 4, "pattern": "^(Full|None|[1-9][0-9]?%)$"})
    }
}

impl Default for Survival {
    fn default() -> Self {
        Self("Full".to_owned())
    }
}

/// Protection and filing | 合规
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!self.classified", "classified systems are not admitted to this cloud (Classified); use the network for classified systems | 涉密系统不得上云，请使用涉密网络"),
    validation = ("self.mlpsLevel <= 3", "systems of MLPS level 4 or above are not admitted to this cloud (at most level 3) | 等保四级及以上系统不得上云（最高三级）")
)]
pub struct Compliance {
    /// Whether the system is classified; refused | 是否涉密，涉密将被拒绝
    pub classified: bool,
    /// MLPS level, at most 3 | 等级保护级别，最高3级
    #[schemars(range(min = 1, max = 5))]
    pub mlps_level: i32,
    /// Filing number | 备案编号
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub filing_no: Option<String>,
}

/// How long | 期限
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Term {
    /// Months from the grant, or with `Renew` from the present end | 月数
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 120))]
    pub months: Option<i32>,
    /// Days of a trial; with `New` a trial run that comes before the months | 试用（试运行）天数
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 180))]
    pub trial_days: Option<i32>,
}

/// The grant that is meant | 所指的配额
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AllocationRef {
    /// Name of the request that holds it, in the same namespace | 同一命名空间内的申请名称
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What a department asks | 资源申请
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "ResourceRequest",
    plural = "resourcerequests",
    shortname = "rreq",
    namespaced,
    category = "xiangyun",
    status = "ResourceRequestStatus",
    derive = "PartialEq",
    doc = "What a department asks, and in status.allocation what it was granted | 资源申请；授予结果见 status.allocation",
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "CPU", type_ = "string", json_path = ".status.cpu"),
    printcolumn(name = "Mem", type_ = "string", json_path = ".status.memory"),
    printcolumn(name = "GPU", type_ = "string", json_path = ".status.gpu"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Until", type_ = "string", json_path = ".status.until"),
    printcolumn(name = "CPU-P95", type_ = "string", json_path = ".status.utilization.cpuP95"),
    printcolumn(
        name = "Idle",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Idle\")].status"
    ),
    printcolumn(name = "Reclaim-On", type_ = "string", json_path = ".status.reclaim.day"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Requested-By",
        type_ = "string",
        json_path = ".spec.requestedBy",
        priority = 1
    ),
    printcolumn(
        name = "Asked-CPU",
        type_ = "string",
        json_path = ".spec.resources.cpu",
        priority = 1
    ),
    printcolumn(
        name = "Asked-Mem",
        type_ = "string",
        json_path = ".spec.resources.memory",
        priority = 1
    ),
    printcolumn(name = "Used", type_ = "string", json_path = ".status.used", priority = 1),
    printcolumn(
        name = "Mem-P95",
        type_ = "string",
        json_path = ".status.utilization.memoryP95",
        priority = 1
    ),
    printcolumn(name = "Name-zh", type_ = "string", json_path = ".spec.displayName", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self == oldSelf", "a request is immutable; ask again with a new one | 申请提交后不可更改，请另建申请"),
    validation = ("self.type in ['Renew', 'Release', 'Exception', 'Keep'] ? !(has(self.resources) || has(self.pools)) : (has(self.resources) != has(self.pools))", "New, Change, Trial and Emergency have either resources or pools; Renew, Release, Exception and Keep have neither | New、Change、Trial、Emergency 须填写 resources 或 pools 之一；Renew、Release、Exception、Keep 不填"),
    validation = ("(self.type in ['Change', 'Renew', 'Release', 'Keep']) == has(self.allocationRef)", "allocationRef goes with Change, Renew, Release and Keep, and only with them | 仅 Change、Renew、Release、Keep 须填写 allocationRef"),
    validation = ("(self.type == 'Keep') == has(self.reason)", "reason goes with Keep, and only with it | 仅 Keep 须填写 reason"),
    validation = ("!(self.type in ['New', 'Trial', 'Exception']) || has(self.project)", "New, Trial and Exception name their project (approval number, funding) | New、Trial、Exception 须填写 project（立项文号、资金）"),
    validation = ("!(self.type in ['New', 'Trial', 'Emergency', 'Exception']) || has(self.compliance)", "New, Trial, Emergency and Exception state their compliance | New、Trial、Emergency、Exception 须填写 compliance"),
    validation = ("(self.type in ['New', 'Renew']) == (has(self.term) && has(self.term.months))", "term.months goes with New and Renew, and only with them | 仅 New、Renew 须填写 term.months"),
    validation = ("self.type == 'New' || (self.type == 'Trial') == (has(self.term) && has(self.term.trialDays))", "term.trialDays goes with Trial, and may go with New | 仅 Trial 须填写 term.trialDays，New 可选"),
    validation = ("(self.type in ['Emergency', 'Exception']) == has(self.until)", "until goes with Emergency and Exception, and only with them | 仅 Emergency、Exception 须填写 until"),
    validation = ("!has(self.centre) || (has(self.survival) && self.survival == 'None')", "centre goes with survival None | 仅 survival 为 None 时可指定 centre")
)]
pub struct ResourceRequestSpec {
    /// Name for people, at most 64 characters | 显示名称
    #[schemars(length(min = 1, max = 64))]
    pub display_name: String,
    /// What is asked | 类型
    #[serde(rename = "type")]
    pub type_: RequestType,
    /// Stamped by the API server, whatever was written | 申请人，由API服务器填写
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub requested_by: Option<String>,
    /// With `Change`, `Renew`, `Release`, `Keep`: which grant | 所指的配额
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation_ref: Option<AllocationRef>,
    /// With `Keep`: why | 保留理由
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub reason: Option<String>,
    /// Project and money | 项目与资金
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// What is needed | 需求
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceNeed>,
    /// What is needed, by pool | 按资源池填写的需求
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub pools: Option<Vec<PoolNeed>>,
    /// Architecture that is accepted | 架构
    #[serde(default)]
    pub architecture: RequestArchitecture,
    /// Network zone | 区域
    #[serde(default = "gov_extranet")]
    pub zone: Zone,
    /// What one centre must be able to hold alone | 单中心保障
    #[serde(default)]
    pub survival: Survival,
    /// With survival `None`: which centre; otherwise the emptier one | 指定中心
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub centre: Option<String>,
    /// Higher is served first; above 0 only by the platform team | 优先级，大于0仅限平台组
    #[serde(default)]
    #[schemars(range(min = -100, max = 100))]
    pub priority: i32,
    /// Protection and filing | 合规
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compliance: Option<Compliance>,
    /// How long | 期限
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// With `Emergency`: the date on which it is given back, at most 31 days ahead; with `Exception`: its last day | 归还日期或截止日期
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 10),
        regex(pattern = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")
    )]
    pub until: Option<String>,
}

const fn gov_extranet() -> Zone {
    Zone::GovExtranet
}

/// How many approvals | 审批数
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalCount {
    /// Needed | 需要
    pub needed: i32,
    /// Given | 已有
    pub given: i32,
}

/// What became of the request | 申请状态
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(oldSelf.allocation) || has(self.allocation)", "a grant does not vanish; it ends | 配额不能消失，只能结束"),
    validation = ("!has(oldSelf.history) || (has(self.history) && oldSelf.history.all(h, h in self.history))", "history is only added to | 变更记录只增不改")
)]
pub struct ResourceRequestStatus {
    /// For people; programs read conditions | 阶段，供人查看
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// vCPU that it holds, or asks in `resources` until it is granted; not what comes with cards | 持有的 vCPU，授予前为申请量，不含随卡部分
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    pub cpu: Option<String>,
    /// Memory that it holds, or asks in `resources` until it is granted; not what comes with cards | 持有的内存，授予前为申请量，不含随卡部分
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    pub memory: Option<String>,
    /// Cards that it holds, or asks in `resources` until it is granted, in one word such as `Inference:2` | 持有的加速卡，授予前为申请量
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// Date of the end | 到期日
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Approvals | 审批
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<ApprovalCount>,
    /// When the last needed approval was given | 批准时间
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<String>,
    /// The grant | 配额
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation: Option<Allocation>,
    /// What it held and since when, written with the grant and never changed; what is metered | 配额变更记录，计量依据
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub history: Vec<HistoryEntry>,
    /// vCPU that its pods request, of those granted, in steps of 5%; by the centres' ResourceQuotas, attributed in proportion among the tenant's grants | 已申领比例，按5%递进
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub used: Option<String>,
    /// How much of it is really used; absent is unknown | 实际利用率，缺失为未知
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilization: Option<Utilization>,
    /// How far it is on its way back, where it is idle | 闲置回收进度
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reclaim: Option<Reclaim>,
    /// What the centres say | 各中心
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub centres: Vec<CentreRow>,
    /// Generation that the conditions speak of | 对应的版本
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions: Ready, Approved, QuotaReserved, Provisioned | 条件
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
