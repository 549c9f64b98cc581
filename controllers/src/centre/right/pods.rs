//! Pods of exclusive placements: where they run, at which addresses, and under which epoch they were made.

use std::net::IpAddr;

use arbiter::row::Epoch;
use crds::label;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

/// The part of a `Pod` that is kept in memory.
#[derive(Resource, Clone, Debug, Deserialize)]
#[resource(inherit = Pod)]
pub(super) struct ExclusivePod {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    node_name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default, rename = "podIPs")]
    pod_ips: Vec<PodIp>,
    #[serde(default)]
    container_statuses: Vec<ContainerStatus>,
    #[serde(default)]
    init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Deserialize)]
struct PodIp {
    ip: IpAddr,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct ContainerStatus {
    #[serde(default)]
    state: ContainerState,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct ContainerState {
    #[serde(default)]
    running: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    terminated: Option<serde::de::IgnoredAny>,
}

impl ExclusivePod {
    /// Its scope.
    pub(super) fn scope(&self) -> Option<String> {
        let placement = self.metadata.labels.as_ref()?.get(label::EXCLUSIVE)?;
        Some(format!("{}/{placement}", self.metadata.namespace.as_ref()?))
    }

    /// Under which epoch it was made; the lowest where nothing readable is written on it.
    pub(super) fn epoch(&self) -> Epoch {
        let text = self.metadata.annotations.as_ref().and_then(|a| a.get(label::RIGHT));
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    pub(super) fn node(&self) -> &str {
        &self.spec.node_name
    }

    pub(super) fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.status.pod_ips.iter().map(|ip| ip.ip)
    }

    /// Whether its kubelet says that all of its containers were terminated, or no node ever had it.
    pub(super) fn is_terminated(&self) -> bool {
        let all = || {
            self.status
                .container_statuses
                .iter()
                .chain(&self.status.init_container_statuses)
        };
        let over = |c: &ContainerStatus| c.state.terminated.is_some() && c.state.running.is_none();
        self.spec.node_name.is_empty() || (all().next().is_some() && all().all(over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(status: &serde_json::Value) -> ExclusivePod {
        let metadata = serde_json::json!({"name": "p", "namespace": "dept-rsj", "uid": "u",
            "labels": {label::EXCLUSIVE: "exam"}, "annotations": {label::RIGHT: "1.7"}});
        let value = serde_json::json!({"metadata": metadata, "spec": {"nodeName": "n"}, "status": status});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_pod_is_read_with_its_epoch() {
        let pod = pod(&serde_json::json!({"podIPs": [{"ip": "198.18.2.9"}, {"ip": "fd00::9"}]}));
        assert_eq!(pod.scope().as_deref(), Some("dept-rsj/exam"));
        assert_eq!(
            pod.epoch(),
            Epoch {
                incarnation: 1,
                counter: 7
            }
        );
        assert_eq!(pod.addresses().count(), 2);
        assert!("x".parse::<Epoch>().is_err());
    }

    #[test]
    fn only_its_kubelet_says_that_a_pod_is_terminated() {
        let running =
            serde_json::json!({"containerStatuses": [{"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]});
        let ended = serde_json::json!({"containerStatuses": [{"state": {"terminated": {"exitCode": 0}}}]});
        assert!(!pod(&serde_json::json!({})).is_terminated());
        assert!(!pod(&running).is_terminated());
        assert!(pod(&ended).is_terminated());
    }
}
