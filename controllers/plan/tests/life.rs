//! The life of a grant beyond its first day, cycle by cycle: changes, renewals, trials, emergencies, holds, and the queue.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an assumption that fails is a test that fails"
)]

#[path = "life/idle.rs"]
mod idle;
#[path = "life/queue.rs"]
mod queue;
#[path = "life/shown.rs"]
mod shown;
#[path = "life/world.rs"]
mod world;

use crds::{Intake, request_reason as reason};
use serde_json::json;
use world::{World, cpu};

#[test]
fn a_change_up_takes_only_the_difference() {
    let mut world = World::new(100);
    world.ask("a", "New", 60);
    world.settle();
    world.change("up", "a", 90);
    world.settle();
    assert_eq!((world.holds("a"), world.charged()), (90, 90));
    assert_eq!(world.reason("up"), reason::COMPLETED);
    let changes = world.request("a").allocation().unwrap().changes.clone();
    world.settle();
    assert_eq!(changes, ["up"], "it is written once, whatever is looked at again");
}

#[test]
fn a_change_that_does_not_fit_keeps_the_old_grant() {
    let mut world = World::new(100);
    world.ask("a", "New", 60);
    world.ask("b", "New", 30);
    world.settle();
    world.change("up", "a", 71);
    world.settle();
    assert_eq!((world.holds("a"), world.charged()), (60, 90));
    assert_eq!(world.reason("up"), reason::WAITING_FOR_QUOTA);
    world.release("b");
    world.settle();
    assert_eq!((world.holds("a"), world.reason("up")), (71, reason::COMPLETED));
}

#[test]
fn a_change_down_frees_when_the_centres_say_so() {
    let mut world = World::new(100);
    world.ask("a", "New", 60);
    world.settle();
    world.use_in_each("a", 25);
    world.change("down", "a", 40);
    world.settle();
    assert_eq!(
        (world.holds("a"), world.charged()),
        (40, 60),
        "25 are used where 20 remain"
    );
    world.use_in_each("a", 20);
    world.settle();
    assert_eq!(world.charged(), 40);
}

#[test]
fn a_change_falls_even_where_more_is_charged_than_there_is() {
    let mut world = World::new(100);
    world.ask("a", "New", 90);
    world.settle();
    world.capacity(50);
    world.change("down", "a", 80);
    world.settle();
    assert_eq!((world.holds("a"), world.charged()), (80, 80));
}

#[test]
fn a_change_of_a_grant_that_took_over_the_name_is_not_meant() {
    let mut world = World::new(100);
    world.ask("a", "New", 60);
    world.settle();
    world.change("up", "a", 70);
    world.settle();
    world.release("a");
    world.settle();
    world.forget("a");
    world.ask("a", "New", 10);
    world.settle();
    assert_eq!((world.holds("a"), world.reason("up")), (10, reason::COMPLETED));
}

#[test]
fn a_renewal_moves_the_end_and_charges_nothing() {
    let mut world = World::new(100);
    world.ask("a", "New", 60);
    world.settle();
    let before = world.request("a").until().unwrap();
    world.renew("more", "a", 6);
    world.settle();
    let after = world.request("a").until().unwrap();
    assert_eq!(
        (after.year() * 12 + i16::from(after.month())) - (before.year() * 12 + i16::from(before.month())),
        6
    );
    assert_eq!((world.charged(), world.reason("more")), (60, reason::COMPLETED));
}

#[test]
fn a_term_ends_after_its_days_of_grace() {
    let mut world = World::new(100);
    world.ask("a", "New", 60);
    world.settle();
    for (days, expected) in [(340, reason::EXPIRING), (370, reason::IN_GRACE)] {
        world.on_day(days);
        world.settle();
        assert_eq!((world.reason("a"), world.charged()), (expected, 60), "day {days}");
    }
    world.on_day(381);
    world.use_in_each("a", 7);
    world.settle();
    assert_eq!(
        (world.holds("a"), world.charged()),
        (14, 7),
        "what is in use stays, 7 in each centre"
    );
    world.use_in_each("a", 0);
    world.settle();
    assert_eq!((world.charged(), world.reason("a")), (0, reason::EXPIRED));
}

#[test]
fn what_was_given_back_early_did_not_expire() {
    let mut world = World::new(100);
    world.ask("a", "New", 60);
    world.settle();
    world.release("a");
    world.settle();
    assert_eq!((world.charged(), world.reason("a")), (0, reason::RELEASED));
    world.on_day(400);
    world.settle();
    assert_eq!(world.reason("a"), reason::RELEASED);
}

#[test]
fn a_trial_becomes_a_grant_or_ends() {
    let mut world = World::new(100);
    world.ask("kept", "Trial", 20);
    world.ask("left", "Trial", 30);
    world.settle();
    assert_eq!(world.charged(), 50);
    world.renew("keep", "kept", 12);
    world.settle();
    world.on_day(31);
    world.settle();
    assert_eq!((world.holds("kept"), world.holds("left"), world.charged()), (20, 0, 20));
    assert_eq!(world.reason("left"), reason::EXPIRED);
}

#[test]
fn an_emergency_goes_above_the_ceiling_first_and_is_given_back() {
    let mut world = World::new(100);
    world.ceiling(50);
    world.ask("a", "New", 50);
    world.settle();
    world.ask("b", "New", 10);
    world.ask("flood", "Emergency", 40);
    world.settle();
    assert_eq!((world.holds("flood"), world.charged()), (40, 90));
    assert_eq!(world.reason("b"), reason::CEILING_REACHED);
    world.on_day(11);
    world.settle();
    assert_eq!((world.holds("flood"), world.charged()), (0, 50));
}

#[test]
fn an_emergency_is_not_for_ever_and_not_renewed() {
    let mut world = World::new(100);
    world.ask("flood", "Emergency", 40);
    world.set("flood", &json!({"until": "2026-04-02"}));
    world.settle();
    assert_eq!(world.reason("flood"), reason::MISCONFIGURED);
    world.set("flood", &json!({"until": "2026-04-01"}));
    world.settle();
    assert_eq!(world.holds("flood"), 40);
    world.renew("more", "flood", 1);
    world.settle();
    assert_eq!(world.reason("more"), reason::MISCONFIGURED);
}

#[test]
fn an_exception_takes_no_quota_and_ends() {
    let mut world = World::new(100);
    world.ask("own-room", "Exception", 0);
    world.settle();
    assert_eq!((world.reason("own-room"), world.charged()), (reason::ACTIVE, 0));
    world.on_day(11);
    world.settle();
    assert_eq!(world.reason("own-room"), reason::EXPIRED);
}

#[test]
fn a_pool_on_hold_takes_nothing_new_and_renews_and_a_drained_one_does_not() {
    let mut world = World::new(100);
    world.ask("a", "New", 40);
    world.settle();
    world.pool.intake = Intake::Hold;
    world.ask("b", "New", 10);
    world.change("up", "a", 50);
    world.change("down", "a", 30);
    world.renew("more", "a", 6);
    world.settle();
    assert_eq!(
        (world.reason("b"), world.reason("up")),
        (reason::ON_HOLD, reason::ON_HOLD)
    );
    assert_eq!((world.holds("a"), world.reason("more")), (30, reason::COMPLETED));
    world.pool.intake = Intake::Drain;
    world.renew("again", "a", 6);
    world.settle();
    assert_eq!(world.reason("again"), reason::ON_HOLD);
    world.pool.intake = Intake::Open;
    world.settle();
    assert_eq!((world.holds("b"), world.holds("a")), (10, 50));
}

#[test]
fn a_ledger_that_may_not_grow_only_gives_back() {
    let mut world = World::new(100);
    world.ask("a", "New", 60);
    world.settle();
    world.ledger_bytes = plan::ledger::MOST_BYTES;
    world.ask("b", "New", 10);
    world.change("down", "a", 40);
    world.settle();
    assert_eq!((world.holds("b"), world.reason("b")), (0, reason::ON_HOLD));
    assert_eq!((world.holds("a"), world.charged()), (40, 40));
    world.ledger_bytes -= 1;
    world.settle();
    assert_eq!((world.holds("b"), world.charged()), (10, 50));
}

#[test]
fn a_tenant_on_hold_holds_its_subtree() {
    let mut world = World::new(100);
    world.intake(Intake::Hold);
    world.ask("a", "New", 40);
    world.settle();
    assert_eq!(world.reason("a"), reason::TENANT_SUSPENDED);
    world.intake(Intake::Open);
    world.settle();
    assert_eq!(world.holds("a"), 40);
}

#[test]
fn a_big_one_is_not_starved() {
    let mut world = World::new(100);
    world.ask("first", "New", 60);
    world.settle();
    world.ask("big", "New", 90);
    world.settle();
    world.ask("small", "New", 30);
    world.settle();
    assert_eq!(
        world.holds("small"),
        30,
        "nobody waits behind one that has not waited long"
    );
    world.on_day(4);
    world.release("small");
    world.ask("next", "New", 30);
    world.settle();
    assert_eq!(
        (world.holds("next"), world.reason("next")),
        (0, reason::WAITING_FOR_QUOTA),
        "kept for the big one"
    );
    world.release("first");
    world.settle();
    assert_eq!(world.holds("big"), 90);
    assert_eq!(world.charged(), 90);
}

#[test]
fn nothing_happens_twice() {
    let mut world = World::new(100);
    world.ask("a", "New", 40);
    world.change("up", "a", 50);
    world.renew("more", "a", 6);
    world.settle();
    let before = world.ledger.clone();
    world.settle();
    assert_eq!(before, world.ledger, "plan(plan(state)) = no steps");
    assert_eq!(cpu(world.charged()), cpu(50));
}
