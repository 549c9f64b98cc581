//! DNSEndpoints of the hub, watched only while a placement steers traffic, and without harm where the hub does not serve them.

use std::sync::Arc;

use kube::api::DynamicObject;
use kube::runtime::watcher::Config;
use kube::{Api, Client, ResourceExt as _};
use plan::placement::kinds::Unseen;
use plan::traffic::publish::Names;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::apply::{Stored, names_resource};
use crate::shelf::{Shelf, Values};

/// By namespace and name.
type Key = (String, String);

struct Watch {
    shelf: Shelf<Key, Arc<Stored<Names>>>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All DNSEndpoints, while they are wanted.
pub(super) struct Watched {
    client: Client,
    changed: Arc<Notify>,
    watch: Option<Watch>,
}

impl Watched {
    /// Watches nothing yet.
    pub(super) const fn new(client: Client, changed: Arc<Notify>) -> Self {
        let watch = None;
        Self { client, changed, watch }
    }

    /// Watches from now on. Once begun it goes on, so that what is left of the last placement is found.
    pub(super) fn watch(&mut self, wanted: bool) {
        if wanted && self.watch.is_none() {
            self.watch = Some(start(self.client.clone(), Arc::clone(&self.changed)));
        }
    }

    /// Whether it is known what stands there, or that nothing can be known.
    pub(super) fn settled(&self) -> bool {
        let settled = |w: &Watch| w.shelf.is_complete() || w.shelf.refused().is_some();
        self.watch.as_ref().is_none_or(settled)
    }

    /// Why nothing can be known.
    pub(super) fn unseen(&self) -> Option<Unseen> {
        match self.watch.as_ref()?.shelf.refused()? {
            404 => Some(Unseen::Missing),
            _ => Some(Unseen::Forbidden),
        }
    }

    /// What stands there.
    pub(super) fn all(&self) -> Vec<Arc<Stored<Names>>> {
        let stored = self.watch.as_ref().map(|w| w.shelf.read());
        stored.iter().flat_map(|s| s.values()).cloned().collect()
    }
}

fn start(client: Client, changed: Arc<Notify>) -> Watch {
    let (shelf, filler) = Shelf::new(vec![changed]);
    let task = tokio::spawn(async move {
        let api: Api<DynamicObject> = Api::all_with(client, &names_resource());
        let key = |o: &DynamicObject| (o.namespace().unwrap_or_default(), o.name_any());
        let place = |stored: &mut Values<Key, Arc<Stored<Names>>>, found: DynamicObject| {
            if let Ok(read) = Stored::read(&found, Names::read) {
                stored.insert(key(&found), Arc::new(read));
            }
            true
        };
        filler.follow("DNSEndpoint", (api, Config::default()), key, place).await;
    });
    Watch { shelf, task }
}
