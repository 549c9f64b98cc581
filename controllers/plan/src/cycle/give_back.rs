//! END and the lowering that follows: what was released, what expired, what was deleted.

use std::collections::{BTreeMap, BTreeSet};

use crds::{RequestType, Resources};

use super::settle::{ROW_FRESH, by_tenant, held_by_others, row_of};
use super::{CyclePlan, Snapshot, may_decide, record};
use crate::by_name::Name;
use crate::centre_health::is_recent;
use crate::ledger::Ledger;
use crate::quota::{Grant, Part};
use crate::request::{Request, date_at};
use crate::terms::{Stage, stage};

/// Entries of its history after which an ended grant is given back in one step more; the API allows 256.
const MOST_STEPS: usize = 240;

/// END: a Release, the end of the term and of its days of grace, or deletion.
pub(super) fn end(snapshot: &Snapshot, plan: &mut CyclePlan) {
    let today = date_at(snapshot.now);
    let mut releases: BTreeMap<(&str, &str), Vec<&Request>> = BTreeMap::new();
    for request in &snapshot.requests {
        if request.kind() != RequestType::Release {
            continue;
        }
        if let Some(name) = request.target() {
            releases.entry((request.tenant(), name)).or_default().push(request);
        }
    }
    for (index, request) in snapshot.requests.iter().enumerate() {
        if !request.asks_grant() || request.holds.is_empty() || request.ended() {
            continue;
        }
        let about = releases.get(&(request.tenant(), request.name()));
        let given_up = about.is_some_and(|all| all.iter().any(|r| !r.deleting() && r.speaks_of(request)));
        // Where the tenant cannot be read its days of grace are not known.
        let grace = snapshot.tenants.get(request.tenant()).map(|t| t.grace_days);
        let expired = grace.is_some_and(|days| stage(request, days, today) == Stage::Over);
        if given_up || expired || request.deleting() {
            plan.end.push(index);
            plan.touched.insert(request.uid().to_owned());
        }
    }
}

/// OPEN {n → in use} for what ended, then {in use → less} as the use falls, and at last {→ 0}.
pub(super) fn lower(snapshot: &Snapshot, ledger: &mut Ledger, plan: &mut CyclePlan) {
    let ended = snapshot.requests.iter().filter(|r| !r.holds.is_empty() && r.ended());
    let by_tenant = by_tenant(snapshot, ended.clone().map(|r| r.tenant()));
    for request in ended {
        let open = ledger.records.contains_key(request.uid());
        if open || !ledger.has_room_for_record(false) {
            continue;
        }
        if is_awaited(snapshot, request) {
            continue;
        }
        let of_tenant = by_tenant.get(request.tenant()).map(Vec::as_slice).unwrap_or_default();
        let left = in_use(snapshot, ledger, request, of_tenant);
        // The history of a grant is bounded: near its end the rest goes at once.
        if left == request.holds || !left.is_empty() && request.history_len() >= MOST_STEPS {
            continue;
        }
        plan.touched.insert(request.uid().to_owned());
        if may_decide(snapshot, request) {
            let until = request.until();
            ledger.open(request.uid(), record(snapshot, request, left, until));
        }
    }
}

/// Whether the word of a centre on what is in use is still to come: agents renew their rows when a grant ends. A centre that
/// stays silent is not waited for.
fn is_awaited(snapshot: &Snapshot, request: &Request) -> bool {
    let ended = request.allocation().and_then(|a| a.ended.as_ref()?.parse().ok());
    let mut centres = request.holds.values().flat_map(|g| g.centres.keys());
    ended.is_some_and(|at| is_recent(at, snapshot.now, ROW_FRESH))
        && centres.any(|centre| row_of(snapshot, request, centre).is_none())
}

/// What of an ended grant is still in use, beyond what the tenant's other grants cover. Where a centre does not say, nothing
/// is kept: the record then waits until it does.
fn in_use(snapshot: &Snapshot, ledger: &Ledger, request: &Request, of_tenant: &[&Request]) -> Grant {
    let centres: BTreeSet<&Name> = request.holds.values().flat_map(|g| g.centres.keys()).collect();
    let mut left = Grant::new();
    for centre in centres {
        let Some(row) = row_of(snapshot, request, centre) else {
            return Grant::new();
        };
        let others = held_by_others(of_tenant, ledger, request, centre);
        for used in &row.used {
            let held = request.holds.get(&used.pool).and_then(|g| g.centres.get(centre));
            let (Some(held), Ok(amount)) = (held, Resources::try_from(&used.amounts)) else {
                continue;
            };
            let covered = others.get(&used.pool).copied().unwrap_or_default();
            let share = amount.minus(covered).each_max(Resources::ZERO).each_min(held.share);
            if share.is_zero() {
                continue;
            }
            left.update(&Name::from(used.pool.as_str()), |pool| {
                // Storage is copied, all else divided.
                let storage = pool.n.storage.max(share.storage);
                pool.n = Resources {
                    storage,
                    ..pool.n.plus(share)
                };
                pool.centres
                    .insert(Name::clone(centre), Part { share, survival: share });
            });
        }
    }
    left
}

#[cfg(test)]
#[path = "give_back/tests.rs"]
mod tests;
