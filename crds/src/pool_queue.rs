//! `PoolQueue` (等待队列), internal: who waits for a pool and what ends next, without names.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Amounts;

/// The queue of the pool of the same name | 同名资源池的等待队列
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "PoolQueue",
    plural = "poolqueues",
    derive = "PartialEq",
    doc = "Who waits for a pool and which grants end next; written by the operator | 谁在等待该资源池，哪些配额即将到期；由控制器写入",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct PoolQueueSpec {
    /// At most the first 200, in the order in which they will be served | 按顺序排列的前200个
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub waiting: Vec<WaitingRequest>,
    /// The next five ends of grants | 最近五个到期
    #[serde(default)]
    #[schemars(length(max = 5))]
    pub ends: Vec<EndingGrant>,
    /// What is kept for the first that has waited long | 为久等的队首保留的余量
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptAmounts>,
}

/// What is kept for one request | 为一个申请保留的余量
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeptAmounts {
    /// Its uid | 申请的uid
    pub uid: String,
    /// By centre | 各中心
    #[serde(default)]
    pub centres: Vec<CentreAmounts>,
}

/// An amount in one centre | 一个中心内的数量
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CentreAmounts {
    /// Centre | 中心
    pub name: String,
    /// Amounts | 数量
    pub amounts: Amounts,
}

/// A request that waits | 等待中的申请
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingRequest {
    /// Its uid | 申请的uid
    pub uid: String,
    /// Its priority | 优先级
    pub priority: i32,
    /// When it was approved | 批准时间
    pub approved_at: String,
    /// What its grant would add to the charge of this pool, by centre | 授予后各中心新增占用量
    #[serde(default)]
    pub centres: Vec<CentreAmounts>,
}

/// A grant that ends | 将到期的配额
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndingGrant {
    /// First day on which it is free, after its days of grace | 释放日，已含宽限期
    pub date: String,
    /// What it gives back to this pool, by centre | 各中心归还量
    #[serde(default)]
    pub centres: Vec<CentreAmounts>,
}
