//! What was decided for a placement.

use std::collections::BTreeMap;
use std::fmt;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amounts, Override, Removal, TemplateKind, WorkloadRollout};

/// Copies of one workload in one centre | 一个工作负载在一个中心的副本
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadCopies {
    /// Kind | 类型
    pub kind: TemplateKind,
    /// Its name | 名称
    pub name: String,
    /// Copies | 副本数
    pub copies: i64,
}

/// A centre's part of the decision | 一个中心的分派
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CentreAssignment {
    /// Centre | 中心
    pub name: String,
    /// Copies of what has copies; anything else of the objects is there once | 各工作负载的副本
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<WorkloadCopies>,
    /// Whether jobs run here; elsewhere they are suspended | 是否在此运行任务
    #[serde(default)]
    pub jobs: bool,
}

impl CentreAssignment {
    /// Copies of that workload; `None` where none are divided to this centre.
    pub fn copies_of(&self, object: &PlacedObject) -> Option<i64> {
        let mut all = self.copies.iter();
        all.find(|w| w.kind == object.kind && w.name == object.name)
            .map(|w| w.copies)
    }
}

/// One object of a decision | 所含对象
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PlacedObject {
    /// Kind | 类型
    pub kind: TemplateKind,
    /// Its name | 名称
    pub name: String,
}

impl fmt::Display for PlacedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.name)
    }
}

/// What a template asked for when it was found to fit | 已核对的模板用量
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedTemplate {
    /// Kind | 类型
    pub kind: TemplateKind,
    /// Its name | 名称
    pub name: String,
    /// Fingerprint of what its pods and volumes ask for, in every centre. A template that asks for something else is not
    /// followed until a decision says so | 用量指纹；变化后须重新核对
    pub asks: String,
}

/// What was decided; written by the operator alone | 分派结果，仅由控制器写入
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.ledger != oldSelf.ledger || self.epoch >= oldSelf.epoch", "StaleEpoch: the epoch of a placement never falls | epoch 只增不减"))]
pub struct Assignment {
    /// Counts decisions on this placement | 分派序号
    pub number: i64,
    /// Uid of the ledger whose leadership decided | 台账uid
    #[serde(default)]
    pub ledger: String,
    /// Epoch of the decision | 决策的epoch
    pub epoch: i64,
    /// Everything that is placed, in the order in which it is applied | 全部对象，按落实顺序
    #[serde(default)]
    #[schemars(length(max = 2000))]
    pub objects: Vec<PlacedObject>,
    /// The centres that hold it; another one holds nothing of it | 承载的中心
    #[serde(default)]
    pub centres: Vec<CentreAssignment>,
    /// What differs in the centres; each was tried on its template before it came here | 已校验的差异
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub overrides: Vec<Override>,
    /// What the templates ask for, as it was found to fit; one that is left out asks for nothing | 已核对的模板用量
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2000))]
    pub checked: Vec<CheckedTemplate>,
    /// By centre: what its part was found to need. What needs no more than that is allowed although less is granted by then |
    /// 各中心已核对的用量
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub needs: BTreeMap<String, Amounts>,
    /// Versions of workloads, where they reach the centres in an order | 各工作负载的版本
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2000))]
    pub rollouts: Vec<WorkloadRollout>,
    /// Centre that the user named as the active one when this was decided | 决策时用户指定的主侧
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Centre that runs it; not with `ActiveActive` | 实际主侧
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    /// Uid of the last Failover that it follows | 所依据的切换uid
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<String>,
    /// Set when the placement is being deleted: what becomes of the objects | 删除中：对象的处理
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<Removal>,
}

impl Assignment {
    /// A centre's part.
    pub fn centre(&self, name: &str) -> Option<&CentreAssignment> {
        self.centres.iter().find(|c| c.name == name)
    }

    /// The versions of a workload; `None` where they reach the centres in no order.
    pub fn rollout(&self, object: &PlacedObject) -> Option<&WorkloadRollout> {
        let mut all = self.rollouts.iter();
        all.find(|r| r.kind == object.kind && r.name == object.name)
    }

    /// What that template asked for when it was found to fit; empty: nothing.
    pub fn asks_of(&self, object: &PlacedObject) -> &str {
        let mut all = self.checked.iter();
        all.find(|c| c.kind == object.kind && c.name == object.name)
            .map_or("", |c| c.asks.as_str())
    }
}
