//! What a watch fills: objects by key, complete once the first list is.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use futures::StreamExt as _;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, watch};

/// Values by key.
pub type Values<K, V> = BTreeMap<K, V>;

/// Values that a task fills and others read.
#[derive(Debug)]
pub struct Shelf<K, V> {
    values: Arc<RwLock<Values<K, V>>>,
    complete: watch::Receiver<bool>,
}

impl<K, V> Clone for Shelf<K, V> {
    fn clone(&self) -> Self {
        let (values, complete) = (Arc::clone(&self.values), self.complete.clone());
        Self { values, complete }
    }
}

/// The hand that fills a shelf.
pub struct Filler<K, V> {
    values: Arc<RwLock<Values<K, V>>>,
    complete: watch::Sender<bool>,
    /// Whom to tell of news.
    changed: Vec<Arc<Notify>>,
}

impl<K: Ord, V> Shelf<K, V> {
    /// An empty shelf and who fills it.
    pub fn new(changed: Vec<Arc<Notify>>) -> (Self, Filler<K, V>) {
        let values = Arc::new(RwLock::new(Values::new()));
        let (sender, complete) = watch::channel(false);
        let filler = Filler {
            values: Arc::clone(&values),
            complete: sender,
            changed,
        };
        (Self { values, complete }, filler)
    }

    /// What stands there now.
    pub fn read(&self) -> RwLockReadGuard<'_, Values<K, V>> {
        self.values.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the first list is complete. Before that, absence says nothing.
    pub fn is_complete(&self) -> bool {
        *self.complete.borrow()
    }

    /// Waits for the first complete list. Answers whether it came before the task ended.
    pub async fn completed(&self) -> bool {
        self.complete.clone().wait_for(|complete| *complete).await.is_ok()
    }
}

impl<K: Ord, V> Filler<K, V> {
    /// Watches objects of one `kind` and never ends by itself. `place` puts one where it belongs and answers whether that is
    /// news. A list that begins anew replaces what stands only when it is complete.
    pub async fn follow<O>(
        self,
        kind: impl Display,
        (api, config): (Api<O>, watcher::Config),
        key: impl Fn(&O) -> K,
        place: impl Fn(&mut Values<K, V>, O) -> bool,
    ) where
        O: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let mut stream = std::pin::pin!(watcher(api, config).default_backoff());
        let mut first = Values::new();
        while let Some(event) = stream.next().await {
            let values = || self.values.write().unwrap_or_else(PoisonError::into_inner);
            let news = match event {
                Ok(watcher::Event::Init) => {
                    first = Values::new();
                    false
                }
                Ok(watcher::Event::InitApply(object)) => {
                    place(&mut first, object);
                    false
                }
                Ok(watcher::Event::InitDone) => {
                    *values() = std::mem::take(&mut first);
                    self.complete.send_replace(true);
                    true
                }
                Ok(watcher::Event::Apply(object)) => place(&mut values(), object),
                Ok(watcher::Event::Delete(object)) => values().remove(&key(&object)).is_some(),
                Err(error) => {
                    tracing::warn!(%kind, %error, "watch interrupted; it goes on from where it was");
                    false
                }
            };
            if news {
                for who in &self.changed {
                    who.notify_one();
                }
            }
        }
    }
}
