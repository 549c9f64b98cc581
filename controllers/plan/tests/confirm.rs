//! A newer leader stands by what an older one wrote where a centre asks for it, and changes nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an assumption that fails is a test that fails"
)]

use crds::LedgerState;
use plan::cycle::{CyclePlan, Reading, Snapshot, cycle};
use plan::ledger::Ledger;
use plan::request::Request;
use serde_json::json;

/// A grant of epoch 3, its row in jishi, and a leader of that epoch.
fn plan(row: &str, ended: bool, epoch: i64) -> CyclePlan {
    let ended = ended.then_some("2026-03-01T00:00:00Z");
    let amounts = json!({"cpu": "4"});
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "r", "namespace": "dept", "uid": "u", "finalizers": ["xiangyun.io/charged"]},
        "spec": {"displayName": "r", "type": "New"},
        "status": {
            "allocation": {"record": "1-u", "ledger": "l", "epoch": 3, "ended": ended, "pools": [{"name": "x86", "amounts": amounts, "centres":
                [{"name": "jishi", "share": amounts, "survival": amounts, "inForce": "Share"}]}]},
            "centres": [{"name": "jishi", "record": "", "epoch": 0, "reason": row, "reportedAt": "2026-03-01T00:00:00Z"}]}});
    let mut ledger = Ledger {
        state: LedgerState::Open,
        ..Ledger::default()
    };
    let request = Request::read(serde_json::from_value(object).unwrap(), true).unwrap();
    let holding = plan::ledger::Holding {
        uid: request.uid(),
        tenant: request.tenant(),
        grant: &request.holds,
    };
    ledger.recount([holding]);
    let snapshot = Snapshot {
        reading: Reading::Decide,
        epoch,
        ledger,
        requests: vec![request.into()],
        ..Snapshot::default()
    };
    cycle(&snapshot)
}

#[test]
fn what_a_centre_asks_to_confirm_is_written_again_under_the_new_epoch() {
    let plan = plan("StaleEpoch", false, 5);
    let [apply] = plan.apply.as_slice() else {
        panic!("{:?}", plan.apply)
    };
    assert_eq!((apply.allocation.epoch, apply.allocation.record.as_str()), (5, "1-u"));
    assert_eq!(apply.allocation.pools.len(), 1);
    let swap = plan.swap.unwrap();
    assert!(swap.records.is_empty(), "nothing is charged by it");
}

#[test]
fn nothing_is_written_without_need() {
    assert!(plan("Applied", false, 5).apply.is_empty());
    assert!(
        plan("StaleEpoch", false, 3).apply.is_empty(),
        "it is of this very leader"
    );
}

#[test]
fn the_end_of_a_grant_is_confirmed_too() {
    let plan = plan("StaleEpoch", true, 5);
    // It is lowered in the same cycle: what is confirmed carries the new record.
    assert!(
        plan.apply
            .iter()
            .all(|a| a.allocation.epoch == 5 && a.allocation.ended.is_some())
    );
    assert!(!plan.apply.is_empty());
}
