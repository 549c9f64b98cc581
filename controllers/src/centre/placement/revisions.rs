//! Stored versions of templates, watched only while a placement brings versions to its centres in an order.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{DualActivePlacement, PlacedObject, TemplateKind, label};
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::Client;
use kube::runtime::watcher::Config;
use plan::placement::template::Key;
use serde_json::Value;
use tokio::sync::Notify;

use super::HubTemplate;
use crate::lazy::Lazy;

/// A template by its key and revision.
pub(super) type ByRevision = BTreeMap<(Key, String), Arc<HubTemplate>>;

/// A revision never changes: the same key is the same content.
pub(super) struct Stored {
    key: (Key, String),
    template: Arc<HubTemplate>,
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

pub(super) type Revisions = Lazy<ControllerRevision, Stored>;

pub(super) fn revisions(hub: Client, changed: Arc<Notify>) -> Revisions {
    Lazy::new(hub, Config::default().labels(label::PLACEMENT), changed, read)
}

/// Whether a decision names a revision.
pub(super) fn wanted(placements: &[Arc<DualActivePlacement>]) -> bool {
    let assignments = placements.iter().filter_map(|p| p.assignment());
    assignments.into_iter().any(|a| !a.rollouts.is_empty())
}

pub(super) fn by_revision(revisions: &Revisions) -> ByRevision {
    let stored = revisions.all().into_iter();
    stored.map(|s| (s.key.clone(), Arc::clone(&s.template))).collect()
}

/// The template inside is believed, not the name of the object around it.
fn read(revision: ControllerRevision) -> Result<Stored, String> {
    let data = revision.data.ok_or("it is empty")?.0;
    let text_at = |pointer: &str| data.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let kind = text_at("/kind").unwrap_or_default();
    let kind = TemplateKind::ALL.into_iter().find(|k| k.name() == kind);
    let kind = kind.ok_or("no kind that can be placed")?;
    let name = text_at("/metadata/name").ok_or("no name")?;
    let tenant = revision.metadata.namespace.ok_or("no namespace")?;
    let facts = plan::placement::template::read(&kind, &data);
    let key = ((tenant, PlacedObject { kind, name }), facts.revision.clone());
    let text = data.to_string();
    // A revision is its own fingerprint.
    let content = String::new();
    let template = Arc::new(HubTemplate { facts, text, content });
    Ok(Stored { key, template })
}
