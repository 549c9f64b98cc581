//! Tenants that change places with those below them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{LedgerState, Resources};

use super::*;
use crate::by_name::ByName;
use crate::ceilings::Ceiling;
use crate::cycle::cycle;
use crate::ledger::TenantEntry;

fn cpu(vcpu: i128) -> Resources {
    Resources {
        cpu: vcpu * 1000,
        ..Resources::ZERO
    }
}

fn ceilings(vcpu: i128) -> Arc<ByName<Ceiling>> {
    Arc::new([("x86", Ceiling::plain(cpu(vcpu)))].into())
}

/// As the ledger has it, all of generation 1: `b` below `a`, each holds 10, and `c` below `b`.
fn snapshot() -> Snapshot {
    let row = |name: &str, parent: Option<&str>, own: i128| {
        let entry = TenantEntry {
            parent: parent.map(str::to_owned),
            generation: 1,
            ceilings: ceilings(100),
            charged: [("x86", cpu(own))].into(),
        };
        (name.to_owned(), entry)
    };
    let tenants = BTreeMap::from([
        row("root", None, 0),
        row("small", Some("root"), 0),
        row("a", Some("root"), 10),
        row("b", Some("a"), 10),
        row("c", Some("b"), 0),
    ]);
    let facts = |(name, t): (&String, &TenantEntry)| {
        let facts = TenantFacts {
            generation: t.generation,
            parent: t.parent.clone(),
            ceilings: Arc::clone(&t.ceilings),
            ..TenantFacts::default()
        };
        (name.clone(), facts)
    };
    Snapshot {
        tenants: tenants.iter().map(facts).collect(),
        standing: tenants.keys().map(|name| (name.clone(), Ok(()))).collect(),
        ledger: Ledger {
            state: LedgerState::Open,
            tenants,
            ..Ledger::default()
        },
        ..Snapshot::default()
    }
}

fn asks(snapshot: &mut Snapshot, name: &str, parent: &str) {
    let facts = snapshot.tenants.get_mut(name).unwrap();
    facts.generation += 1;
    facts.parent = Some(parent.to_owned());
}

/// The ledger after one cycle, which says of whom it did not move.
fn after(snapshot: &Snapshot) -> (Ledger, BTreeMap<String, String>) {
    let plan = cycle(snapshot);
    (plan.swap.unwrap_or_else(|| snapshot.ledger.clone()), plan.overshoot)
}

#[test]
fn parent_and_child_change_places() {
    let mut snapshot = snapshot();
    asks(&mut snapshot, "a", "c");
    asks(&mut snapshot, "b", "root");
    let (ledger, waits) = after(&snapshot);
    assert_eq!(waits, BTreeMap::new());
    assert_eq!(ledger.lineage("a"), ["a", "c", "b", "root"]);
    assert_eq!(ledger.subtree("root")["x86"], cpu(20));
}

#[test]
fn nobody_moves_below_itself_while_the_other_may_not_move() {
    let mut snapshot = snapshot();
    // There is no room for what `b` holds where it is to go.
    let small = ceilings(5);
    snapshot.ledger.tenants.get_mut("small").unwrap().ceilings = Arc::clone(&small);
    snapshot.tenants.get_mut("small").unwrap().ceilings = small;
    asks(&mut snapshot, "a", "c");
    asks(&mut snapshot, "b", "small");
    let (ledger, waits) = after(&snapshot);
    assert_eq!(waits.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert!(waits["a"].starts_with("c → b still lies below a;"), "{waits:?}");
    assert!(waits["b"].contains("ceiling of small"), "{waits:?}");
    // The ceilings of the root still bind both.
    assert_eq!(ledger.lineage("c"), ["c", "b", "a", "root"]);
    assert_eq!(ledger.subtree("root")["x86"], cpu(20));
}

#[test]
fn one_made_anew_is_not_placed_below_its_own_children() {
    let mut snapshot = snapshot();
    // `a` was deleted, and the ledger of an older release forgot it.
    snapshot.ledger.tenants.remove("a");
    asks(&mut snapshot, "a", "b");
    snapshot.tenants.get_mut("b").unwrap().parent = Some("root".to_owned());
    let (ledger, waits) = after(&snapshot);
    assert!(waits.contains_key("a"), "b was not told yet: {waits:?}");
    assert_eq!(ledger.lineage("b"), ["b"]);
    asks(&mut snapshot, "b", "root");
    let (ledger, waits) = after(&snapshot);
    assert_eq!(waits, BTreeMap::new());
    assert_eq!(ledger.lineage("a"), ["a", "b", "root"]);
}
