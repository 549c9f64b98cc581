//! What may not run on a pool's nodes, or not in a centre, is refused before anything is placed.

use crds::Ownership;
use serde_json::{Value, json};

use super::*;

/// A workload of one vCPU a copy whose pod has these fields beside.
fn pod(s: &mut Stage, container: &Value, spec: &Value) {
    let mut one = json!({"name": "c", "image": "web:1", "resources": {"limits": {"cpu": "1", "memory": "0"}}});
    one.as_object_mut()
        .unwrap()
        .extend(container.as_object().unwrap().clone());
    let mut pod = json!({"containers": [one]});
    pod.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let value = json!({"metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"replicas": 6, "template": {"spec": pod}}});
    let facts = crate::placement::template::read(&TemplateKind::Deployment, &value);
    s.templates.insert(("dept".to_owned(), web()), Arc::new(facts));
}

fn started() -> Stage {
    let mut s = stage(10);
    pod(&mut s, &json!({}), &json!({}));
    s.placement("p", "web", BOTH);
    s.store("p", true);
    s
}

fn refused(container: &Value, spec: &Value) -> (Option<&'static str>, String) {
    let mut s = started();
    let before = s.store("p", true).assignment;
    pod(&mut s, container, spec);
    let decision = s.store("p", true);
    assert_eq!(decision.assignment.is_some(), before.is_some());
    (why(&decision), decision.obstacle.map(|o| o.message).unwrap_or_default())
}

#[test]
fn an_arm_image_does_not_go_to_an_x86_pool() {
    let (why, message) = refused(&json!({"image": "web:2-arm64"}), &json!({}));
    assert_eq!(why, Some(reason::ARCHITECTURE_MISMATCH));
    assert!(
        message.contains("arm64 only (image web:2-arm64), pool x86 has amd64"),
        "{message}"
    );
    assert_eq!(refused(&json!({"image": "web:2-amd64"}), &json!({})).0, None);
}

fn asks(device: &str, amount: &str) -> Value {
    json!({"resources": {"limits": {"cpu": "1", "memory": "0", device: amount}}})
}

#[test]
fn a_device_that_the_pool_has_not_is_refused() {
    let (why, message) = refused(&asks("nvidia.com/gpu", "2"), &json!({}));
    assert_eq!(why, Some(reason::POOL_MISMATCH));
    assert!(
        message.contains("Deployment web asks for 2 nvidia.com/gpu in each pod, pool x86 has no cards"),
        "{message}"
    );
    for fits in [asks("nvidia.com/gpu", "0"), asks("hugepages-2Mi", "4Mi")] {
        assert_eq!(refused(&fits, &json!({})).0, None, "{fits}");
    }
}

#[test]
fn a_pool_of_cards_has_its_own_and_no_other() {
    let run = |device: &str| {
        let mut s = started();
        s.placements.clear();
        s.placement("gpu", "web", BOTH);
        s.placements[0].spec.pool = "gpu-training".to_owned();
        pod(&mut s, &asks(device, "1"), &json!({}));
        let decision = s.store("gpu", true);
        (why(&decision), decision.obstacle.unwrap().message)
    };
    let (why, message) = run("huawei.com/Ascend910");
    assert_eq!(why, Some(reason::POOL_MISMATCH));
    assert!(
        message.contains("pool gpu-training has nvidia.com/gpu only"),
        "{message}"
    );
    assert_eq!(
        run("nvidia.com/gpu").0,
        Some(reason::GRANT_TOO_SMALL),
        "nothing is granted there"
    );
}

#[test]
fn what_the_namespace_would_refuse_is_refused_before() {
    let (why, message) = refused(&json!({}), &json!({"nodeSelector": {"xiangyun.io/pool": "arm"}}));
    assert_eq!(why, Some(reason::POOL_MISMATCH));
    assert!(message.contains("selects nodes of pool arm"), "{message}");
    let (why, message) = refused(&json!({}), &json!({"nodeName": "n1"}));
    assert_eq!(why, Some(reason::POOL_MISMATCH));
    assert!(message.contains("names the node n1"), "{message}");
    let own = json!({"nodeSelector": {"xiangyun.io/pool": "x86"}, "nodeName": ""});
    assert_eq!(refused(&json!({}), &own).0, None);
}

#[test]
fn data_of_level_three_stays_in_the_governments_centres() {
    let said = |own: i32, granted: i32, elsewhere: i32| {
        let mut s = started();
        s.centres.get_mut("b").unwrap().ownership = Ownership::Social;
        s.level = own;
        s.grants.values_mut().for_each(|g| g.level = granted);
        let other = Granted {
            level: elsewhere,
            ..Granted::default()
        };
        s.grants.insert(("dept".to_owned(), "arm".to_owned()), other);
        let stranger = Granted {
            level: 3,
            ..Granted::default()
        };
        s.grants.insert(("city".to_owned(), "x86".to_owned()), stranger);
        why(&s.store("p", true))
    };
    assert_eq!(said(2, 2, 2), None);
    assert_eq!(said(0, 3, 0), Some(reason::DATA_NOT_ALLOWED));
    assert_eq!(said(3, 2, 0), Some(reason::DATA_NOT_ALLOWED), "its own");
    assert_eq!(said(0, 2, 3), Some(reason::DATA_NOT_ALLOWED), "another grant of it");
}
