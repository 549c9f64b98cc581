//! A pod without what nobody here reads: where it runs and what its containers ask.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use plan::centre::cards::PodFacts;
use serde::Deserialize;

/// Pods that hold something: those that are over do not.
pub(super) const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// The part of a `Pod` that is kept in memory.
#[derive(Resource, Clone, Debug, Deserialize)]
#[resource(inherit = Pod)]
pub(super) struct SlimPod {
    metadata: ObjectMeta,
    spec: SlimSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SlimSpec {
    #[serde(default)]
    node_name: String,
    #[serde(default)]
    containers: Vec<SlimContainer>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct SlimContainer {
    #[serde(default)]
    resources: SlimResources,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct SlimResources {
    #[serde(default)]
    requests: BTreeMap<String, String>,
}

impl SlimPod {
    /// What a decision needs.
    pub(super) fn facts(&self) -> PodFacts {
        PodFacts {
            node: self.spec.node_name.clone(),
            requests: self
                .spec
                .containers
                .iter()
                .map(|c| c.resources.requests.clone())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_pod_is_understood() {
        let pod: SlimPod = serde_json::from_value(serde_json::json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"nodeName": "n1", "containers": [
                {"name": "a", "image": "i", "resources": {"requests": {"nvidia.com/gpu": "2"}, "limits": {"nvidia.com/gpu": "2"}}},
                {"name": "b", "image": "i"}]},
        }))
        .unwrap();
        let facts = pod.facts();
        assert_eq!(facts.node, "n1");
        assert_eq!(facts.requests[0].get("nvidia.com/gpu").map(String::as_str), Some("2"));
        assert!(facts.requests[1].is_empty());
    }
}
