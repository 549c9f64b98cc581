//! What differs by centre: overrides, versions, and where something may not run.

use serde_json::json;

use super::*;

/// A workload of one vCPU a copy, as it stands in the hub.
fn workload(s: &mut Stage, copies: i64, image: &str) {
    let value = json!({"metadata": {"name": "web", "generation": 1, "labels": {"app": "web"}}, "spec": {"replicas": copies,
        "template": {"spec": {"containers": [{"name": "c", "image": image, "resources": {
            "requests": {"cpu": "1", "memory": "0"}, "limits": {"cpu": "1", "memory": "0"}}}]}}}});
    let key = ("dept".to_owned(), web());
    let facts = crate::placement::template::read(&TemplateKind::Deployment, &value);
    s.templates.insert(key.clone(), Arc::new(facts));
    s.texts.insert(key, Arc::new(value));
}

fn with(s: &mut Stage, spec: &serde_json::Value) {
    let mut all = serde_json::to_value(&s.placements[0].spec).unwrap();
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    s.placements[0].spec = serde_json::from_value(all).unwrap();
}

fn started(granted: i128, copies: i64) -> Stage {
    let mut s = stage(granted);
    workload(&mut s, copies, "web:1");
    s.placement("p", "web", BOTH);
    s.store("p", true);
    s
}

fn in_b(what: &serde_json::Value) -> serde_json::Value {
    let mut one = json!({"centre": "b", "target": {"kind": "Deployment", "name": "web"}});
    one.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
    json!({"overrides": [one]})
}

#[test]
fn fixed_copies_leave_the_rest_to_the_others() {
    let mut s = started(10, 6);
    with(&mut s, &in_b(&json!({"replicas": 1})));
    s.store("p", true);
    assert_eq!(copies(&s.store("p", true)), both(5, 1));
    with(&mut s, &in_b(&json!({"replicas": 7})));
    assert_eq!(why(&s.store("p", true)), Some(reason::BOUNDS_CONFLICT));
}

#[test]
fn an_override_counts_where_it_is() {
    let mut s = started(4, 6);
    let limits = json!({"requests": {"cpu": "2", "memory": "0"}, "limits": {"cpu": "2", "memory": "0"}});
    let path = "/spec/template/spec/containers/0/resources";
    with(
        &mut s,
        &in_b(&json!({"jsonPatch": [{"op": "replace", "path": path, "value": limits}]})),
    );
    let refused = s.store("p", true);
    assert_eq!(why(&refused), Some(reason::GRANT_TOO_SMALL));
    assert!(
        refused.obstacle.unwrap().message.starts_with("b: needs cpu 6"),
        "3 copies of 2 vCPU"
    );
}

#[test]
fn an_override_that_does_not_apply_changes_nothing_anywhere() {
    let mut s = started(10, 6);
    let before = s.store("p", true).assignment;
    for (what, words) in [
        (json!({"images": [{"container": "x", "image": "i"}]}), "there are: c"),
        (
            json!({"target": {"kind": "StatefulSet"}, "replicas": 1}),
            "no StatefulSet *",
        ),
    ] {
        with(&mut s, &in_b(&what));
        let refused = s.store("p", true);
        assert_eq!(
            (why(&refused), &refused.assignment),
            (Some(reason::OVERRIDE_FAILED), &before)
        );
        assert!(refused.obstacle.unwrap().message.contains(words));
    }
    // What was accepted travels with the decision.
    with(&mut s, &in_b(&json!({"env": [{"name": "SIDE", "value": "b"}]})));
    let accepted = s.store("p", true).assignment.unwrap();
    assert_eq!((accepted.overrides.len(), accepted.number), (1, 2));
    s.texts.clear();
    assert_eq!(
        why(&s.store("p", true)),
        Some(reason::OVERRIDE_FAILED),
        "unread is not applicable"
    );
}

#[test]
fn a_version_is_stored_before_a_decision_names_it_and_copies_do_not_wait_for_it() {
    let mut s = started(10, 6);
    with(&mut s, &json!({"rollout": {"order": "BackupFirst"}}));
    let first = s.store("p", true);
    assert!(first.store.contains(&web()));
    workload(&mut s, 6, "web:2");
    let second = s.store("p", false);
    assert!(second.store.contains(&web()) && second.rolling.is_some());
    let rollout = &second.assignment.as_ref().unwrap().rollouts[0];
    assert_eq!(rollout.of("b"), Some(rollout.newest.as_str()));
    assert_ne!(rollout.of("a"), Some(rollout.newest.as_str()));
    // More copies while it is on its way: no new version.
    workload(&mut s, 8, "web:2");
    let scaled = s.store("p", false);
    assert_eq!((copies(&scaled), scaled.store.is_empty()), (both(4, 4), true));
}

#[test]
fn a_member_cloud_is_used_as_far_as_it_lends() {
    let lends = |n| Some([("x86".to_owned(), cpu(n))].into());
    let mut s = started(10, 6);
    s.centres.get_mut("b").unwrap().lends = lends(4);
    workload(&mut s, 8, "web:1");
    assert_eq!(why(&s.store("p", true)), None, "4 of 4");
    workload(&mut s, 10, "web:1");
    let refused = s.store("p", true);
    assert_eq!(
        (why(&refused), copies(&refused)),
        (Some(reason::LEND_EXCEEDED), both(4, 4))
    );
    let message = refused.obstacle.unwrap().message;
    assert!(
        message.starts_with("b: needs cpu 5") && message.contains("lends cpu 4"),
        "{message}"
    );
    // It lends less: what runs goes on, and may become less.
    s.centres.get_mut("b").unwrap().lends = lends(1);
    workload(&mut s, 8, "web:1");
    assert_eq!(why(&s.store("p", true)), None);
    workload(&mut s, 6, "web:1");
    let lowered = s.store("p", true);
    assert_eq!((why(&lowered), copies(&lowered)), (None, both(3, 3)));
    s.centres.get_mut("b").unwrap().lends = Some(BTreeMap::new());
    workload(&mut s, 8, "web:1");
    assert_eq!(
        why(&s.store("p", true)),
        Some(reason::LEND_EXCEEDED),
        "nothing of this pool"
    );
}
