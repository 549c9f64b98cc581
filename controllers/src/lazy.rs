//! A cache that is watched only while somebody needs it.

use std::sync::Arc;

use kube::Client;
use kube::runtime::watcher::Config;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::cache::{Cache, Cached, Reader};

/// All objects of one kind that the configuration selects, each read into a `T`, while it is wanted.
pub struct Lazy<K: Cached, T> {
    client: Client,
    config: Config,
    changed: Arc<Notify>,
    read: fn(K) -> Result<T, String>,
    watched: Option<Watched<K, T>>,
}

struct Watched<K: Cached, T> {
    cache: Cache<K, T>,
    task: JoinHandle<()>,
}

impl<K: Cached, T> Drop for Watched<K, T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<K: Cached, T: PartialEq + Send + Sync + 'static> Lazy<K, T> {
    /// Watches nothing yet.
    pub const fn new(client: Client, config: Config, changed: Arc<Notify>, read: fn(K) -> Result<T, String>) -> Self {
        let watched = None;
        Self {
            client,
            config,
            changed,
            read,
            watched,
        }
    }

    /// Watches from now on, or not any more.
    pub fn watch(&mut self, wanted: bool) {
        if !wanted {
            self.watched = None;
        } else if self.watched.is_none() {
            let (read, news) = (self.read, |a: &T, b: &T| a != b);
            let reader = Reader { read, news };
            let changed = vec![Arc::clone(&self.changed)];
            let (cache, task) = Cache::read(self.client.clone(), self.config.clone(), changed, reader);
            self.watched = Some(Watched { cache, task });
        }
    }

    /// Whether absence says anything.
    pub fn complete(&self) -> bool {
        self.watched.as_ref().is_none_or(|w| w.cache.complete())
    }

    /// Everything that is there; nothing while it is not wanted.
    pub fn all(&self) -> Vec<Arc<T>> {
        self.watched.as_ref().map(|w| w.cache.shared()).unwrap_or_default()
    }
}
