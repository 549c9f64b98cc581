//! SETTLE: a record ends on what is proven, read after the ledger.

use std::collections::{BTreeMap, BTreeSet};

use crds::{CentreRow, Resources};
use jiff::{SignedDuration, Timestamp};

use super::{CyclePlan, Snapshot, may_decide, recorded};
use crate::by_name::Name;
use crate::centre::rows::Reason;
use crate::centre_health::is_recent;
use crate::ledger::{Ledger, Record};
use crate::quota::Grant;
use crate::request::Request;

/// A centre's row older than this proves nothing.
pub(super) const ROW_FRESH: SignedDuration = SignedDuration::from_secs(60);

/// Requests by tenant, for those tenants that matter.
pub(super) type ByTenant<'a> = BTreeMap<&'a str, Vec<&'a Request>>;

/// The requests of these tenants.
pub(super) fn by_tenant<'a>(snapshot: &'a Snapshot, tenants: impl Iterator<Item = &'a str>) -> ByTenant<'a> {
    let mut all: ByTenant<'a> = tenants.map(|t| (t, Vec::new())).collect();
    if all.is_empty() {
        return all;
    }
    for request in &snapshot.requests {
        if let Some(of_tenant) = all.get_mut(request.tenant()) {
            of_tenant.push(request);
        }
    }
    all
}

/// SETTLE: only on evidence read after the ledger, or on the answer to the own APPLY.
pub(super) fn settle(snapshot: &Snapshot, ledger: &mut Ledger, plan: &mut CyclePlan) {
    let records = &snapshot.ledger.records;
    let named = recorded(snapshot, &snapshot.ledger).filter_map(|(index, _)| snapshot.requests.get(index));
    let named: BTreeMap<&str, &Request> = named.map(|r| (r.uid(), &**r)).collect();
    let by_tenant = by_tenant(snapshot, records.values().map(|r| r.tenant.as_str()));
    for (uid, record) in records {
        let evidence = match named.get(uid.as_str()) {
            None if snapshot.gone.contains(uid) => Some(Grant::new()),
            None => {
                plan.touched.insert(uid.clone());
                None
            }
            Some(request) => {
                let of_tenant = by_tenant.get(request.tenant()).map(Vec::as_slice).unwrap_or_default();
                let proven = proof(snapshot, request, record, of_tenant);
                if proven.is_some() {
                    plan.touched.insert(uid.clone());
                }
                proven.filter(|_| request.own || may_decide(snapshot, request))
            }
        };
        if let Some(holds) = evidence {
            ledger.settle(uid, &holds);
        }
    }
}

/// What the request is proven to hold, where that ends the record.
fn proof(snapshot: &Snapshot, request: &Request, record: &Record, of_tenant: &[&Request]) -> Option<Grant> {
    let applied = request.record() == Some(record.id.as_str()) && request.holds == record.to;
    if applied {
        let confirmed = !record.lowers() || centres_confirm(snapshot, request, record, of_tenant);
        return confirmed.then(|| record.to.clone());
    }
    let void =
        !request.own && record.raises() && (request.ended() || request.deleting()) && request.holds == record.from;
    void.then(|| record.from.clone())
}

/// The centre's row of a request, where it is fresh and the centre did what it was told.
pub(super) fn row_of<'a>(snapshot: &Snapshot, request: &'a Request, centre: &str) -> Option<&'a CentreRow> {
    let row = request.rows().iter().find(|r| r.name == centre)?;
    let at = row.reported_at.parse::<Timestamp>().ok()?;
    let fresh = is_recent(at, snapshot.now, ROW_FRESH);
    (fresh && row.reason == Reason::Applied.as_str()).then_some(row)
}

/// What the tenant's other grants hold in a centre, by pool; of a change under way the smaller side.
pub(super) fn held_by_others(
    of_tenant: &[&Request],
    ledger: &Ledger,
    request: &Request,
    centre: &str,
) -> BTreeMap<String, Resources> {
    let share = |grant: &Grant, pool: &Name| {
        let part = grant.get(pool).and_then(|g| g.centres.get(centre));
        part.map_or(Resources::ZERO, |p| p.share)
    };
    let mut sums: BTreeMap<String, Resources> = BTreeMap::new();
    for other in of_tenant.iter().filter(|r| r.uid() != request.uid()) {
        let record = ledger.records.get(other.uid());
        for pool in other.holds.keys() {
            let held = share(&other.holds, pool);
            let held = record.map_or(held, |r| held.each_min(share(&r.to, pool)));
            let sum = sums.entry(pool.to_string()).or_default();
            *sum = sum.plus(held);
        }
    }
    sums
}

/// A lowering ends only when each centre's fresh row says that it is applied and that no more is used than the tenant
/// still holds there, with what is left of this grant.
fn centres_confirm(snapshot: &Snapshot, request: &Request, record: &Record, of_tenant: &[&Request]) -> bool {
    let centres: BTreeSet<&Name> = record.from.values().flat_map(|g| g.centres.keys()).collect();
    centres.into_iter().all(|centre| {
        let Some(row) = row_of(snapshot, request, centre).filter(|r| r.record == record.id) else {
            return false;
        };
        let others = held_by_others(of_tenant, &snapshot.ledger, request, centre);
        row.used
            .iter()
            .filter(|u| record.from.contains_key(&u.pool))
            .all(|used| {
                let left = record.to.get(&used.pool).and_then(|g| g.centres.get(centre));
                let others = others.get(&used.pool).copied().unwrap_or_default();
                let held = others.plus(left.map_or(Resources::ZERO, |part| part.share));
                Resources::try_from(&used.amounts).is_ok_and(|amount| amount.fits(held))
            })
    })
}
