//! What is kept of an ended grant while it is in use.

use std::sync::Arc;

use crds::LedgerState;
use serde_json::{Value, json};

use super::*;
use crate::cycle::cycle;

const NOW: &str = "2026-03-01T00:00:00Z";

/// An ended grant of one pool, of which so much is used in each centre.
fn ended(amounts: &Value, parts: [&Value; 2], used: [&Value; 2]) -> Snapshot {
    let centres = ["jishi", "jiyidong"];
    let part = |at: usize| json!({"name": centres[at], "share": parts[at], "survival": amounts});
    let row = |at: usize| {
        json!({"name": centres[at], "record": "1", "epoch": 1, "reason": "Applied", "reportedAt": NOW,
            "used": [{"pool": "p", "amounts": used[at]}]})
    };
    let pools = json!([{"name": "p", "amounts": amounts, "centres": [part(0), part(1)]}]);
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "r", "namespace": "dept", "uid": "r", "finalizers": ["xiangyun.io/charged"]},
        "spec": {"displayName": "r", "type": "New", "term": {"months": 12}},
        "status": {"centres": [row(0), row(1)],
            "allocation": {"record": "1", "ledger": "l", "epoch": 1, "ended": NOW, "pools": pools}}});
    Snapshot {
        now: NOW.parse().unwrap(),
        epoch: 1,
        ledger: Ledger {
            state: LedgerState::Open,
            ..Ledger::default()
        },
        requests: vec![Arc::new(
            Request::read(serde_json::from_value(object).unwrap(), false).unwrap(),
        )],
        ..Snapshot::default()
    }
}

fn left(snapshot: &Snapshot) -> (Resources, bool) {
    let swap = cycle(snapshot).swap.unwrap();
    let record = &swap.records["r"];
    (record.to["p"].n, record.raises())
}

#[test]
fn what_is_divided_adds_up() {
    let (whole, half) = (json!({"cpu": "8"}), json!({"cpu": "4"}));
    let snapshot = ended(&whole, [&half, &half], [&json!({"cpu": "3"}), &json!({"cpu": "4"})]);
    let cpu = Resources {
        cpu: 7000,
        ..Resources::ZERO
    };
    assert_eq!(left(&snapshot), (cpu, false));
}

#[test]
fn storage_is_copied_and_counted_once() {
    let whole = json!({"storage": "20Gi"});
    let snapshot = ended(&whole, [&whole, &whole], [&json!({"storage": "15Gi"}), &whole]);
    // All of it is in use in one centre: less is charged in the other one.
    let storage = Resources {
        storage: 20 << 30,
        ..Resources::ZERO
    };
    assert_eq!(left(&snapshot), (storage, false));
}

#[test]
fn rows_from_before_the_end_are_waited_for_and_silence_is_not() {
    let (whole, half) = (json!({"cpu": "8"}), json!({"cpu": "4"}));
    let mut snapshot = ended(&whole, [&half, &half], [&half, &half]);
    let mut object = crds::ResourceRequest::clone(snapshot.requests[0].object());
    object.status.as_mut().unwrap().centres[1].reported_at = "2026-02-01T00:00:00Z".into();
    snapshot.requests = vec![Arc::new(Request::read(object, false).unwrap())];
    assert!(cycle(&snapshot).swap.is_none());
    snapshot.now = "2026-03-01T00:01:01Z".parse().unwrap();
    assert!(cycle(&snapshot).swap.unwrap().records["r"].to.is_empty());
}
