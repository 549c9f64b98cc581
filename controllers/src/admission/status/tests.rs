//! Which answer an approval gets when nobody assesses its request any more.

use serde_json::{Value, json};

use super::*;

fn request(kind: &str, status: &Value) -> Request {
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "r", "namespace": "dept", "uid": "u"},
        "spec": {"displayName": "r", "type": kind, "allocationRef": {"name": "a"}}, "status": status});
    Request::read(serde_json::from_value(object).unwrap(), false).unwrap()
}

fn approval(status: &Value) -> RequestApproval {
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "RequestApproval",
        "metadata": {"name": "late", "namespace": "dept"},
        "spec": {"requestRef": {"name": "r", "uid": "u"}, "level": 1, "decision": "Approved",
            "approver": {"username": "zhang.wei", "groups": ["l1"]}}, "status": status});
    serde_json::from_value(object).unwrap()
}

fn ready(reason: &str) -> Value {
    let time = "2026-03-01T00:00:00Z";
    json!({"conditions": [{"type": "Ready", "status": "True", "reason": reason, "message": "", "lastTransitionTime": time}]})
}

#[test]
fn what_comes_after_a_change_was_carried_out_is_too_late() {
    let plan = CyclePlan::default();
    let late = Some((false, approval_reason::ALREADY_DECIDED));
    for kind in ["Change", "Renew"] {
        let done = request(kind, &ready("Completed"));
        assert_eq!(
            verdict(&approval(&Value::Null), Some((0, &done)), &plan),
            late,
            "{kind}"
        );
        // What was said before stays.
        assert_eq!(verdict(&approval(&json!({})), Some((0, &done)), &plan), None, "{kind}");
        let waits = request(kind, &ready("WaitingForQuota"));
        assert_eq!(
            verdict(&approval(&Value::Null), Some((0, &waits)), &plan),
            None,
            "{kind}"
        );
    }
}
