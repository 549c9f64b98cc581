//! Idle grants by every rule of survival: nothing is taken without notice, and what is left follows the rule of the grant.

use crds::ReclaimStage;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::stage;
use crate::world::{World, cpu};

/// A grant of 64, used to 4 %, that was asked with one survival and changed to another; the weights of the pool are others since.
fn idle_by_another_rule(asked: &str, changed: &str, weight: i128) -> World {
    let mut world = World::new(200);
    world.policy(&json!({}));
    world.ask("a", "New", 40);
    world.set("a", &json!({"survival": asked}));
    world.settle();
    world.change("other", "a", 64);
    world.set("other", &json!({"survival": changed}));
    world.settle();
    world.pool.slots[0].weight = weight;
    world.use_in_each("a", 2);
    world.uses("a", Some(1280));
    world.on_day(31);
    world
}

#[test]
fn what_is_left_follows_the_grant_and_not_the_first_request() {
    for (asked, changed, alone) in [("60%", "Full", 16_000), ("None", "Full", 16_000), ("Full", "60%", 9600)] {
        let mut world = idle_by_another_rule(asked, changed, 4);
        assert_eq!((world.holds("a"), world.reason("other")), (64, "Completed"));
        for day in [31, 46, 53] {
            world.on_day(day);
            world.settle();
        }
        assert_eq!((stage(&world), world.holds("a")), (Some(ReclaimStage::Shrunk), 16));
        let grant = world.request("a").holds.get("x86").unwrap();
        let both = grant.centres.len() == 2;
        let mut parts = grant.centres.values();
        assert!(
            both && parts.all(|p| p.share == cpu(8) && p.survival.cpu == alone),
            "{asked}, then {changed}: {grant:?}"
        );
    }
}

/// What may happen on a day.
fn days() -> impl Strategy<Value = Vec<(i64, Option<i128>, i128, bool)>> {
    let used = prop_oneof![2 => (0..40_000_i128).prop_map(Some), 1 => Just(None)];
    prop::collection::vec((1..20_i64, used, 0..33_i128, any::<bool>()), 1..25)
}

fn announced(world: &World) -> Option<(ReclaimStage, Value)> {
    let status = world.request("a").object().status.as_ref().unwrap();
    status.reclaim.as_ref().map(|r| (r.stage, json!(r.to)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is used, known or appealed, by whichever rule of survival it was asked and changed, and whatever weights the
    /// pool has by now: the ledger stays exact and the grant follows its rule (checked in every cycle), it falls only after three
    /// weeks of notice to exactly what was announced, and never where its use is unknown or too high, or below what runs.
    #[test]
    fn nothing_is_taken_without_notice(
        days in days(),
        asked in prop::sample::select(vec!["Full", "60%", "None"]),
        changed in prop::sample::select(vec!["Full", "60%"]),
        weight in 0..9_i128,
    ) {
        let mut world = idle_by_another_rule(asked, changed, weight);
        let (mut today, mut told) = (31, None);
        for (number, (wait, used, runs, keeps)) in days.into_iter().enumerate() {
            world.settle();
            let before = (world.holds("a"), announced(&world));
            if matches!(before.1, Some((ReclaimStage::Notified, _))) {
                told.get_or_insert(today);
            }
            today += wait;
            world.on_day(today);
            let runs = runs.min(world.holds("a") / 2);
            world.use_in_each("a", runs);
            world.uses("a", used);
            if keeps {
                world.keep(&format!("k{number}"), "a");
            }
            world.settle();
            let now = world.holds("a");
            if now < before.0 {
                prop_assert!(told.is_some_and(|t| today - t >= 21), "told {told:?}, taken {today}");
                prop_assert!(used.is_some_and(|u| u * 2 * 10 < before.0 * 1000), "{used:?} of {}", before.0);
                prop_assert!(now >= runs * 2 && !keeps);
            }
            let stage = announced(&world).map(|(stage, _)| stage);
            if !matches!(stage, Some(ReclaimStage::Notified | ReclaimStage::Due)) {
                told = None;
            }
        }
    }
}
