//! A cache of one kind, filled by a watch. It says what to look at; it never proves that something is absent: whoever
//! wants to remove or to sell reads the API server first.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What an object must be to be cached.
pub trait Cached: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static {}
impl<K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static> Cached for K {}

/// All objects of one kind, as last seen. One that does not parse is left out and named by [`Cache::unreadable`]; it
/// does not stop the others.
#[derive(Clone, Debug)]
pub struct Cache<K: Cached> {
    store: Store<DeserializeGuard<K>>,
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
        Self::watch(Api::all(client), config, changed)
    }

    /// The same for one namespace.
    pub fn start_in(client: Client, ns: &str, config: watcher::Config, changed: Arc<Notify>) -> (Self, JoinHandle<()>)
    where
        K: Resource<Scope = NamespaceResourceScope>,
    {
        Self::watch(Api::namespaced(client, ns), config, changed)
    }

    fn watch(api: Api<DeserializeGuard<K>>, config: watcher::Config, changed: Arc<Notify>) -> (Self, JoinHandle<()>) {
        let (store, writer) = reflector::store::<DeserializeGuard<K>>();
        let kind = K::kind(&()).into_owned();
        let task = tokio::spawn(async move {
            // managedFields are most of an object's memory and nobody here reads them.
            let stream = watcher(api, config)
                .modify(|guard| guard.managed_fields_mut().clear())
                .default_backoff()
                .reflect(writer);
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                if let Ok(watcher::Event::Apply(guard) | watcher::Event::InitApply(guard)) = &event
                    && let Err(error) = &guard.0
                {
                    let (ns, name) = (guard.namespace(), guard.name_any());
                    tracing::warn!(
                        kind,
                        ns,
                        name,
                        error = error.error,
                        "does not parse; left out until it does"
                    );
                }
                match event {
                    Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
                    Ok(_) => changed.notify_one(),
                    Err(error) => tracing::warn!(kind, %error, "watch interrupted; it goes on from where it was"),
                }
            }
        });
        (Self { store }, task)
    }

    /// Waits for the first complete list. An empty cache before that would read as "nothing is used".
    ///
    /// # Errors
    /// [`NotReady`] after `deadline`.
    pub async fn ready(&self, deadline: Duration) -> Result<(), NotReady> {
        match tokio::time::timeout(deadline, self.store.wait_until_ready()).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(NotReady {
                kind: K::kind(&()).into_owned(),
                after: deadline,
            }),
        }
    }

    /// Every readable object.
    pub fn list(&self) -> Vec<K> {
        self.store
            .state()
            .iter()
            .filter_map(|guard| guard.0.as_ref().ok().cloned())
            .collect()
    }

    /// Namespace, name and error of every object that does not parse.
    pub fn unreadable(&self) -> Vec<(Option<String>, String, String)> {
        let describe = |guard: &Arc<DeserializeGuard<K>>| {
            let error = guard.0.as_ref().err()?.error.clone();
            Some((guard.namespace(), guard.name_any(), error))
        };
        self.store.state().iter().filter_map(describe).collect()
    }
}
