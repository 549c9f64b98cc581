//! Watches of the kinds that placements use: one for each kind in use, stopped when none needs it. What is kept of an
//! object is what its reader makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use crds::{PlacedObject, TemplateKind};
use futures::StreamExt as _;
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use plan::placement::template::Key;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

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

type Objects<T> = Arc<RwLock<BTreeMap<Key, Arc<T>>>>;

struct Shelf<T> {
    objects: Objects<T>,
    ready: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl<T> Drop for Shelf<T> {
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
    shelves: BTreeMap<TemplateKind, Shelf<T>>,
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
            shelves: BTreeMap::new(),
        }
    }

    /// Watches these kinds and no others.
    pub fn watch(&mut self, kinds: &BTreeSet<TemplateKind>) {
        self.shelves.retain(|kind, _| kinds.contains(kind));
        for kind in kinds {
            if !self.shelves.contains_key(kind) {
                let started = self.start(*kind);
                self.shelves.insert(*kind, started);
            }
        }
    }

    /// Kinds that are watched and of which there is something.
    pub fn kinds(&self) -> BTreeSet<TemplateKind> {
        let some = |shelf: &Shelf<T>| !read(&shelf.objects).is_empty();
        self.shelves
            .iter()
            .filter(|(_, s)| some(s))
            .map(|(kind, _)| *kind)
            .collect()
    }

    /// Whether the first list of every kind is complete. Before that, absence says nothing.
    pub fn complete(&self) -> bool {
        self.shelves.values().all(|s| *s.ready.borrow())
    }

    /// Every object, by namespace, kind and name.
    pub fn all(&self) -> BTreeMap<Key, Arc<T>> {
        let mut all = BTreeMap::new();
        for shelf in self.shelves.values() {
            all.extend(read(&shelf.objects).iter().map(|(k, v)| (k.clone(), Arc::clone(v))));
        }
        all
    }

    fn start(&self, kind: TemplateKind) -> Shelf<T> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource(kind));
        let objects = Objects::<T>::default();
        let (complete, ready) = watch::channel(false);
        let (filled, changed, make) = (Arc::clone(&objects), Arc::clone(&self.changed), self.read);
        let config = self.config.clone();
        let task = tokio::spawn(async move {
            let mut stream = std::pin::pin!(watcher(api, config).default_backoff());
            let mut first = BTreeMap::new();
            while let Some(event) = stream.next().await {
                let objects = || filled.write().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Ok(watcher::Event::Init) => {
                        first = BTreeMap::new();
                        continue;
                    }
                    Ok(watcher::Event::InitApply(object)) => {
                        first.insert(key(kind, &object), Arc::new(make(kind, object)));
                        continue;
                    }
                    Ok(watcher::Event::InitDone) => {
                        *objects() = std::mem::take(&mut first);
                        complete.send_replace(true);
                    }
                    Ok(watcher::Event::Apply(object)) => {
                        objects().insert(key(kind, &object), Arc::new(make(kind, object)));
                    }
                    Ok(watcher::Event::Delete(object)) => {
                        objects().remove(&key(kind, &object));
                    }
                    Err(error) => {
                        tracing::warn!(kind = kind.name(), %error, "watch interrupted; it goes on from where it was");
                        continue;
                    }
                }
                changed.notify_one();
            }
        });
        Shelf { objects, ready, task }
    }
}

fn read<T>(objects: &Objects<T>) -> std::sync::RwLockReadGuard<'_, BTreeMap<Key, Arc<T>>> {
    objects.read().unwrap_or_else(PoisonError::into_inner)
}

fn key(kind: TemplateKind, object: &DynamicObject) -> Key {
    let object_key = PlacedObject {
        kind,
        name: object.name_any(),
    };
    (object.namespace().unwrap_or_default(), object_key)
}
