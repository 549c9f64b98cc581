//! What would happen if: the operator's own cycle on pools that are not so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{ExpansionPhase, RequestType, Resources};

use super::name;
use super::started::opened;
use crate::cycle::{Reading, Snapshot, cycle, target, targets};
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
    /// What it would be granted; of a change, all that the grant then holds.
    pub grant: Grant,
    /// What the grant holds already.
    pub held: Grant,
}

impl Start {
    /// What it would add to the charge of a pool in a centre.
    pub fn adds(&self, pool: &str, centre: &str) -> Resources {
        let charge = |grant: &Grant| Some(grant.get(pool)?.centres.get(centre)?.charge());
        let [after, before] = [&self.grant, &self.held].map(|g| charge(g).unwrap_or_default());
        after.minus(before)
    }
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

/// The snapshot with nothing but what waits, and the grants that it asks to change: what is held is in the ledger's sums.
fn waiting(snapshot: &Snapshot) -> Snapshot {
    let targets = targets(snapshot);
    let altered = |r: &Request| {
        let grant = target(r, &targets).filter(|_| r.kind() == RequestType::Change && !r.deleting())?;
        (grant.is_live() && !grant.was_altered_by(r.uid())).then(|| grant.uid())
    };
    let altered: BTreeMap<&str, &str> = snapshot
        .requests
        .iter()
        .filter_map(|r| Some((r.uid(), altered(r)?)))
        .collect();
    let grants: BTreeSet<&str> = altered.values().copied().collect();
    let waits = |r: &&Arc<Request>| {
        let new = r.asks_grant() && !r.deleting() && r.allocation().is_none();
        new || altered.contains_key(r.uid()) || grants.contains(r.uid())
    };
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
        ledger_bytes: snapshot.ledger_bytes,
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
        let records = opened(&world.ledger, &ledger);
        let served = plan.order.iter().filter_map(|index| world.requests.get(*index));
        let starts: Vec<(String, Start)> = served
            .filter_map(|request| {
                let (subject, record) = records.get(request.uid())?;
                let start = Start {
                    uid: request.uid().to_owned(),
                    tenant: request.tenant().to_owned(),
                    name: request.name().to_owned(),
                    grant: record.to.clone(),
                    held: record.from.clone(),
                };
                Some(((*subject).to_owned(), start))
            })
            .collect();
        if starts.is_empty() {
            return out;
        }
        for (subject, start) in starts {
            ledger.settle(&subject, &start.grant);
            world.requests.retain(|r| r.uid() != start.uid);
            // The next change of that grant begins with what this one made of it.
            if let Some(request) = world.requests.iter_mut().find(|r| r.uid() == subject) {
                Arc::make_mut(request).holds = start.grant.clone();
            }
            out.push(start);
        }
        world.ledger = ledger;
    }
}
