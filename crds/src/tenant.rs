//! `Tenant` (租户/部门): a department, its place in the tree, and its ceilings.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amounts, ApprovalPolicy, Condition, Intake, PoolAmounts};

/// Reasons of a tenant's conditions.
pub mod reason {
    /// Namespace, roles and place in the tree are as they should be.
    pub const ESTABLISHED: &str = "Established";
    /// The parent does not exist yet.
    pub const PARENT_MISSING: &str = "ParentMissing";
    /// The tenant is its own ancestor.
    pub const CYCLE: &str = "TenantCycle";
    /// A second tenant without a parent.
    pub const SECOND_ROOT: &str = "SecondRoot";
    /// The parent or one above it is not valid.
    pub const ANCESTOR_INVALID: &str = "AncestorInvalid";
    /// A ceiling cannot be read.
    pub const MISCONFIGURED: &str = "Misconfigured";
    /// A namespace of that name exists and is not ours.
    pub const NAMESPACE_CONFLICT: &str = "NamespaceConflict";
    /// Its new place or ceilings wait: what is granted does not fit under the new parent.
    pub const OVERSHOOT: &str = "Overshoot";
    /// The ledger counts it as its spec says.
    pub const ADOPTED: &str = "Adopted";
    /// A write failed; it is tried again.
    pub const APPLY_FAILED: &str = "ApplyFailed";
}

/// Level of administration | 行政层级
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TenantLevel {
    /// Province | 省
    Province,
    /// City or prefecture | 市州
    City,
    /// County | 县
    County,
    /// Township | 乡镇
    Township,
}

/// Sort of a subject | 主体类型
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdministratorKind {
    /// A user | 用户
    User,
    /// A group | 用户组
    Group,
}

/// Who administers the tenant | 租户管理员
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = ("!self.name.startsWith('system:') && !self.name.startsWith('xiangyun:')", "names that begin with system: or xiangyun: cannot administer a tenant | 不能使用 system: 或 xiangyun: 开头的名称"))]
pub struct Administrator {
    /// User or group | 用户或组
    pub kind: AdministratorKind,
    /// Its name | 名称
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
}

/// Whom to tell when something of the tenant moves between centres | 切换时通知的联系人
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contact {
    /// Who it is | 名称
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Address to which it is posted, signed | 接收通知的地址
    #[schemars(
        length(max = 512),
        regex(pattern = r"^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/%-]*)?(\?[A-Za-z0-9._~/%&=+-]*)?$")
    )]
    pub webhook: String,
}

/// A ceiling over the sum of grants in the subtree | 对子树授予总量的上限
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ceiling {
    /// Pool | 资源池
    #[schemars(length(min = 1, max = 63))]
    pub pool: String,
    /// Ceiling; a resource that is absent is closed | 上限，未列出的资源不可用
    #[schemars(schema_with = "crate::amounts::written")]
    pub amounts: Amounts,
    /// How far it may go above its ceiling, from what its siblings lend | 可向同级借用的量
    #[serde(default, skip_serializing_if = "crate::amounts::none")]
    #[schemars(schema_with = "crate::amounts::written")]
    pub borrowing_limit: Amounts,
    /// What it lends of its ceiling to its siblings while it leaves it unused | 未用时可借给同级的量
    #[serde(default, skip_serializing_if = "crate::amounts::none")]
    #[schemars(schema_with = "crate::amounts::written")]
    pub lending_limit: Amounts,
}

/// A department | 部门
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io", version = "v1alpha1", kind = "Tenant", plural = "tenants", shortname = "dept",
    category = "xyplatform", status = "TenantStatus", derive = "PartialEq",
    doc = "A department, its parent and its ceilings; its name is its namespace | 租户（部门）：上级与上限，其名称即命名空间",
    validation = ("self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')", "the name is a DNS label of at most 40 characters | 名称须为不超过40个字符的DNS标签"),
    validation = ("!self.metadata.name.startsWith('kube-') && !(self.metadata.name in ['default', 'xiangyun-system'])", "this name belongs to the system | 该名称为系统保留"),
    validation = ("!has(self.spec.parentRef) || self.spec.parentRef != self.metadata.name", "a tenant is not its own parent | 租户不能以自己为上级"),
    printcolumn(name = "Level", type_ = "string", json_path = ".spec.level"),
    printcolumn(name = "Parent", type_ = "string", json_path = ".spec.parentRef"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Name-zh", type_ = "string", json_path = ".spec.displayName", priority = 1)
)]
#[serde(rename_all = "camelCase")]
pub struct TenantSpec {
    /// Name for people, at most 64 characters of any script | 显示名称
    #[schemars(length(min = 1, max = 64))]
    pub display_name: String,
    /// Level | 层级
    pub level: TenantLevel,
    /// Parent; absent only for the root | 上级，仅根租户为空
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    pub parent_ref: Option<String>,
    /// Who may request in the hub and edit in the centres | 管理员
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub administrators: Vec<Administrator>,
    /// Whom to tell of its moves; the subtree is told only what it asks for itself | 切换通知联系人
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub contacts: Vec<Contact>,
    /// Highest level of the multi-level protection scheme it holds | 等级保护级别
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3))]
    pub mlps_level: Option<i32>,
    /// Ceilings; a pool that is not listed is closed | 上限；未列出的资源池不可用
    #[serde(default)]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["pool".into()]))]
    pub ceilings: Vec<Ceiling>,
    /// Who must agree before a grant; wins over the pools' own | 审批策略，优先于资源池的策略
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalPolicy>,
    /// What it may still be granted, it and its subtree | 准入状态，含子树
    #[serde(default, skip_serializing_if = "Intake::is_open")]
    pub intake: Intake,
    /// Days for which a grant of it stays in force after its term | 到期后的宽限天数
    #[serde(default = "two_weeks")]
    #[schemars(range(min = 0, max = 90))]
    pub grace_days: i32,
}

const fn two_weeks() -> i32 {
    14
}

/// What the tenant's subtree holds | 租户子树占用
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// Sum of grants in the subtree | 子树授予总量
    #[serde(default)]
    pub charged: Vec<PoolAmounts>,
    /// Generation that the conditions speak of | 对应的版本
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions | 条件
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
