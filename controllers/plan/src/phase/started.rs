//! Which requests a cycle grants only because a phase was accepted.

use std::collections::BTreeMap;

use crate::cycle::{CyclePlan, Snapshot};
use crate::ledger::{Ledger, Record};
use crate::quota::{Grant, PoolGrant, fits_beyond};

/// By uid of the request, which may be the change of another one's grant: the phase that made room for it. Only the swap that
/// takes a phase in can name it, so that each is told once. Grants are looked at in the order in which they were made: one
/// that fits into what was there before owes nothing to the phase.
pub fn started(snapshot: &Snapshot, plan: &CyclePlan) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let (Some(after), before) = (&plan.swap, &snapshot.ledger) else {
        return out;
    };
    let taken_in = taken_in(before, after);
    if taken_in.is_empty() {
        return out;
    }
    let mut ledger = after.clone();
    let asked = |index: &usize| Some(snapshot.requests.get(*index)?.uid());
    let opened = opened(before, after);
    let opened: Vec<_> = plan
        .order
        .iter()
        .filter_map(asked)
        .filter_map(|asked| Some((asked, *opened.get(asked)?)))
        .collect();
    for (_, (uid, record)) in &opened {
        ledger.settle(uid, &record.from);
    }
    for (asked, (uid, record)) in opened {
        let owed = record.to.iter().find_map(|(pool, grant)| {
            let phase = taken_in.get(&**pool)?;
            let late = !fits(pool, grant, &record.from, before, &ledger);
            late.then_some(*phase)
        });
        if let Some(phase) = owed {
            out.insert(asked.to_owned(), phase.to_owned());
        }
        ledger.open(uid, record.clone());
    }
    out
}

/// The records that the swap opened, and whose grants they alter, by uid of the request that asked.
pub(super) fn opened<'a>(before: &Ledger, after: &'a Ledger) -> BTreeMap<&'a str, (&'a str, &'a Record)> {
    let new = after
        .records
        .iter()
        .filter(|(uid, _)| !before.records.contains_key(*uid));
    new.map(|(uid, record)| (record.change.as_deref().unwrap_or(uid), (uid.as_str(), record)))
        .collect()
}

/// Whether what is added to `from` had room in the capacity of `before`, beside what `ledger` charges.
fn fits(pool: &str, grant: &PoolGrant, from: &Grant, before: &Ledger, ledger: &Ledger) -> bool {
    grant.centres.iter().all(|(centre, part)| {
        let held = from.get(pool).and_then(|g| g.centres.get(centre));
        let held = held.map(|p| p.charge()).unwrap_or_default();
        let committable = before.centre(pool, centre).map(|c| c.committable).unwrap_or_default();
        let charged = ledger.centre(pool, centre).map(|c| c.charged).unwrap_or_default();
        fits_beyond(part.charge(), held, committable.minus(charged))
    })
}

/// By pool: the first phase that the swap takes in. A ledger that has not adopted the pool yet, because one of them is new,
/// does not know what was there before.
fn taken_in<'a>(before: &Ledger, after: &'a Ledger) -> BTreeMap<&'a str, &'a str> {
    let mut out = BTreeMap::new();
    for (pool, entry) in &after.pools {
        let Some(known) = before.pools.get(pool).filter(|p| p.generation > 0) else {
            continue;
        };
        if let Some(phase) = entry.phases.iter().find(|phase| !known.phases.contains(*phase)) {
            out.insert(pool.as_str(), phase.as_str());
        }
    }
    out
}
