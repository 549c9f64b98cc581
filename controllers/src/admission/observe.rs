//! Caches of all that a cycle looks at, and the snapshot made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{
    AdmissionLimits, DataCenter, ExpansionPhase, LedgerState, PoolQueue, QuotaLedger, QuotaPool, ReclaimPolicy,
    RequestApproval, ResourceRequest, Tenant,
};
use jiff::Timestamp;
use kube::runtime::watcher::Config;
use kube::{Client, ResourceExt as _};
use plan::applicant::Standing;
use plan::cycle::{Reading, Snapshot};
use plan::ledger::Ledger;
use plan::pool::Pool;
use plan::reclaim::{Policy, Survey};
use plan::request::Request;
use plan::tenants::TenantFacts;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::Error;
use crate::cache::{Cache, NotReady, Reader};

/// Requests, each read once for all controllers.
pub type Requests = Cache<ResourceRequest, Request>;

/// Watches the requests. Each of `changed` is told of what is new.
pub fn requests(client: Client, changed: Vec<Arc<Notify>>) -> (Requests, JoinHandle<()>) {
    // A request whose allocation cannot be read stays out of every decision; its charge stays in the ledger.
    let reader = Reader {
        read: |object| Request::read(object, false).map_err(|error| error.to_string()),
        news: Request::differs,
    };
    Cache::read(client, Config::default(), changed, reader)
}

/// The ledger, and how long it is as it is stored, in bytes.
pub(super) struct Stored {
    ledger: QuotaLedger,
    bytes: usize,
}

impl Stored {
    const READER: Reader<QuotaLedger, Self> = Reader {
        read: |ledger| {
            let bytes = serde_json::to_vec(&ledger.spec).map_err(|e| e.to_string())?.len();
            Ok(Self { ledger, bytes })
        },
        news: |_, _| true,
    };
}

/// Everything that is watched.
pub(super) struct Caches {
    pub(super) centres: Cache<DataCenter>,
    pub(super) pools: Cache<QuotaPool>,
    pub(super) phases: Cache<ExpansionPhase>,
    pub(super) tenants: Cache<Tenant>,
    pub(super) requests: Requests,
    pub(super) approvals: Cache<RequestApproval>,
    pub(super) policies: Cache<ReclaimPolicy>,
    pub(super) ledgers: Cache<QuotaLedger, Stored>,
    pub(super) limits: Cache<AdmissionLimits>,
    pub(super) queues: Cache<PoolQueue>,
}

impl Caches {
    pub(super) fn start(client: &Client, requests: Requests, changed: &Arc<Notify>) -> (Self, Vec<JoinHandle<()>>) {
        let mut tasks = Vec::new();
        macro_rules! watch {
            () => {
                watch!(Reader::AS_IT_IS)
            };
            ($reader:expr) => {{
                let (cache, task) = Cache::read(
                    client.clone(),
                    Config::default(),
                    vec![Arc::clone(changed)],
                    $reader,
                );
                tasks.push(task);
                cache
            }};
        }
        let caches = Self {
            centres: watch!(),
            pools: watch!(),
            phases: watch!(),
            tenants: watch!(),
            requests,
            approvals: watch!(),
            policies: watch!(),
            ledgers: watch!(Stored::READER),
            limits: watch!(),
            queues: watch!(),
        };
        (caches, tasks)
    }

    pub(super) async fn ready(&self) -> Result<(), NotReady> {
        self.centres.ready().await?;
        self.pools.ready().await?;
        self.phases.ready().await?;
        self.tenants.ready().await?;
        self.requests.ready().await?;
        self.approvals.ready().await?;
        self.policies.ready().await?;
        self.ledgers.ready().await?;
        self.limits.ready().await?;
        self.queues.ready().await
    }

    /// Whether the ledger, as last seen, may decide.
    pub(super) fn ledger_open(&self) -> bool {
        let ledgers = self.ledgers.shared();
        ledgers.iter().any(|l| l.ledger.spec.state == LedgerState::Open)
    }

    /// A snapshot for nomination; nothing while no ledger was seen.
    pub(super) fn snapshot(&self, epoch: i64, now: Timestamp) -> Result<Option<Snapshot>, Error> {
        let Some(stored) = self.ledgers.shared().into_iter().next() else {
            return Ok(None);
        };
        let centres = self.centres.list();
        let tenants = self.tenants.list();
        let standing = standing(&tenants);
        let requests = self.requests.shared();
        let policies = self.policies.list();
        let policies = policies.iter().filter_map(|p| Policy::read(p).ok()).collect();
        Ok(Some(Snapshot {
            reading: Reading::Nominate,
            now,
            epoch,
            ledger: Ledger::try_from(&stored.ledger.spec)?,
            ledger_uid: stored.ledger.uid().unwrap_or_default(),
            ledger_bytes: stored.bytes,
            pools: self.pools_at(now),
            tenants: tenants.iter().filter_map(|t| facts(t, &standing)).collect(),
            standing,
            survey: Arc::new(Survey::new(policies, &centres, &requests)),
            requests,
            gone: BTreeSet::new(),
            approvals: self.approvals.shared(),
        }))
    }

    /// Every pool that is understood, with what is known of its capacity at `now`.
    pub(super) fn pools_at(&self, now: Timestamp) -> BTreeMap<String, Pool> {
        let (centres, phases) = (self.centres.list(), self.phases.list());
        super::book::understood(self.pools.shared().iter().map(|p| &**p), &centres, &phases, now)
    }
}

/// Name and facts of a tenant that may be adopted.
fn facts(tenant: &Tenant, standing: &Standing) -> Option<(String, TenantFacts)> {
    let name = tenant.name_any();
    standing.get(&name)?.as_ref().ok()?;
    Some((name, TenantFacts::read(tenant).ok()?))
}

fn standing(tenants: &[Tenant]) -> Standing {
    plan::tenants::standing(tenants)
        .into_iter()
        .map(|(name, place)| (name, place.map_err(|i| i.message)))
        .collect()
}
