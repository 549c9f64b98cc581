//! `UsageReport` (用量报表): what a tenant held in one month, request by request and pool by pool, and what it costs.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Currency, PoolAmounts};

/// What a request holds from a moment on; the record of metering, kept on the request itself | 配额变更记录
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    /// From when on, in whole seconds | 起始时间，精确到秒
    #[schemars(length(max = 32))]
    pub at: String,
    /// Id of the ledger record that set it | 台账记录号
    #[schemars(length(max = 128))]
    pub record: String,
    /// Granted amounts by pool, counted once and not once a centre; empty when nothing is held any more | 自此持有的数量
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub pools: Vec<PoolAmounts>,
}

/// What a tenant held in a month | 租户月度用量
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "UsageReport",
    plural = "usagereports",
    shortname = "usage",
    namespaced,
    category = "xiangyun",
    status = "UsageReportStatus",
    derive = "PartialEq",
    doc = "What a tenant held in one month and what it costs; written by the operator alone | 租户月度用量与费用；仅由控制器写入",
    printcolumn(name = "Month", type_ = "string", json_path = ".spec.month"),
    printcolumn(name = "vCPU-h", type_ = "string", json_path = ".status.totals.vcpuHours"),
    printcolumn(name = "GPU-h", type_ = "string", json_path = ".status.totals.gpuHours"),
    printcolumn(name = "TB-days", type_ = "string", json_path = ".status.totals.tbDays"),
    printcolumn(name = "Price", type_ = "string", json_path = ".status.totals.price"),
    printcolumn(name = "Complete", type_ = "boolean", json_path = ".status.complete"),
    printcolumn(name = "As-Of", type_ = "string", json_path = ".status.asOf"),
    printcolumn(name = "Left-Out", type_ = "integer", json_path = ".status.leftOut", priority = 1),
    printcolumn(
        name = "Normalized-vCPU-h",
        type_ = "string",
        json_path = ".status.totals.normalizedVcpuHours",
        priority = 1
    ),
    printcolumn(
        name = "Mem-GiB-h",
        type_ = "string",
        json_path = ".status.totals.memoryGiBHours",
        priority = 1
    )
)]
#[x_kube(validation = ("self == oldSelf", "a report is about one tenant and one month | 报表的租户与月份不可更改"))]
pub struct UsageReportSpec {
    /// The tenant, which is the namespace | 租户，即命名空间
    #[schemars(length(min = 1, max = 63))]
    pub tenant: String,
    /// The month in the province's time, UTC+8, such as 2026-11 | 月份（北京时间）
    #[schemars(length(max = 7), regex(pattern = r"^[0-9]{4}-(0[1-9]|1[0-2])$"))]
    pub month: String,
}

/// Amounts times time, for people: rounded half up to six decimals, the price to 0.01 | 用量
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageFigures {
    /// vCPU × hours | vCPU·小时
    #[schemars(length(max = 32))]
    pub vcpu_hours: String,
    /// vCPU × hours × the normalization of their pool, to compare x86 with ARM | 折算 vCPU·小时（按资源池算力系数）
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub normalized_vcpu_hours: String,
    /// GiB of memory × hours | 内存 GiB·小时
    #[serde(rename = "memoryGiBHours")]
    #[schemars(length(max = 32))]
    pub memory_gib_hours: String,
    /// Cards × hours | 加速卡·小时
    #[schemars(length(max = 32))]
    pub gpu_hours: String,
    /// TB of storage (10¹² bytes) × days | 存储 TB·天
    #[schemars(length(max = 32))]
    pub tb_days: String,
    /// Price | 费用
    #[schemars(length(max = 32))]
    pub price: String,
}

/// The same without rounding, in the units of the ledger × seconds | 未取整的用量
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExactUsage {
    /// Milli-vCPU × seconds | 毫核·秒
    #[schemars(length(max = 40))]
    pub cpu: String,
    /// Milli-vCPU × seconds × thousandths of the pool's normalization | 折算毫核·秒，系数以千分之一计
    #[serde(default)]
    #[schemars(length(max = 40))]
    pub normalized_cpu: String,
    /// Bytes of memory × seconds | 内存字节·秒
    #[schemars(length(max = 40))]
    pub memory: String,
    /// Bytes of storage × seconds | 存储字节·秒
    #[schemars(length(max = 40))]
    pub storage: String,
    /// Cards × seconds | 卡·秒
    #[schemars(length(max = 40))]
    pub accelerators: String,
}

/// What one request held of one pool in the month | 一个申请在一个资源池的用量
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!oldSelf.final || self == oldSelf", "a final row does not change | 已定稿的行不可更改"))]
pub struct UsageRow {
    /// Uid of the request | 申请uid
    #[schemars(length(max = 63))]
    pub request_uid: String,
    /// Name of the request | 申请名称
    #[schemars(length(max = 253))]
    pub request: String,
    /// Pool | 资源池
    #[schemars(length(max = 63))]
    pub pool: String,
    /// For people | 用量与费用
    #[serde(flatten)]
    pub figures: UsageFigures,
    /// Exactly | 未取整的用量
    pub exact: ExactUsage,
    /// Nothing of this month is to come: the request holds nothing any more, or the month is closed | 是否定稿
    #[serde(rename = "final")]
    pub final_: bool,
}

/// The report | 报表
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!oldSelf.complete || self == oldSelf", "a complete report does not change | 已完成的报表不可更改"),
    validation = ("self.rows.filter(r, r.final).size() >= oldSelf.rows.filter(r, r.final).size()", "a final row does not vanish | 已定稿的行不可删除")
)]
pub struct UsageReportStatus {
    /// Up to when it counts | 统计截至
    #[schemars(length(max = 32))]
    pub as_of: String,
    /// The month is closed, one day after its end: nothing changes any more | 是否已完成（月末后一天）
    pub complete: bool,
    /// Currency of its prices | 币种
    pub currency: Currency,
    /// How many rows the report has no room for; the totals count them | 因篇幅未列出的行数，合计已计入
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub left_out: i32,
    /// By request and pool; requests that are gone stay | 明细；已删除的申请仍保留
    #[serde(default)]
    #[schemars(length(max = 2000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["requestUid".into(), "pool".into()]))]
    pub rows: Vec<UsageRow>,
    /// Sums; the price is the sum of the rows' prices | 合计，费用为各行之和
    pub totals: UsageFigures,
}
