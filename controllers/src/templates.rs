//! Watches of the kinds that placements use: one for each kind in use, stopped a while after none needs it. What is kept of an
//! object is what its reader makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{Address, PlacedObject, TemplateKind};
use kube::api::{Api, DynamicObject, TypeMeta};
use kube::core::ApiResource;
use kube::runtime::watcher;
use kube::{Client, ResourceExt as _};
use plan::placement::kinds::{Blind, Kinds};
use plan::placement::template::Key;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant};

use crate::shelf::{Shelf, Values};

/// How long a kind is watched that nobody needs.
const LINGER: Duration = Duration::from_secs(60);

/// How a kind is addressed; `None` for a custom kind of which no PlaceableKind says it.
pub fn resource(kinds: &Kinds, kind: &TemplateKind) -> Option<ApiResource> {
    kinds.address(kind).map(|address| address.resource())
}

/// The object as JSON, without the server's notes about who wrote which field, which are most of it. Items of a list do not
/// say what they are, so it is said here.
pub fn plain(mut object: DynamicObject, resource: &ApiResource) -> Value {
    object.types = Some(TypeMeta {
        api_version: resource.api_version.clone(),
        kind: resource.kind.clone(),
    });
    object.managed_fields_mut().clear();
    object
        .annotations_mut()
        .remove("kubectl.kubernetes.io/last-applied-configuration");
    serde_json::to_value(object).unwrap_or_default()
}

/// One kind. Its watch ends with it.
struct Watched<T> {
    shelf: Shelf<Key, Arc<T>>,
    address: Address,
    task: JoinHandle<()>,
    /// Since when nobody needs it.
    unused: Option<Instant>,
}

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a reader is given.
pub type Found<'a> = (&'a TemplateKind, &'a ApiResource, DynamicObject);

/// All objects of the kinds in use.
pub struct Templates<T> {
    client: Client,
    config: watcher::Config,
    changed: Arc<Notify>,
    read: fn(Found<'_>) -> T,
    watched: BTreeMap<TemplateKind, Watched<T>>,
}

impl<T: Send + Sync + 'static> Templates<T> {
    /// Watches nothing yet.
    pub fn new(client: Client, config: watcher::Config, changed: Arc<Notify>, read: fn(Found<'_>) -> T) -> Self {
        Self {
            client,
            config,
            changed,
            read,
            watched: BTreeMap::new(),
        }
    }

    /// Watches these kinds and no others; custom ones as far as a PlaceableKind says how.
    pub fn watch(&mut self, kinds: &Kinds, wanted: &BTreeSet<TemplateKind>) {
        let wanted: BTreeMap<_, _> = wanted.iter().filter_map(|k| Some((k, kinds.address(k)?))).collect();
        self.watched.retain(|kind, watched| match wanted.get(kind) {
            Some(address) => {
                watched.unused = None;
                // One that is served in another version now is watched anew.
                *address == watched.address
            }
            // Whoever takes one away often brings the next, which would wait for a first list.
            None => !kind.is_custom() && watched.unused.get_or_insert_with(Instant::now).elapsed() < LINGER,
        });
        for (kind, address) in wanted {
            if !self.watched.contains_key(kind) {
                let started = self.start(kind, address);
                self.watched.insert(kind.clone(), started);
            }
        }
    }

    /// Kinds that are watched and of which there is something.
    pub fn kinds(&self) -> BTreeSet<TemplateKind> {
        let some = self.watched.iter().filter(|(_, w)| !w.shelf.read().is_empty());
        some.map(|(kind, _)| kind.clone()).collect()
    }

    /// Custom kinds that the cluster does not serve, does not let us read, or cannot list. The others are not held up by them.
    pub fn blind(&self) -> Blind {
        let custom = self.watched.iter().filter(|(kind, _)| kind.is_custom());
        let unseen = custom.filter_map(|(kind, watched)| Some((kind.clone(), watched.shelf.unseen()?)));
        unseen.collect()
    }

    /// Whether the first list of every kind is complete, or cannot be had. Before that, absence says nothing.
    pub fn complete(&self) -> bool {
        self.watched
            .iter()
            .all(|(kind, w)| w.shelf.is_complete() || kind.is_custom() && w.shelf.unseen().is_some())
    }

    /// Every object, by namespace, kind and name.
    pub fn all(&self) -> BTreeMap<Key, Arc<T>> {
        let mut all = BTreeMap::new();
        // Of what the cluster does not serve any more nothing is left, whatever the last list said.
        let served = |kind: &TemplateKind, w: &Watched<T>| !kind.is_custom() || w.shelf.refused() != Some(404);
        for (_, watched) in self.watched.iter().filter(|(kind, w)| served(kind, w)) {
            let objects = watched.shelf.read();
            all.extend(objects.iter().map(|(k, v)| (k.clone(), Arc::clone(v))));
        }
        all
    }

    fn start(&self, kind: &TemplateKind, address: Address) -> Watched<T> {
        let resource = address.resource();
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        let (objects, filler) = Shelf::new(vec![Arc::clone(&self.changed)]);
        let (config, read, kind) = (self.config.clone(), self.read, kind.clone());
        let task = tokio::spawn(async move {
            let place = |objects: &mut Values<Key, Arc<T>>, object| {
                objects.insert(key(&kind, &object), Arc::new(read((&kind, &resource, object))));
                true
            };
            filler
                .follow(kind.name(), (api, config), |o| key(&kind, o), place)
                .await;
        });
        Watched {
            shelf: objects,
            address,
            task,
            unused: None,
        }
    }
}

fn key(kind: &TemplateKind, object: &DynamicObject) -> Key {
    let object_key = PlacedObject {
        kind: kind.clone(),
        name: object.name_any(),
    };
    (object.namespace().unwrap_or_default(), object_key)
}
