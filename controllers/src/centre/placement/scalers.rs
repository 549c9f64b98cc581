//! Autoscalers that stand in the centre, whoever made them: copies that one of them sets are not fought over. Watched only
//! while something is placed that has copies.

use std::collections::BTreeSet;
use std::sync::Arc;

use crds::{PlacedObject, TemplateKind};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Client;
use kube::runtime::watcher::Config;
use plan::placement::centre::Spot;
use tokio::sync::Notify;

use crate::lazy::Lazy;

/// Kinds whose copies the agent sets.
const COPIED: [TemplateKind; 2] = [TemplateKind::Deployment, TemplateKind::StatefulSet];

/// What each of them scales, where that is of a kind whose copies the agent sets.
pub(super) type Scalers = Lazy<HorizontalPodAutoscaler, Option<Spot>>;

pub(super) fn scalers(cluster: Client, changed: Arc<Notify>) -> Scalers {
    Lazy::new(cluster, Config::default(), changed, read)
}

/// Whether something with copies is placed.
pub(super) fn wanted(kinds: &BTreeSet<TemplateKind>) -> bool {
    COPIED.iter().any(|kind| kinds.contains(kind))
}

/// Objects whose copies an autoscaler sets.
pub(super) fn scaled(scalers: &Scalers) -> BTreeSet<Spot> {
    scalers
        .all()
        .iter()
        .filter_map(|target| Option::clone(target))
        .collect()
}

#[allow(clippy::unnecessary_wraps, reason = "as a cache reads")]
fn read(scaler: HorizontalPodAutoscaler) -> Result<Option<Spot>, String> {
    let target = scaler.spec.scale_target_ref;
    let kind = COPIED.into_iter().find(|kind| kind.name() == target.kind);
    let namespace = scaler.metadata.namespace.unwrap_or_default();
    let name = target.name;
    Ok(kind.map(|kind| (namespace, PlacedObject { kind, name })))
}
