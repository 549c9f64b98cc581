//! `PlaceableKind` (可部署类型): a custom kind that placements may take, and when an object of it is ready.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::Condition;

/// Reasons of a kind's condition Ready.
pub mod reason {
    /// Placements may take it.
    pub const PLACEABLE: &str = "Placeable";
    /// `ready` or `message` cannot be worked with.
    pub const EXPRESSION_INVALID: &str = "ExpressionInvalid";
    /// Another PlaceableKind speaks of the same kind and group.
    pub const KIND_TAKEN: &str = "KindTaken";
    /// The hub, or in a row the centre, does not serve the kind.
    pub const KIND_MISSING: &str = "KindMissing";
    /// The operator, or in a row the agent, may not read or write the kind.
    pub const ROLE_MISSING: &str = "RoleMissing";
}

/// A custom kind that placements may take | 可部署类型
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "PlaceableKind",
    plural = "placeablekinds",
    shortname = "pkind",
    category = "xyplatform",
    status = "PlaceableKindStatus",
    derive = "PartialEq",
    doc = "A custom kind that placements may take, and when an object of it is ready | 可部署类型：允许双活部署选取的自定义类型及其就绪条件",
    validation = ("self.metadata.name == self.spec.plural + '.' + self.spec.group", "the name is plural.group, such as widgets.example.org | 名称须为 plural.group，如 widgets.example.org"),
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.kind"),
    printcolumn(name = "Version", type_ = "string", json_path = ".spec.version"),
    printcolumn(name = "Copies", type_ = "boolean", json_path = ".spec.copies"),
    printcolumn(name = "Placed", type_ = "integer", json_path = ".status.placed"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Ready-If", type_ = "string", json_path = ".spec.ready", priority = 1),
    printcolumn(name = "Name-zh", type_ = "string", json_path = ".spec.displayName", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self.group != 'xiangyun.io' && !self.group.endsWith('.xiangyun.io') && !(self.group in ['admissionregistration.k8s.io', 'apiextensions.k8s.io', 'apiregistration.k8s.io', 'authentication.k8s.io', 'authorization.k8s.io', 'certificates.k8s.io', 'coordination.k8s.io', 'discovery.k8s.io', 'events.k8s.io', 'flowcontrol.apiserver.k8s.io', 'internal.apiserver.k8s.io', 'networking.k8s.io', 'node.k8s.io', 'rbac.authorization.k8s.io', 'resource.k8s.io', 'scheduling.k8s.io', 'storage.k8s.io', 'storagemigration.k8s.io'])", "group is that of a CRD, not of Kubernetes itself and not xiangyun.io | group 须为 CRD 的组，不得为 Kubernetes 内置组或 xiangyun.io"),
    validation = ("self.kind == oldSelf.kind", "kind is fixed; create another PlaceableKind | kind 不可修改，请另建"),
    validation = ("!has(self.message) || has(self.ready)", "message goes with ready: without it an object is ready once it is applied | 填写 message 须同时填写 ready")
)]
pub struct PlaceableKindSpec {
    /// Name for people, at most 64 characters | 显示名称
    #[schemars(length(min = 1, max = 64))]
    pub display_name: String,
    /// Group of the CRD | 组
    #[schemars(length(max = 188), regex(pattern = r"^[a-z0-9][-a-z0-9]*([.][a-z0-9][-a-z0-9]*)+$"))]
    pub group: String,
    /// Version in which it is read and written | 版本
    #[schemars(length(max = 20), regex(pattern = r"^v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?$"))]
    pub version: String,
    /// Kind, as in a manifest; placements write it with its group, such as Widget.example.org | 类型名
    #[schemars(length(max = 63), regex(pattern = r"^[A-Z][A-Za-z0-9]*$"))]
    pub kind: String,
    /// Plural, as in `kubectl get` | 复数名
    #[schemars(length(max = 63), regex(pattern = r"^[a-z][a-z0-9]*$"))]
    pub plural: String,
    /// Whether spec.replicas is divided over the centres, as that of a Deployment is | 是否在各中心间分配 spec.replicas
    #[serde(default)]
    pub copies: bool,
    /// CEL over `self`, the object in the centre: true when it is ready; a missing field means not ready. Ready once applied without it | 就绪条件（CEL），缺省为落实即就绪
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub ready: Option<String>,
    /// CEL over `self`, a string: what to say while it is not ready | 未就绪时的说明（CEL）
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub message: Option<String>,
}

/// What became of the kind | 可部署类型状态
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceableKindStatus {
    /// Objects of it in the decisions of placements; it cannot be deleted while there are any | 已分派对象数，不为零时不可删除
    #[serde(default)]
    pub placed: i64,
    /// Generation that the conditions speak of | 对应的版本
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions | 条件
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
