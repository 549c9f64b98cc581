//! What a request asks for: by sort of resource, or by pool.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AcceleratorUse, Amount, Amounts, StorageTier};

/// Storage that is needed | 存储需求
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageNeed {
    /// Tier | 层级
    pub tier: StorageTier,
    /// Size in whole Mi | 容量，以Mi为最小单位
    #[x_kube(validation = ("isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0')) && quantity(string(self)).isLessThan(quantity('8Ei')) && (string(self).matches('^[0-9]{1,13}[MGTPE]i$') || (quantity(string(self)).isInteger() && quantity(string(self)).asInteger() % 1048576 == 0))", "size is above zero, in whole Mi, within 64 bits | 容量须为正数、Mi的整数倍且不超过64位"))]
    pub size: Amount,
}

/// Cards that are needed | 加速卡需求
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.perNode) || self.count % self.perNode == 0", "count is a multiple of perNode | count 须为 perNode 的整数倍"))]
pub struct AcceleratorNeed {
    /// Use | 用途
    #[serde(rename = "use")]
    pub use_: AcceleratorUse,
    /// Whole cards | 整卡数
    #[schemars(range(min = 1, max = 100_000))]
    pub count: i64,
    /// Cards that must lie in one node, of which `count` is a multiple | 单节点所需卡数
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub per_node: Option<i64>,
}

/// What is needed, whichever pool has it | 需求
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = ("has(self.cpu) == has(self.memory)", "cpu and memory go together | cpu 与 memory 须同时填写"),
    validation = ("has(self.cpu) || has(self.storage) || has(self.accelerators)", "nothing is asked | 未申请任何资源")
)]
pub struct ResourceNeed {
    /// vCPU, at least 1m | vCPU，最小1m
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("string(self).matches('^[0-9]{1,15}([.][0-9]{1,3}|m|k)?$') && quantity(string(self)).isGreaterThan(quantity('0'))", "cpu is above zero, at least 1m, within 64 bits | cpu 须为正数，最小1m，且不超过64位"))]
    pub cpu: Option<Amount>,
    /// Memory in whole Mi | 内存，Mi的整数倍
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0')) && quantity(string(self)).isLessThan(quantity('8Ei')) && (string(self).matches('^[0-9]{1,13}[MGTPE]i$') || (quantity(string(self)).isInteger() && quantity(string(self)).asInteger() % 1048576 == 0))", "memory is above zero, in whole Mi, within 64 bits | 内存须为正数、Mi的整数倍且不超过64位"))]
    pub memory: Option<Amount>,
    /// Storage by tier | 存储
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["tier".into()]))]
    pub storage: Option<Vec<StorageNeed>>,
    /// Cards by use | 加速卡
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["use".into()]))]
    pub accelerators: Option<Vec<AcceleratorNeed>>,
}

/// What is needed from a pool by name | 指定资源池的需求
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = ("size(self.amounts) > 0 && self.amounts.all(k, isQuantity(string(self.amounts[k])) && quantity(string(self.amounts[k])).isGreaterThan(quantity('0')))", "an amount that is asked is above zero | 申请量须大于零"),
    validation = ("self.amounts.all(k, !(k in ['memory', 'storage']) || string(self.amounts[k]).matches('^[0-9]{1,13}[MGTPE]i$') || (quantity(string(self.amounts[k])).isInteger() && quantity(string(self.amounts[k])).asInteger() % 1048576 == 0))", "memory and storage are asked in whole Mi | 内存与存储须为Mi的整数倍")
)]
pub struct PoolNeed {
    /// Pool | 资源池
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// What is asked | 申请量
    #[schemars(schema_with = "crate::amounts::written")]
    pub amounts: Amounts,
}

/// Amounts of a pool | 资源池与数量
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PoolAmounts {
    /// Pool | 资源池
    pub pool: String,
    /// Amounts | 数量
    pub amounts: Amounts,
}
