//! What is taken back of grants that stayed idle until the day that their owners were told.

use super::{CyclePlan, Snapshot, may_decide, record};
use crate::ledger::Ledger;
use crate::reclaim::{Act, act};

/// END of what is given back whole; OPEN {n → what was announced} of what shrinks.
pub(super) fn take_back(snapshot: &Snapshot, ledger: &mut Ledger, plan: &mut CyclePlan) {
    for (index, request) in snapshot.requests.iter().enumerate() {
        let Some(act) = act(snapshot, request) else { continue };
        // One record a request: a change under way comes first.
        if ledger.records.contains_key(request.uid()) || plan.end.contains(&index) {
            continue;
        }
        match act {
            Act::End => plan.end.push(index),
            Act::Shrink(_) if !request.guarded() || !ledger.has_room_for_record(false) => continue,
            Act::Shrink(to) if may_decide(snapshot, request) => {
                ledger.open(request.uid(), record(snapshot, request, to, request.until()));
            }
            Act::Shrink(_) => {}
        }
        plan.touched.insert(request.uid().to_owned());
    }
}
