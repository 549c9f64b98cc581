//! The caches of an agent, and what they say as a snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{
    DataCenter, DualActivePlacement, PlaceableKind, QuotaPool, ReclaimPolicy, ResourceRequest, Tenant, label, object,
};
use k8s_openapi::api::core::v1::{LimitRange, Namespace, ResourceQuota};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::RoleBinding;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::runtime::watcher;
use kube::{Client, Resource, ResourceExt as _};
use plan::centre::grant::{Standing, Wanted};
use plan::centre::quota::NamespaceUse;
use plan::placement::kinds::Placeable;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::node::SlimNode;
use super::objects::GRANTS;
use super::pod::{RUNNING, SlimPod};
use crate::cache::{Cache, Cached, NotReady, Reader};
use crate::placement;

/// Labels and annotations that say who owns a namespace: this many are named.
const NAMED: usize = 5;

/// Who is told of changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Signals {
    /// Something of the hub.
    pub(super) hub: Arc<Notify>,
    /// What is to be measured, and where.
    pub(super) policies: Arc<Notify>,
    /// The centre's own DataCenter, or another one.
    pub(super) own: Arc<Notify>,
    /// A placement, its templates, or its objects here.
    pub(super) placements: Arc<Notify>,
    /// Something that the agent writes in the centre.
    pub(super) centre: Arc<Notify>,
    /// Nodes and pods.
    pub(super) nodes: Arc<Notify>,
}

/// What an agent watches.
#[derive(Clone, Debug)]
pub(super) struct Caches {
    pub(super) tenants: Cache<Tenant>,
    pub(super) pools: Cache<QuotaPool>,
    pub(super) requests: Cache<ResourceRequest>,
    pub(super) policies: Cache<ReclaimPolicy>,
    /// Every centre, its own among them.
    pub(super) centres: Cache<DataCenter>,
    pub(super) placements: Cache<DualActivePlacement>,
    pub(super) kinds: Cache<PlaceableKind, Placeable>,
    pub(super) nodes: Cache<SlimNode>,
    pub(super) pods: Cache<SlimPod>,
    namespaces: Cache<Namespace>,
    quotas: Cache<ResourceQuota>,
    limits: Cache<LimitRange>,
    networks: Cache<NetworkPolicy>,
    bindings: Cache<RoleBinding>,
}

/// The agent's objects in the centre, by namespace.
#[derive(Clone, Debug, Default)]
pub(super) struct Centre {
    pub(super) namespaces: BTreeMap<String, Namespace>,
    pub(super) quotas: BTreeMap<String, ResourceQuota>,
    pub(super) limits: BTreeMap<String, LimitRange>,
    pub(super) networks: BTreeMap<String, NetworkPolicy>,
    pub(super) bindings: BTreeMap<String, RoleBinding>,
}

impl Caches {
    /// Starts every watch. The tasks never end by themselves.
    pub(super) fn start(hub: &Client, cluster: &Client, signals: &Signals) -> (Self, Vec<JoinHandle<()>>) {
        let mut tasks = Vec::new();
        let all = watcher::Config::default;
        let ours = || watcher::Config::default().labels(&format!("{}={}", label::MANAGED_BY, object::AGENT));
        let changed = [&signals.policies, &signals.own, &signals.hub].map(Arc::clone);
        let says = Reader {
            read: Ok,
            // Reports come all the time, and nobody here goes by them.
            news: |a: &DataCenter, b| a.spec != b.spec || a.is_carried() != b.is_carried(),
        };
        let (centres, task) = Cache::read(hub.clone(), all(), changed.to_vec(), says);
        tasks.push(task);
        let (kinds, kinds_task) = placement::kinds::watch(hub.clone(), Arc::clone(&signals.placements));
        tasks.push(kinds_task);
        let caches = Self {
            kinds,
            tenants: start(hub, all(), &signals.hub, &mut tasks),
            pools: start(hub, all(), &signals.hub, &mut tasks),
            requests: start(hub, all(), &signals.hub, &mut tasks),
            policies: start(hub, all(), &signals.policies, &mut tasks),
            centres,
            placements: start(hub, all(), &signals.placements, &mut tasks),
            nodes: start(cluster, all(), &signals.nodes, &mut tasks),
            pods: start(cluster, all().fields(RUNNING), &signals.nodes, &mut tasks),
            // All of them: one that is not ours stands in the way.
            namespaces: start(cluster, all(), &signals.centre, &mut tasks),
            quotas: start(cluster, ours(), &signals.centre, &mut tasks),
            limits: start(cluster, ours(), &signals.centre, &mut tasks),
            networks: start(cluster, ours(), &signals.centre, &mut tasks),
            bindings: start(cluster, ours(), &signals.centre, &mut tasks),
        };
        (caches, tasks)
    }

    /// The centre of that name.
    pub(super) fn centre_of(&self, name: &str) -> Option<Arc<DataCenter>> {
        let mut all = self.centres.shared().into_iter();
        all.find(|c| c.metadata.name.as_deref() == Some(name))
    }

    /// Waits for every first list, for as long as it takes: without them nothing is decided.
    pub(super) async fn ready(&self) {
        while let Err(error) = self.first_lists().await {
            tracing::warn!(%error, "nothing is decided until the first lists are complete");
        }
    }

    async fn first_lists(&self) -> Result<(), NotReady> {
        self.nodes.ready().await?;
        self.pods.ready().await?;
        self.namespaces.ready().await?;
        self.quotas.ready().await?;
        self.limits.ready().await?;
        self.networks.ready().await?;
        self.bindings.ready().await?;
        self.tenants.ready().await?;
        self.pools.ready().await?;
        self.policies.ready().await?;
        self.centres.ready().await?;
        self.requests.ready().await?;
        self.placements.ready().await?;
        self.kinds.ready().await
    }

    /// What the centre holds.
    pub(super) fn centre(&self) -> Centre {
        Centre {
            namespaces: self.namespaces.list().into_iter().map(|n| (n.name_any(), n)).collect(),
            quotas: by_namespace(&self.quotas),
            limits: by_namespace(&self.limits),
            networks: by_namespace(&self.networks),
            bindings: by_namespace(&self.bindings),
        }
    }
}

fn start<K: Cached>(
    client: &Client,
    config: watcher::Config,
    changed: &Arc<Notify>,
    tasks: &mut Vec<JoinHandle<()>>,
) -> Cache<K> {
    let (cache, task) = Cache::start(client.clone(), config, Arc::clone(changed));
    tasks.push(task);
    cache
}

/// Ours are all called `xiangyun`; another one that carries our label is not looked at.
fn by_namespace<K: Cached>(cache: &Cache<K>) -> BTreeMap<String, K> {
    let ours = cache.list().into_iter().filter(|o| o.name_any() == object::XIANGYUN);
    ours.filter_map(|o| Some((o.namespace()?, o))).collect()
}

impl Centre {
    /// The namespaces as a decision sees them. `last` is what this process did before, for a quota that was deleted.
    pub(super) fn standing(&self, last: &BTreeMap<String, Wanted>) -> BTreeMap<String, Standing> {
        let standing = |(name, ns): (&String, &Namespace)| {
            let label = |key: &str| ns.labels().get(key).cloned();
            let mut grants = self.quotas.get(name).map(grants_of).unwrap_or_default();
            grants.extend(last.get(name).map(|w| w.grants.clone()).unwrap_or_default());
            let standing = Standing {
                tenant: label(label::TENANT),
                made: label(label::MANAGED_BY).as_deref() == Some(object::AGENT),
                pool: label(label::POOL),
                owner: owner(ns),
                grants,
            };
            (name.clone(), standing)
        };
        self.namespaces.iter().map(standing).collect()
    }

    /// Namespaces of tenants that are not being deleted, and whose they are.
    pub(super) fn tenants(&self) -> BTreeMap<String, String> {
        let live = self
            .namespaces
            .iter()
            .filter(|(_, ns)| ns.metadata.deletion_timestamp.is_none());
        live.filter_map(|(name, ns)| Some((name.clone(), ns.labels().get(label::TENANT)?.clone())))
            .collect()
    }

    /// What a namespace uses.
    pub(super) fn used(&self, ns: &str) -> Option<NamespaceUse> {
        let quota = self.quotas.get(ns)?;
        let used = quota
            .status
            .as_ref()
            .and_then(|s| s.used.as_ref())
            .map(texts)
            .unwrap_or_default();
        let pool = self
            .namespaces
            .get(ns)
            .and_then(|n| n.labels().get(label::POOL))
            .cloned();
        Some(NamespaceUse { pool, used })
    }
}

/// The grants that a quota says it is the sum of.
pub(super) fn grants_of(quota: &ResourceQuota) -> BTreeMap<String, String> {
    quota
        .annotations()
        .get(GRANTS)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// Quantities as they are spelled.
pub(super) fn texts(quantities: &BTreeMap<String, Quantity>) -> BTreeMap<String, String> {
    quantities.iter().map(|(k, v)| (k.clone(), v.0.clone())).collect()
}

/// Who owns a namespace, by what is written on it.
fn owner(ns: &Namespace) -> String {
    let dull = |key: &str| key.starts_with("kubernetes.io/") || key.starts_with("kubectl.kubernetes.io/");
    let named = ns.meta().labels.iter().chain(ns.meta().annotations.iter()).flatten();
    let words: Vec<String> = named
        .filter(|(k, _)| !dull(k))
        .take(NAMED)
        .map(|(k, v)| format!("{k}={v:.64}"))
        .collect();
    if words.is_empty() {
        "somebody who is not named on it | 未注明的所有者".to_owned()
    } else {
        words.join(", ")
    }
}
