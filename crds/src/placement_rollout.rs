//! In which order a new version of a workload reaches the centres, and how far it is.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TemplateKind;

/// Which centre gets a new version first | 升级顺序
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RolloutOrder {
    /// All at once | 同时
    #[default]
    Together,
    /// The backup first, the primary once it is healthy there | 先备后主
    BackupFirst,
}

/// What happens when a version does not become healthy | 升级失败的处理
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// No further centre gets it | 停止
    #[default]
    Stop,
    /// Every centre returns to the newest version that was healthy everywhere | 退回上一个正常版本
    Return,
}

/// How new versions reach the centres | 升级方式
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("duration(self.deadline) >= duration('10s') && duration(self.deadline) <= duration('24h')", "deadline is 10s to 24h | deadline 须在 10s 到 24h 之间"))]
pub struct Rollout {
    /// Which centre gets a new version first | 顺序
    #[serde(default)]
    pub order: RolloutOrder,
    /// While it is set no centre gets another version; copies and everything else go on | 暂停升级
    #[serde(default)]
    pub paused: bool,
    /// How long a version may take to become healthy in a centre; as long as a Deployment's own default | 就绪时限
    #[serde(default = "ten_minutes")]
    #[schemars(length(max = 16), regex(pattern = r"^[1-9][0-9]{0,5}[smh]$"))]
    pub deadline: String,
    /// What happens after that | 超时处理
    #[serde(default)]
    pub on_failure: OnFailure,
}

fn ten_minutes() -> String {
    "10m".to_owned()
}

/// The version of a workload that a centre runs | 中心运行的版本
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CentreRevision {
    /// Centre | 中心
    pub name: String,
    /// Revision that it may run | 版本
    pub revision: String,
}

/// How far the versions of a workload are | 一个工作负载的升级进度
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadRollout {
    /// Kind | 类型
    pub kind: TemplateKind,
    /// Its name | 名称
    pub name: String,
    /// Revision of the template as it is now: a fingerprint without the number of copies | 最新版本
    pub newest: String,
    /// Newest revision that was healthy in every centre | 最近正常版本
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<String>,
    /// Revision that did not become healthy in time | 失败版本
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// When a centre was last given a revision, RFC 3339 | 最近放行时间
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// What the centres may run; one that is missing waits for its turn | 各中心版本
    #[serde(default)]
    pub centres: Vec<CentreRevision>,
}

impl WorkloadRollout {
    /// What that centre may run.
    pub fn of(&self, centre: &str) -> Option<&str> {
        let found = self.centres.iter().find(|c| c.name == centre)?;
        Some(&found.revision)
    }
}
