//! Which requests a cycle grants only because a phase was accepted.

use std::collections::BTreeMap;

use crate::cycle::{CyclePlan, Snapshot};
use crate::ledger::Ledger;
use crate::quota::Grant;

/// By uid of the request: the phase that made room for it. Only the swap that takes a phase in can name it, so that each is
/// told once. Grants are looked at in the order in which they were made: one that fits into what was there before owes
/// nothing to the phase.
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
    let opened: Vec<_> = plan
        .order
        .iter()
        .filter_map(|index| Some(snapshot.requests.get(*index)?.uid()))
        .filter(|uid| !before.records.contains_key(*uid))
        .filter_map(|uid| Some((uid, after.records.get(uid)?)))
        .collect();
    for (uid, _) in &opened {
        ledger.settle(uid, &Grant::new());
    }
    for (uid, record) in opened {
        let owed = record.to.iter().find_map(|(pool, grant)| {
            let phase = taken_in.get(&**pool)?;
            let mut parts = grant.centres.iter();
            let late = parts.any(|(centre, part)| {
                let committable = before.centre(pool, centre).map(|c| c.committable);
                let charged = ledger.centre(pool, centre).map(|c| c.charged).unwrap_or_default();
                !part.charge().fits(committable.unwrap_or_default().minus(charged))
            });
            late.then_some(*phase)
        });
        if let Some(phase) = owed {
            out.insert(uid.to_owned(), phase.to_owned());
        }
        ledger.open(uid, record.clone());
    }
    out
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
