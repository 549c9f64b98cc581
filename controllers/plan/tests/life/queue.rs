//! What is published of a pool's queue: who waits, and what ends when.

use crds::{PoolQueueSpec, request_reason as reason};
use plan::cycle::cycle;
use plan::published::queues;
use serde_json::json;

use super::world::World;

fn queue(world: &World) -> PoolQueueSpec {
    let snapshot = world.snapshot();
    queues(&snapshot, &cycle(&snapshot)).remove("x86").unwrap()
}

/// vCPU by centre.
fn cpu(rows: &[crds::CentreAmounts]) -> Vec<(&str, &str)> {
    rows.iter()
        .map(|r| (r.name.as_str(), r.amounts.0.get("cpu").map_or("", |a| a.0.as_str())))
        .collect()
}

#[test]
fn a_grant_is_free_after_its_days_of_grace_in_the_centres_that_hold_it() {
    let mut world = World::new(100);
    world.ask("full", "New", 20);
    world.ask("single", "New", 10);
    world.set("single", &json!({"survival": "None", "centre": "jiyidong"}));
    world.ask("degraded", "New", 10);
    world.set("degraded", &json!({"survival": "60%"}));
    world.ask("trial", "Trial", 5);
    world.settle();
    let ends = queue(&world).ends;
    let days: Vec<&str> = ends.iter().map(|e| e.date.as_str()).collect();
    // The trial has no days of grace, the others have 14, and the last day is theirs.
    assert_eq!(days, ["2026-04-01", "2027-03-16", "2027-03-16", "2027-03-16"]);
    let charges: Vec<_> = ends.iter().map(|e| cpu(&e.centres)).collect();
    assert_eq!(charges[0], [("jishi", "5"), ("jiyidong", "5")]);
    assert_eq!(charges[1], [("jishi", "6"), ("jiyidong", "6")]);
    assert_eq!(charges[2], [("jishi", "20"), ("jiyidong", "20")]);
    assert_eq!(charges[3], [("jiyidong", "10")]);
    world.on_day(365 + 14);
    world.settle();
    assert_eq!(world.holds("full"), 20);
    world.on_day(365 + 15);
    world.settle();
    assert_eq!((world.holds("full"), world.reason("full")), (0, reason::EXPIRED));
}

#[test]
fn who_waits_says_what_each_centre_would_be_charged() {
    let mut world = World::new(100);
    world.ask("a", "New", 90);
    world.settle();
    world.ask("degraded", "New", 100);
    world.set("degraded", &json!({"survival": "60%"}));
    world.change("up", "a", 99);
    world.ask("b", "New", 20);
    world.settle();
    let waiting = queue(&world).waiting;
    let charges: Vec<_> = waiting.iter().map(|w| (w.uid.as_str(), cpu(&w.centres))).collect();
    assert_eq!(world.holds("a"), 99, "{charges:?}");
    assert_eq!(
        charges,
        [
            ("degraded", vec![("jishi", "60"), ("jiyidong", "60")]),
            ("b", vec![("jishi", "20"), ("jiyidong", "20")]),
        ]
    );
}

#[test]
fn what_never_fits_is_not_pending() {
    let mut world = World::new(100);
    world.ask("big", "New", 101);
    world.settle();
    let status = world.request("big").object().status.as_ref().unwrap();
    assert_eq!(
        (status.phase.as_deref(), world.reason("big")),
        (Some("Refused"), reason::EXCEEDS_MAX_QUOTA)
    );
    assert!(queue(&world).waiting.is_empty());
}
