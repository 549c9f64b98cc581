//! Two siblings under one parent; then cousins.

use std::sync::Arc;

use super::*;
use crate::ledger::TenantEntry;
use crate::subtree::Subtrees;

fn cpu(vcpu: i128) -> Resources {
    Resources {
        cpu: vcpu * 1000,
        ..Resources::ZERO
    }
}

fn tenant(parent: Option<&str>, ceiling: [i128; 3], own: i128) -> TenantEntry {
    let [amounts, borrow, lend] = ceiling.map(cpu);
    TenantEntry {
        parent: parent.map(Into::into),
        generation: 1,
        ceilings: Arc::new([("x86", Ceiling { amounts, borrow, lend })].into()),
        charged: [("x86", cpu(own))].into(),
    }
}

fn ledger(tenants: Vec<(&str, TenantEntry)>) -> Ledger {
    Ledger {
        tenants: tenants.into_iter().map(|(n, t)| (n.to_owned(), t)).collect(),
        ..Ledger::default()
    }
}

fn ceiling<'a>(ledger: &'a mut Ledger, tenant: &str) -> &'a mut Ceiling {
    let entry = ledger.tenants.get_mut(tenant).unwrap();
    Arc::make_mut(&mut entry.ceilings).get_mut("x86").unwrap()
}

fn asks(ledger: &Ledger, tenant: &str, vcpu: i128) -> Option<Breach> {
    let (pools, kept) = Default::default();
    let subtrees = Subtrees::of(ledger);
    let market = Market {
        pools: &pools,
        ledger,
        subtrees: &subtrees,
        kept: &kept,
    };
    let pool = Name::from("x86");
    first_breach(subtrees.lineage(tenant), &std::iter::once((&pool, cpu(vcpu))), market)
}

/// `a` has 100 and may borrow 50; `b` has 100, uses 30 and lends 40.
fn siblings() -> Ledger {
    ledger(vec![
        ("p", tenant(None, [180, 0, 0], 0)),
        ("a", tenant(Some("p"), [100, 50, 0], 90)),
        ("b", tenant(Some("p"), [100, 0, 40], 30)),
    ])
}

#[test]
fn it_borrows_what_siblings_lend_and_no_more() {
    assert_eq!(asks(&siblings(), "a", 50), None, "40 above its ceiling, which b lends");
    let breach = asks(&siblings(), "a", 51).unwrap();
    assert!(breach.lent, "41 above, but b lends 40: {breach:?}");
    assert_eq!(breach.limit, 50_000);
    assert!(
        breach.with_held().contains("the subtree of a holds 90 cpu"),
        "{breach:?}"
    );
    assert!(
        !breach.in_words().contains("holds"),
        "that changes while it waits: {breach:?}"
    );
}

#[test]
fn its_borrowing_limit_binds_too() {
    let mut ledger = siblings();
    ceiling(&mut ledger, "b").lend = cpu(100);
    ledger.tenants.get_mut("b").unwrap().charged.clear();
    assert_eq!(asks(&ledger, "a", 60), None);
    let breach = asks(&ledger, "a", 61).unwrap();
    assert_eq!((breach.lent, breach.limit), (false, 150_000));
}

#[test]
fn borrowing_never_breaks_the_parent() {
    let mut ledger = siblings();
    ceiling(&mut ledger, "p").amounts = cpu(150);
    let breach = asks(&ledger, "a", 31).unwrap();
    assert_eq!(&*breach.ancestor, "p");
}

#[test]
fn what_is_lent_is_missing_to_the_lender_until_it_comes_back() {
    let mut ledger = siblings();
    ledger.tenants.get_mut("a").unwrap().charged.insert("x86", cpu(130));
    ceiling(&mut ledger, "p").amounts = cpu(500);
    // b uses 30 of 100; 30 of the 40 that it lends are borrowed, so 40 more are its own.
    assert_eq!(asks(&ledger, "b", 40), None);
    let breach = asks(&ledger, "b", 41).unwrap();
    assert!(breach.lent && &*breach.ancestor == "b", "{breach:?}");
    ledger.tenants.get_mut("a").unwrap().charged.insert("x86", cpu(90));
    assert_eq!(asks(&ledger, "b", 70), None);
}

#[test]
fn a_cousin_lends_nothing() {
    let all = ledger(vec![
        ("root", tenant(None, [1000, 0, 0], 0)),
        ("p", tenant(Some("root"), [100, 0, 0], 0)),
        ("q", tenant(Some("root"), [500, 0, 500], 0)),
        ("a", tenant(Some("p"), [100, 400, 0], 100)),
        ("b", tenant(Some("q"), [500, 0, 500], 0)),
    ]);
    assert_eq!(
        &*asks(&all, "a", 1).unwrap().ancestor,
        "a",
        "its own siblings lend nothing"
    );
}

#[test]
fn the_parent_itself_may_borrow_from_its_own_siblings() {
    let all = ledger(vec![
        ("root", tenant(None, [1000, 0, 0], 0)),
        ("p", tenant(Some("root"), [100, 60, 0], 0)),
        ("q", tenant(Some("root"), [500, 0, 50], 0)),
        ("a", tenant(Some("p"), [400, 0, 0], 100)),
    ]);
    assert_eq!(asks(&all, "a", 50), None);
    assert_eq!(&*asks(&all, "a", 51).unwrap().ancestor, "p");
}

#[test]
fn the_root_has_nobody_to_borrow_from() {
    let all = ledger(vec![
        ("root", tenant(None, [100, 60, 40], 0)),
        ("a", tenant(Some("root"), [400, 0, 0], 90)),
    ]);
    assert_eq!(asks(&all, "a", 10), None);
    let breach = asks(&all, "a", 11).unwrap();
    assert_eq!((&*breach.ancestor, breach.limit, breach.lent), ("root", 100_000, false));
}

#[test]
fn a_ceiling_that_fell_stops_only_who_adds_to_it() {
    let mut all = siblings();
    ceiling(&mut all, "b").lend = Resources::ZERO;
    all.tenants.get_mut("a").unwrap().charged.insert("x86", cpu(120));
    assert_eq!(asks(&all, "b", 20), None);
    assert!(asks(&all, "a", 1).unwrap().lent);
}

#[test]
fn a_subtree_moves_only_where_it_fits() {
    let all = ledger(vec![
        ("root", tenant(None, [1000, 0, 0], 0)),
        ("p", tenant(Some("root"), [100, 0, 0], 0)),
        ("q", tenant(Some("root"), [79, 0, 0], 0)),
        ("a", tenant(Some("p"), [100, 0, 0], 80)),
    ]);
    let (pools, kept) = Default::default();
    let subtrees = Subtrees::of(&all);
    let market = Market {
        pools: &pools,
        ledger: &all,
        subtrees: &subtrees,
        kept: &kept,
    };
    assert_eq!(&*overshoot("a", "q", market).unwrap().ancestor, "q");
    assert_eq!(
        overshoot("a", "root", market),
        None,
        "what is held counts at the root already"
    );
}

#[test]
fn what_is_borrowed_or_lent_ties_a_tenant_to_its_siblings() {
    let mut all = siblings();
    all.tenants.get_mut("p").unwrap().parent = Some("root".into());
    all.tenants.extend(
        ledger(vec![
            ("root", tenant(None, [1000, 0, 0], 0)),
            ("q", tenant(Some("root"), [1000, 0, 0], 0)),
        ])
        .tenants,
    );
    let moves = |all: &Ledger, tenant: &str| {
        let (pools, kept) = Default::default();
        let subtrees = Subtrees::of(all);
        let market = Market {
            pools: &pools,
            ledger: all,
            subtrees: &subtrees,
            kept: &kept,
        };
        (
            overshoot(tenant, "q", market).map(|b| b.limit),
            lends_where_it_is(tenant, market),
        )
    };
    assert_eq!(moves(&all, "a"), (None, None));
    // It holds 20 more than its own, which `b` lends.
    all.tenants.get_mut("a").unwrap().charged = [("x86", cpu(120))].into();
    assert_eq!(moves(&all, "a"), (Some(100_000), None));
    let (room, words) = moves(&all, "b");
    assert_eq!(room, None);
    assert!(words.unwrap().contains("siblings hold 20 cpu that b lends"));
    // A ceiling fell: nobody lends it here, either.
    ceiling(&mut all, "b").lend = Resources::ZERO;
    assert_eq!((moves(&all, "a"), moves(&all, "b")), ((None, None), (None, None)));
}
