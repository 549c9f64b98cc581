//! What a request was granted, and what the centres say of it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amounts, PoolAmounts, PoolUse};

/// Which of its two amounts a centre lets in | 生效的数量
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InForce {
    /// Its part in normal life | 日常份额
    #[default]
    Share,
    /// What it holds alone | 单中心保障量
    Survival,
}

/// What a grant is in one centre | 一个中心的配额
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CentreShare {
    /// Centre | 中心
    #[schemars(length(max = 63))]
    pub name: String,
    /// Part in normal life | 日常份额
    pub share: Amounts,
    /// What it must hold alone | 单中心保障量
    pub survival: Amounts,
    /// Which one is in force | 生效的是哪个
    #[serde(default)]
    pub in_force: InForce,
}

/// What a grant takes from one pool | 一个资源池的配额
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AllocationPool {
    /// Pool | 资源池
    #[schemars(length(max = 253))]
    pub name: String,
    /// Granted amount n, counted against ceilings | 授予量
    pub amounts: Amounts,
    /// Centres | 中心
    #[schemars(length(max = 4))]
    pub centres: Vec<CentreShare>,
}

// The lengths bound the cost of the rule that an ended grant only falls: what each centre charges is the larger of its parts.
/// The grant; written only as the ledger decided | 配额，仅依台账写入
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(oldSelf.ended) || has(self.ended)", "a grant that ended does not come back | 已结束的配额不能恢复"),
    validation = ("!has(oldSelf.ended) || self.pools.all(p, oldSelf.pools.exists(o, o.name == p.name \
        && p.amounts.all(r, r in o.amounts && !quantity(string(p.amounts[r])).isGreaterThan(quantity(string(o.amounts[r])))) \
        && p.centres.all(c, o.centres.exists(d, d.name == c.name \
        && c.share.all(r, (r in d.share && !quantity(string(c.share[r])).isGreaterThan(quantity(string(d.share[r])))) || (r in d.survival && !quantity(string(c.share[r])).isGreaterThan(quantity(string(d.survival[r]))))) \
        && c.survival.all(r, (r in d.share && !quantity(string(c.survival[r])).isGreaterThan(quantity(string(d.share[r])))) || (r in d.survival && !quantity(string(c.survival[r])).isGreaterThan(quantity(string(d.survival[r])))))))))", "a grant that ended only falls | 已结束的配额只减不增"),
    validation = ("self.ledger != oldSelf.ledger || self.epoch >= oldSelf.epoch", "StaleEpoch: the epoch of a grant never falls | epoch 只增不减")
)]
pub struct Allocation {
    /// Id of the ledger record that set it | 台账记录号
    #[serde(default)]
    pub record: String,
    /// Uid of the ledger it counts in | 台账uid
    pub ledger: String,
    /// Epoch of the decision | 决策的epoch
    pub epoch: i64,
    /// Since when | 生效时间
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until when | 到期
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// When it ended; irrevocable | 结束时间，不可撤销
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// What it takes from each pool | 各资源池
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub pools: Vec<AllocationPool>,
    /// What it took before it was lowered, while a centre may still let that in; it counts until every centre has confirmed | 调低之前的数量，各中心确认前仍计入
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<AllocationPool>,
    /// Uids of the requests (Change, Renew) that altered it; each alters it once | 已变更此配额的申请
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub changes: Vec<String>,
}

/// What a centre says of the grant; written by its agent alone | 中心上报，仅由其代理写入
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CentreRow {
    /// Centre | 中心
    pub name: String,
    /// Record that is applied there | 已落实的记录号
    #[serde(default)]
    pub record: String,
    /// Epoch of that record | epoch
    pub epoch: i64,
    /// What runs now in the tenant's namespaces there | 在用
    #[serde(default)]
    pub used: Vec<PoolAmounts>,
    /// What the pods there really use, where the centre has a metric source; absent is unknown, not zero | 实际用量，缺失为未知
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub utilization: Vec<PoolUse>,
    /// `Applied`, `Conflict`, `StaleEpoch` or `ApplyFailed`; of a member cloud also `AwaitingConfirmation`, `StageObserved` | 原因
    pub reason: String,
    /// In words where it is not `Applied` | 说明
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When the agent looked | 上报时间
    pub reported_at: String,
}
