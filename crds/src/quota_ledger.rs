//! `QuotaLedger` (配额台账), internal: the one object whose compare-and-swap decides every grant.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AllocationPool, Amounts, CentreAmounts};

/// Whether the ledger may decide | 台账状态
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LedgerState {
    /// It decides | 正常
    Open,
    /// It was lost or is new: it sells nothing until it was recounted | 重新清点
    #[default]
    Recounting,
}

/// What a decision needs, and the changes under way | 决策所需数据与进行中的变更
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "QuotaLedger",
    plural = "quotaledgers",
    derive = "PartialEq",
    doc = "Charges of all pools and the changes under way; written by the operator alone | 各资源池的占用与进行中的变更；仅由控制器写入",
    printcolumn(name = "State", type_ = "string", json_path = ".spec.state"),
    printcolumn(name = "Sequence", type_ = "integer", json_path = ".spec.sequence"),
    printcolumn(name = "Epoch", type_ = "integer", json_path = ".spec.epoch"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.epoch >= oldSelf.epoch", "the epoch never falls | epoch 只增不减"))]
pub struct QuotaLedgerSpec {
    /// Whether it may decide | 状态
    pub state: LedgerState,
    /// Counts the swaps | 序号
    pub sequence: i64,
    /// Epoch of the operator that wrote it | 写入者的epoch
    pub epoch: i64,
    /// Per pool | 资源池
    #[serde(default)]
    pub pools: Vec<LedgerPool>,
    /// Per tenant | 租户
    #[serde(default)]
    pub tenants: Vec<LedgerTenant>,
    /// Changes under way, at most one a request | 进行中的变更
    #[serde(default)]
    pub records: Vec<LedgerRecord>,
}

/// A pool in the ledger | 台账中的资源池
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerPool {
    /// Pool | 资源池
    pub name: String,
    /// Generation that was adopted | 采纳的版本
    pub generation: i64,
    /// Centres | 中心
    pub centres: Vec<LedgerCentre>,
    /// Phases of expansion whose capacity is in it | 已计入的扩容期次
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<String>,
    /// What it gained by phases, oldest first, while the requests that waited for it start | 扩容到位记录，在排队申请开通期间保留
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub growths: Vec<LedgerGrowth>,
}

/// Capacity that came by a phase of expansion | 一次扩容到位
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerGrowth {
    /// Phase | 扩容期次
    pub phase: String,
    /// When the ledger took it in | 计入时间
    pub at: String,
    /// Committable before, by centre | 计入前各中心的可承诺量
    #[serde(default)]
    pub before: Vec<CentreAmounts>,
}

/// A pool in one centre | 一个中心
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerCentre {
    /// Centre | 中心
    pub name: String,
    /// Charged by grants and open records | 已计
    pub charged: Amounts,
    /// Adopted capacity after reserve | 采纳的可承诺量
    pub committable: Amounts,
    /// Number of the report it came from; 0 where declared | 上报序号
    pub report: i64,
    /// Time of that report | 上报时间
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<String>,
}

/// A tenant in the ledger | 台账中的租户
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerTenant {
    /// Tenant | 租户
    pub name: String,
    /// Parent as adopted | 采纳的上级
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Generation that was adopted | 采纳的版本
    pub generation: i64,
    /// Ceilings as adopted | 采纳的上限
    #[serde(default)]
    pub ceilings: Vec<LedgerCeiling>,
    /// Its own grants, without its children's | 自身占用
    #[serde(default)]
    pub charged: Vec<LedgerCharge>,
}

/// Amounts of a pool, counted once, not once a centre | 资源池与数量，不按中心重复计
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerCharge {
    /// Pool | 资源池
    pub pool: String,
    /// Amounts | 数量
    pub amounts: Amounts,
}

/// A ceiling as adopted | 采纳的上限
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerCeiling {
    /// Pool | 资源池
    pub pool: String,
    /// Ceiling | 上限
    pub amounts: Amounts,
    /// Borrowing limit | 可借用量
    #[serde(default, skip_serializing_if = "crate::amounts::none")]
    pub borrow: Amounts,
    /// Lending limit | 可借出量
    #[serde(default, skip_serializing_if = "crate::amounts::none")]
    pub lend: Amounts,
}

/// One change under way, absolute amounts | 一项进行中的变更
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerRecord {
    /// Id, written into the allocation that it sets | 记录号
    pub id: String,
    /// Uid of the request | 申请uid
    pub uid: String,
    /// Name of the request | 申请名称
    pub name: String,
    /// Tenant, which is the namespace | 租户
    pub tenant: String,
    /// Before | 变更前
    #[serde(default)]
    pub from: Vec<AllocationPool>,
    /// After | 变更后
    #[serde(default)]
    pub to: Vec<AllocationPool>,
    /// Since when the grant counts | 生效时间
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<String>,
    /// Until when the grant counts | 到期日
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Uid of the request (Change, Renew) that asked for it | 提出变更的申请
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// Phase of expansion that made room for it | 为其腾出容量的扩容期次
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
}
