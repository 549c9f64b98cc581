//! Templates of the hub as they are now and as they are stored; stored ones are watched only while a placement brings versions
//! to its centres in an order.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{DualActivePlacement, PlacedObject, TemplateKind, label};
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::Client;
use kube::runtime::watcher::Config;
use plan::placement::centre::{Source, Spot, Want};
use plan::placement::confirm::{self, Contents};
use plan::placement::template::Key;
use serde_json::Value;
use tokio::sync::Notify;

use super::HubTemplate;
use crate::lazy::Lazy;

/// Templates as a pass found them: what is decided about is what is applied.
pub(super) struct Sources {
    /// As they are now.
    pub(super) now: BTreeMap<Key, Arc<HubTemplate>>,
    /// By key and revision.
    pub(super) stored: BTreeMap<(Key, String), Arc<HubTemplate>>,
}

impl Sources {
    /// From what an object is made, where it is there.
    pub(super) fn of(&self, spot: &Spot, want: &Want) -> Option<&Arc<HubTemplate>> {
        let key = (want.tenant.clone(), spot.1.clone());
        match &want.source {
            Source::Template => self.now.get(&key),
            Source::Revision(revision) => self.stored.get(&(key, revision.clone())),
            Source::Later => None,
        }
    }

    /// What a person may have to confirm.
    pub(super) fn contents(&self) -> Contents {
        let now = self.now.iter().map(|(key, t)| ((key.clone(), None), t));
        let stored = self.stored.iter();
        let stored = stored.map(|((key, revision), t)| ((key.clone(), Some(revision.clone())), t));
        now.chain(stored).map(|(key, t)| (key, t.content.clone())).collect()
    }
}

/// A version of a template.
pub(super) struct Stored {
    key: (Key, String),
    template: Arc<HubTemplate>,
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.template.content == other.template.content
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

pub(super) fn by_revision(revisions: &Revisions) -> BTreeMap<(Key, String), Arc<HubTemplate>> {
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
    // Once for each revision: what it is called is no promise of what is in it.
    let content = confirm::content(&kind, &data);
    let template = Arc::new(HubTemplate::read(&kind, &data, content));
    let key = ((tenant, PlacedObject { kind, name }), template.facts.revision.clone());
    Ok(Stored { key, template })
}
