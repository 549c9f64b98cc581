//! What people see: what is held and not what was asked once, and that what is in vain ends.

use std::sync::Arc;

use crds::{reclaim_reason, request_reason as reason};
use jiff::SignedDuration;
use plan::retention::outlived;

use crate::world::World;

/// Phase, CPU and memory, as the columns show them.
fn shown<'a>(world: &'a World, name: &str) -> (&'a str, Option<&'a str>, Option<&'a str>) {
    let status = world.request(name).object().status.as_ref().unwrap();
    (
        status.phase.as_deref().unwrap(),
        status.cpu.as_deref(),
        status.memory.as_deref(),
    )
}

#[test]
fn the_columns_follow_what_is_held() {
    let mut world = World::new(100);
    world.ask("a", "New", 64);
    world.ask("b", "New", 200);
    world.settle();
    assert_eq!(shown(&world, "a"), ("Active", Some("64"), Some("64Gi")));
    assert_eq!(shown(&world, "b"), ("Refused", Some("200"), Some("200Gi")));
    world.change("down", "a", 32);
    world.settle();
    assert_eq!(shown(&world, "a"), ("Active", Some("32"), Some("32Gi")));
    assert_eq!(shown(&world, "down"), ("Completed", Some("32"), Some("32Gi")));
    world.release("a");
    world.settle();
    assert_eq!(shown(&world, "a"), ("Released", None, None));
    assert_eq!(shown(&world, "release-a"), ("Released", None, None));
}

#[test]
fn what_names_no_grant_ends_and_goes() {
    let mut world = World::new(100);
    world.release("nobody");
    world.change("more", "nobody", 8);
    world.settle();
    for name in ["release-nobody", "more"] {
        assert_eq!(
            (shown(&world, name).0, world.reason(name)),
            ("Submitted", reason::TARGET_NOT_FOUND)
        );
    }
    world.on_day(1);
    world.settle();
    for name in ["release-nobody", "more"] {
        assert_eq!(
            (shown(&world, name).0, world.reason(name)),
            ("Rejected", reason::TARGET_NOT_FOUND)
        );
        let object = Arc::clone(world.request(name).object());
        let later = "2027-03-01T00:00:00Z".parse().unwrap();
        assert_eq!(outlived(&[object], later, Some(SignedDuration::from_hours(24))), [0]);
    }
}

#[test]
fn what_speaks_of_a_request_that_waits_waits_too() {
    let mut world = World::new(100);
    world.ask("full", "New", 100);
    world.settle();
    world.ask("waits", "New", 50);
    world.release("waits");
    world.change("more", "waits", 60);
    world.settle();
    world.on_day(2);
    world.settle();
    assert_eq!(shown(&world, "waits").0, "PendingQuota");
    for name in ["release-waits", "more"] {
        assert_eq!(
            (shown(&world, name).0, world.reason(name)),
            ("Submitted", reason::TARGET_NOT_FOUND)
        );
    }
}

#[test]
fn what_is_over_is_not_waited_for() {
    let mut world = World::new(100);
    world.ask("a", "New", 64);
    world.settle();
    world.keep("k", "a");
    world.settle();
    assert_eq!(
        (shown(&world, "k").0, world.reason("k")),
        ("Rejected", reclaim_reason::NOTHING_TO_KEEP)
    );
    world.release("a");
    world.settle();
    world.change("late", "a", 32);
    world.settle();
    assert_eq!(
        (shown(&world, "late").0, world.reason("late")),
        ("Rejected", reason::TARGET_NOT_FOUND)
    );
}
