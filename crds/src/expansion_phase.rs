//! `ExpansionPhase` (扩容期次): capacity that is bought and delivered in one go, and counts from its acceptance on.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amounts, Condition};

/// Reasons of a phase's conditions.
pub mod reason {
    /// Nothing of it is there yet.
    pub const PLANNED: &str = "Planned";
    /// It was delivered and nobody has accepted it: nothing of it is sold.
    pub const AWAITING_ACCEPTANCE: &str = "AwaitingAcceptance";
    /// Its capacity is in the ledger.
    pub const COUNTED: &str = "Counted";
    /// It delivers to a pool or centre that does not exist.
    pub const POOL_MISSING: &str = "PoolMissing";
    /// It is accepted, and ready nodes with its label add up to less.
    pub const NODES_SHORT: &str = "NodesShort";
    /// Without it, or with less of it, a pool cannot hold what was granted.
    pub const BELOW_COMMITTED: &str = "BelowCommitted";
    /// Its amounts, or the pool they go to, cannot be read.
    pub const MISCONFIGURED: &str = "Misconfigured";
}

/// How far a phase is | 期次所处阶段
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PhaseStage {
    /// On paper | 计划中
    Planned,
    /// There, and not accepted | 已到货，未验收
    Delivered,
    /// Accepted: it counts | 已验收，计入容量
    Accepted,
}

/// Who accepted what, and when | 验收
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Acceptance {
    /// Number of the acceptance report | 验收报告编号
    #[schemars(length(min = 1, max = 64))]
    pub report_no: String,
    /// Day of the acceptance | 验收日期
    #[schemars(extend("format" = "date"))]
    pub date: String,
    /// Who signed | 验收人
    #[schemars(length(min = 1, max = 64))]
    pub by: String,
}

/// What a pool gets in one centre | 交付到一个资源池、一个中心的数量
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// Pool | 资源池
    #[schemars(length(min = 1, max = 63))]
    pub pool: String,
    /// Centre | 中心
    #[schemars(length(min = 1, max = 63))]
    pub centre: String,
    /// Amounts before over-commit and reserve; of a pool of nodes never more than its nodes have | 数量（超分与预留之前）；节点池以实际节点为限
    #[schemars(schema_with = "crate::amounts::written")]
    pub amounts: Amounts,
}

/// A phase of expansion | 一期扩容
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "ExpansionPhase",
    plural = "expansionphases",
    shortname = "phase",
    category = "xyplatform",
    status = "ExpansionPhaseStatus",
    derive = "PartialEq",
    doc = "Capacity that counts from its acceptance on, and how far the plan is | 扩容期次：验收后计入容量，并反映规划进度",
    printcolumn(name = "Stage", type_ = "string", json_path = ".spec.stage"),
    printcolumn(name = "Delivers-CPU", type_ = "string", json_path = ".status.delivers.cpu"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Unblocks", type_ = "integer", json_path = ".status.unblocks"),
    printcolumn(name = "Progress-CPU", type_ = "string", json_path = ".status.progress.cpu"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Progress-Mem",
        type_ = "string",
        json_path = ".status.progress.memory",
        priority = 1
    ),
    printcolumn(
        name = "Progress-Storage",
        type_ = "string",
        json_path = ".status.progress.storage",
        priority = 1
    ),
    printcolumn(name = "Due", type_ = "string", json_path = ".spec.due", priority = 1),
    printcolumn(name = "Name-zh", type_ = "string", json_path = ".spec.displayName", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self.stage != 'Accepted' || has(self.acceptance)", "an accepted phase says who accepted it: acceptance.reportNo, date and by | 已验收的期次须填写 acceptance"),
    validation = ("!self.existing || self.stage == 'Accepted'", "what exists already is Accepted | 存量期次的 stage 须为 Accepted"),
    validation = ("self.existing == oldSelf.existing", "existing is fixed; create another phase | existing 不可修改，请另建期次")
)]
pub struct ExpansionPhaseSpec {
    /// Name for people, at most 64 characters | 显示名称
    #[schemars(length(min = 1, max = 64))]
    pub display_name: String,
    /// Its number in the plan | 期号
    #[schemars(range(min = 1, max = 99))]
    pub number: i32,
    /// How far it is; its capacity moves with Accepted, and with nothing else | 所处阶段；仅 Accepted 计入容量
    pub stage: PhaseStage,
    /// What stood there before: in the pools by itself, declared or as nodes without a phase's label. It moves nothing and
    /// counts towards the plan | 存量容量，已在资源池中，不再变动容量，仅计入规划进度
    #[serde(default)]
    pub existing: bool,
    /// What it delivers; nodes carry the label `xiangyun.io/phase` with its name | 交付内容；节点须带 `xiangyun.io/phase` 标签
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["pool".into(), "centre".into()]))]
    pub delivers: Vec<Delivery>,
    /// When it is due | 计划日期
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date"))]
    pub due: Option<String>,
    /// Who accepted it | 验收
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Acceptance>,
    /// What the plan foresees for the whole province once this phase is accepted | 规划中本期完成后的全省总量
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::amounts::written")]
    pub target: Option<Amounts>,
}

/// What came of it | 状态
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpansionPhaseStatus {
    /// Sum of what it delivers | 交付合计
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivers: Option<Amounts>,
    /// What rests on it, row by row; a phase that moves nothing has no rows | 逐行的占用情况
    #[serde(default)]
    pub rows: Vec<PhaseRow>,
    /// Waiting requests that would start if all of it were accepted now | 若现在全部验收，可开通的排队申请数
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unblocks: Option<i64>,
    /// Accepted by all phases / the plan | 已验收总量/规划总量
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<PlanProgress>,
    /// Generation that this speaks of | 对应的版本
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions | 条件
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// What rests on one row of an accepted phase | 已验收的一行被占用多少
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseRow {
    /// Pool | 资源池
    pub pool: String,
    /// Centre | 中心
    pub centre: String,
    /// What its ready nodes can allocate, as reported; absent where capacity is declared | 节点上报的可分配量
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Amounts>,
    /// What was granted against it: less of it is refused | 已被承诺的量，低于此值将被拒绝
    #[serde(default)]
    pub committed: Amounts,
}

/// `31800/100000` for each resource of the plan | 规划进度
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanProgress {
    /// vCPU | vCPU
    pub cpu: String,
    /// Bytes | 内存
    pub memory: String,
    /// Bytes | 存储
    pub storage: String,
}
