//! Whatever happens in whatever order.

use crds::{
    Assignment, CentreAssignment, DualActivePlacementStatus, FenceRow, PlacementRow, ProofKind, TemplateKind,
    WitnessState, WorkloadCopies,
};
use proptest::prelude::*;

use super::super::active::{active, promoted};
use super::super::facts::{Arbiter, Stage};
use super::super::testing::*;
use super::*;

/// What may happen between two looks.
#[derive(Clone, Debug)]
enum Event {
    Witness(usize, WitnessState),
    Blind(bool),
    Released,
    Acked,
    Ready(usize, i64),
    Gates(bool),
    Approves,
    Rejects,
    Sees,
    Abort,
    Decides,
    Later(i64),
    Look { lands: bool, stores: bool },
}

fn event() -> impl Strategy<Value = Event> {
    let state = prop_oneof![Just(GRANTED), Just(LOST), Just(RETURNED), Just(WitnessState::AgentDown)];
    prop_oneof![
        2 => (0usize..3, state).prop_map(|(c, s)| Event::Witness(c, s)),
        1 => any::<bool>().prop_map(Event::Blind),
        2 => Just(Event::Released),
        2 => Just(Event::Acked),
        3 => (0usize..2, 0i64..5).prop_map(|(c, n)| Event::Ready(c, n)),
        1 => any::<bool>().prop_map(Event::Gates),
        1 => Just(Event::Approves),
        1 => Just(Event::Rejects),
        1 => Just(Event::Sees),
        1 => Just(Event::Abort),
        4 => Just(Event::Decides),
        2 => (0i64..5).prop_map(Event::Later),
        9 => (any::<bool>(), any::<bool>()).prop_map(|(lands, stores)| Event::Look { lands, stores }),
    ]
}

struct World {
    failover: Failover,
    placement: DualActivePlacement,
    right: Right,
    states: [WitnessState; 3],
    blind: bool,
    words: Outcome,
    now: i64,
}

fn world(mode: usize, type_: FailoverType, approvals: i64) -> World {
    let mode = ["ActiveActive", "ActiveStandby", "Exclusive"][mode];
    let active = if mode == "ActiveActive" {
        ""
    } else {
        r#", "active": "a""#
    };
    let mut placement = placement(&format!(
        r#""mode": "{mode}" {active}, "failover": {{"approvals": {approvals}}}"#
    ));
    let centre = |name: &str| CentreAssignment {
        name: name.into(),
        copies: vec![WorkloadCopies {
            kind: TemplateKind::Deployment,
            name: "web".into(),
            copies: 4,
        }],
        jobs: false,
    };
    let row = |name: &str| PlacementRow {
        name: name.into(),
        wanted: 4,
        ..PlacementRow::default()
    };
    placement.status = Some(DualActivePlacementStatus {
        assignment: Some(Assignment {
            centres: vec![centre("a"), centre("b")],
            ..Assignment::default()
        }),
        centres: vec![row("a"), row("b")],
        ..DualActivePlacementStatus::default()
    });
    World {
        failover: failover("m", type_, "a", "b"),
        placement,
        right: right(1, Some("a"), Stage::Held),
        states: [
            if type_ == FailoverType::Unplanned {
                LOST
            } else {
                GRANTED
            },
            GRANTED,
            GRANTED,
        ],
        blind: false,
        words: Outcome::default(),
        now: 20,
    }
}

impl World {
    fn known(&self) -> Known {
        let [a, b, c] = self.states;
        let arbiter = if self.blind {
            Arbiter::Silent
        } else {
            seen(Some(self.right.clone()))
        };
        known(arbiter, centres(a, b, c), std::slice::from_ref(&self.failover))
    }

    fn happens(&mut self, event: &Event) {
        let status = self.placement.status.as_mut().unwrap();
        match event {
            Event::Witness(centre, state) => self.states[*centre] = *state,
            Event::Blind(blind) => self.blind = *blind,
            Event::Released if self.right.stage == Stage::Draining && self.states[0] != LOST => {
                self.right.from = self.right.holder.take();
                self.right.stage = Stage::Released;
            }
            Event::Acked if self.right.stage == Stage::Fencing && self.states[0] != LOST => {
                self.right.proof.get_or_insert(Proof {
                    kind: ProofKind::Acked,
                    persons: Vec::new(),
                });
            }
            Event::Released | Event::Acked => {}
            Event::Ready(centre, ready) => {
                status.centres[*centre].ready = *ready;
                status.centres[*centre].right = Some(self.right.epoch);
            }
            Event::Gates(ready) => {
                let ready = i64::from(*ready);
                status.centres[0].fence = Some(FenceRow { nodes: 1, ready });
            }
            Event::Approves => self.words.agreed.push("li".into()),
            Event::Rejects => self.words.rejected = Some(("li".into(), "no".into())),
            Event::Sees => self.words.saw.push("zhao".into()),
            Event::Abort => {
                let why = [(crds::label::ABORT.to_owned(), "no".to_owned())];
                self.failover.metadata.annotations = Some(why.into());
            }
            Event::Decides => {
                let active = active(&self.placement, &self.known());
                let assignment = self.placement.status.as_mut().unwrap().assignment.as_mut().unwrap();
                assignment.home.clone_from(&self.placement.spec.active);
                assignment.active = active.centre;
                assignment.failover = active.follows;
            }
            Event::Later(seconds) => self.now += seconds,
            Event::Look { lands, stores } => self.look(*lands, *stores),
        }
    }

    fn look(&mut self, lands: bool, stores: bool) {
        let known = self.known();
        let next = next(
            &self.failover,
            &Observed {
                placement: Some(&self.placement),
                known: &known,
                words: &self.words,
                guarded: None,
                slot: true,
                now: at(self.now),
            },
        );
        let before = self.failover.status.clone().unwrap_or_default();
        assert!(
            next.status.phase >= before.phase,
            "{:?} after {:?}",
            next.status,
            before
        );
        for stamp in &before.timeline {
            assert!(next.status.timeline.contains(stamp), "{stamp:?} changed");
        }
        assert!(before.proof.is_none() || next.status.proof == before.proof);
        assert!(before.phase != FailoverPhase::Succeeded || next.status == before);
        let exclusive = self.placement.spec.mode == PlacementMode::Exclusive;
        if exclusive && next.status.phase == FailoverPhase::Succeeded {
            assert!(next.status.proof.is_some(), "{:?}", next.status);
        }
        if before.phase == FailoverPhase::Succeeded || before.phase == FailoverPhase::Aborted {
            assert_eq!(next.orders, []);
        }
        assert!(exclusive || next.orders.is_empty());
        for order in &next.orders {
            if let Order::Promote(_) = order {
                assert!(next.status.proof.is_some() && self.right.proof.is_some(), "{next:?}");
            }
        }
        if !stores {
            return;
        }
        self.failover.status = Some(next.status);
        for order in next.orders.into_iter().filter(|_| lands) {
            self.arbiter(order);
        }
    }

    /// The arbiter, which refuses what its rows do not allow.
    fn arbiter(&mut self, order: Order) {
        let right = &mut self.right;
        match (order, right.stage) {
            (Order::Takeover, Stage::Held | Stage::Draining) if self.states[0] == LOST => {
                right.epoch.counter += 1;
                right.from = right.holder.take();
                right.stage = Stage::Fencing;
            }
            (Order::Prove(proof), Stage::Fencing) if right.proof.is_none() => right.proof = Some(proof),
            (Order::Promote(to), Stage::Fencing) if right.proof.is_some() => {
                *right = super::super::testing::right(right.epoch.counter, Some(&to), Stage::Held);
            }
            (Order::Drain, Stage::Held) => right.stage = Stage::Draining,
            (Order::HandOver(to), Stage::Released) => {
                *right = super::super::testing::right(right.epoch.counter + 1, Some(&to), Stage::Held);
            }
            (Order::Takeover | Order::Prove(_) | Order::Promote(_) | Order::Drain | Order::HandOver(_), _) => {}
        }
    }

    /// Of an exclusive placement the side that is wanted is the one that may run it, or the one that it comes from.
    fn wanted(&self) {
        let wanted = active(&self.placement, &self.known()).centre;
        if self.placement.spec.mode != PlacementMode::Exclusive || self.blind {
            return;
        }
        if let Some(holder) = &self.right.holder {
            assert_eq!(wanted.as_ref(), Some(holder));
        }
        if wanted.as_deref() == Some("b") && self.right.holder.as_deref() == Some("b") {
            // It never got there without its move.
            assert!(
                promoted(&self.failover)
                    || self.failover.phase() == FailoverPhase::Aborted
                    || self.right.epoch.counter > 1
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn phases_and_stamps_never_go_back_and_nobody_is_promoted_without_a_proof(
        mode in 0usize..3,
        type_ in prop_oneof![
            Just(FailoverType::Unplanned), Just(FailoverType::Planned), Just(FailoverType::Failback)
        ],
        approvals in 0i64..2,
        events in proptest::collection::vec(event(), 1..60),
    ) {
        let mut world = world(mode, type_, approvals);
        for event in &events {
            world.happens(event);
            world.wanted();
        }
    }
}
