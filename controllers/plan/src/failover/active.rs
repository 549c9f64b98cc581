//! Which centre runs a placement now: what its spec says, until it moved.

use crds::{DualActivePlacement, Failover, FailoverPhase, FailoverType, PlacementMode};

use super::facts::{Arbiter, Known, key};

/// The centre that runs it, and the move that it follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Active {
    /// Centre; `None` with `ActiveActive`.
    pub centre: Option<String>,
    /// Uid of the last move that it follows.
    pub follows: Option<String>,
}

/// Whether the new side is to run it: from then on there is no way back but another move.
pub fn promoted(failover: &Failover) -> bool {
    match failover.phase() {
        FailoverPhase::Promoting | FailoverPhase::Verifying | FailoverPhase::Succeeded => true,
        FailoverPhase::Pending
        | FailoverPhase::AwaitingApproval
        | FailoverPhase::Draining
        | FailoverPhase::Fencing
        | FailoverPhase::Aborted => false,
    }
}

/// The move under way that a decision has to follow.
fn followed<'a>(placement: &DualActivePlacement, known: &'a Known) -> Option<&'a Failover> {
    let moving = known.moving(key(placement)).filter(|f| promoted(f))?;
    let unplanned = moving.spec.type_ == FailoverType::Unplanned;
    // Where all run, only the others grow, and only while one is lost.
    let grows = placement.spec.mode != PlacementMode::ActiveActive || (unplanned && known.is_lost(&moving.spec.from));
    Some(moving.as_ref()).filter(|_| grows)
}

/// Which centre runs it. With `Exclusive` the arbiter says so; blind, it stays as it was decided.
pub fn active(placement: &DualActivePlacement, known: &Known) -> Active {
    let spec = &placement.spec;
    let old = placement.assignment();
    let before = old.and_then(|a| a.active.clone());
    let told = old.and_then(|a| a.failover.clone());
    let moving = followed(placement, known);
    let uid = moving.and_then(|f| f.metadata.uid.clone());
    match spec.mode {
        PlacementMode::ActiveActive => Active {
            centre: None,
            follows: uid.or(told),
        },
        PlacementMode::ActiveStandby => {
            let home = old.and_then(|a| a.home.as_ref());
            if home.is_some() && home != spec.active.as_ref() {
                // An edit is newer than the move that it finds.
                return Active {
                    centre: spec.active.clone(),
                    follows: uid.or(told),
                };
            }
            match (moving, uid) {
                (Some(moving), Some(uid)) if told.as_ref() != Some(&uid) => Active {
                    centre: Some(moving.spec.to.clone()),
                    follows: Some(uid),
                },
                _ => Active {
                    centre: before.or_else(|| spec.active.clone()),
                    follows: told,
                },
            }
        }
        PlacementMode::Exclusive => {
            let holder = known.right(key(placement)).map(|r| r.holder.clone());
            let stays = || before.or_else(|| spec.active.clone());
            let centre = match (&known.arbiter, holder) {
                (Arbiter::Absent, _) | (Arbiter::Seen(_), None) => spec.active.clone(),
                (Arbiter::Seen(_), Some(Some(holder))) => Some(holder),
                // Nobody may run it, and nobody does: what was decided says where it comes from.
                (Arbiter::Seen(_), Some(None)) | (Arbiter::Silent, _) => stays(),
            };
            Active {
                centre,
                follows: uid.or(told),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::Stage;
    use super::super::testing::*;
    use super::*;
    use crds::{Assignment, DualActivePlacementStatus, FailoverType};

    fn standby(active: &str, home: Option<&str>, now: Option<&str>, follows: Option<&str>) -> DualActivePlacement {
        let mut one = placement(&format!(r#""mode": "ActiveStandby", "active": "{active}""#));
        one.status = home.map(|home| DualActivePlacementStatus {
            assignment: Some(Assignment {
                home: Some(home.to_owned()),
                active: now.map(ToOwned::to_owned),
                failover: follows.map(ToOwned::to_owned),
                ..Assignment::default()
            }),
            ..DualActivePlacementStatus::default()
        });
        one
    }

    fn at_phase(phase: FailoverPhase) -> Failover {
        let mut one = failover("m", FailoverType::Planned, "a", "b");
        one.status.get_or_insert_default().phase = phase;
        one
    }

    fn is(placement: &DualActivePlacement, moves: &[Failover]) -> (Option<String>, Option<String>) {
        let known = known(Arbiter::Absent, centres(GRANTED, GRANTED, GRANTED), moves);
        let Active { centre, follows } = active(placement, &known);
        (centre, follows)
    }

    #[test]
    fn a_standby_follows_its_move_and_stays_there() {
        let some = |text: &str| Some(text.to_owned());
        let new = standby("a", None, None, None);
        assert_eq!(is(&new, &[]), (some("a"), None));
        let before = standby("a", Some("a"), Some("a"), None);
        assert_eq!(is(&before, &[at_phase(FailoverPhase::Pending)]), (some("a"), None));
        let moving = [at_phase(FailoverPhase::Promoting)];
        assert_eq!(is(&before, &moving), (some("b"), some("uid-m")));
        let moved = standby("a", Some("a"), Some("b"), Some("uid-m"));
        assert_eq!(
            is(&moved, &[at_phase(FailoverPhase::Succeeded)]),
            (some("b"), some("uid-m"))
        );
    }

    #[test]
    fn an_edit_wins_over_an_older_move() {
        let some = |text: &str| Some(text.to_owned());
        let edited = standby("b", Some("a"), Some("a"), None);
        assert_eq!(is(&edited, &[]), (some("b"), None));
        let moving = [at_phase(FailoverPhase::Promoting)];
        // Back home by an edit while the move is under way: and it stays so in the next decision.
        let edited = standby("a", Some("b"), Some("b"), Some("uid-m"));
        assert_eq!(is(&edited, &moving), (some("a"), some("uid-m")));
        let decided = standby("a", Some("a"), Some("a"), Some("uid-m"));
        assert_eq!(is(&decided, &moving), (some("a"), some("uid-m")));
    }

    #[test]
    fn an_exclusive_one_is_where_the_arbiter_says() {
        let one = placement(r#""mode": "Exclusive", "active": "a""#);
        let centre = |arbiter| active(&one, &known(arbiter, centres(GRANTED, GRANTED, GRANTED), &[])).centre;
        assert_eq!(centre(Arbiter::Absent).as_deref(), Some("a"));
        assert_eq!(centre(seen(None)).as_deref(), Some("a"));
        assert_eq!(
            centre(seen(Some(right(2, Some("b"), Stage::Held)))).as_deref(),
            Some("b")
        );
        assert_eq!(centre(seen(Some(right(2, None, Stage::Fencing)))).as_deref(), Some("a"));
        assert_eq!(centre(Arbiter::Silent).as_deref(), Some("a"));
    }
}
