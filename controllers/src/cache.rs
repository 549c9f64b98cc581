//! A cache of one kind, filled by a watch. It says what to look at; it never proves that something is absent: whoever
//! wants to remove or to sell reads the API server first.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// What an object must be to be cached.
pub trait Cached: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static {}
impl<K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static> Cached for K {}

/// All objects of one kind, as last seen, each read once into a `T` that is shared by all who look. One that cannot be
/// read is left out and named by [`Cache::unreadable`]; it does not stop the others.
#[derive(Clone, Debug)]
pub struct Cache<K: Cached, T = K> {
    shelf: Arc<RwLock<Shelf<T>>>,
    ready: watch::Receiver<bool>,
    kind: PhantomData<fn() -> K>,
}

/// By namespace and name: the object, or why it cannot be read.
type Shelf<T> = BTreeMap<(Option<String>, String), Result<Arc<T>, String>>;

/// What a cache makes of its objects.
pub struct Reader<K, T> {
    /// Reads one.
    pub read: fn(K) -> Result<T, String>,
    /// Whether a newer copy tells anything that asks for a pass. What does not is kept all the same.
    pub news: fn(&T, &T) -> bool,
}

/// The first list did not arrive in time.
#[derive(Debug, thiserror::Error)]
#[error("no complete list of {kind} within {after:?}")]
pub struct NotReady {
    kind: String,
    after: Duration,
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
        let shelf = Arc::new(RwLock::new(Shelf::new()));
        let (complete, ready) = watch::channel(false);
        let filled = Arc::clone(&shelf);
        let task = tokio::spawn(async move {
            let mut stream = std::pin::pin!(watcher(api, config).default_backoff());
            let mut first = Shelf::new();
            while let Some(event) = stream.next().await {
                let shelf = || filled.write().unwrap_or_else(PoisonError::into_inner);
                let news = match event {
                    Ok(watcher::Event::Init) => {
                        first = Shelf::new();
                        false
                    }
                    Ok(watcher::Event::InitApply(guard)) => {
                        place(&mut first, guard, &reader);
                        false
                    }
                    Ok(watcher::Event::InitDone) => {
                        *shelf() = std::mem::take(&mut first);
                        complete.send_replace(true);
                        true
                    }
                    Ok(watcher::Event::Apply(guard)) => place(&mut shelf(), guard, &reader),
                    Ok(watcher::Event::Delete(guard)) => {
                        shelf().remove(&(guard.namespace(), guard.name_any())).is_some()
                    }
                    Err(error) => {
                        let kind = K::kind(&());
                        tracing::warn!(%kind, %error, "watch interrupted; it goes on from where it was");
                        false
                    }
                };
                if news {
                    for who in &changed {
                        who.notify_one();
                    }
                }
            }
        });
        let kind = PhantomData;
        (Self { shelf, ready, kind }, task)
    }

    /// Waits for the first complete list. An empty cache before that would read as "nothing is used".
    ///
    /// # Errors
    /// [`NotReady`] after `deadline`.
    pub async fn ready(&self, deadline: Duration) -> Result<(), NotReady> {
        let mut ready = self.ready.clone();
        match tokio::time::timeout(deadline, ready.wait_for(|complete| *complete)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(NotReady {
                kind: K::kind(&()).into_owned(),
                after: deadline,
            }),
        }
    }

    /// Every readable object, in the order of namespace and name.
    pub fn shared(&self) -> Vec<Arc<T>> {
        let objects = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
        objects
            .values()
            .filter_map(|entry| entry.as_ref().ok().cloned())
            .collect()
    }

    /// Namespace, name and error of every object that cannot be read.
    pub fn unreadable(&self) -> Vec<(Option<String>, String, String)> {
        let objects = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
        let errors = objects
            .iter()
            .filter_map(|((ns, name), entry)| Some((ns.clone(), name.clone(), entry.as_ref().err()?.clone())));
        errors.collect()
    }
}

#[allow(clippy::mismatching_type_param_order, reason = "what is read is the object itself")]
impl<T> Reader<T, T> {
    const AS_IT_IS: Self = Self {
        read: Ok,
        news: |_, _| true,
    };
}

/// Puts an object where it belongs. Answers whether that is news.
fn place<K: Cached, T>(shelf: &mut Shelf<T>, mut guard: DeserializeGuard<K>, reader: &Reader<K, T>) -> bool {
    // managedFields are most of an object's memory and nobody here reads them.
    guard.managed_fields_mut().clear();
    let (ns, name) = (guard.namespace(), guard.name_any());
    let read = guard.0.map_err(|invalid| invalid.error).and_then(reader.read);
    if let Err(error) = &read {
        let kind = K::kind(&());
        tracing::warn!(%kind, ns, name, error, "cannot be read; left out until it can");
    }
    let entry = read.map(Arc::new);
    let before = shelf.insert((ns, name), entry.clone());
    match (before, entry) {
        (Some(Ok(before)), Ok(now)) => (reader.news)(&before, &now),
        _ => true,
    }
}
