//! Objects of a kind in the hub, watched only while a placement needs them, and without harm where the hub does not serve them.

use std::sync::Arc;

use kube::api::DynamicObject;
use kube::runtime::watcher::Config;
use kube::{Api, Client, ResourceExt as _};
use plan::placement::kinds::Unseen;
use plan::traffic::publish::Published;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::apply::{Stored, resource};
use crate::shelf::{Shelf, Values};

/// By namespace and name.
type Key = (String, String);

struct Watch<T> {
    shelf: Shelf<Key, Arc<Stored<T>>>,
    task: JoinHandle<()>,
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All objects of the kind, while they are wanted.
pub(super) struct Watched<T> {
    client: Client,
    changed: Arc<Notify>,
    watch: Option<Watch<T>>,
}

impl<T: Published + Send + Sync + 'static> Watched<T> {
    /// Watches nothing yet.
    pub(super) const fn new(client: Client, changed: Arc<Notify>) -> Self {
        let watch = None;
        Self { client, changed, watch }
    }

    /// Watches from now on. Once begun it goes on, so that what is left of the last placement is found. Answers whether it is
    /// known what stands there, or that nothing can be known.
    pub(super) fn watch(&mut self, wanted: bool) -> bool {
        if wanted && self.watch.is_none() {
            self.watch = Some(start(self.client.clone(), Arc::clone(&self.changed)));
        }
        let settled = |w: &Watch<T>| w.shelf.is_complete() || w.shelf.unseen().is_some();
        self.watch.as_ref().is_none_or(settled)
    }

    /// The kind, and why nothing can be known of it.
    pub(super) fn unseen(&self) -> Option<(&'static str, Unseen)> {
        Some((T::KIND.2, self.watch.as_ref()?.shelf.unseen()?))
    }

    /// What stands there.
    pub(super) fn all(&self) -> Values<Key, Arc<Stored<T>>> {
        self.watch.as_ref().map(|w| w.shelf.read().clone()).unwrap_or_default()
    }
}

fn start<T: Published + Send + Sync + 'static>(client: Client, changed: Arc<Notify>) -> Watch<T> {
    let (shelf, filler) = Shelf::new(vec![changed]);
    let task = tokio::spawn(async move {
        let api: Api<DynamicObject> = Api::all_with(client, &resource::<T>());
        let key = |o: &DynamicObject| (o.namespace().unwrap_or_default(), o.name_any());
        let place = |stored: &mut Values<Key, Arc<Stored<T>>>, found: DynamicObject| {
            if let Ok(read) = Stored::read(&found) {
                stored.insert(key(&found), Arc::new(read));
            }
            true
        };
        filler.follow(T::KIND.2, (api, Config::default()), key, place).await;
    });
    Watch { shelf, task }
}
