//! The steps by themselves; `cycle` and the interleavings test them together.

use super::*;
use crate::quota::{Part, PoolGrant};

fn grant(vcpu: i128) -> Grant {
    let n = Resources {
        cpu: vcpu * 1000,
        ..Resources::ZERO
    };
    let part = Part { share: n, survival: n };
    Grant::from([(
        "x86",
        PoolGrant {
            n,
            centres: [("jishi", part)].into(),
        },
    )])
}
fn record(from: i128, to: i128) -> Record {
    let g = |n| if n == 0 { Grant::new() } else { grant(n) };
    Record {
        id: "1".into(),
        name: "r".into(),
        tenant: "t".into(),
        from: g(from),
        to: g(to),
        ..Record::default()
    }
}
fn charged(ledger: &Ledger) -> i128 {
    ledger.centre("x86", "jishi").map_or(0, |c| c.charged.cpu / 1000)
}

#[test]
fn a_raise_charges_at_open_and_a_lowering_frees_at_settle() {
    let mut ledger = Ledger::default();
    ledger.open("u", record(0, 8));
    assert_eq!(charged(&ledger), 8);
    ledger.settle("u", &grant(8));
    assert_eq!(charged(&ledger), 8);
    ledger.open("u", record(8, 0));
    assert!(!ledger.records["u"].raises());
    assert_eq!(charged(&ledger), 8);
    ledger.settle("u", &Grant::new());
    assert_eq!(charged(&ledger), 0);
    assert!(ledger.tenants["t"].charged.values().all(|c| c.is_zero()));
}

#[test]
fn a_void_record_gives_back_what_it_held() {
    let mut ledger = Ledger::default();
    ledger.open("u", record(0, 8));
    ledger.settle("u", &Grant::new());
    assert_eq!(charged(&ledger), 0);
}

#[test]
fn a_recount_finds_what_is_wrong_and_says_so() {
    let mut ledger = Ledger::default();
    ledger.open("u", record(0, 8));
    let held = grant(4);
    let differences = ledger.recount([Holding {
        uid: "v",
        tenant: "t",
        grant: &held,
    }]);
    assert_eq!(charged(&ledger), 12);
    assert_eq!(differences.len(), 2, "{differences:?}");
    assert_eq!(
        ledger.recount([Holding {
            uid: "v",
            tenant: "t",
            grant: &held
        }]),
        Vec::<String>::new()
    );
}

fn tenant(parent: Option<&str>, vcpu: i128) -> TenantEntry {
    let n = Resources {
        cpu: vcpu * 1000,
        ..Resources::ZERO
    };
    TenantEntry {
        parent: parent.map(str::to_owned),
        generation: 3,
        charged: [("x86", n)].into(),
        ..TenantEntry::default()
    }
}

#[test]
fn a_deleted_tenant_stays_while_anything_below_it_counts() {
    let tenants = [
        ("root", tenant(None, 0)),
        ("trunk", tenant(Some("root"), 0)),
        ("bough", tenant(Some("trunk"), 0)),
        ("leaf", tenant(Some("bough"), 8)),
        ("other", tenant(Some("root"), 0)),
    ];
    let mut ledger = Ledger {
        tenants: tenants.map(|(name, t)| (name.to_owned(), t)).into(),
        ..Ledger::default()
    };
    let exists = |name: &str| ["root", "leaf"].contains(&name);
    ledger.forget(|_| true, exists);
    assert_eq!(ledger.lineage("leaf"), ["leaf", "bough", "trunk", "root"]);
    assert!(!ledger.tenants.contains_key("other"), "nothing is below it");
    assert_eq!(ledger.subtree("root")["x86"].cpu, 8000);
    // Somebody makes it anew: the first generation counts.
    assert_eq!(
        (ledger.tenants["trunk"].generation, ledger.tenants["root"].generation),
        (GONE, 3)
    );
    ledger.adopt_tenant("trunk", 1, Some("root"), &Arc::default());
    assert_eq!(ledger.tenants["trunk"].generation, 1);
    // What was below it is gone as well.
    ledger.tenants.get_mut("leaf").unwrap().charged.clear();
    ledger.forget(|_| true, |name| name == "root");
    assert_eq!(ledger.tenants.keys().collect::<Vec<_>>(), ["root"]);
}
