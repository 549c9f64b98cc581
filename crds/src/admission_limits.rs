//! `AdmissionLimits` (准入上限), internal: the largest grant that an empty pool could ever give.
//!
//! Admission policies name the one object `province` as their parameter, so that a request that can never fit is
//! refused while it is applied, at the cost of one evaluation.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AcceleratorUse, Architecture, StorageTier, Zone};

/// The largest grants of the province | 全省可授予的上限
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "AdmissionLimits",
    plural = "admissionlimits",
    derive = "PartialEq",
    doc = "The largest grant an empty pool could ever give; written by the operator | 空资源池可授予的最大值；由控制器写入",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AdmissionLimitsSpec {
    /// One row a pool and one for each of its centres, the largest pool first within its kind | 每个资源池一行、其每个中心一行，同类中最大的在前
    #[serde(default)]
    #[schemars(length(max = 2000))]
    pub pools: Vec<LargestGrant>,
}

/// What a pool can be asked for | 资源池的类别
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum NeedKind {
    /// vCPU and memory | 计算
    Compute,
    /// Cards, with CPU and memory of their node | 加速卡
    Accelerator,
    /// Bytes on disk | 存储
    Storage,
}

/// Amounts as policies count: cpu in milli-vCPU, memory and storage in bytes, accelerators in cards | 以最小单位计：cpu 毫核，memory、storage 字节，accelerators 卡
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Units {
    /// Milli-vCPU | 毫核
    pub cpu: i64,
    /// Bytes | 字节
    pub memory: i64,
    /// Bytes | 字节
    pub storage: i64,
    /// Cards | 卡
    pub accelerators: i64,
}

/// The largest grant of one pool | 一个资源池的上限
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LargestGrant {
    /// Pool | 资源池
    pub name: String,
    /// The centre, where the row is for what lives in one (survival `None`) | 中心，仅用于只在一个中心的申请
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub centre: Option<String>,
    /// What it can be asked for | 类别
    pub kind: NeedKind,
    /// Architecture, where it is compute or accelerators | 架构
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// Zone | 区域
    pub zone: Zone,
    /// Use of its cards | 加速卡用途
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub use_: Option<AcceleratorUse>,
    /// Tier of its storage | 存储层级
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<StorageTier>,
    /// What each centre could hold alone: the largest grant with survival `Full`, or in one centre | 各中心均可单独承载的量，即全额保障或单中心的上限
    pub whole: Units,
    /// What the shares let in, whatever survives; the largest grant with survival p% is the smaller of this and whole × 100 / p | 按份额可容纳的量；保障 p% 时上限为此值与 whole × 100 / p 中较小者
    pub shared: Units,
}
