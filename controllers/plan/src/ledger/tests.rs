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
