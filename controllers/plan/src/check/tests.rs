use serde_json::{Value, json};

use super::grants_broken;
use crate::request::Request;

fn request(name: &str, spec: &Value, status: &Value) -> Request {
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest", "spec": spec, "status": status,
        "metadata": {"name": name, "namespace": "dept", "uid": name}});
    Request::read(serde_json::from_value(object).unwrap(), true).unwrap()
}

fn spec(kind: &str, survival: &str) -> Value {
    json!({"displayName": "x", "type": kind, "survival": survival, "resources": {"cpu": "10", "memory": "0"}})
}

/// A grant of ten that was asked with one survival, altered by those requests, and holds so many in each centre alone.
fn granted(survival: &str, changes: &[&str], alone: &str) -> Request {
    let centre = |name: &str| json!({"name": name, "share": {"cpu": "5"}, "survival": {"cpu": alone}});
    let pool = json!({"name": "x86", "amounts": {"cpu": "10"}, "centres": [centre("jishi"), centre("jiyidong")]});
    let allocation = json!({"ledger": "l", "epoch": 1, "pools": [pool], "changes": changes});
    request("a", &spec("New", survival), &json!({"allocation": allocation}))
}

fn change(survival: &str) -> Request {
    request("change", &spec("Change", survival), &json!({}))
}

#[test]
fn a_grant_follows_its_last_change() {
    let renew = request("renew", &json!({"displayName": "x", "type": "Renew"}), &json!({}));
    assert_eq!(grants_broken(&[granted("Full", &[], "6")]).len(), 2, "in both centres");
    let less = granted("Full", &["change", "renew"], "6");
    let all = [less, change("60%"), renew];
    assert_eq!(grants_broken(&all), Vec::<String>::new());
    let more = granted("60%", &["change"], "6");
    assert_eq!(grants_broken(&[more, change("Full")]).len(), 2);
}

#[test]
fn of_a_change_that_is_gone_nothing_is_known() {
    assert_eq!(
        grants_broken(&[granted("Full", &["change"], "6")]),
        Vec::<String>::new()
    );
}
