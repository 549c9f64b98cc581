//! What a placement says of its moves: the epoch of its right, its last move, and whether a loss would be answered.

use crds::{
    DualActivePlacement, DualActivePlacementStatus, Failover, FailoverPhase, FailoverStep, LastFailover, PlacementMode,
    condition, placement_reason as reason, set_condition,
};
use jiff::Timestamp;

use super::armed::armed;
use super::facts::{Known, key};

/// Adds it to a status that says everything else already.
pub fn describe(
    placement: &DualActivePlacement,
    known: &Known,
    survivable: Option<&(bool, String)>,
    status: &mut DualActivePlacementStatus,
    now: Timestamp,
) {
    if placement.spec.mode == PlacementMode::Exclusive {
        status.epoch = known.right(key(placement)).map(|r| r.epoch).max(status.epoch);
    }
    let moves = known.moves(key(placement)).iter().filter_map(|f| last(f));
    // What was told stays when its object is gone.
    status.last_failover = moves.chain(status.last_failover.take()).max_by(|a, b| a.at.cmp(&b.at));
    let (why, message) = armed(placement, known, survivable, now);
    set_condition(
        &mut status.conditions,
        condition::FAILOVER_ARMED,
        Some(why == reason::ARMED),
        why,
        message,
        placement.metadata.generation,
        now,
    );
}

fn last(failover: &Failover) -> Option<LastFailover> {
    let done = failover.phase() == FailoverPhase::Succeeded;
    let at = failover.reached(FailoverStep::Verified).filter(|_| done)?;
    Some(LastFailover {
        reference: failover.metadata.name.clone()?,
        type_: failover.spec.type_,
        at: at.to_owned(),
        rto_seconds: failover.status.as_ref()?.rto_seconds.clone().unwrap_or_default(),
    })
}
