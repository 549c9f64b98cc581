//! `Failover` (切换): one move of one placement from a centre to another, with its proof and its times.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ApprovalCount, Approver, Condition, RightEpoch};

/// Reasons of the condition `Complete`.
pub mod reason {
    /// People have to agree first.
    pub const AWAITING_APPROVAL: &str = "AwaitingApproval";
    /// Somebody entitled said no.
    pub const REJECTED: &str = "Rejected";
    /// Another move of the placement, or as many moves as run at once, come first.
    pub const QUEUED: &str = "Queued";
    /// The old side was asked to stop and has not said yet that it did.
    pub const DRAINING: &str = "Draining";
    /// The old side may run nothing any more, and nothing proves yet that it is silent.
    pub const FENCING_UNCONFIRMED: &str = "FencingUnconfirmed";
    /// The new side starts, or grows.
    pub const STARTING: &str = "Starting";
    /// The new side has no room.
    pub const NO_CAPACITY: &str = "NoCapacity";
    /// The new side itself is not there.
    pub const TARGET_LOST: &str = "TargetLost";
    /// The arbiter cannot be read, so nothing is decided.
    pub const ARBITER_SILENT: &str = "ArbiterSilent";
    /// A move that was made too soon after another one is left to people.
    pub const FLAP_GUARD: &str = "FlapGuard";
    /// More centres are lost than one: nothing moves by itself.
    pub const MASS_GUARD: &str = "MassGuard";
    /// It runs on the new side, seen there.
    pub const VERIFIED: &str = "Verified";
    /// It was given up; what ran before runs.
    pub const ABORTED: &str = "Aborted";
    /// What it is about is no more, or never was.
    pub const PLACEMENT_MISSING: &str = "PlacementMissing";
    /// It names a centre that cannot be the one it means.
    pub const INVALID: &str = "Invalid";
}

/// Why a placement moves | 切换类型
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum FailoverType {
    /// Its centre was lost; made by the operator | 非计划切换，由控制器创建
    Unplanned,
    /// Somebody wants it elsewhere, and both sides are there | 计划切换
    #[default]
    Planned,
    /// Back to where it belongs | 回切
    Failback,
}

/// Which placement | 所涉部署
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlacementRef {
    /// Name in the same namespace | 同一命名空间内的名称
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
}

/// One move of one placement from a centre to another | 一个部署的一次切换
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "Failover",
    plural = "failovers",
    shortname = "fo",
    namespaced,
    category = "xiangyun",
    status = "FailoverStatus",
    derive = "PartialEq",
    doc = "One move of one placement from a centre to another, with its proof and its times | 一个部署的一次切换及其证明与耗时",
    printcolumn(name = "Placement", type_ = "string", json_path = ".spec.placementRef.name"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "From", type_ = "string", json_path = ".spec.from"),
    printcolumn(name = "To", type_ = "string", json_path = ".spec.to"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Complete\")].reason"
    ),
    printcolumn(name = "Proof", type_ = "string", json_path = ".status.proof.kind"),
    printcolumn(name = "RTO", type_ = "string", json_path = ".status.rtoSeconds"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Incident", type_ = "string", json_path = ".spec.incident", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self == oldSelf", "a move is immutable; abort it with the annotation xiangyun.io/abort and make another one | 切换不可更改，请以注解 xiangyun.io/abort 中止后另建"),
    validation = ("self.from != self.to", "from and to are two centres | from 与 to 须为两个中心"),
    validation = ("(self.type == 'Unplanned') == has(self.incident)", "incident goes with Unplanned, and only with it | 仅 Unplanned 须填写 incident")
)]
pub struct FailoverSpec {
    /// Which placement | 所涉部署
    pub placement_ref: PlacementRef,
    /// Why | 类型
    #[serde(rename = "type")]
    pub type_: FailoverType,
    /// Centre that runs it now | 原中心
    #[schemars(length(min = 1, max = 63))]
    pub from: String,
    /// Centre that shall run it | 目标中心
    #[schemars(length(min = 1, max = 63))]
    pub to: String,
    /// One name for everything of one cause; of the operator alone | 事件编号
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub incident: Option<String>,
    /// Why, in words | 说明
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub comment: Option<String>,
    /// Stamped by the API server | 由API服务器填写
    #[serde(default)]
    pub requester: Approver,
}

/// How far it is | 阶段
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum FailoverPhase {
    /// Nothing was done yet | 未开始
    #[default]
    Pending,
    /// People have to agree | 待批准
    AwaitingApproval,
    /// The old side stops by itself and says so | 原侧停止中
    Draining,
    /// The old side lost its right; a proof is awaited that it is silent | 隔离确认中
    Fencing,
    /// The new side runs it, and is not ready yet | 目标侧启动中
    Promoting,
    /// Ready there; traffic follows and it is looked at once more | 核验中
    Verifying,
    /// Done | 完成
    Succeeded,
    /// Given up; what ran before runs | 已中止
    Aborted,
}

impl FailoverPhase {
    /// Whether nothing follows.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Aborted)
    }
}

/// A moment of a move | 时刻
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum FailoverStep {
    /// The old side was last seen alive; of a planned move, when it began | 最后存活
    Fault,
    /// The verdict | 判定
    Detected,
    /// It was decided to move | 决策
    Decided,
    /// People agreed | 批准
    Approved,
    /// The old side is proven silent | 隔离确认
    Fenced,
    /// Its data is there | 数据就绪
    DataReady,
    /// As many copies are ready as should be | 应用就绪
    AppReady,
    /// Traffic goes there | 流量切入
    Traffic,
    /// Seen once more, from the outside of the decision | 核验
    Verified,
}

/// When a step was reached | 各步时间
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailoverStamp {
    /// Which | 步骤
    pub step: FailoverStep,
    /// When, RFC 3339 with milliseconds | 时间
    pub at: String,
}

/// What proves that the old side is silent | 隔离证明
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProofKind {
    /// Its agent saw every container terminated, or the last permits run out | 原侧代理确认
    Acked,
    /// Its beat is too old, and every node has a gate | 许可到期
    PermitExpired,
    /// The storage refuses it, read back | 存储隔离
    StorageFenced,
    /// Its machines are off, read back | 已断电
    PoweredOff,
    /// Two people of two organisations say so | 双人确认
    TwoPersons,
}

/// The recorded proof | 隔离证明
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FencingProof {
    /// Which | 类型
    pub kind: ProofKind,
    /// By whom, where people said it | 确认人
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub persons: Vec<String>,
    /// When it was recorded, RFC 3339 | 时间
    pub at: String,
}

/// What became of it | 切换状态
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailoverStatus {
    /// How far it is | 阶段
    #[serde(default)]
    pub phase: FailoverPhase,
    /// Epoch under which the new side runs it; of exclusive placements | 新侧的epoch
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<RightEpoch>,
    /// When each step was reached | 时间线
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub timeline: Vec<FailoverStamp>,
    /// That the old side is silent; of exclusive placements | 隔离证明
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<FencingProof>,
    /// People who agreed | 批准数
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<ApprovalCount>,
    /// From last seen alive to verified, in seconds with three digits | 实测RTO（秒）
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_seconds: Option<String>,
    /// Conditions: Complete | 条件
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl Failover {
    /// How far it is.
    pub fn phase(&self) -> FailoverPhase {
        self.status.as_ref().map(|s| s.phase).unwrap_or_default()
    }

    /// When a step was reached, as it was written.
    pub fn reached(&self, step: FailoverStep) -> Option<&str> {
        let status = self.status.as_ref()?;
        status.timeline.iter().find(|s| s.step == step).map(|s| s.at.as_str())
    }
}
