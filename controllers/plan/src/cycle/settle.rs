//! Which records end, and on what evidence.

use std::collections::{BTreeMap, BTreeSet};

use crds::Resources;
use jiff::{SignedDuration, Timestamp};

use super::{CyclePlan, Snapshot, may_decide};
use crate::ledger::{Ledger, Record};
use crate::quota::Grant;
use crate::request::{Request, held_in};

/// A centre's row older than this proves nothing.
const ROW_FRESH: SignedDuration = SignedDuration::from_secs(60);

/// SETTLE: only on evidence read after the ledger.
pub(super) fn settle(snapshot: &Snapshot, ledger: &mut Ledger, plan: &mut CyclePlan) {
    let records = &snapshot.ledger.records;
    let named = snapshot.requests.iter().filter(|r| records.contains_key(r.uid()));
    let named: BTreeMap<&str, &Request> = named.map(|r| (r.uid(), &**r)).collect();
    let mut by_tenant: BTreeMap<&str, Vec<&Request>> = BTreeMap::new();
    by_tenant.extend(records.values().map(|r| (r.tenant.as_str(), Vec::new())));
    for request in &snapshot.requests {
        by_tenant.entry(request.tenant()).and_modify(|all| all.push(request));
    }
    for (uid, record) in records {
        let evidence = match named.get(uid.as_str()) {
            None if snapshot.gone.contains(uid) => Some(Grant::new()),
            None => {
                plan.touched.insert(uid.clone());
                None
            }
            Some(request) => {
                let of_tenant = by_tenant.get(request.tenant()).map(Vec::as_slice).unwrap_or_default();
                let proven = proof(snapshot.now, request, record, of_tenant);
                if proven.is_some() {
                    plan.touched.insert(uid.clone());
                }
                proven.filter(|_| may_decide(snapshot, request))
            }
        };
        if let Some(holds) = evidence {
            ledger.settle(uid, &holds);
        }
    }
}

/// What the request is proven to hold, where that ends the record.
fn proof(now: Timestamp, request: &Request, record: &Record, of_tenant: &[&Request]) -> Option<Grant> {
    let applied = request.record() == Some(record.id.as_str()) && request.holds == record.to;
    if record.raises() {
        let void = (request.ended() || request.deleting()) && request.holds == record.from && !applied;
        return if applied {
            Some(record.to.clone())
        } else {
            void.then(|| record.from.clone())
        };
    }
    (applied && centres_confirm(now, request, record, of_tenant)).then(|| record.to.clone())
}

/// A lowering ends only when each centre's fresh row says that it is applied and that no more is used than the tenant
/// still holds there.
fn centres_confirm(now: Timestamp, request: &Request, record: &Record, of_tenant: &[&Request]) -> bool {
    let centres: BTreeSet<&String> = record.from.values().flat_map(|g| g.centres.keys()).collect();
    centres.into_iter().all(|centre| {
        let Some(row) = request.rows().iter().find(|r| r.name == *centre) else {
            return false;
        };
        let fresh = row
            .reported_at
            .parse::<Timestamp>()
            .is_ok_and(|at| now.duration_since(at) <= ROW_FRESH);
        let live = of_tenant.iter().copied().filter(|r| !r.ended());
        let still_held = held_in(live, centre);
        let within = row.used.iter().all(|used| {
            let held = still_held.get(&used.pool).copied().unwrap_or_default();
            !record.from.contains_key(&used.pool)
                || Resources::try_from(&used.amounts).is_ok_and(|amount| amount.fits(held.each_max(Resources::ZERO)))
        });
        fresh && row.record == record.id && row.reason == "Applied" && within
    })
}
