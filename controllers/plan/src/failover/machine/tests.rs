use crds::FailoverStep::{AppReady, DataReady, Decided, Detected, Fault, Traffic, Verified};
use crds::{
    Assignment, CentreAssignment, DualActivePlacementStatus, FenceRow, PlacementRow, ProofKind, TemplateKind,
    WitnessState, WorkloadCopies,
};

use super::super::facts::{Arbiter, Stage};
use super::super::testing::*;
use super::*;

mod room;
mod started;

/// One move in a world that a test changes.
struct Scene {
    failover: Failover,
    placement: DualActivePlacement,
    right: Option<Right>,
    states: [WitnessState; 3],
    words: Outcome,
    guarded: Option<String>,
    slot: bool,
    now: i64,
}

fn row(centre: &str, ready: i64) -> PlacementRow {
    PlacementRow {
        name: centre.into(),
        number: 3,
        wanted: 4,
        ready,
        reason: "Applied".into(),
        ..PlacementRow::default()
    }
}

fn scene(type_: FailoverType, rest: &str) -> Scene {
    let mut placement = placement(rest);
    let centre = |name: &str| CentreAssignment {
        name: name.into(),
        copies: vec![WorkloadCopies {
            kind: TemplateKind::Deployment,
            name: "web".into(),
            copies: 4,
        }],
        jobs: false,
    };
    placement.status = Some(DualActivePlacementStatus {
        assignment: Some(Assignment {
            number: 3,
            centres: vec![centre("a"), centre("b")],
            home: placement.spec.active.clone(),
            active: placement.spec.active.clone(),
            ..Assignment::default()
        }),
        centres: vec![row("a", 4), row("b", 0)],
        ..DualActivePlacementStatus::default()
    });
    let lost = if type_ == FailoverType::Unplanned {
        LOST
    } else {
        GRANTED
    };
    Scene {
        failover: failover("m", type_, "a", "b"),
        right: (placement.spec.mode == PlacementMode::Exclusive).then(|| right(4, Some("a"), Stage::Held)),
        placement,
        states: [lost, GRANTED, GRANTED],
        words: Outcome::default(),
        guarded: None,
        slot: true,
        now: 20,
    }
}

const EXCLUSIVE: &str = r#""mode": "Exclusive", "active": "a""#;
const STANDBY: &str = r#""mode": "ActiveStandby", "active": "a""#;

impl Scene {
    /// Looks once and stores what comes of it.
    fn look(&mut self) -> Vec<Order> {
        let [a, b, c] = self.states;
        let known = known(
            seen(self.right.clone()),
            centres(a, b, c),
            std::slice::from_ref(&self.failover),
        );
        let next = next(
            &self.failover,
            &Observed {
                placement: Some(&self.placement),
                known: &known,
                words: &self.words,
                guarded: self.guarded.as_deref(),
                slot: self.slot,
                now: at(self.now),
            },
        );
        self.failover.status = Some(next.status);
        next.orders
    }

    fn is(&self) -> (FailoverPhase, String) {
        let status = self.failover.status.as_ref().unwrap();
        let why = status.conditions.first().map(|c| c.reason.clone());
        (status.phase, why.unwrap_or_default())
    }

    fn assignment(&mut self) -> &mut Assignment {
        self.placement.status.as_mut().unwrap().assignment.as_mut().unwrap()
    }

    fn row(&mut self, centre: &str) -> &mut PlacementRow {
        let rows = &mut self.placement.status.as_mut().unwrap().centres;
        rows.iter_mut().find(|r| r.name == centre).unwrap()
    }

    fn abort(&mut self) {
        let why = [(crds::label::ABORT.to_owned(), "wrong day".to_owned())];
        self.failover.metadata.annotations = Some(why.into());
    }

    /// The decision follows, and the new side is ready.
    fn serves(&mut self) {
        let epoch = self.right.as_ref().map(|r| r.epoch);
        let assignment = self.assignment();
        assignment.active = Some("b".into());
        assignment.failover = Some("uid-m".into());
        let row = self.row("b");
        row.ready = 4;
        row.right = epoch;
    }

    fn steps(&self) -> Vec<FailoverStep> {
        let status = self.failover.status.as_ref().unwrap();
        status.timeline.iter().map(|s| s.step).collect()
    }
}

fn phase_is(scene: &Scene, phase: FailoverPhase, why: &str) {
    assert_eq!(scene.is(), (phase, why.to_owned()));
}

#[test]
fn a_standby_takes_over_and_the_time_is_measured_from_the_last_sign_of_life() {
    let mut s = scene(FailoverType::Unplanned, STANDBY);
    assert_eq!(s.look(), []);
    phase_is(&s, FailoverPhase::Promoting, "Starting");
    s.serves();
    s.row("b").ready = 3;
    s.look();
    phase_is(&s, FailoverPhase::Promoting, "Starting");
    s.row("b").ready = 4;
    s.now = 30;
    s.look();
    phase_is(&s, FailoverPhase::Verifying, "Starting");
    s.now = 31;
    s.look();
    phase_is(&s, FailoverPhase::Succeeded, "Verified");
    assert_eq!(
        s.steps(),
        [Fault, Detected, Decided, DataReady, AppReady, Traffic, Verified]
    );
    // Last seen at 5, verified at 31.
    let status = s.failover.status.as_ref().unwrap();
    assert_eq!(status.rto_seconds.as_deref(), Some("26.000"));
}

#[test]
fn what_all_run_waits_for_the_others_to_carry_it() {
    let mut s = scene(FailoverType::Unplanned, r#""mode": "ActiveActive""#);
    s.row("b").ready = 4;
    s.look();
    phase_is(&s, FailoverPhase::Promoting, "Starting");
    s.assignment().failover = Some("uid-m".into());
    s.look();
    phase_is(&s, FailoverPhase::Verifying, "Starting");
    let mut back = scene(FailoverType::Unplanned, r#""mode": "ActiveActive""#);
    back.look();
    back.states[0] = RETURNED;
    back.look();
    phase_is(&back, FailoverPhase::Aborted, "Aborted");
}

#[test]
fn an_exclusive_one_waits_for_a_proof() {
    let mut s = scene(FailoverType::Unplanned, EXCLUSIVE);
    assert_eq!(s.look(), [Order::Takeover]);
    phase_is(&s, FailoverPhase::Fencing, "FencingUnconfirmed");
    s.right = Some(right(5, None, Stage::Fencing));
    assert_eq!(s.look(), []);
    s.words.saw = vec!["li".into()];
    assert_eq!(s.look(), []);
    s.words.saw.push("zhao".into());
    let proof = Proof {
        kind: ProofKind::TwoPersons,
        persons: s.words.saw.clone(),
    };
    assert_eq!(s.look(), [Order::Prove(proof.clone())]);
    phase_is(&s, FailoverPhase::Fencing, "FencingUnconfirmed");
    s.right.as_mut().unwrap().proof = Some(proof);
    assert_eq!(s.look(), [Order::Promote("b".into())]);
    phase_is(&s, FailoverPhase::Promoting, "Starting");
    s.right = Some(right(5, Some("b"), Stage::Held));
    s.serves();
    s.row("b").right = None;
    s.look();
    phase_is(&s, FailoverPhase::Promoting, "Starting");
    s.serves();
    s.look();
    s.now += 1;
    s.look();
    phase_is(&s, FailoverPhase::Succeeded, "Verified");
    let status = s.failover.status.as_ref().unwrap();
    assert_eq!(status.epoch.unwrap().counter, 5);
    assert_eq!(status.proof.as_ref().unwrap().persons, ["li", "zhao"]);
}

#[test]
fn gates_on_every_node_are_a_proof() {
    let mut s = scene(FailoverType::Unplanned, EXCLUSIVE);
    s.right = Some(right(5, Some("a"), Stage::Held));
    s.look();
    s.right = Some(right(6, None, Stage::Fencing));
    s.row("a").fence = Some(FenceRow { nodes: 2, ready: 1 });
    assert_eq!(s.look(), []);
    s.row("a").fence = Some(FenceRow { nodes: 2, ready: 2 });
    let orders = s.look();
    assert!(matches!(&orders[..], [Order::Prove(p)] if p.kind == ProofKind::PermitExpired));
}

#[test]
fn who_comes_back_in_time_keeps_it() {
    let mut s = scene(FailoverType::Unplanned, EXCLUSIVE);
    s.look();
    s.states[0] = RETURNED;
    assert_eq!(s.look(), []);
    phase_is(&s, FailoverPhase::Aborted, "Aborted");
}

#[test]
fn a_planned_one_drains_and_is_handed_over() {
    let mut s = scene(FailoverType::Planned, EXCLUSIVE);
    assert_eq!(s.look(), [Order::Drain]);
    phase_is(&s, FailoverPhase::Draining, "Draining");
    s.right.as_mut().unwrap().stage = Stage::Draining;
    assert_eq!(s.look(), []);
    s.right = Some(right(4, None, Stage::Released));
    assert_eq!(s.look(), [Order::HandOver("b".into())]);
    phase_is(&s, FailoverPhase::Promoting, "Starting");
    assert_eq!(
        s.failover.status.as_ref().unwrap().proof.as_ref().unwrap().kind,
        ProofKind::Acked
    );
    s.right = Some(right(5, Some("b"), Stage::Held));
    s.abort();
    s.look();
    let status = s.failover.status.as_ref().unwrap();
    assert!(status.conditions[0].message.contains("the way back is a Failback"));
    s.serves();
    s.look();
    s.now += 2;
    s.look();
    phase_is(&s, FailoverPhase::Succeeded, "Verified");
}

#[test]
fn a_planned_one_is_given_up_back_to_where_it_was() {
    let mut s = scene(FailoverType::Planned, EXCLUSIVE);
    s.look();
    s.abort();
    s.right.as_mut().unwrap().stage = Stage::Draining;
    assert_eq!(s.look(), []);
    s.right = Some(right(4, None, Stage::Released));
    assert_eq!(s.look(), [Order::HandOver("a".into())]);
    s.right = Some(right(5, Some("a"), Stage::Held));
    assert_eq!(s.look(), []);
    phase_is(&s, FailoverPhase::Aborted, "Aborted");
}

#[test]
fn a_fence_is_given_up_only_with_a_proof() {
    let mut s = scene(FailoverType::Unplanned, EXCLUSIVE);
    s.look();
    s.right = Some(right(5, None, Stage::Fencing));
    s.abort();
    assert_eq!(s.look(), []);
    phase_is(&s, FailoverPhase::Fencing, "FencingUnconfirmed");
    s.states[0] = RETURNED;
    s.right.as_mut().unwrap().proof = Some(Proof {
        kind: ProofKind::Acked,
        persons: Vec::new(),
    });
    assert_eq!(s.look(), [Order::Promote("a".into())]);
    phase_is(&s, FailoverPhase::Fencing, "Starting");
    s.right = Some(right(5, Some("a"), Stage::Held));
    s.look();
    phase_is(&s, FailoverPhase::Aborted, "Aborted");
}

#[test]
fn people_agree_first_where_the_policy_or_the_guard_says_so() {
    for (rest, guarded, why) in [
        (
            r#""mode": "ActiveStandby", "active": "a", "failover": {"approvals": 2}"#,
            None,
            "AwaitingApproval",
        ),
        (
            r#""mode": "ActiveStandby", "active": "a", "failover": {"mode": "Manual"}"#,
            None,
            "AwaitingApproval",
        ),
        (STANDBY, Some("twice"), "FlapGuard"),
    ] {
        let mut s = scene(FailoverType::Unplanned, rest);
        s.guarded = guarded.map(ToOwned::to_owned);
        s.look();
        phase_is(&s, FailoverPhase::AwaitingApproval, why);
        let needed = s.failover.status.as_ref().unwrap().approvals.as_ref().unwrap().needed;
        s.words.agreed = vec!["li".into(); usize::try_from(needed).unwrap()];
        // What was asked for once stays asked for.
        s.guarded = None;
        s.look();
        phase_is(&s, FailoverPhase::Promoting, "Starting");
        assert!(s.steps().contains(&FailoverStep::Approved));
    }
    let mut s = scene(
        FailoverType::Planned,
        r#""mode": "ActiveStandby", "active": "a", "failover": {"approvals": 1}"#,
    );
    s.look();
    s.words.rejected = Some(("li".into(), "no".into()));
    s.look();
    phase_is(&s, FailoverPhase::Aborted, "Rejected");
}

#[test]
fn what_stands_in_the_way_is_named() {
    let mut s = scene(FailoverType::Unplanned, STANDBY);
    s.slot = false;
    s.look();
    phase_is(&s, FailoverPhase::Pending, "Queued");
    s.slot = true;
    s.states[1] = LOST;
    s.look();
    phase_is(&s, FailoverPhase::Pending, "MassGuard");
    s.states = [RETURNED, GRANTED, GRANTED];
    s.look();
    phase_is(&s, FailoverPhase::Aborted, "Aborted");
    let mut wrong = scene(FailoverType::Planned, STANDBY);
    wrong.assignment().active = Some("b".into());
    wrong.look();
    phase_is(&wrong, FailoverPhase::Aborted, "Invalid");
    let mut lost = scene(FailoverType::Planned, STANDBY);
    lost.states[1] = LOST;
    lost.look();
    phase_is(&lost, FailoverPhase::Pending, "TargetLost");
}

#[test]
fn an_edit_of_active_ends_the_move_that_it_overtakes() {
    let mut s = scene(FailoverType::Planned, STANDBY);
    s.look();
    s.assignment().failover = Some("uid-m".into());
    s.look();
    phase_is(&s, FailoverPhase::Aborted, "Aborted");
}

#[test]
fn nothing_is_concluded_from_a_silent_arbiter() {
    let mut s = scene(FailoverType::Unplanned, EXCLUSIVE);
    let known = known(
        Arbiter::Silent,
        centres(RETURNED, GRANTED, GRANTED),
        std::slice::from_ref(&s.failover),
    );
    let next = next(
        &s.failover,
        &Observed {
            placement: Some(&s.placement),
            known: &known,
            words: &s.words,
            guarded: None,
            slot: true,
            now: at(20),
        },
    );
    s.failover.status = Some(next.status);
    phase_is(&s, FailoverPhase::Pending, "ArbiterSilent");
}
