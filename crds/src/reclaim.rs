//! How much of a grant is used, and how far it is on its way back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amounts, PoolAmounts};

/// What the pods of a tenant used of a pool in one centre, at the 95th percentile of a window | 窗口内的 P95 用量
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PoolUse {
    /// Pool | 资源池
    #[schemars(length(max = 63))]
    pub pool: String,
    /// Window, as a policy states it | 统计窗口
    #[schemars(length(max = 8))]
    pub window: String,
    /// vCPU and bytes of memory, over all the tenant's grants of that pool there | 该租户在该中心的合计
    pub p95: Amounts,
}

/// How much of the grant is used. A namespace knows no single grant, so what a tenant uses of a pool is attributed to its
/// grants in proportion to what they hold | 利用率，按持有量在租户各配额间分摊
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Utilization {
    /// 95th percentile of the vCPU used, of those granted, rounded up; of the busiest pool | CPU P95
    #[schemars(length(max = 8))]
    pub cpu_p95: String,
    /// The same of memory | 内存 P95
    #[schemars(length(max = 8))]
    pub memory_p95: String,
    /// Over which time | 统计窗口
    #[schemars(length(max = 8))]
    pub window: String,
    /// When one of these figures changed last | 数值最近变化时间
    #[schemars(length(max = 32))]
    pub at: String,
}

/// How far an idle grant is on its way back | 回收阶段
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ReclaimStage {
    /// Idle, and proposed | 已发现闲置
    #[default]
    Observed,
    /// Its owner was told | 已通知
    Notified,
    /// The notice is over; the days of grace run | 宽限期
    Due,
    /// Its owner keeps it for one more window | 已申诉
    Appealed,
    /// What was not used is gone | 已缩减
    Shrunk,
    /// It was given back whole | 已收回
    Released,
}

/// What the notice says will happen | 到期动作
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReclaimStep {
    /// It shrinks | 缩减
    #[default]
    Shrink,
    /// It ends | 收回
    Release,
}

/// Who keeps it, and why | 申诉
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Appeal {
    /// Uid of the request of type Keep | 保留申请的uid
    #[schemars(length(max = 64))]
    pub uid: String,
    /// Its name | 名称
    #[schemars(length(max = 253))]
    pub request: String,
    /// Who wrote it, as the API server stamped it | 申诉人
    #[schemars(length(max = 256))]
    pub by: String,
    /// Why | 理由
    #[schemars(length(max = 512))]
    pub reason: String,
    /// Until when the clock stands still | 暂停至
    #[schemars(length(max = 32))]
    pub until: String,
}

/// The way back of an idle grant | 闲置回收
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reclaim {
    /// Where it is | 阶段
    pub stage: ReclaimStage,
    /// Since when | 自何时
    #[schemars(length(max = 32))]
    pub since: String,
    /// What is to come | 动作
    #[serde(default)]
    pub step: ReclaimStep,
    /// On which day in the province; with a notice | 执行日期
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub day: Option<String>,
    /// Exactly when, not before | 执行时间
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub due: Option<String>,
    /// What it would hold of each pool; a notice is only ever raised | 缩减后的数量，通知后只增不减
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub to: Vec<PoolAmounts>,
    /// Who keeps it | 申诉
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appeal: Option<Appeal>,
}
