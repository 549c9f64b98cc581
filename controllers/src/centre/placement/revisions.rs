//! Stored versions of templates, watched only while a placement brings versions to its centres in an order.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{DualActivePlacement, PlacedObject, TemplateKind, label};
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::Client;
use kube::runtime::watcher::Config;
use plan::placement::template::Key;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::HubTemplate;
use crate::cache::{Cache, Reader};

/// A template by its key and revision.
pub(super) type ByRevision = BTreeMap<(Key, String), Arc<HubTemplate>>;

type Read = ((Key, String), Arc<HubTemplate>);

/// The watch, while there is one.
pub(super) struct Revisions {
    hub: Client,
    changed: Arc<Notify>,
    watched: Option<Watched>,
}

struct Watched {
    cache: Cache<ControllerRevision, Read>,
    task: JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Revisions {
    pub(super) const fn new(hub: Client, changed: Arc<Notify>) -> Self {
        let watched = None;
        Self { hub, changed, watched }
    }

    /// Watches if a decision names a revision, and stops if none does.
    pub(super) fn watch(&mut self, placements: &[Arc<DualActivePlacement>]) {
        let assignment =
            |p: &Arc<DualActivePlacement>| p.status.as_ref()?.assignment.as_ref().map(|a| !a.rollouts.is_empty());
        if !placements.iter().any(|p| assignment(p).unwrap_or_default()) {
            self.watched = None;
        } else if self.watched.is_none() {
            let reader = Reader {
                read,
                news: |_, _| true,
            };
            let config = Config::default().labels(label::PLACEMENT);
            let (cache, task) = Cache::read(self.hub.clone(), config, vec![Arc::clone(&self.changed)], reader);
            self.watched = Some(Watched { cache, task });
        }
    }

    /// Whether absence says anything.
    pub(super) fn complete(&self) -> bool {
        self.watched.as_ref().is_none_or(|w| w.cache.complete())
    }

    /// Every stored revision.
    pub(super) fn all(&self) -> ByRevision {
        let stored = self.watched.iter().flat_map(|w| w.cache.shared());
        stored.map(|read| (read.0.clone(), Arc::clone(&read.1))).collect()
    }
}

/// The template inside is believed, not the name of the object around it.
fn read(revision: ControllerRevision) -> Result<Read, String> {
    let data = revision.data.ok_or("it is empty")?.0;
    let kind = data.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default();
    let kind = TemplateKind::ALL
        .into_iter()
        .find(|k| k.name() == kind)
        .ok_or("no kind that can be placed")?;
    let facts = plan::placement::template::read(kind, &data);
    let name = data
        .pointer("/metadata/name")
        .and_then(serde_json::Value::as_str)
        .ok_or("no name")?
        .to_owned();
    let tenant = revision.metadata.namespace.ok_or("no namespace")?;
    let key = ((tenant, PlacedObject { kind, name }), facts.revision.clone());
    let text = data.to_string();
    Ok((key, Arc::new(HubTemplate { facts, text })))
}
