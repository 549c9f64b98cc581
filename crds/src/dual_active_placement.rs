//! `DualActivePlacement` (双活部署): which templates of a tenant's hub namespace run in which centres, and how many copies
//! of each.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Assignment, Criticality, DualActivePlacementStatus, FailbackPolicy, FailoverPolicy, Override, PlacementRow,
    Rollout, TemplateKind, Traffic, find_condition,
};

/// Reasons of a placement's conditions and of the centres' rows.
pub mod reason {
    /// Every centre holds what it should, and all copies are ready.
    pub const RUNNING: &str = "Running";
    /// A centre has not said yet that it holds what was decided.
    pub const APPLYING: &str = "Applying";
    /// Everything is applied; copies, or in a row custom resources, are not ready.
    pub const STARTING: &str = "Starting";
    /// Everything is applied and runs, and a Job failed for good or a claim lost its volume: somebody has to look.
    pub const OBJECT_FAILED: &str = "ObjectFailed";
    /// Copies move: what is lowered waits for what was raised.
    pub const REBALANCING: &str = "Rebalancing";
    /// Nothing in the namespace is selected.
    pub const NOTHING_SELECTED: &str = "NothingSelected";
    /// Something that is selected by name, or that a pod refers to, is missing in the hub namespace.
    pub const TEMPLATE_MISSING: &str = "TemplateMissing";
    /// More objects than one placement holds.
    pub const TOO_MANY_OBJECTS: &str = "TooManyObjects";
    /// Another placement claims the same template.
    pub const CLAIMED_TWICE: &str = "ClaimedTwice";
    /// The tenant's grants in the pool are smaller than what was asked.
    pub const GRANT_TOO_SMALL: &str = "GrantTooSmall";
    /// The pool does not exist, or not in one of the centres; or nothing but pods' pools can be named.
    pub const POOL_MISSING: &str = "PoolMissing";
    /// There is no Tenant of the namespace's name.
    pub const TENANT_MISSING: &str = "TenantMissing";
    /// The least copies of the centres are more than the template has, or the most are fewer.
    pub const BOUNDS_CONFLICT: &str = "BoundsConflict";
    /// An override does not apply to its template.
    pub const OVERRIDE_FAILED: &str = "OverrideFailed";
    /// What its pods say of their processors does not fit the pool.
    pub const ARCHITECTURE_MISMATCH: &str = "ArchitectureMismatch";
    /// Its pods ask for a device that the pool has not, for nodes of another pool, or for one node by name.
    pub const POOL_MISMATCH: &str = "PoolMismatch";
    /// Data of that level may not go to a centre of that owner.
    pub const DATA_NOT_ALLOWED: &str = "DataNotAllowed";
    /// A new version is on its way through the centres.
    pub const ROLLING_OUT: &str = "RollingOut";
    /// A new version waits because its placement says so.
    pub const ROLLOUT_PAUSED: &str = "RolloutPaused";
    /// A new version did not become healthy; no other centre gets it.
    pub const ROLLOUT_STOPPED: &str = "RolloutStopped";
    /// A new version did not become healthy; the centres run the one before.
    pub const ROLLOUT_RETURNED: &str = "RolloutReturned";
    /// How many pods a DaemonSet gets is not known: a centre has not reported its nodes of the pool.
    pub const NODES_UNKNOWN: &str = "NodesUnknown";
    /// The row of a centre that holds something is too old.
    pub const CENTRE_UNKNOWN: &str = "CentreUnknown";
    /// It is being deleted; the centres take their objects away, or let go of them.
    pub const LEAVING: &str = "Leaving";
    /// In a row: everything that was decided is there.
    pub const APPLIED: &str = "Applied";
    /// In a row: an object of that name is there and is not ours.
    pub const OBJECT_EXISTS: &str = "ObjectExists";
    /// In a row: somebody changed an object, and the placement only reports.
    pub const DRIFTED: &str = "Drifted";
    /// In a row: a write failed and is tried again.
    pub const APPLY_FAILED: &str = "ApplyFailed";
    /// In a row: the namespace is missing, not ours, or being deleted.
    pub const NAMESPACE_MISSING: &str = "NamespaceMissing";
    /// A custom kind is not served in the hub, or in a row in the centre; or no PlaceableKind names it.
    pub const KIND_MISSING: &str = "KindMissing";
    /// The operator, or in a row the agent, may not read or write a custom kind.
    pub const ROLE_MISSING: &str = "RoleMissing";
    /// In a row: the decision is of an older leadership.
    pub const STALE_EPOCH: &str = "StaleEpoch";
    /// A member cloud lends less than what would run there.
    pub const LEND_EXCEEDED: &str = "LendExceeded";
    /// In a row: a person of the member cloud has to confirm the decision.
    pub const AWAITING_CONFIRMATION: &str = "AwaitingConfirmation";
    /// In a row: the member cloud is only observed; nothing is written there.
    pub const STAGE_OBSERVED: &str = "StageObserved";
    /// In a row: the centre may not run it now, and does not.
    pub const NO_RIGHT: &str = "NoRight";
    /// In a row: the centre lost its right, and what ran is being stopped.
    pub const FENCED: &str = "Fenced";
    /// Of FailoverArmed: a loss of its centre would be answered.
    pub const ARMED: &str = "Armed";
    /// Of FailoverArmed: no arbiter is there, or nobody reads it.
    pub const NO_ARBITER: &str = "NoArbiter";
    /// Of FailoverArmed: the witness is silent, so nobody could decide.
    pub const WITNESS_LOST: &str = "WitnessLost";
    /// Of FailoverArmed: no other centre could take it.
    pub const NO_TARGET: &str = "NoTarget";
    /// Of FailoverArmed: nothing could prove that the old side is silent.
    pub const FENCE_UNAVAILABLE: &str = "FenceUnavailable";
    /// Of FailoverArmed: the other side keeps too little for it.
    pub const RESERVE_MISSING: &str = "ReserveMissing";
    /// Of FailoverArmed: its policy leaves it to people.
    pub const MANUAL_ONLY: &str = "ManualOnly";
    /// Of FailoverArmed: a move is under way, or was a moment ago.
    pub const MOVING: &str = "Moving";
    /// Of TrafficPublished: the weights of the centres are published.
    pub const PUBLISHED: &str = "Published";
    /// Of TrafficPublished: a centre does not say where traffic enters it.
    pub const INGRESS_MISSING: &str = "IngressMissing";
    /// In a row: nothing of the placement is left there.
    pub const REMOVED: &str = "Removed";
    /// Of EffectivelyActiveActive: ready copies and endpoints in every centre, and requests as far as they are known.
    pub const SERVES_EVERYWHERE: &str = "ServesEverywhere";
    /// Of EffectivelyActiveActive: a Service has endpoints in every centre, and in one of them nobody asks it.
    pub const ONE_SIDED_TRAFFIC: &str = "OneSidedTraffic";
    /// A centre has no ready copy, or no endpoint behind a service.
    pub const CENTRE_DOES_NOT_SERVE: &str = "CentreDoesNotServe";
    /// Of EffectivelyActiveActive: the decision itself gives a centre no copy, so nothing is wrong in that centre.
    pub const NOT_EVERYWHERE: &str = "NotEverywhere";
    /// Of RestartOnly: pods hold devices of their node.
    pub const PASSTHROUGH_DEVICES: &str = "PassthroughDevices";
    /// Of a layer: as it should be.
    pub const NORMAL: &str = "Normal";
    /// Of a layer or of EffectivelyActiveActive: nobody measures it.
    pub const NOT_MEASURED: &str = "NotMeasured";
    /// Of a layer: no ready node of the pool in a centre.
    pub const NO_READY_NODES: &str = "NoReadyNodes";
    /// Of a layer: copies are missing.
    pub const COPIES_MISSING: &str = "CopiesMissing";
    /// Of a layer: a service without an endpoint.
    pub const NO_ENDPOINTS: &str = "NoEndpoints";
    /// All copies fit into each centre alone.
    pub const SURVIVES: &str = "Survives";
    /// One centre alone could not hold all copies.
    pub const SURVIVAL_TOO_SMALL: &str = "SurvivalTooSmall";
}

/// Who runs at the same time | 运行方式
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PlacementMode {
    /// Every centre, each a part of the copies | 各中心同时运行，分担副本
    ActiveActive,
    /// One centre; the others stand by | 一主，其余待命
    ActiveStandby,
    /// One centre and never two | 仅在一个中心运行
    Exclusive,
}

/// What a standby centre runs | 备侧状态
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Standby {
    /// As many copies as it must hold alone | 热备：运行单中心保障量
    Hot,
    /// All objects, with the copies of its `min`, at most one | 温备：对象就绪，副本为 min（至多 1）
    Warm,
    /// Nothing | 不部署
    #[default]
    None,
}

impl Standby {
    /// Whether it is the default.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// How copies are divided | 副本分配方式
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Split {
    /// By the weights of the centres | 按权重
    #[default]
    Weight,
    /// By what is free of the tenant's grants in each centre | 按配额余量
    Free,
}

/// What becomes of an edit by hand in a centre | 偏差处理
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Drift {
    /// It is put right | 自动纠正
    #[default]
    Correct,
    /// It is told, with its path, and stays until the template changes | 仅报告
    Report,
}

/// What becomes of an object that is there already | 已存在对象的处理
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Existing {
    /// It is left alone | 不接管
    #[default]
    Refuse,
    /// It is taken over where it is what would be applied | 一致时接管
    AdoptIfEqual,
    /// It is taken over and changed | 强制接管
    TakeOver,
}

/// What becomes of the objects when the placement is deleted | 删除部署时对象的处理
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Removal {
    /// They are deleted too | 一并删除
    #[default]
    Delete,
    /// They stay and are nobody's | 保留，不再管理
    Orphan,
}

/// One template by name | 按名称引用的模板
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct TemplateRef {
    /// Kind | 类型
    pub kind: TemplateKind,
    /// Its name | 名称
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Which templates of the namespace | 选取范围
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("size(self.matchLabels) + size(self.refs) > 0", "select something: matchLabels, refs or both; empty never means all | 须填写 matchLabels 或 refs，空值不表示全部"))]
pub struct Select {
    /// Templates that carry all of these labels | 带有全部标签的模板
    #[serde(default)]
    #[schemars(extend("maxProperties" = 8))]
    pub match_labels: BTreeMap<String, String>,
    /// Templates by kind and name | 指定的模板
    #[serde(default)]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into()]))]
    pub refs: Vec<TemplateRef>,
}

/// A centre's part | 一个中心的部分
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = ("!has(self.max) || self.min <= self.max", "min is at most max | min 不得大于 max"))]
pub struct PlacementCentre {
    /// Centre | 中心
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Its weight among the others | 权重
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 1000))]
    pub weight: i32,
    /// Fewest copies of each workload there | 最少副本
    #[serde(default)]
    #[schemars(range(min = 0, max = 10000))]
    pub min: i32,
    /// Most copies of each workload there | 最多副本
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub max: Option<i32>,
}

const fn one() -> i32 {
    1
}

/// Templates that run in the centres as declared | 双活部署
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "DualActivePlacement",
    plural = "dualactiveplacements",
    shortname = "dap",
    namespaced,
    category = "xiangyun",
    status = "DualActivePlacementStatus",
    derive = "PartialEq",
    doc = "Which templates of this namespace run in which centres, and what runs there | 双活部署：哪些模板在哪些中心运行及其现状",
    validation = ("self.metadata.name.size() <= 63", "the name has at most 63 characters: it becomes a label | 名称不超过63个字符"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Pool", type_ = "string", json_path = ".spec.pool"),
    printcolumn(name = "Wanted", type_ = "integer", json_path = ".status.total.wanted"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.total.ready"),
    printcolumn(name = "Centres", type_ = "string", json_path = ".status.spread"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Survives",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Survivable\")].status",
        priority = 1
    ),
    printcolumn(
        name = "Serves",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"EffectivelyActiveActive\")].reason",
        priority = 1
    ),
    printcolumn(name = "Name-zh", type_ = "string", json_path = ".spec.displayName", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self.pool == oldSelf.pool", "pool is fixed; create another placement | pool 不可修改，请另建部署"),
    validation = ("(self.mode == 'Exclusive') == (oldSelf.mode == 'Exclusive')", "Exclusive is fixed; create another placement | Exclusive 不可改入或改出，请另建部署"),
    validation = ("self.mode != 'Exclusive' || self.active == oldSelf.active", "an exclusive placement does not move by an edit: nothing proves that the other side is silent | 独占部署不能通过修改 active 迁移"),
    validation = ("(self.mode == 'ActiveActive') != has(self.active)", "active goes with ActiveStandby and Exclusive, and only with them | 仅 ActiveStandby、Exclusive 须填写 active"),
    validation = ("!has(self.active) || self.centres.exists(c, c.name == self.active)", "active is one of the centres | active 须为所列中心之一"),
    validation = ("self.mode == 'ActiveStandby' || !has(self.standby)", "standby goes with ActiveStandby only | 仅 ActiveStandby 可填写 standby"),
    validation = ("!has(self.overrides) || self.overrides.all(o, self.centres.exists(c, c.name == o.centre))", "overrides: each names one of the centres | overrides 的 centre 须为所列中心"),
    validation = ("self.mode == 'ActiveActive' || !has(self.overrides) || self.overrides.all(o, !has(o.replicas))", "overrides: replicas goes with ActiveActive only | overrides.replicas 仅用于 ActiveActive"),
    validation = ("self.mode != 'ActiveActive' || self.centres.exists(c, c.weight > 0)", "one centre has a weight above 0 | 至少一个中心的权重大于 0")
)]
pub struct DualActivePlacementSpec {
    /// Name for people, at most 64 characters | 显示名称
    #[schemars(length(min = 1, max = 64))]
    pub display_name: String,
    /// Pool whose grants it uses | 资源池
    #[schemars(length(min = 1, max = 63))]
    pub pool: String,
    /// Who runs at the same time | 运行方式
    pub mode: PlacementMode,
    /// Which templates; what their pods refer to follows by itself | 选取的模板；其引用的对象自动随行
    pub select: Select,
    /// With `ActiveStandby`: what the others run | 备侧状态
    #[serde(default, skip_serializing_if = "Standby::is_none")]
    pub standby: Standby,
    /// The centre that runs it; not with `ActiveActive` | 主侧中心
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub active: Option<String>,
    /// How copies are divided | 副本分配方式
    #[serde(default)]
    pub split: Split,
    /// The centres | 中心
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub centres: Vec<PlacementCentre>,
    /// What differs in a centre | 各中心差异
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub overrides: Vec<Override>,
    /// What comes first when a centre is lost | 关键程度
    #[serde(default)]
    pub criticality: Criticality,
    /// What happens when its centre is lost; `Automatic` within 300s where it is left out | 切换策略，缺省为自动、300s
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<FailoverPolicy>,
    /// How it comes back; `Manual` where it is left out | 回切策略，缺省为人工
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failback: Option<FailbackPolicy>,
    /// Where its users reach it | 对外访问
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// How new versions of workloads reach the centres; at once and without a way back where it is left out | 升级方式，缺省为各中心同时且不可退回
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// What becomes of an edit by hand in a centre | 偏差处理
    #[serde(default)]
    pub drift: Drift,
    /// What becomes of an object that is there already | 已存在对象的处理
    #[serde(default)]
    pub existing: Existing,
    /// What becomes of the objects in the end | 删除时对象的处理
    #[serde(default)]
    pub removal: Removal,
}

impl DualActivePlacement {
    /// What was decided; `None` before anything was.
    pub fn assignment(&self) -> Option<&Assignment> {
        self.status.as_ref()?.assignment.as_ref()
    }

    /// Its condition of that type, where it was told.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        find_condition(&self.status.as_ref()?.conditions, kind)
    }

    /// What the centres say.
    pub fn rows(&self) -> &[PlacementRow] {
        self.status.as_ref().map(|s| s.centres.as_slice()).unwrap_or_default()
    }

    /// What that centre says.
    pub fn row(&self, centre: &str) -> Option<&PlacementRow> {
        self.rows().iter().find(|row| row.name == centre)
    }
}
