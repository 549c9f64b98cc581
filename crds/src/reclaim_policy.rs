//! `ReclaimPolicy` (回收策略): when a grant counts as idle, and what becomes of it.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Condition;

/// Reasons of a policy's condition Ready, and of a grant's condition Idle.
pub mod reason {
    /// The policy covers grants.
    pub const IN_FORCE: &str = "InForce";
    /// The policy covers no grant now.
    pub const COVERS_NOTHING: &str = "CoversNothing";
    /// The policy cannot be worked with.
    pub const MISCONFIGURED: &str = "Misconfigured";
    /// Idle: it is seen, and what could be given back is proposed.
    pub const OBSERVED: &str = "Observed";
    /// Idle: its owner has been told on which day what is taken back.
    pub const NOTIFIED: &str = "Notified";
    /// Idle: the time of the notice is over, the days of grace run.
    pub const DUE: &str = "Due";
    /// Idle: its owner keeps it for one more window.
    pub const APPEALED: &str = "Appealed";
    /// What was not used was taken back; it is measured anew.
    pub const SHRUNK: &str = "Shrunk";
    /// It was given back whole, because it stayed idle after it had been shrunk.
    pub const RECLAIMED: &str = "Reclaimed";
    /// Not idle: it is used.
    pub const IN_USE: &str = "InUse";
    /// Never idle: it is there to be unused.
    pub const EXEMPT: &str = "Exempt";
    /// Not idle: it is as small as it may become.
    pub const NOTHING_TO_RECLAIM: &str = "NothingToReclaim";
    /// Unknown: a centre has no metric source, or no figure for the window.
    pub const NO_METRICS: &str = "NoMetrics";
    /// Unknown: what it holds is younger than the window.
    pub const WINDOW_NOT_COVERED: &str = "WindowNotCovered";
    /// Unknown: no policy covers it any more.
    pub const NO_POLICY: &str = "NoPolicy";
    /// A `Keep` whose grant has no notice, or whose notice came after it.
    pub const NOTHING_TO_KEEP: &str = "NothingToKeep";
}

/// What is never idle | 豁免对象
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Exemption {
    /// Parts in a centre for disaster recovery, which are idle by design | 灾备中心内的备用容量
    DRStandby,
    /// Grants of type Emergency | 应急配额
    Emergency,
    /// Grants of type Trial | 试用配额
    Trial,
}

/// What becomes of an idle grant | 处置方式
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReclaimAction {
    /// Nothing but the proposal | 仅提出建议
    #[default]
    Propose,
    /// Notice, grace, and then it shrinks | 通知、宽限后缩减
    Shrink,
    /// The same, and when it is idle again after that, it is given back whole | 缩减后仍闲置则收回
    Release,
}

/// When a grant counts as idle, and what becomes of it | 闲置判定与处置
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "xiangyun.io",
    version = "v1alpha1",
    kind = "ReclaimPolicy",
    plural = "reclaimpolicies",
    shortname = "rcp",
    category = "xyplatform",
    status = "ReclaimPolicyStatus",
    derive = "PartialEq",
    doc = "When a grant counts as idle, and what becomes of it; data and workloads are never deleted | 回收策略：闲置判定与处置，不删除数据与工作负载",
    printcolumn(name = "Window", type_ = "string", json_path = ".spec.window"),
    printcolumn(name = "CPU-Below", type_ = "string", json_path = ".spec.cpuP95Below"),
    printcolumn(name = "Mem-Below", type_ = "string", json_path = ".spec.memP95Below"),
    printcolumn(name = "Action", type_ = "string", json_path = ".spec.action"),
    printcolumn(name = "Covers", type_ = "integer", json_path = ".status.covers"),
    printcolumn(name = "Idle", type_ = "integer", json_path = ".status.idle"),
    printcolumn(name = "Unknown", type_ = "integer", json_path = ".status.unknown"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Name-zh", type_ = "string", json_path = ".spec.displayName", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("'DRStandby' in self.exempt", "standby capacity looks idle by design; exempt contains DRStandby | 灾备容量本就闲置，exempt 须包含 DRStandby")
)]
pub struct ReclaimPolicySpec {
    /// Name for people, at most 64 characters | 显示名称
    #[schemars(length(min = 1, max = 64))]
    pub display_name: String,
    /// Pools of vCPU and memory that it is about; all of them if empty. Cards and storage are never judged | 适用的资源池，空为全部
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub pools: Vec<String>,
    /// Tenants that it is about; all of them if empty. One that names the tenant goes before one that does not | 适用的租户，空为全部
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub tenants: Vec<String>,
    /// Time over which the 95th percentile is taken, such as 30d, at most 99d; figures and the grant must cover it | 统计窗口，最长99天
    #[schemars(
        length(max = 7),
        regex(pattern = r"^([1-9][0-9]{0,5}s|[1-9][0-9]{0,4}m|[1-9][0-9]{0,2}h|[1-9][0-9]?d)$")
    )]
    pub window: String,
    /// Idle only below this part of the granted vCPU, such as 10% | CPU P95 低于此比例
    #[schemars(length(max = 3), regex(pattern = r"^[1-9][0-9]?%$"))]
    pub cpu_p95_below: String,
    /// Idle only below this part of the granted memory as well, such as 30% | 且内存 P95 低于此比例
    #[schemars(length(max = 3), regex(pattern = r"^[1-9][0-9]?%$"))]
    pub mem_p95_below: String,
    /// What is never idle | 豁免对象
    #[serde(default = "always_exempt")]
    #[schemars(length(max = 3))]
    pub exempt: Vec<Exemption>,
    /// From the notice to the days of grace, such as 14d | 通知期
    #[serde(default = "two_weeks")]
    #[schemars(length(max = 8), regex(pattern = r"^[1-9][0-9]{0,6}[smhd]$"))]
    pub notify: String,
    /// From the end of the notice until it acts, such as 7d; appeals count until then | 宽限期，期满前均可申诉
    #[serde(default = "one_week")]
    #[schemars(length(max = 8), regex(pattern = r"^[1-9][0-9]{0,6}[smhd]$"))]
    pub grace: String,
    /// What becomes of an idle grant | 处置方式
    #[serde(default)]
    pub action: ReclaimAction,
    /// It shrinks to the 95th percentile times this, such as 200%, in whole vCPU and GiB, and never below what pods request | 缩减至 P95 的此倍数
    #[serde(default = "twice")]
    #[schemars(length(max = 5), regex(pattern = r"^([1-9][0-9]{2}|1000)%$"))]
    pub headroom: String,
    /// It keeps at least this part of what it holds in one step, such as 25% | 每次至少保留的比例
    #[serde(default = "a_quarter")]
    #[schemars(length(max = 3), regex(pattern = r"^[1-9][0-9]?%$"))]
    pub keep: String,
}

fn always_exempt() -> Vec<Exemption> {
    vec![Exemption::DRStandby, Exemption::Emergency]
}

fn two_weeks() -> String {
    "14d".to_owned()
}

fn one_week() -> String {
    "7d".to_owned()
}

fn twice() -> String {
    "200%".to_owned()
}

fn a_quarter() -> String {
    "25%".to_owned()
}

/// What it comes to | 回收策略状态
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReclaimPolicyStatus {
    /// Grants that it decides about | 适用的配额数
    #[serde(default)]
    pub covers: i64,
    /// Of which are idle | 其中闲置
    #[serde(default)]
    pub idle: i64,
    /// Of which it is not known | 其中未知
    #[serde(default)]
    pub unknown: i64,
    /// Generation that the figures speak of | 对应的版本
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions | 条件
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
