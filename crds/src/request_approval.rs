//! `RequestApproval` (审批意见): one decision of one person at one level.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amounts, Condition};

/// Reasons of the condition `Counted`.
pub mod reason {
    /// It counts.
    pub const COUNTED: &str = "Counted";
    /// The approver is the requester.
    pub const SELF_APPROVAL: &str = "SelfApproval";
    /// The same person decided at the other level.
    pub const SAME_PERSON: &str = "SamePerson";
    /// The approver of the other level is of the same organisation.
    pub const SAME_ORGANISATION: &str = "SameOrganisation";
    /// The approver is in none of the groups of that level.
    pub const NOT_ENTITLED: &str = "NotEntitled";
    /// There is no such request.
    pub const REQUEST_NOT_FOUND: &str = "RequestNotFound";
    /// A request of that name exists, but is another one.
    pub const UID_MISMATCH: &str = "UidMismatch";
    /// An amount is zero, above what was asked, no multiple of `perNode`, or of a resource that is asked not at all or more
    /// than once, and so cannot be told apart.
    pub const AMOUNTS_INVALID: &str = "AmountsInvalid";
    /// The request was already decided.
    pub const ALREADY_DECIDED: &str = "AlreadyDecided";
}

/// A decision | 审批决定
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Decision {
    /// Yes | 同意
    Approved,
    /// No; frees at once | 驳回
    Rejected,
}

/// Which request | 申请引用
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestRef {
    /// Name in the same namespace | 同一命名空间内的名称
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its uid, so that a new request of that name is not meant | 申请的uid
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
}

/// Who decided; stamped by the API server, whatever was written | 审批人，由API服务器填写
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approver {
    /// User name | 用户名
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub username: String,
    /// Groups at that time | 当时所属的组
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub groups: Vec<String>,
}

/// One decision of one person at one level, immutable | 一人在一级的一次决定，不可更改
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "RequestApproval",
    plural = "requestapprovals",
    shortname = "appr",
    namespaced,
    category = "xiangyun",
    status = "RequestApprovalStatus",
    derive = "PartialEq",
    doc = "One decision of one person at one level about a ResourceRequest | 审批意见：一人在一级对资源申请的决定",
    printcolumn(name = "Request", type_ = "string", json_path = ".spec.requestRef.name"),
    printcolumn(name = "Level", type_ = "integer", json_path = ".spec.level"),
    printcolumn(name = "Decision", type_ = "string", json_path = ".spec.decision"),
    printcolumn(name = "Approver", type_ = "string", json_path = ".spec.approver.username"),
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
    validation = ("self == oldSelf", "a decision is immutable; write a new RequestApproval | 审批意见不可更改，请另建一份"),
    validation = ("!has(self.amounts) || size(self.amounts) == 0 || (has(self.comment) && size(self.comment) > 0)", "amounts are lowered with a comment that says why | 核减数量须填写意见")
)]
pub struct RequestApprovalSpec {
    /// Which request | 申请
    pub request_ref: RequestRef,
    /// Level, 1 or 2 | 级别
    #[schemars(range(min = 1, max = 2))]
    pub level: i32,
    /// Decision | 决定
    pub decision: Decision,
    /// Lower amounts than asked, in total; only for compute or one kind of card | 核减后的总量
    #[serde(default)]
    #[schemars(schema_with = "crate::amounts::written")]
    pub amounts: Amounts,
    /// Why | 意见
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub comment: Option<String>,
    /// Stamped by the API server | 由API服务器填写
    #[serde(default)]
    pub approver: Approver,
}

/// Whether it counts | 是否有效
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestApprovalStatus {
    /// Conditions | 条件
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
