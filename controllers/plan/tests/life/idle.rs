//! Idle grants, cycle by cycle: noticed, told, kept, shrunk, given back; and never where anything is not known.

#[path = "idle/rules.rs"]
mod rules;

use crds::{ReclaimStage, reclaim_reason as reason};
use plan::pool::Sort;
use plan::reclaim::{Exempt, Verdict, judge};
use serde_json::json;

use crate::world::{World, cpu};

/// A grant of 64 in a pool where policies look, used to 4 %, on the day after its first window.
fn idle() -> World {
    let mut world = World::new(200);
    world.policy(&json!({}));
    world.ask("a", "New", 64);
    world.settle();
    world.use_in_each("a", 2);
    world.uses("a", Some(1280));
    world.on_day(31);
    world
}

fn stage(world: &World) -> Option<ReclaimStage> {
    let status = world.request("a").object().status.as_ref().unwrap();
    status.reclaim.as_ref().map(|r| r.stage)
}

fn idle_says<'a>(world: &'a World, name: &str) -> (&'a str, &'a str, &'a str) {
    let status = world.request(name).object().status.as_ref().unwrap();
    let c = crds::find_condition(&status.conditions, "Idle").unwrap();
    (&c.status, &c.reason, &c.message)
}

#[test]
fn an_idle_grant_is_told_and_shrinks_when_its_days_are_over() {
    let mut world = idle();
    world.settle();
    assert_eq!(stage(&world), Some(ReclaimStage::Notified));
    let (status, why, text) = idle_says(&world, "a");
    assert_eq!((status, why), ("True", reason::NOTIFIED));
    assert!(
        text.starts_with("CPU P95 4% of 64, memory P95 4% of 64Gi, for 30d; shrinks to 16 vCPU and 16Gi on 2026-04-22"),
        "{text}"
    );
    world.on_day(46);
    world.settle();
    assert_eq!((stage(&world), world.holds("a")), (Some(ReclaimStage::Due), 64));
    world.on_day(51);
    world.settle();
    assert_eq!(world.holds("a"), 64, "not a day too early");
    world.on_day(53);
    world.settle();
    assert_eq!(
        (stage(&world), world.holds("a"), world.charged()),
        (Some(ReclaimStage::Shrunk), 16, 16)
    );
    let grant = world.request("a").holds.get("x86").unwrap();
    assert!(
        grant
            .centres
            .values()
            .all(|p| p.share == cpu(8) && p.survival == cpu(16)),
        "{grant:?}"
    );
    assert_eq!(world.request("a").history_len(), 2, "metered");
    assert_eq!(idle_says(&world, "a").1, reason::SHRUNK);
}

#[test]
fn it_never_shrinks_below_what_pods_request() {
    let mut world = idle();
    world.use_in_each("a", 20);
    world.uses("a", Some(1280));
    world.settle();
    world.on_day(46);
    world.settle();
    world.on_day(53);
    world.settle();
    assert_eq!((world.holds("a"), world.charged()), (40, 40));
}

#[test]
fn who_needs_more_by_then_is_left_more() {
    let mut world = idle();
    world.settle();
    world.on_day(53);
    world.use_in_each("a", 12);
    world.settle();
    // The notice is raised first, and acted on in the next pass.
    assert_eq!((stage(&world), world.holds("a")), (Some(ReclaimStage::Shrunk), 24));
}

#[test]
fn whoever_keeps_it_stops_the_clock_for_one_window_once_a_notice() {
    let mut world = idle();
    world.keep("too-early", "a");
    world.settle();
    assert_eq!(
        stage(&world),
        Some(ReclaimStage::Appealed),
        "it was made in the second of the notice or later"
    );
    let mut world = idle();
    world.settle();
    world.on_day(50);
    world.keep("k", "a");
    world.settle();
    assert_eq!(stage(&world), Some(ReclaimStage::Appealed));
    assert!(
        idle_says(&world, "a").2.contains("kept by li.na: year end"),
        "{:?}",
        idle_says(&world, "a")
    );
    assert_eq!(world.reason("k"), "Completed");
    world.on_day(79);
    world.settle();
    assert_eq!((stage(&world), world.holds("a")), (Some(ReclaimStage::Appealed), 64));
    world.on_day(81);
    world.settle();
    assert_eq!(
        stage(&world),
        Some(ReclaimStage::Notified),
        "the old appeal does not count for a new notice"
    );
    world.keep("again", "a");
    world.settle();
    assert_eq!(
        (stage(&world), world.reason("again")),
        (Some(ReclaimStage::Appealed), "Completed")
    );
}

#[test]
fn a_keep_without_a_notice_keeps_nothing() {
    let mut world = idle();
    world.uses("a", Some(20_000));
    world.keep("k", "a");
    world.settle();
    assert_eq!(world.reason("k"), reason::NOTHING_TO_KEEP);
    assert_eq!(idle_says(&world, "a").1, reason::IN_USE);
}

#[test]
fn what_is_used_again_is_left_alone() {
    let mut world = idle();
    world.settle();
    world.uses("a", Some(9000));
    world.on_day(53);
    world.settle();
    assert_eq!((stage(&world), world.holds("a")), (None, 64));
    assert_eq!(idle_says(&world, "a").0, "False");
}

#[test]
fn unknown_is_never_idle_and_moves_nothing() {
    let mut world = idle();
    world.measured = false;
    world.settle();
    assert_eq!(
        (stage(&world), idle_says(&world, "a").0, idle_says(&world, "a").1),
        (None, "Unknown", reason::NO_METRICS)
    );
    let mut world = idle();
    world.on_day(29);
    world.settle();
    assert_eq!(idle_says(&world, "a").1, reason::WINDOW_NOT_COVERED);
    // Figures vanish after the notice: nothing is taken, however long.
    let mut world = idle();
    world.settle();
    world.uses("a", None);
    world.on_day(120);
    world.settle();
    assert_eq!((stage(&world), world.holds("a")), (Some(ReclaimStage::Notified), 64));
}

#[test]
fn a_younger_sibling_is_waited_for() {
    let mut world = idle();
    world.ask("b", "New", 10);
    world.settle();
    assert_eq!(idle_says(&world, "a").1, reason::WINDOW_NOT_COVERED);
}

#[test]
fn emergencies_are_exempt_and_a_proposal_stays_one() {
    let mut world = World::new(200);
    world.policy(&json!({"window": "1d"}));
    world.ask("e", "Emergency", 10);
    world.settle();
    world.on_day(2);
    world.settle();
    let (_, why, text) = idle_says(&world, "e");
    assert_eq!(why, reason::EXEMPT);
    assert!(text.starts_with("exempt from idle: it is for an emergency |"), "{text}");
    let mut world = idle();
    world.policy(&json!({"action": "Propose"}));
    world.settle();
    world.on_day(200);
    world.settle();
    assert_eq!((stage(&world), world.holds("a")), (Some(ReclaimStage::Observed), 64));
}

#[test]
fn a_policy_that_only_proposes_stops_what_it_announced() {
    for days in [&[31][..], &[31, 46]] {
        let mut world = idle();
        for day in days {
            world.on_day(*day);
            world.settle();
        }
        world.policy(&json!({"action": "Propose"}));
        world.on_day(200);
        world.settle();
        assert_eq!(
            (stage(&world), world.holds("a")),
            (Some(ReclaimStage::Observed), 64),
            "{days:?}"
        );
    }
}

/// A grant of 4 that nobody uses, under a policy that gives back, as small as it may become.
fn shrunk_to_the_least() -> World {
    let mut world = World::new(200);
    world.policy(&json!({"action": "Release"}));
    world.ask("a", "New", 4);
    world.settle();
    world.use_in_each("a", 0);
    world.uses("a", Some(0));
    for day in [31, 46, 53] {
        world.on_day(day);
        world.settle();
    }
    assert_eq!((stage(&world), world.holds("a")), (Some(ReclaimStage::Shrunk), 1));
    world
}

#[test]
fn what_cannot_shrink_any_more_is_given_back_where_nothing_is_requested() {
    let mut world = shrunk_to_the_least();
    for day in [84, 99, 106] {
        assert_eq!(world.holds("a"), 1);
        world.on_day(day);
        world.settle();
    }
    assert_eq!(
        (stage(&world), world.holds("a"), world.charged()),
        (Some(ReclaimStage::Released), 0, 0)
    );
    let mut world = shrunk_to_the_least();
    world.use_in_each("a", 1);
    for day in [84, 99, 106] {
        world.on_day(day);
        world.settle();
    }
    assert_eq!((stage(&world), world.holds("a")), (Some(ReclaimStage::Shrunk), 1));
}

#[test]
fn a_release_is_not_carried_out_by_a_policy_that_only_shrinks() {
    let mut world = shrunk_to_the_least();
    for day in [84, 99] {
        world.on_day(day);
        world.settle();
    }
    assert_eq!(stage(&world), Some(ReclaimStage::Due));
    world.policy(&json!({"action": "Shrink"}));
    world.on_day(106);
    world.settle();
    assert_eq!((stage(&world), world.holds("a")), (None, 1));
    assert_eq!(idle_says(&world, "a").1, reason::NOTHING_TO_RECLAIM);
}

#[test]
fn storage_and_cards_are_exempt_each_for_its_reason() {
    let mut world = idle();
    let mut why = |sort: Sort| {
        world.pool.sort = sort;
        let snapshot = world.snapshot();
        let found = judge(&snapshot, world.request("a")).unwrap();
        found.verdict
    };
    let storage = Sort::Storage(crds::StorageTier::Hot);
    assert_eq!(why(storage), Verdict::Exempt(Exempt::NotMeasured));
    let cards = Sort::Accelerator {
        architecture: crds::Architecture::Amd64,
        use_: crds::AcceleratorUse::Training,
        per_unit: cpu(1),
    };
    assert_eq!(why(cards), Verdict::Exempt(Exempt::Cards));
}

#[test]
fn what_stays_idle_after_it_shrank_is_given_back_whole() {
    let mut world = idle();
    world.policy(&json!({"action": "Release"}));
    world.uses("a", Some(0));
    world.use_in_each("a", 0);
    world.uses("a", Some(0));
    for day in [31, 46, 53] {
        world.on_day(day);
        world.settle();
    }
    assert_eq!((stage(&world), world.holds("a")), (Some(ReclaimStage::Shrunk), 16));
    world.on_day(84);
    world.settle();
    assert!(
        idle_says(&world, "a").2.contains("is given back on"),
        "{:?}",
        idle_says(&world, "a")
    );
    for day in [99, 106] {
        world.on_day(day);
        world.settle();
    }
    assert_eq!(
        (stage(&world), world.holds("a"), world.charged()),
        (Some(ReclaimStage::Released), 0, 0)
    );
    assert_eq!(idle_says(&world, "a").1, reason::RECLAIMED);
}

#[test]
fn a_policy_that_goes_away_takes_its_notices_with_it() {
    let mut world = idle();
    world.settle();
    world.policy(&json!({"tenants": ["somebody-else"]}));
    world.on_day(53);
    world.settle();
    assert_eq!(
        (stage(&world), world.holds("a"), idle_says(&world, "a").1),
        (None, 64, reason::NO_POLICY)
    );
}

#[test]
fn a_change_by_the_owner_ends_the_notice() {
    let mut world = idle();
    world.settle();
    world.on_day(40);
    world.change("down", "a", 30);
    world.settle();
    assert_eq!((stage(&world), world.holds("a")), (None, 30));
}
