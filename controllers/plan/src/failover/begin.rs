//! Which moves must exist: one for each placement that ran in a lost centre, and the way back where it is automatic.

use std::sync::Arc;

use crds::{
    Approver, CentreRole, DualActivePlacement, Failover, FailoverMode, FailoverSpec, FailoverType, PlacementMode,
    PlacementRef, WitnessState, group, label,
};
use jiff::{SignedDuration, Timestamp};

use super::active::active;
use super::facts::{Known, Stage, key};
use super::guard::automatic;

/// Moves that are made in one go; the next look makes the next ones.
const AT_ONCE: usize = 200;

/// Moves that must exist and do not, in the order in which they come: by criticality, then by name.
pub fn begin(placements: &[Arc<DualActivePlacement>], known: &Known, now: Timestamp) -> Vec<Failover> {
    let mut order: Vec<_> = placements
        .iter()
        .filter(|p| p.metadata.deletion_timestamp.is_none())
        .collect();
    order.sort_by_key(|p| (p.spec.criticality, key(p)));
    let mut all: Vec<Failover> = match known.lost_alone() {
        Some(lost) => order.iter().filter_map(|p| away(p, known, lost)).collect(),
        None => Vec::new(),
    };
    // One placement at a time, and none while anything is lost.
    let returning = known.all_moves().any(|f| is_back(f) && !f.phase().is_over());
    if known.lost().is_empty() && !returning {
        all.extend(order.iter().find_map(|p| back(p, known, now)));
    }
    all.truncate(AT_ONCE);
    all
}

fn is_back(failover: &Failover) -> bool {
    failover.spec.type_ == FailoverType::Failback && automatic(failover)
}

/// Whether it runs there, by the arbiter where that says so.
fn runs_in(placement: &DualActivePlacement, known: &Known, centre: &str) -> bool {
    match placement.spec.mode {
        PlacementMode::ActiveActive => {
            let part = placement.assignment().and_then(|a| a.centre(centre));
            part.is_some_and(|c| c.jobs || c.copies.iter().any(|w| w.copies > 0))
        }
        PlacementMode::ActiveStandby => active(placement, known).centre.as_deref() == Some(centre),
        PlacementMode::Exclusive => known.right(key(placement)).is_some_and(|r| {
            // Taken from it already, by a move that somebody deleted: another one goes on.
            let taken = r.stage == Stage::Fencing && r.from.as_deref() == Some(centre);
            r.holder.as_deref() == Some(centre) || taken
        }),
    }
}

/// Where it goes: to the heaviest of the others that is there, before that to one that has room for it.
fn elsewhere<'a>(placement: &'a DualActivePlacement, known: &Known, from: &str) -> Option<&'a str> {
    let there = |name: &str| {
        let centre = known.centres.get(name);
        centre.is_some_and(|c| c.reports && c.role != CentreRole::Member) && !known.is_lost(name)
    };
    let others = placement
        .spec
        .centres
        .iter()
        .filter(|c| c.name != from && there(&c.name));
    let short = |name: &str| {
        let short = placement.status.as_ref().map(|s| s.short.as_slice());
        short.unwrap_or_default().iter().any(|s| s.alone && s.name == name)
    };
    let best = others.max_by_key(|c| (!short(&c.name), c.weight, std::cmp::Reverse(c.name.as_str())));
    best.map(|c| c.name.as_str())
}

fn away(placement: &DualActivePlacement, known: &Known, lost: &str) -> Option<Failover> {
    if !runs_in(placement, known, lost) || known.moving(key(placement)).is_some() {
        return None;
    }
    let to = elsewhere(placement, known, lost)?;
    let incident = known.witness(lost)?.incident.clone()?;
    let (_, name) = key(placement);
    let spec = FailoverSpec {
        incident: Some(incident.clone()),
        ..spec(name, FailoverType::Unplanned, lost, to)
    };
    made(placement, known, &format!("{name}-{incident}"), spec, Some(incident))
}

fn back(placement: &DualActivePlacement, known: &Known, now: Timestamp) -> Option<Failover> {
    let policy = placement.spec.failback.clone().unwrap_or_default();
    let home = placement.spec.active.as_deref()?;
    let from = active(placement, known).centre?;
    if policy.mode != FailoverMode::Automatic || from == home || known.moving(key(placement)).is_some() {
        return None;
    }
    if placement.spec.mode == PlacementMode::Exclusive {
        known
            .right(key(placement))
            .filter(|r| r.holder.as_ref() == Some(&from))?;
    }
    let witness = known.witness(home).filter(|w| w.state == WitnessState::Returned)?;
    let since: Timestamp = witness.since.parse().ok()?;
    let stable = now.duration_since(since) >= duration(&policy.stabilization)?;
    if !stable || !known.centres.get(home).is_some_and(|c| c.reports) {
        return None;
    }
    let (_, name) = key(placement);
    let number = placement.assignment()?.number;
    let spec = spec(name, FailoverType::Failback, &from, home);
    made(placement, known, &format!("{name}-back-{number}"), spec, None)
}

/// A time as policies write it: `30s`, `30m`, `2h`; `None` where it is none.
pub fn duration(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let number: i64 = text.strip_suffix(unit)?.parse().ok()?;
    match unit {
        's' => Some(SignedDuration::from_secs(number)),
        'm' => Some(SignedDuration::from_mins(number)),
        'h' => Some(SignedDuration::from_hours(number)),
        _ => None,
    }
}

fn spec(placement: &str, type_: FailoverType, from: &str, to: &str) -> FailoverSpec {
    FailoverSpec {
        placement_ref: PlacementRef {
            name: placement.to_owned(),
        },
        type_,
        from: from.to_owned(),
        to: to.to_owned(),
        incident: None,
        comment: None,
        requester: Approver {
            username: group::CONTROLLER_USER.to_owned(),
            groups: Vec::new(),
        },
    }
}

/// The object; nothing where one of that name is known, over or not.
fn made(
    placement: &DualActivePlacement,
    known: &Known,
    name: &str,
    spec: FailoverSpec,
    incident: Option<String>,
) -> Option<Failover> {
    let there = |f: &Arc<Failover>| f.metadata.name.as_deref() == Some(name);
    if known.moves(key(placement)).iter().any(there) {
        return None;
    }
    let mut one = Failover::new(name, spec);
    one.metadata.namespace.clone_from(&placement.metadata.namespace);
    one.metadata.labels = incident.map(|incident| [(label::INCIDENT.to_owned(), incident)].into());
    Some(one)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crds::{
        Assignment, CentreAssignment, Criticality, DualActivePlacementStatus, FailoverPhase, TemplateKind,
        WorkloadCopies,
    };

    fn assigned(mut placement: DualActivePlacement, active: Option<&str>) -> DualActivePlacement {
        let centre = |name: &str| CentreAssignment {
            name: name.into(),
            copies: vec![WorkloadCopies {
                kind: TemplateKind::Deployment,
                name: "web".into(),
                copies: 2,
            }],
            jobs: false,
        };
        let assignment = Assignment {
            number: 4,
            centres: vec![centre("a"), centre("b")],
            home: placement.spec.active.clone(),
            active: active.map(ToOwned::to_owned),
            ..Assignment::default()
        };
        placement.status = Some(DualActivePlacementStatus {
            assignment: Some(assignment),
            ..DualActivePlacementStatus::default()
        });
        placement
    }

    fn all_active(name: &str, criticality: Criticality) -> Arc<DualActivePlacement> {
        let mut one = assigned(placement(r#""mode": "ActiveActive""#), None);
        one.metadata.name = Some(name.into());
        one.spec.criticality = criticality;
        Arc::new(one)
    }

    fn names(made: &[Failover]) -> Vec<&str> {
        made.iter().filter_map(|f| f.metadata.name.as_deref()).collect()
    }

    #[test]
    fn each_placement_of_a_lost_centre_moves_once_the_critical_first() {
        let all = [
            all_active("x", Criticality::General),
            all_active("z", Criticality::Key),
            all_active("y", Criticality::Key),
        ];
        let lost = centres(LOST, GRANTED, GRANTED);
        let made = begin(&all, &known(seen(None), lost.clone(), &[]), at(20));
        assert_eq!(names(&made), ["y-a-17", "z-a-17", "x-a-17"]);
        let first = &made[0];
        assert_eq!((first.spec.from.as_str(), first.spec.to.as_str()), ("a", "b"));
        assert_eq!(first.metadata.labels.as_ref().unwrap()[label::INCIDENT], "a-17");
        // What is there is not made again, not even when it is over.
        let mut there = made;
        there[0].status.get_or_insert_default().phase = FailoverPhase::Succeeded;
        assert_eq!(begin(&all, &known(seen(None), lost, &there), at(20)), []);
    }

    #[test]
    fn nothing_moves_by_itself_when_two_are_lost_or_none() {
        let all = [all_active("x", Criticality::General)];
        for (a, b, c) in [
            (LOST, LOST, GRANTED),
            (LOST, GRANTED, LOST),
            (GRANTED, GRANTED, GRANTED),
            (RETURNED, GRANTED, GRANTED),
        ] {
            assert_eq!(begin(&all, &known(seen(None), centres(a, b, c), &[]), at(20)), []);
        }
    }

    #[test]
    fn a_standby_or_exclusive_one_moves_only_from_where_it_runs() {
        let lost = |arbiter| known(arbiter, centres(LOST, GRANTED, GRANTED), &[]);
        let standby = |active: &str| {
            let one = placement(r#""mode": "ActiveStandby", "active": "a""#);
            [Arc::new(assigned(one, Some(active)))]
        };
        assert_eq!(names(&begin(&standby("a"), &lost(seen(None)), at(20))), ["p-a-17"]);
        assert_eq!(begin(&standby("b"), &lost(seen(None)), at(20)), []);
        let exclusive = [Arc::new(placement(r#""mode": "Exclusive", "active": "a""#))];
        assert_eq!(begin(&exclusive, &lost(seen(None)), at(20)), []);
        let held = |holder| seen(Some(right(1, Some(holder), Stage::Held)));
        assert_eq!(names(&begin(&exclusive, &lost(held("a")), at(20))), ["p-a-17"]);
        assert_eq!(begin(&exclusive, &lost(held("b")), at(20)), []);
        let taken = seen(Some(right(2, None, Stage::Fencing)));
        assert_eq!(names(&begin(&exclusive, &lost(taken), at(20))), ["p-a-17"]);
    }

    #[test]
    fn it_comes_back_by_itself_after_the_time_that_it_says() {
        let text =
            r#""mode": "ActiveStandby", "active": "a", "failback": {"mode": "Automatic", "stabilization": "1m"}"#;
        let one = assigned(placement(text), Some("b"));
        let mut two = one.clone();
        two.metadata.name = Some("q".into());
        let all = [Arc::new(one), Arc::new(two)];
        let there = |moves: &[Failover]| known(seen(None), centres(RETURNED, GRANTED, GRANTED), moves);
        assert_eq!(begin(&all, &there(&[]), at(16 + 59)), []);
        let made = begin(&all, &there(&[]), at(16 + 60));
        assert_eq!(names(&made), ["p-back-4"]);
        assert_eq!((made[0].spec.from.as_str(), made[0].spec.to.as_str()), ("b", "a"));
        assert_eq!(begin(&all, &there(&made), at(16 + 60)), [], "one at a time");
        let mut done = made;
        done[0].status.get_or_insert_default().phase = FailoverPhase::Succeeded;
        assert_eq!(names(&begin(&all, &there(&done), at(16 + 60))), ["q-back-4"]);
    }
}
