//! What a placement says of its moves: the epoch of its right, its last move, and whether a loss would be answered.

use crds::{
    DualActivePlacement, DualActivePlacementStatus, Failover, FailoverPhase, FailoverStep, LastFailover, PlacementMode,
    condition, placement_reason as reason, set_condition,
};
use jiff::{SignedDuration, Timestamp};

use super::armed::armed;
use super::facts::{Known, key};
use crate::placement::decide::Survivable;

/// Adds it to a status that says everything else already.
pub fn describe(
    placement: &DualActivePlacement,
    known: &Known,
    survivable: Option<&Survivable>,
    status: &mut DualActivePlacementStatus,
    now: Timestamp,
) {
    if placement.spec.mode == PlacementMode::Exclusive {
        status.epoch = known.right(key(placement)).map(|r| r.epoch).max(status.epoch);
    }
    let moves = known.moves(key(placement)).iter().filter_map(|f| last(f));
    // What was told stays when its object is gone.
    status.last_failover = moves.chain(status.last_failover.take()).max_by(|a, b| a.at.cmp(&b.at));
    let missing = survivable.filter(|(survives, _)| *survives == Some(false));
    let missing = missing.map(|(_, message)| message.as_str()).or_else(|| {
        // Where it could go, there is no room for it.
        let others = placement.spec.centres.len().saturating_sub(1);
        let mut short = status.short.iter().filter(|s| s.alone);
        let first = short.next().map(|s| s.message.as_str());
        first.filter(|_| short.count() + 1 >= others)
    });
    let (why, message) = armed(placement, known, missing, now);
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

/// A loss and a move say for so long what becomes of a placement; then the placement shows it itself.
const TOLD: SignedDuration = SignedDuration::from_secs(30);

/// Whether a loss or a move of a moment ago says what becomes of the placement: every decision of it is stored, and what
/// it shows in between need not be, when a thousand of them move.
pub fn is_told_elsewhere(placement: &DualActivePlacement, known: &Known, now: Timestamp) -> bool {
    let just = |at: Timestamp| now.duration_since(at) < TOLD;
    let mut centres = placement.spec.centres.iter().filter(|c| known.is_lost(&c.name));
    let lost = centres.any(|c| {
        let since = known.witness(&c.name).and_then(|w| w.since.parse().ok());
        since.is_some_and(just)
    });
    let waits = |f: &Failover| f.phase() == FailoverPhase::AwaitingApproval;
    let moving = known.moving(key(placement)).filter(|f| !waits(f));
    lost || moving.is_some_and(|f| is_new(f, now))
}

/// Whether a move was made a moment ago.
pub fn is_new(failover: &Failover, now: Timestamp) -> bool {
    let made = failover.metadata.creation_timestamp.as_ref();
    made.is_some_and(|made| now.duration_since(made.0) < TOLD)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crds::FailoverType;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::super::facts::Arbiter;
    use super::super::testing::{GRANTED, LOST, RETURNED, at, centres, failover, known, placement};
    use super::*;

    #[test]
    fn a_loss_and_a_move_speak_for_a_placement_for_half_a_minute() {
        let one = placement(r#""mode": "ActiveStandby", "active": "a""#);
        let told = |phase, second| {
            let mut moving = failover("m", FailoverType::Planned, "a", "b");
            moving.metadata.creation_timestamp = Some(Time(at(100)));
            moving.status.get_or_insert_default().phase = phase;
            is_told_elsewhere(&one, &known(Arbiter::Absent, BTreeMap::new(), &[moving]), at(second))
        };
        assert!(told(FailoverPhase::Pending, 100) && told(FailoverPhase::Promoting, 129));
        assert!(!told(FailoverPhase::Promoting, 130) && !told(FailoverPhase::Succeeded, 101));
        assert!(!told(FailoverPhase::AwaitingApproval, 101));
        // It was lost in second 16.
        let lost = |states, second| is_told_elsewhere(&one, &known(Arbiter::Absent, states, &[]), at(second));
        assert!(lost(centres(LOST, GRANTED, GRANTED), 45) && !lost(centres(LOST, GRANTED, GRANTED), 46));
        assert!(!lost(centres(RETURNED, GRANTED, GRANTED), 20), "back");
        assert!(!lost(centres(GRANTED, GRANTED, LOST), 20), "another one");
    }
}
