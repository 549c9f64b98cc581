//! Watches of the kinds that placements use: one for each kind in use, stopped when none needs it. What is kept of an
//! object is what its reader makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{PlacedObject, TemplateKind};
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, GroupVersionKind, TypeMeta};
use kube::runtime::watcher;
use kube::{Client, ResourceExt as _};
use plan::placement::template::Key;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::shelf::{Shelf, Values};

/// How a kind is addressed.
pub fn resource(kind: TemplateKind) -> ApiResource {
    let (group, version) = kind.group_version();
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind.name()), kind.plural())
}

/// The object as JSON, without the server's notes about who wrote which field, which are most of it.
pub fn plain(mut object: DynamicObject) -> Value {
    object.managed_fields_mut().clear();
    object
        .annotations_mut()
        .remove("kubectl.kubernetes.io/last-applied-configuration");
    serde_json::to_value(object).unwrap_or_default()
}

/// What an object of the kind says that it is.
fn types(kind: TemplateKind) -> TypeMeta {
    let resource = resource(kind);
    TypeMeta {
        api_version: resource.api_version,
        kind: resource.kind,
    }
}

/// One kind. Its watch ends with it.
struct Watched<T> {
    shelf: Shelf<Key, Arc<T>>,
    task: JoinHandle<()>,
}

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All objects of the kinds in use.
pub struct Templates<T> {
    client: Client,
    config: watcher::Config,
    changed: Arc<Notify>,
    read: fn(TemplateKind, DynamicObject) -> T,
    watched: BTreeMap<TemplateKind, Watched<T>>,
}

impl<T: Send + Sync + 'static> Templates<T> {
    /// Watches nothing yet.
    pub fn new(
        client: Client,
        config: watcher::Config,
        changed: Arc<Notify>,
        read: fn(TemplateKind, DynamicObject) -> T,
    ) -> Self {
        Self {
            client,
            config,
            changed,
            read,
            watched: BTreeMap::new(),
        }
    }

    /// Watches these kinds and no others.
    pub fn watch(&mut self, kinds: &BTreeSet<TemplateKind>) {
        self.watched.retain(|kind, _| kinds.contains(kind));
        for kind in kinds {
            if !self.watched.contains_key(kind) {
                let started = self.start(*kind);
                self.watched.insert(*kind, started);
            }
        }
    }

    /// Kinds that are watched and of which there is something.
    pub fn kinds(&self) -> BTreeSet<TemplateKind> {
        let some = self.watched.iter().filter(|(_, w)| !w.shelf.read().is_empty());
        some.map(|(kind, _)| *kind).collect()
    }

    /// Whether the first list of every kind is complete. Before that, absence says nothing.
    pub fn complete(&self) -> bool {
        self.watched.values().all(|w| w.shelf.is_complete())
    }

    /// Every object, by namespace, kind and name.
    pub fn all(&self) -> BTreeMap<Key, Arc<T>> {
        let mut all = BTreeMap::new();
        for watched in self.watched.values() {
            let objects = watched.shelf.read();
            all.extend(objects.iter().map(|(k, v)| (k.clone(), Arc::clone(v))));
        }
        all
    }

    fn start(&self, kind: TemplateKind) -> Watched<T> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource(kind));
        let (objects, filler) = Shelf::new(vec![Arc::clone(&self.changed)]);
        let (config, read, types) = (self.config.clone(), self.read, types(kind));
        let task = tokio::spawn(async move {
            let place = |objects: &mut Values<Key, Arc<T>>, mut object: DynamicObject| {
                // Whatever was listed does not say what it is, and would differ from what was watched.
                object.types.get_or_insert_with(|| types.clone());
                objects.insert(key(kind, &object), Arc::new(read(kind, object)));
                true
            };
            filler.follow(kind.name(), (api, config), |o| key(kind, o), place).await;
        });
        Watched { shelf: objects, task }
    }
}

fn key(kind: TemplateKind, object: &DynamicObject) -> Key {
    let object_key = PlacedObject {
        kind,
        name: object.name_any(),
    };
    (object.namespace().unwrap_or_default(), object_key)
}
