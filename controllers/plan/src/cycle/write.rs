//! What is written after the swap: APPLY, CONFIRM, and letting go of what was deleted.

use crds::Allocation;

use super::{Apply, CyclePlan, Snapshot, may_decide};
use crate::centre::rows::Reason;
use crate::ledger::Ledger;
use crate::quota::to_stored;

/// APPLY for every record that the swapped ledger holds and whose request was read in this cycle.
pub(super) fn apply(snapshot: &Snapshot, ledger: &Ledger, plan: &mut CyclePlan) {
    for (index, request) in snapshot.requests.iter().enumerate() {
        let Some(record) = ledger.records.get(request.uid()) else {
            continue;
        };
        let written = request.record() == Some(record.id.as_str());
        // An ended allocation never rises, and a request on its way out takes nothing more.
        let forbidden = record.raises() && (request.ended() || request.deleting());
        if written || forbidden {
            continue;
        }
        plan.touched.insert(request.uid().to_owned());
        let allocation = Allocation {
            record: record.id.clone(),
            ledger: snapshot.ledger_uid.clone(),
            epoch: snapshot.epoch,
            from: record.starts.clone(),
            until: record.until.clone(),
            ended: request.allocation().and_then(|a| a.ended.clone()),
            pools: to_stored(&record.to),
            before: if record.lowers() {
                to_stored(&record.from)
            } else {
                Vec::new()
            },
            changes: changes(request.allocation(), record.change.as_ref()),
        };
        plan.apply.push(Apply {
            request: index,
            allocation,
        });
    }
    plan.apply.retain(|a| {
        snapshot
            .requests
            .get(a.request)
            .is_some_and(|r| may_decide(snapshot, r))
    });
}

/// The changes that the allocation counts, with the one that this record makes.
fn changes(before: Option<&Allocation>, change: Option<&String>) -> Vec<String> {
    let known = before.map(|a| a.changes.clone()).unwrap_or_default();
    let new = change.filter(|c| !known.contains(c)).cloned();
    known.into_iter().chain(new).collect()
}

/// CONFIRM: a centre that has seen a newer leader waits for it to stand by what an older one wrote. The same allocation is
/// written again under this leader's epoch; nothing is charged or given back by that.
pub(super) fn confirm(snapshot: &Snapshot, ledger: &Ledger, plan: &mut CyclePlan) {
    for (index, request) in snapshot.requests.iter().enumerate() {
        let Some(allocation) = request.allocation() else {
            continue;
        };
        let in_question = request.rows().iter().any(|r| r.reason == Reason::StaleEpoch.as_str());
        let record = ledger.records.get(request.uid());
        let as_decided = record.is_none_or(|r| r.id == allocation.record);
        if !(in_question && as_decided && allocation.epoch < snapshot.epoch) {
            continue;
        }
        plan.touched.insert(request.uid().to_owned());
        if may_decide(snapshot, request) {
            let allocation = Allocation {
                epoch: snapshot.epoch,
                ..allocation.clone()
            };
            plan.apply.push(Apply {
                request: index,
                allocation,
            });
        }
    }
}

/// CLEAR: what a grant held before it was lowered counts no more once the swapped ledger has settled that. The request was
/// read before that swap, so no other lowering of it can be under way.
pub(super) fn clear(snapshot: &Snapshot, ledger: &Ledger, plan: &mut CyclePlan) {
    for (index, request) in snapshot.requests.iter().enumerate() {
        if request.before.is_empty() || ledger.records.contains_key(request.uid()) || plan.unguard.contains(&index) {
            continue;
        }
        plan.touched.insert(request.uid().to_owned());
        if may_decide(snapshot, request) {
            plan.clear.push(index);
        }
    }
}

/// A deleted request may go when it holds nothing and no record is open for it, in the ledger that was read.
pub(super) fn unguard(snapshot: &Snapshot, ledger: &Ledger, plan: &mut CyclePlan) {
    for (index, request) in snapshot.requests.iter().enumerate() {
        let uid = request.uid();
        let free = !snapshot.ledger.records.contains_key(uid) && !ledger.records.contains_key(uid);
        if request.deleting() && request.guarded() && request.holds.is_empty() && free {
            plan.unguard.push(index);
            plan.touched.insert(uid.to_owned());
        }
    }
}
