//! A node without what nobody here reads: images, addresses and volumes are most of a real one.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use plan::centre::capacity::NodeFacts;
use serde::Deserialize;

/// The part of a `Node` that is kept in memory.
#[derive(Resource, Clone, Debug, Deserialize)]
#[resource(inherit = Node)]
pub(super) struct SlimNode {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: SlimSpec,
    #[serde(default)]
    status: SlimStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct SlimSpec {
    #[serde(default)]
    unschedulable: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct SlimStatus {
    #[serde(default)]
    allocatable: BTreeMap<String, String>,
    #[serde(default)]
    conditions: Vec<SlimCondition>,
}

#[derive(Clone, Debug, Deserialize)]
struct SlimCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl SlimNode {
    /// What a decision needs.
    pub(super) fn facts(&self) -> NodeFacts {
        let label = |key| self.metadata.labels.as_ref().and_then(|l| l.get(key)).cloned();
        NodeFacts {
            name: self.metadata.name.clone().unwrap_or_default(),
            pool: label(crds::label::POOL),
            phase: label(crds::label::PHASE),
            gate: label(crds::label::GATE).as_deref() == Some("true"),
            ready: self
                .status
                .conditions
                .iter()
                .any(|c| c.kind == "Ready" && c.status == "True"),
            schedulable: !self.spec.unschedulable,
            allocatable: self.status.allocatable.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_node_is_understood() {
        let node: SlimNode = serde_json::from_value(serde_json::json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "n1", "labels": {"xiangyun.io/pool": "x86", "xiangyun.io/phase": "phase-2"}},
            "spec": {"unschedulable": true, "podCIDR": "10.0.0.0/24"},
            "status": {
                "allocatable": {"cpu": "7910m", "memory": "64Gi"},
                "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
                "images": [{"names": ["a"], "sizeBytes": 1}],
            },
        }))
        .unwrap();
        let facts = node.facts();
        assert!(facts.ready && !facts.schedulable);
        assert_eq!(facts.pool.as_deref(), Some("x86"));
        assert_eq!(facts.phase.as_deref(), Some("phase-2"));
        assert_eq!(facts.allocatable.get("cpu").map(String::as_str), Some("7910m"));
    }
}
