//! What serves behind the services that were placed, watched only while there are such.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{DualActivePlacement, TemplateKind, label};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::runtime::watcher::Config;
use tokio::sync::Notify;

use crate::lazy::Lazy;

/// Label of a slice that names its service, set by the cluster's own controller.
const SERVICE: &str = "kubernetes.io/service-name";

/// Ready endpoints by namespace and service.
pub(super) type Ready = BTreeMap<(String, String), i64>;

/// Namespace, service, and its ready endpoints in one slice.
pub(super) type Slice = ((String, String), i64);

pub(super) type Endpoints = Lazy<EndpointSlice, Slice>;

/// Slices carry the labels of their service, so ours are found by our own.
pub(super) fn endpoints(cluster: Client, changed: Arc<Notify>) -> Endpoints {
    Lazy::new(cluster, Config::default().labels(label::PLACEMENT), changed, read)
}

/// Whether a service is placed.
pub(in crate::centre) fn wanted(placements: &[Arc<DualActivePlacement>]) -> bool {
    let assignments = placements.iter().filter_map(|p| p.assignment());
    let mut objects = assignments.flat_map(|a| &a.objects);
    objects.any(|o| o.kind == TemplateKind::Service)
}

/// Summed over the slices of each service.
pub(super) fn ready(endpoints: &Endpoints) -> Ready {
    endpoints.all().into_iter().fold(Ready::new(), |mut sum, slice| {
        let (service, ready) = slice.as_ref();
        *sum.entry(service.clone()).or_default() += ready;
        sum
    })
}

#[allow(clippy::unnecessary_wraps, reason = "as a cache reads")]
fn read(slice: EndpointSlice) -> Result<Slice, String> {
    let service = slice.metadata.labels.as_ref().and_then(|l| l.get(SERVICE)).cloned();
    let namespace = slice.metadata.namespace.unwrap_or_default();
    // Without a word an endpoint counts as ready (EndpointConditions, discovery.k8s.io/v1).
    let ready = slice
        .endpoints
        .iter()
        .flatten()
        .filter(|e| e.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true));
    let addresses: usize = ready.map(|e| e.addresses.len()).sum();
    Ok((
        (namespace, service.unwrap_or_default()),
        i64::try_from(addresses).unwrap_or(i64::MAX),
    ))
}
