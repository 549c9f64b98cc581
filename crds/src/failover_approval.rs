//! `FailoverApproval` (切换确认): one word of one person about a move.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Approver, Condition};

/// Reasons of the condition `Counted`, beside those of a `RequestApproval`.
pub mod reason {
    /// There is no such move.
    pub const FAILOVER_NOT_FOUND: &str = "FailoverNotFound";
    /// The move is over.
    pub const ALREADY_OVER: &str = "AlreadyOver";
    /// The move has no fence that people could confirm.
    pub const NOTHING_TO_CONFIRM: &str = "NothingToConfirm";
}

/// What is said | 意见
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailoverWord {
    /// It may begin | 同意
    Approve,
    /// It may not | 不同意
    Reject,
    /// I saw myself that the old side is silent | 本人已确认原侧停止
    ConfirmFence,
}

/// Which move | 切换引用
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailoverRef {
    /// Name in the same namespace | 同一命名空间内的名称
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its uid, so that a new move of that name is not meant | 切换的uid
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
}

/// One word of one person about a move, immutable | 一人对一次切换的意见，不可更改
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "FailoverApproval",
    plural = "failoverapprovals",
    shortname = "foappr",
    namespaced,
    category = "xiangyun",
    status = "FailoverApprovalStatus",
    derive = "PartialEq",
    doc = "One word of one person about a Failover | 一人对一次切换的意见",
    printcolumn(name = "Failover", type_ = "string", json_path = ".spec.failoverRef.name"),
    printcolumn(name = "Word", type_ = "string", json_path = ".spec.word"),
    printcolumn(name = "By", type_ = "string", json_path = ".spec.approver.username"),
    printcolumn(
        name = "Counted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Counted\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Counted\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Comment", type_ = "string", json_path = ".spec.comment", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self == oldSelf", "a word is immutable; write another FailoverApproval | 意见不可更改，请另建一份"),
    validation = ("self.word != 'ConfirmFence' || (has(self.comment) && size(self.comment) > 0)", "whoever confirms a fence says in comment how it was seen | 确认隔离须在 comment 中说明如何确认")
)]
pub struct FailoverApprovalSpec {
    /// Which move | 切换
    pub failover_ref: FailoverRef,
    /// What is said | 意见
    pub word: FailoverWord,
    /// Why, or how it was seen | 说明
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub comment: Option<String>,
    /// Stamped by the API server | 由API服务器填写
    #[serde(default)]
    pub approver: Approver,
}

/// Whether it counts | 是否有效
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FailoverApprovalStatus {
    /// Conditions: Counted | 条件
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
