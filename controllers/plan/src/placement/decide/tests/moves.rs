//! Decisions while a centre is lost, and after a placement moved.

use crds::{
    CentreWitness, Failover, FailoverPhase, FailoverSpec, FailoverType, PlacementRef, RightEpoch, WitnessState,
};
use proptest::prelude::*;

use super::*;
use crate::failover::facts::{self, Arbiter, Right, Stage as Standing};

fn know(arbiter: Arbiter, states: [WitnessState; 2], moves: &[Arc<Failover>]) -> Known {
    let centre = |(name, state): (&str, WitnessState)| {
        let witness = CentreWitness {
            state,
            since: String::new(),
            last_seen: None,
            incident: (state != WitnessState::Granted).then(|| format!("{name}-17")),
        };
        let centre = facts::Centre {
            role: CentreRole::Primary,
            witness: Some(witness),
            reports: state != WitnessState::Lost,
        };
        (name.to_owned(), centre)
    };
    let [a, b] = states;
    Known::new(arbiter, [("a", a), ("b", b)].map(centre).into(), moves)
}

const HEARD: [WitnessState; 2] = [WitnessState::Granted, WitnessState::Granted];
const A_LOST: [WitnessState; 2] = [WitnessState::Lost, WitnessState::Granted];
const A_BACK: [WitnessState; 2] = [WitnessState::Returned, WitnessState::Granted];

fn nothing() -> Arbiter {
    Arbiter::Seen(BTreeMap::new())
}

fn held(holder: Option<&str>, standing: Standing) -> Arbiter {
    let right = Right {
        epoch: RightEpoch::default(),
        holder: holder.map(ToOwned::to_owned),
        stage: standing,
        from: None,
        proof: None,
    };
    Arbiter::Seen([("dept/p".to_owned(), right)].into())
}

fn moving(type_: FailoverType, phase: FailoverPhase) -> Arc<Failover> {
    let mut one = Failover::new(
        "m",
        FailoverSpec {
            placement_ref: PlacementRef { name: "p".into() },
            type_,
            from: "a".into(),
            to: "b".into(),
            incident: None,
            comment: None,
            requester: crds::Approver::default(),
        },
    );
    one.metadata.namespace = Some("dept".into());
    one.metadata.uid = Some("uid-m".into());
    one.status.get_or_insert_default().phase = phase;
    Arc::new(one)
}

/// Copies of the one workload, by centre; a centre that is not named holds nothing.
fn copies(decision: &Decision) -> Vec<(&str, i64)> {
    let centres = decision.assignment.iter().flat_map(|a| &a.centres);
    let all = centres.map(|c| (c.name.as_str(), c.copies.iter().map(|w| w.copies).sum()));
    all.collect()
}

fn one(granted: i128, mode: &str) -> Stage {
    let mut s = stage(granted);
    s.template(object(TemplateKind::Deployment, "web"), 4, "web", &[]);
    s.placement("p", "web", mode);
    s
}

/// What the grants keep is in force while another centre is away, as the operator reads them then.
fn eased(s: &mut Stage) {
    for granted in s.grants.values_mut() {
        for room in granted.centres.values_mut() {
            room.in_force = room.survival;
        }
    }
}

#[test]
fn the_others_carry_all_and_the_lost_one_keeps_what_it_had() {
    let mut s = one(2, r#""mode": "ActiveActive""#);
    assert_eq!(copies(&s.store("p", true)), [("a", 2), ("b", 2)]);
    s.failover = know(
        nothing(),
        A_LOST,
        &[moving(FailoverType::Unplanned, FailoverPhase::Promoting)],
    );
    eased(&mut s);
    let decision = s.store("p", true);
    assert_eq!(copies(&decision), [("a", 2), ("b", 4)]);
    assert_eq!(decision.assignment.unwrap().failover.as_deref(), Some("uid-m"));
    assert!(!decision.rebalancing);
    // Back: the other one is lowered once the returned one is ready again.
    s.failover = know(nothing(), A_BACK, &[]);
    s.placements[0].status.as_mut().unwrap().centres[0].workloads[0].ready = 0;
    assert_eq!(copies(&s.store("p", false)), [("a", 2), ("b", 4)]);
    let number = s.placements[0].assignment().unwrap().number;
    let rows = &mut s.placements[0].status.as_mut().unwrap().centres;
    rows[0].workloads[0].ready = 2;
    assert!(rows.iter().all(|r| r.number == number));
    assert_eq!(copies(&s.store("p", true)), [("a", 2), ("b", 2)]);
}

#[test]
fn a_rise_stays_within_max_and_within_what_is_kept() {
    let mut s = one(
        2,
        r#""mode": "ActiveActive", "centres": [{"name": "a"}, {"name": "b", "max": 3}]"#,
    );
    s.store("p", true);
    s.failover = know(nothing(), A_LOST, &[]);
    eased(&mut s);
    assert_eq!(copies(&s.store("p", true)), [("a", 2), ("b", 3)]);
    let mut s = one(2, r#""mode": "ActiveActive""#);
    s.store("p", true);
    s.failover = know(nothing(), A_LOST, &[]);
    for granted in s.grants.values_mut() {
        for room in granted.centres.values_mut() {
            room.survival = cpu(3);
        }
    }
    eased(&mut s);
    assert_eq!(copies(&s.store("p", true)), [("a", 2), ("b", 3)]);
}

#[test]
fn two_lost_centres_change_nothing() {
    let mut s = one(2, r#""mode": "ActiveActive""#);
    s.store("p", true);
    s.failover = know(nothing(), [WitnessState::Lost, WitnessState::Lost], &[]);
    eased(&mut s);
    assert_eq!(copies(&s.store("p", true)), [("a", 2), ("b", 2)]);
}

#[test]
fn a_standby_moves_raises_first_and_keeps_its_home() {
    let mut s = one(4, r#""mode": "ActiveStandby", "active": "a""#);
    assert_eq!(copies(&s.store("p", true)), [("a", 4)]);
    let promoting = [moving(FailoverType::Unplanned, FailoverPhase::Promoting)];
    s.failover = know(nothing(), A_LOST, &promoting);
    let decision = s.store("p", true);
    assert_eq!(copies(&decision), [("a", 4), ("b", 4)]);
    let assignment = decision.assignment.unwrap();
    assert_eq!(
        (assignment.home.as_deref(), assignment.active.as_deref()),
        (Some("a"), Some("b"))
    );
    // The new side is ready: now the old one is lowered, and its objects stay.
    assert_eq!(copies(&s.store("p", true)), [("a", 0), ("b", 4)]);
    s.failover = know(
        nothing(),
        A_BACK,
        &[moving(FailoverType::Unplanned, FailoverPhase::Succeeded)],
    );
    assert_eq!(copies(&s.store("p", true)), [("a", 0), ("b", 4)]);
    // An edit is newer.
    s.placements[0].spec.centres.reverse();
    s.placements[0].spec.active = Some("b".to_owned());
    let edited = s.store("p", true).assignment.unwrap();
    assert_eq!(
        (edited.home.as_deref(), edited.active.as_deref()),
        (Some("b"), Some("b"))
    );
}

#[test]
fn the_side_that_was_left_lets_go_when_nobody_is_led_there_any_more() {
    let mut s = one(
        4,
        r#""mode": "ActiveStandby", "active": "a", "traffic": {"hostname": "w.jl.gov.cn"}"#,
    );
    assert_eq!(copies(&s.store("p", true)), [("a", 4)]);
    let at = |phase| moving(FailoverType::Planned, phase);
    s.failover = know(nothing(), HEARD, &[at(FailoverPhase::Promoting)]);
    assert_eq!(copies(&s.store("p", true)), [("a", 4), ("b", 4)]);
    // Ready, but not verified yet.
    assert_eq!(copies(&s.store("p", true)), [("a", 4), ("b", 4)]);
    let mut done = Failover::clone(&at(FailoverPhase::Succeeded));
    done.status.as_mut().unwrap().timeline.push(crds::FailoverStamp {
        step: crds::FailoverStep::Verified,
        at: facts::stamp(jiff::Timestamp::from_second(s.now).unwrap()),
    });
    s.failover = know(nothing(), HEARD, &[Arc::new(done)]);
    s.now += 9;
    let waits = s.store("p", true);
    assert_eq!((copies(&waits), waits.rebalancing), (vec![("a", 4), ("b", 4)], true));
    s.now += 1;
    assert_eq!(copies(&s.store("p", true)), [("a", 0), ("b", 4)]);
}

#[test]
fn an_exclusive_one_is_wanted_where_its_right_is_and_leaves_its_objects() {
    let mut s = one(4, r#""mode": "Exclusive", "active": "a""#);
    s.failover = know(held(Some("a"), Standing::Held), HEARD, &[]);
    assert_eq!(copies(&s.store("p", true)), [("a", 4)]);
    s.failover = know(held(None, Standing::Fencing), A_LOST, &[]);
    assert_eq!(copies(&s.store("p", true)), [("a", 4)]);
    s.failover = know(held(Some("b"), Standing::Held), A_LOST, &[]);
    assert_eq!(copies(&s.store("p", true)), [("a", 0), ("b", 4)]);
    s.failover = know(Arbiter::Silent, A_LOST, &[]);
    assert_eq!(copies(&s.store("p", true)), [("a", 0), ("b", 4)]);
    s.failover = know(held(Some("a"), Standing::Held), A_BACK, &[]);
    assert_eq!(copies(&s.store("p", true)), [("a", 4), ("b", 0)]);
}

#[test]
fn where_it_has_no_room_is_told_before_it_moves() {
    let mut s = one(4, r#""mode": "Exclusive", "active": "a""#);
    s.failover = know(held(Some("a"), Standing::Held), HEARD, &[]);
    assert_eq!(s.store("p", true).short, []);
    s.template(object(TemplateKind::Deployment, "api"), 3, "api", &[]);
    s.placement("q", "api", r#""mode": "ActiveStandby", "active": "b""#);
    s.store("q", true);
    let short = s.store("p", true).short.remove(0);
    assert_eq!((short.name.as_str(), short.alone), ("b", false));
    assert!(short.message.contains("short of cpu 3"), "{}", short.message);
    // Of eight vCPU that are kept for a loss five are left, and then one.
    for granted in s.grants.values_mut() {
        for room in granted.centres.values_mut() {
            room.survival = cpu(4);
        }
    }
    assert!(s.store("p", true).short.remove(0).alone);
}

proptest! {
    #[test]
    fn never_are_two_wanted_to_run_an_exclusive_one(
        rows in proptest::collection::vec((0usize..4, any::<bool>(), any::<bool>()), 1..12)
    ) {
        let mut s = one(4, r#""mode": "Exclusive", "active": "a""#);
        for (which, lost, ready) in rows {
            let arbiter = match which {
                0 => held(Some("a"), Standing::Held),
                1 => held(Some("b"), Standing::Held),
                2 => held(None, Standing::Released),
                _ => Arbiter::Silent,
            };
            s.failover = know(arbiter, if lost { A_LOST } else { A_BACK }, &[]);
            let decision = s.store("p", ready);
            let running = copies(&decision).into_iter().filter(|(_, n)| *n > 0);
            prop_assert_eq!(running.count(), 1);
        }
    }
}
