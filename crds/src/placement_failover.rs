//! How a placement is to be moved, and what became of its last move.

use std::fmt;
use std::str::FromStr;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::FailoverType;

/// Counts who may run an exclusive placement; compared by incarnation first, and never falls | 独占权序号，先比 incarnation，只增不减
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct RightEpoch {
    /// Restores of the arbiter so far | 仲裁恢复次数
    pub incarnation: u64,
    /// Changes of the holder within it | 持有者变更次数
    pub counter: u64,
}

impl fmt::Display for RightEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incarnation, self.counter)
    }
}

/// It is not written like `1.7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnEpoch;

impl FromStr for RightEpoch {
    type Err = NotAnEpoch;

    fn from_str(text: &str) -> Result<Self, NotAnEpoch> {
        let (incarnation, counter) = text.split_once('.').ok_or(NotAnEpoch)?;
        let number = |part: &str| part.parse().map_err(|_| NotAnEpoch);
        Ok(Self {
            incarnation: number(incarnation)?,
            counter: number(counter)?,
        })
    }
}

/// What comes first when a centre is lost | 关键程度
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Criticality {
    /// First | 关键
    Key,
    /// Then | 重要
    Important,
    /// Last | 一般
    #[default]
    General,
}

/// Who begins a move | 启动方式
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailoverMode {
    /// The operator | 自动
    Automatic,
    /// People | 人工
    Manual,
}

/// What happens when its centre is lost | 切换策略
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = ("duration(self.rto) >= duration('1s') && duration(self.rto) <= duration('24h')", "rto is 1s to 24h | rto 须在 1s 到 24h 之间"))]
pub struct FailoverPolicy {
    /// Who begins it; what only grows a surviving side is always automatic | 启动方式
    #[serde(default = "automatic")]
    pub mode: FailoverMode,
    /// Declared time from the loss to service again; what was measured is held against it | 声明的RTO
    #[serde(default = "five_minutes")]
    #[schemars(length(max = 16), regex(pattern = r"^[1-9][0-9]{0,5}[smh]$"))]
    pub rto: String,
    /// People of different organisations who must agree first | 须批准人数
    #[serde(default)]
    #[schemars(range(min = 0, max = 2))]
    pub approvals: i32,
}

impl Default for FailoverPolicy {
    fn default() -> Self {
        Self {
            mode: FailoverMode::Automatic,
            rto: five_minutes(),
            approvals: 0,
        }
    }
}

const fn automatic() -> FailoverMode {
    FailoverMode::Automatic
}

fn five_minutes() -> String {
    "300s".to_owned()
}

/// How it comes back | 回切策略
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = ("duration(self.stabilization) >= duration('0s') && duration(self.stabilization) <= duration('168h')", "stabilization is 0s to 168h | stabilization 须在 0s 到 168h 之间"))]
pub struct FailbackPolicy {
    /// Who begins it | 启动方式
    #[serde(default = "manual")]
    pub mode: FailoverMode,
    /// With `Automatic`: how long its own centre must have been back without a break | 稳定时间
    #[serde(default = "half_an_hour")]
    #[schemars(length(max = 16), regex(pattern = r"^[0-9]{1,6}[smh]$"))]
    pub stabilization: String,
}

impl Default for FailbackPolicy {
    fn default() -> Self {
        Self {
            mode: FailoverMode::Manual,
            stabilization: half_an_hour(),
        }
    }
}

const fn manual() -> FailoverMode {
    FailoverMode::Manual
}

fn half_an_hour() -> String {
    "30m".to_owned()
}

/// Where its users reach it | 对外访问
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// Name that is published with the weights of the centres | 域名
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^([a-z0-9]|[a-z0-9][-a-z0-9]*[a-z0-9])(\.([a-z0-9]|[a-z0-9][-a-z0-9]*[a-z0-9]))*$")
    )]
    pub hostname: String,
    /// How long resolvers may remember it, in seconds | 生存时间（秒）
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 86400))]
    pub ttl_seconds: i32,
    /// Gateway of the hub that leads users by the weights too | 省级网关
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
}

/// A Gateway of the Gateway API, and what it leads to | 网关及后端
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gateway {
    /// Its name | 名称
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace, where that is another one; it has to let routes of this one in | 命名空间
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// The service that users come for | 服务
    #[schemars(length(min = 1, max = 45))]
    pub service: String,
    /// The port at which each centre is entered for it | 端口
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
}

const fn ten() -> i32 {
    10
}

/// The last move | 最近一次切换
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastFailover {
    /// Name of the Failover | 切换名称
    #[serde(rename = "ref")]
    pub reference: String,
    /// Why it moved | 类型
    #[serde(rename = "type")]
    pub type_: FailoverType,
    /// When it was verified, RFC 3339 | 完成时间
    pub at: String,
    /// Measured, in seconds with three digits | 实测RTO（秒）
    pub rto_seconds: String,
}

/// What stands between an exclusive placement and the network in a centre | 中心内的隔离条件
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FenceRow {
    /// Nodes on which its pods may run | 可运行节点数
    pub nodes: i64,
    /// Of which a gate stands | 闸门就绪节点数
    pub ready: i64,
}

/// Whether the arbiter hears a centre | 仲裁见证状态
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WitnessState {
    /// It beats | 存活
    #[default]
    Granted,
    /// Two observers saw it silent for the whole time | 失联
    Lost,
    /// It beats again; what was moved away is not back yet | 已恢复，未回切
    Returned,
    /// Its agents are silent while its API server answers: nothing moves | 代理失联但接口可达
    AgentDown,
    /// It beats while its API server does not answer its agents: nothing moves before its beat ends too | 心跳正常但接口不可达
    Degraded,
}

/// What the arbiter says of a centre; written by the operator alone | 仲裁见证，仅由控制器写入
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CentreWitness {
    /// How it is | 状态
    pub state: WitnessState,
    /// Since when, RFC 3339 | 起始时间
    pub since: String,
    /// When it was last seen alive before it was lost, RFC 3339 | 失联前最后存活时间
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// One name for everything of this loss | 事件编号
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
}

impl CentreWitness {
    /// Whether others carry what belongs there: it is lost, or is back and does not have everything again, whatever its
    /// agents do meanwhile.
    pub fn is_carried(&self) -> bool {
        self.incident.is_some()
    }
}
