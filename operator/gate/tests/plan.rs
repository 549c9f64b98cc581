//! What no answer may bring about, whatever it says, and however late it is carried out.

#![allow(clippy::unwrap_used, reason = "an assumption that fails is a test that fails")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use gate::answer::{Answer, Epoch, PodPermit, ScopeEpoch};
use gate::bounds::PERMIT_MS;
use gate::clock::BootTime;
use gate::held::Held;
use gate::plan::{Known, Opening, Pass, Refusal, plan};
use gate::ranges::Ranges;
use gate::transaction::{Round, openings};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

/// Everything that a round is made of.
#[derive(Debug, Clone)]
struct World {
    answer: Answer,
    held: Held,
    tickets: BTreeSet<IpAddr>,
    permits: BTreeSet<IpAddr>,
    asked: BootTime,
    now: BootTime,
    later: u64,
}

impl World {
    fn pass(&self) -> Pass {
        let ranges = ranges();
        let known = Known {
            held: &self.held,
            tickets: &self.tickets,
            permits: &self.permits,
            ranges: &ranges,
            asked: self.asked,
            now: self.now,
        };
        plan(&self.answer, known)
    }

    fn current(&self, scope: &str) -> Option<Epoch> {
        let rows = self.answer.epochs.iter().filter(|row| row.scope == scope);
        rows.map(|row| row.epoch).max()
    }
}

fn ranges() -> Ranges {
    Ranges::new(["198.18.3.0/30", "fd00::/126"]).unwrap()
}

/// Few of everything, so that they meet. Some addresses are outside the ranges.
fn address() -> impl Strategy<Value = IpAddr> {
    let texts = [
        "198.18.3.1",
        "198.18.3.2",
        "198.18.3.3",
        "198.18.3.9",
        "fd00::1",
        "fd00::2",
        "fd00::9",
    ];
    proptest::sample::select(texts.map(|text| text.parse().unwrap()).to_vec())
}

fn scope() -> impl Strategy<Value = String> {
    proptest::sample::select(vec!["a/x".to_owned(), "a/y".to_owned(), "b/z".to_owned()])
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (1..3_u64, 1..4_u64).prop_map(|(incarnation, counter)| Epoch { incarnation, counter })
}

fn pod() -> impl Strategy<Value = PodPermit> {
    let left = prop_oneof![0..200_u64, 200..10_000_u64, Just(u64::MAX)];
    (scope(), address(), "[uv]", epoch(), option::weighted(0.9, left)).prop_map(
        |(scope, address, uid, epoch, left_ms)| PodPermit {
            scope,
            address,
            uid,
            epoch,
            left_ms,
        },
    )
}

fn world() -> impl Strategy<Value = World> {
    let row = (scope(), epoch()).prop_map(|(scope, epoch)| ScopeEpoch { scope, epoch });
    let answer = (vec(row, 0..6), vec(pod(), 0..8)).prop_map(|(epochs, pods)| Answer {
        record: 3,
        epochs,
        pods,
    });
    let held = vec((scope(), epoch()), 0..3).prop_map(|rows| {
        let mut held = Held::default();
        for (scope, epoch) in rows {
            held.raise(&scope, epoch);
        }
        held
    });
    let times = (0..1_000_000_u64, 0..3_000_u64, 0..5_000_u64);
    let standing = (btree_set(address(), 0..7), btree_set(address(), 0..7));
    (answer, held, standing, times).prop_map(|(answer, held, (tickets, permits), (asked, took, later))| World {
        answer,
        held,
        tickets,
        permits,
        asked: BootTime(asked),
        now: BootTime(asked + took),
        later,
    })
}

/// Rows of one address.
fn rows<'a>(world: &'a World, opening: &Opening) -> Vec<&'a PodPermit> {
    let pods = world.answer.pods.iter();
    pods.filter(|pod| pod.address == opening.address).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_permit_ends_in_time_however_late_it_is_written(world in world()) {
        let write = world.now.plus(world.later);
        for opening in world.pass().openings {
            let left = rows(&world, &opening).iter().map(|pod| pod.left_ms.unwrap()).min().unwrap();
            let Some(ms) = opening.timeout_ms(write) else { continue };
            prop_assert!(ms <= PERMIT_MS);
            // t_ask + left(1 − 2ρ), in millionths and without rounding.
            let end = u128::from(write.plus(ms).since(world.asked)) * 1_000_000;
            prop_assert!(end <= u128::from(left) * 980_000);
        }
    }

    #[test]
    fn no_permit_without_a_ticket_and_none_outside_the_ranges(world in world()) {
        let pass = world.pass();
        let ranges = ranges();
        for opening in &pass.openings {
            prop_assert!(world.tickets.contains(&opening.address));
            prop_assert!(ranges.contain(opening.address));
            prop_assert_eq!(opening.extends, world.permits.contains(&opening.address));
        }
        let text = openings(&pass.openings, Round(7), world.now).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let adds = lines.iter().filter(|line| line.starts_with("add element"));
        prop_assert_eq!(adds.count(), pass.openings.len());
        for opening in &pass.openings {
            let address = opening.address.to_string();
            let ticket = format!("{{ {address} . 0x7 }}");
            let (permit, add) = (format!("{{ {address} }}"), format!("{{ {address} timeout"));
            let at = |words: &str| lines.iter().position(|line| line.contains(words));
            prop_assert!(at(&ticket) < at(&add) && at(&ticket).is_some());
            prop_assert_eq!(opening.extends, at(&permit).is_some_and(|place| Some(place) < at(&add)));
        }
    }

    #[test]
    fn never_for_an_old_epoch(world in world()) {
        let pass = world.pass();
        for opening in &pass.openings {
            let current = world.current(&opening.scope);
            prop_assert_eq!(current, Some(opening.epoch));
            prop_assert!(world.held.of(&opening.scope) <= current);
            prop_assert_eq!(pass.held.of(&opening.scope), current);
        }
        for scope in ["a/x", "a/y", "b/z"] {
            let permitted = pass.openings.iter().any(|opening| opening.scope == scope);
            let raised = pass.held.of(scope) != world.held.of(scope);
            prop_assert!(pass.held.of(scope) >= world.held.of(scope));
            prop_assert!(permitted || !raised);
        }
    }

    #[test]
    fn one_pod_an_address_and_every_pod_is_answered_for(world in world()) {
        let pass = world.pass();
        let opened: BTreeSet<IpAddr> = pass.openings.iter().map(|opening| opening.address).collect();
        prop_assert_eq!(opened.len(), pass.openings.len());
        let refused: BTreeSet<IpAddr> = pass.refused.iter().map(|refused| refused.address).collect();
        prop_assert!(opened.is_disjoint(&refused));
        for pod in &world.answer.pods {
            prop_assert!(opened.contains(&pod.address) || refused.contains(&pod.address));
        }
        for opening in &pass.openings {
            let uids: BTreeSet<&str> = rows(&world, opening).iter().map(|pod| pod.uid.as_str()).collect();
            prop_assert_eq!(uids.len(), 1);
        }
    }

    #[test]
    fn what_lacks_only_a_ticket_is_opened_by_the_next_round(world in world()) {
        let first = world.pass();
        let next = World { tickets: first.wanted.clone(), ..world };
        let second = next.pass();
        prop_assert!(second.refused.iter().all(|refused| refused.why != Refusal::NoTicket));
        let waited = first.refused.iter().filter(|refused| refused.why == Refusal::NoTicket);
        for refused in waited {
            let others = first.refused.iter().any(|r| r.address == refused.address && r.why != Refusal::NoTicket);
            prop_assert!(others || second.openings.iter().any(|opening| opening.address == refused.address));
        }
    }
}

#[test]
fn a_refusal_says_both_numbers() {
    let epoch = |counter| Epoch {
        incarnation: 1,
        counter,
    };
    let mut held = Held::default();
    held.raise("a/x", epoch(8));
    let pod = PodPermit {
        scope: "a/x".into(),
        address: "198.18.3.1".parse().unwrap(),
        uid: "u".into(),
        epoch: epoch(7),
        left_ms: Some(5_000),
    };
    let row = ScopeEpoch {
        scope: "a/x".into(),
        epoch: epoch(7),
    };
    let world = World {
        answer: Answer {
            record: 3,
            epochs: vec![row],
            pods: vec![pod],
        },
        held,
        tickets: ["198.18.3.1".parse().unwrap()].into(),
        permits: BTreeSet::new(),
        asked: BootTime(0),
        now: BootTime(1),
        later: 0,
    };
    let pass = world.pass();
    assert_eq!(pass.refused.first().unwrap().why.to_string(), "StaleEpoch 7 < 8");
    assert_eq!(pass.held.record(), 3);
    // A centre that goes by an older record than before was restored from a copy.
    let mut restored = world;
    restored.held = Held::default();
    restored.held.recorded(4);
    let pass = restored.pass();
    assert_eq!(pass.refused.first().unwrap().why.to_string(), "CentreRestored 3 < 4");
    assert!(pass.openings.is_empty() && pass.held.record() == 4);
}
