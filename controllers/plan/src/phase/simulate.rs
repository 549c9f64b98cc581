//! What would happen if: the operator's own cycle on pools that are not so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{ExpansionPhase, Resources};

use super::name;
use crate::cycle::{Reading, Snapshot, cycle};
use crate::pool::Pool;
use crate::quota::Grant;
use crate::request::Request;

/// A request that would start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its uid.
    pub uid: String,
    /// Its tenant.
    pub tenant: String,
    /// Its name.
    pub name: String,
    /// What it would be granted.
    pub grant: Grant,
}

/// The pools as if all of the phase were there and accepted as it is written, whatever its stage. What the phase counts
/// already is not counted twice.
pub fn with(pools: &BTreeMap<String, Pool>, phase: &ExpansionPhase) -> BTreeMap<String, Pool> {
    let mut pools = pools.clone();
    for delivery in phase.spec.delivers.iter().filter(|_| !phase.spec.existing) {
        let (Some(pool), Ok(amounts)) = (pools.get_mut(&delivery.pool), Resources::try_from(&delivery.amounts)) else {
            continue;
        };
        pool.set_phase(&delivery.centre, name(phase), amounts);
    }
    pools
}

/// Waiting requests that would start with these pools and do not start as things are, in the order of their grants.
pub fn starts(snapshot: &Snapshot, pools: BTreeMap<String, Pool>) -> Vec<Start> {
    let mut world = waiting(snapshot);
    let anyway: BTreeSet<String> = granted(world.clone()).into_iter().map(|s| s.uid).collect();
    world.pools = pools;
    let mut found = granted(world);
    found.retain(|s| !anyway.contains(&s.uid));
    found
}

/// The snapshot with nothing but what waits: what is held is in the ledger's sums.
fn waiting(snapshot: &Snapshot) -> Snapshot {
    let waits = |r: &&Arc<Request>| r.asks_grant() && !r.deleting() && r.allocation().is_none();
    let requests: Vec<_> = snapshot.requests.iter().filter(waits).cloned().collect();
    let names: BTreeSet<(&str, &str)> = requests.iter().map(|r| (r.tenant(), r.name())).collect();
    let about = |a: &&Arc<crds::RequestApproval>| {
        let tenant = a.metadata.namespace.as_deref().unwrap_or_default();
        names.contains(&(tenant, a.spec.request_ref.name.as_str()))
    };
    let approvals = snapshot.approvals.iter().filter(about).cloned().collect();
    Snapshot {
        reading: Reading::Nominate,
        now: snapshot.now,
        epoch: snapshot.epoch,
        ledger: snapshot.ledger.clone(),
        ledger_uid: snapshot.ledger_uid.clone(),
        pools: snapshot.pools.clone(),
        tenants: snapshot.tenants.clone(),
        standing: snapshot.standing.clone(),
        requests,
        gone: BTreeSet::new(),
        approvals,
        survey: Arc::default(),
    }
}

/// All that cycles would grant, one after the other, until none grants more: one alone opens only so many records.
fn granted(mut world: Snapshot) -> Vec<Start> {
    let mut out = Vec::new();
    loop {
        let plan = cycle(&world);
        let Some(mut ledger) = plan.swap else { return out };
        let opened = |request: &&Arc<Request>| {
            let uid = request.uid();
            !world.ledger.records.contains_key(uid) && ledger.records.contains_key(uid)
        };
        let served = plan.order.iter().filter_map(|index| world.requests.get(*index));
        let opened: Vec<Arc<Request>> = served.filter(opened).cloned().collect();
        if opened.is_empty() {
            return out;
        }
        for request in &opened {
            let record = ledger.records.get(request.uid());
            let grant = record.map(|r| r.to.clone()).unwrap_or_default();
            ledger.settle(request.uid(), &grant);
            out.push(Start {
                uid: request.uid().to_owned(),
                tenant: request.tenant().to_owned(),
                name: request.name().to_owned(),
                grant,
            });
        }
        let opened: BTreeSet<&str> = opened.iter().map(|r| r.uid()).collect();
        world.requests.retain(|r| !opened.contains(r.uid()));
        world.ledger = ledger;
    }
}
