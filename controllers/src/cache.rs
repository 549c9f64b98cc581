//! A cache of one kind, filled by a watch. It says what to look at; it never proves that something is absent: whoever
//! wants to remove or to sell reads the API server first.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::watcher;
use kube::{Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::shelf::{Shelf, Values};

/// What an object must be to be cached.
pub trait Cached: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static {}
impl<K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static> Cached for K {}

/// All objects of one kind, as last seen, each read once into a `T` that is shared by all who look. One that cannot be
/// read is left out and named by [`Cache::unreadable`]; it does not stop the others.
#[derive(Clone, Debug)]
pub struct Cache<K: Cached, T = K> {
    shelf: Shelf<Key, Result<Arc<T>, String>>,
    kind: PhantomData<fn() -> K>,
}

/// By namespace and name: the object, or why it cannot be read.
type Key = (Option<String>, String);
type Entries<T> = Values<Key, Result<Arc<T>, String>>;

/// How long the first list may take.
const FIRST_LIST: Duration = Duration::from_secs(30);

/// What a cache makes of its objects.
pub struct Reader<K, T> {
    /// Reads one.
    pub read: fn(K) -> Result<T, String>,
    /// Whether a newer copy tells anything that asks for a pass. What does not is kept all the same.
    pub news: fn(&T, &T) -> bool,
}

/// The first list did not arrive in time.
#[derive(Debug, thiserror::Error)]
#[error("no complete list of {kind} within {FIRST_LIST:?}")]
pub struct NotReady {
    kind: String,
}

impl<K: Cached> Cache<K> {
    /// Watches all objects of the kind. Returns the cache and the task that fills it, which never ends by itself: the
    /// process must end when it does. `changed` is notified after every change.
    pub fn start(client: Client, config: watcher::Config, changed: Arc<Notify>) -> (Self, JoinHandle<()>) {
        Self::watch(Api::all(client), config, vec![changed], Reader::AS_IT_IS)
    }

    /// The same for one namespace.
    pub fn start_in(client: Client, ns: &str, config: watcher::Config, changed: Arc<Notify>) -> (Self, JoinHandle<()>)
    where
        K: Resource<Scope = NamespaceResourceScope>,
    {
        Self::watch(Api::namespaced(client, ns), config, vec![changed], Reader::AS_IT_IS)
    }

    /// A copy of every readable object.
    pub fn list(&self) -> Vec<K> {
        self.shared().iter().map(|object| K::clone(object)).collect()
    }
}

impl<K: Cached, T: Send + Sync + 'static> Cache<K, T> {
    /// The same, with what is made of the objects, for several who look.
    pub fn read(
        client: Client,
        config: watcher::Config,
        changed: Vec<Arc<Notify>>,
        reader: Reader<K, T>,
    ) -> (Self, JoinHandle<()>) {
        Self::watch(Api::all(client), config, changed, reader)
    }

    fn watch(
        api: Api<DeserializeGuard<K>>,
        config: watcher::Config,
        changed: Vec<Arc<Notify>>,
        reader: Reader<K, T>,
    ) -> (Self, JoinHandle<()>) {
        let (shelf, filler) = Shelf::new(changed);
        let task = tokio::spawn(async move {
            let key = |guard: &DeserializeGuard<K>| (guard.namespace(), guard.name_any());
            let place = |entries: &mut Entries<T>, guard| place(entries, guard, &reader);
            filler.follow(K::kind(&()), (api, config), key, place).await;
        });
        let kind = PhantomData;
        (Self { shelf, kind }, task)
    }

    /// Waits for the first complete list. An empty cache before that would read as "nothing is used".
    ///
    /// # Errors
    /// [`NotReady`] where it does not come in time.
    pub async fn ready(&self) -> Result<(), NotReady> {
        match tokio::time::timeout(FIRST_LIST, self.shelf.completed()).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(NotReady {
                kind: K::kind(&()).into_owned(),
            }),
        }
    }

    /// Whether the first list is complete.
    pub fn complete(&self) -> bool {
        self.shelf.is_complete()
    }

    /// Every readable object, in the order of namespace and name.
    pub fn shared(&self) -> Vec<Arc<T>> {
        let objects = self.shelf.read();
        objects
            .values()
            .filter_map(|entry| entry.as_ref().ok().cloned())
            .collect()
    }

    /// Namespace, name and error of every object that cannot be read.
    pub fn unreadable(&self) -> Vec<(Option<String>, String, String)> {
        let objects = self.shelf.read();
        let errors = objects
            .iter()
            .filter_map(|((ns, name), entry)| Some((ns.clone(), name.clone(), entry.as_ref().err()?.clone())));
        errors.collect()
    }
}

#[allow(clippy::mismatching_type_param_order, reason = "what is read is the object itself")]
impl<T> Reader<T, T> {
    /// The object itself, and every change of it.
    pub const AS_IT_IS: Self = Self {
        read: Ok,
        news: |_, _| true,
    };
}

/// Puts an object where it belongs. Answers whether that is news.
fn place<K: Cached, T>(entries: &mut Entries<T>, mut guard: DeserializeGuard<K>, reader: &Reader<K, T>) -> bool {
    // managedFields are most of an object's memory and nobody here reads them.
    guard.managed_fields_mut().clear();
    let (ns, name) = (guard.namespace(), guard.name_any());
    let read = guard.0.map_err(|invalid| invalid.error).and_then(reader.read);
    if let Err(error) = &read {
        let kind = K::kind(&());
        tracing::warn!(%kind, ns, name, error, "cannot be read; left out until it can");
    }
    let entry = read.map(Arc::new);
    let before = entries.insert((ns, name), entry.clone());
    match (before, entry) {
        (Some(Ok(before)), Ok(now)) => (reader.news)(&before, &now),
        _ => true,
    }
}
