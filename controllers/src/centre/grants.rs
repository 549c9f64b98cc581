//! Down: what the hub granted becomes objects of the centre.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crds::{ResourceRequest, Tenant};
use futures::StreamExt as _;
use kube::{Client, ResourceExt as _};
use plan::centre::catalogue::Catalogue;
use plan::centre::epoch::Floors;
use plan::centre::grant::{Absent, Answer, Plan, Snapshot, Wanted, plan};
use plan::centre::stage::Stage;
use tokio::sync::{Notify, watch};

use super::apply::Writer;
use super::observe::{Caches, Centre};
use super::{AT_ONCE, epoch, hub, placement};
use crate::call::CallError;

/// First wait after a namespace failed; it doubles up to the pass's own rhythm.
const RETRY: Duration = Duration::from_millis(500);
/// What is held is looked at again this soon.
const HELD: Duration = Duration::from_secs(2);

/// What the last pass came to; the rows in the hub are made from it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) answers: Vec<Answer>,
    pub(super) catalogue: Catalogue,
    pub(super) wanted: BTreeMap<String, Wanted>,
    pub(super) held: BTreeSet<String>,
    pub(super) failed: BTreeMap<String, String>,
}

/// The loop's state.
pub(super) struct Grants {
    pub(super) centre: String,
    pub(super) stage: Stage,
    pub(super) hub: Client,
    pub(super) caches: Caches,
    pub(super) writer: Writer,
    /// What became of the placements; of a member cloud they say whose namespaces somebody confirmed.
    pub(super) placed: watch::Receiver<Arc<placement::Outcome>>,
    pub(super) outcome: watch::Sender<Arc<Outcome>>,
    pub(super) decided: Arc<Notify>,
    /// Epochs as stored; `None` before they were read.
    pub(super) floors: Option<Floors>,
    /// What was carried out last.
    pub(super) last: BTreeMap<String, Wanted>,
    /// What the hub said is gone, until a cache shows it again.
    pub(super) gone: BTreeSet<Absent>,
    pub(super) failures: u32,
}

impl Grants {
    /// One pass over all tenants. Answers when it wants to be called again.
    pub(super) async fn pass(&mut self) -> Result<Option<Duration>, CallError> {
        let stored = match self.floors.take() {
            Some(floors) => floors,
            None => epoch::read(&self.writer.cluster).await?,
        };
        let centre = self.caches.centre();
        let pools = self.caches.pools.list();
        let mut plan = self.decide(&centre, &pools, &stored).await;
        let floors = if plan.floors == stored {
            stored
        } else {
            epoch::raise(&self.writer.cluster, &plan.floors).await?
        };
        self.writer.metrics.epoch(floors.highest());
        let newer = floors != plan.floors;
        self.floors = Some(floors);
        if newer {
            // Somebody saw more than this process: decide again before anything is written.
            return Ok(Some(Duration::ZERO));
        }
        let held = self.keep(&mut plan, &centre);
        let failed = self.write(&plan.namespaces, &centre).await;
        self.failures = if failed.is_empty() {
            0
        } else {
            self.failures.saturating_add(1)
        };
        let again = match (self.failures, held.is_empty()) {
            (0, true) => None,
            (0, false) => Some(HELD),
            (n, _) => Some(RETRY.saturating_mul(1 << n.min(10))),
        };
        self.remember(&plan.namespaces, &failed);
        let catalogue = Catalogue::read(&pools);
        let outcome = Outcome {
            answers: plan.answers,
            catalogue,
            wanted: plan.namespaces,
            held,
            failed,
        };
        self.outcome.send_replace(Arc::new(outcome));
        self.decided.notify_one();
        Ok(again)
    }

    /// Decides, asks the hub about what is missing, and decides again with its answers.
    async fn decide(&mut self, centre: &Centre, pools: &[crds::QuotaPool], floors: &Floors) -> Plan {
        let (tenants, requests) = (self.caches.tenants.list(), self.caches.requests.list());
        self.gone.retain(|absent| !shown(absent, &tenants, &requests));
        let namespaces = centre.standing(&self.last);
        let confirmed = if self.stage.records_all() {
            BTreeSet::new()
        } else {
            let placements = self.caches.placements.shared();
            self.placed.borrow_and_update().open(&self.centre, &placements)
        };
        let centres = self.caches.centres.shared();
        let carried = centres
            .iter()
            .filter(|c| c.is_carried())
            .map(|c| c.name_any())
            .collect();
        let snapshot = Snapshot {
            centre: &self.centre,
            tenants: &tenants,
            pools,
            requests: &requests,
            namespaces: &namespaces,
            floors,
            gone: &self.gone,
            stage: self.stage,
            confirmed: &confirmed,
            carried: &carried,
        };
        let first = plan(&snapshot);
        if first.confirm.is_empty() {
            return first;
        }
        let mut gone = hub::gone(&self.hub, &self.centre, &first.confirm).await;
        gone.extend(self.gone.iter().cloned());
        let second = plan(&Snapshot {
            gone: &gone,
            ..snapshot
        });
        self.gone = gone;
        second
    }

    /// A held namespace stays as this process wanted it last; without a memory it is not touched.
    fn keep(&self, plan: &mut Plan, centre: &Centre) -> BTreeSet<String> {
        self.writer.metrics.held(plan.held.len());
        for (name, why) in &plan.held {
            if let Some(last) = self.last.get(name).filter(|_| centre.namespaces.contains_key(name)) {
                plan.namespaces.insert(name.clone(), last.clone());
            }
            tracing::debug!(namespace = name, why, "held");
        }
        std::mem::take(&mut plan.held).into_keys().collect()
    }

    /// What was carried out is what the next pass may hold on to; what failed is not.
    fn remember(&mut self, wanted: &BTreeMap<String, Wanted>, failed: &BTreeMap<String, String>) {
        self.last.retain(|name, _| wanted.contains_key(name));
        let done = wanted.iter().filter(|(name, _)| !failed.contains_key(*name));
        self.last
            .extend(done.map(|(name, wanted)| (name.clone(), wanted.clone())));
    }

    async fn write(&self, wanted: &BTreeMap<String, Wanted>, centre: &Centre) -> BTreeMap<String, String> {
        let writes = wanted.clone().into_iter().map(|(name, wanted)| async move {
            let error = self.writer.namespace(&name, &wanted, centre).await.err()?;
            tracing::warn!(namespace = name, tenant = wanted.tenant, %error, "namespace not as wanted; tried again");
            Some((name, error.to_string()))
        });
        let failed: Vec<_> = futures::stream::iter(writes).buffer_unordered(AT_ONCE).collect().await;
        failed.into_iter().flatten().collect()
    }
}

/// Whether the caches show it.
fn shown(absent: &Absent, tenants: &[Tenant], requests: &[ResourceRequest]) -> bool {
    match absent {
        Absent::Tenant(name) => tenants.iter().any(|t| t.metadata.name.as_ref() == Some(name)),
        Absent::Request(tenant, name) => requests
            .iter()
            .any(|r| r.metadata.namespace.as_ref() == Some(tenant) && r.metadata.name.as_ref() == Some(name)),
    }
}
