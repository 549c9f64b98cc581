use crds::{CentreAssignment, DualActivePlacementStatus, PlacementRow, WorkloadCopies, set_condition};

use super::super::template::object;
use super::*;
use crate::centre::testing::catalogue;

fn placement(name: &str, objects: &[PlacedObject], here: bool) -> DualActivePlacement {
    let text = r#"{"displayName": "p", "pool": "x86", "mode": "ActiveActive", "select": {"matchLabels": {"a": "b"}}, "centres": [{"name": "jishi"}]}"#;
    let mut placement = DualActivePlacement::new(name, serde_json::from_str(text).unwrap());
    placement.metadata.namespace = Some("dept".to_owned());
    let copies = objects.iter().filter(|o| o.kind.has_copies());
    let copies = copies
        .map(|o| WorkloadCopies {
            kind: o.kind.clone(),
            name: o.name.clone(),
            copies: 3,
        })
        .collect();
    let centre = CentreAssignment {
        name: if here { "jishi" } else { "other" }.into(),
        copies,
        jobs: true,
    };
    let assignment = Assignment {
        number: 2,
        epoch: 5,
        objects: objects.to_vec(),
        centres: vec![centre],
        ..Assignment::default()
    };
    placement.status = Some(DualActivePlacementStatus {
        assignment: Some(assignment),
        ..DualActivePlacementStatus::default()
    });
    placement
}

fn decided(placements: Vec<DualActivePlacement>, standing: &[(PlacedObject, &str)], floor: i64) -> Plan {
    let placements: Vec<_> = placements.into_iter().map(Arc::new).collect();
    let standing = standing
        .iter()
        .map(|(o, p)| (("dept".to_owned(), o.clone()), (*p).to_owned()))
        .collect();
    let mut floors = Floors::default();
    floors.raise("", floor);
    plan(&Snapshot {
        centre: "jishi",
        placements: &placements,
        catalogue: &catalogue(),
        standing: &standing,
        namespaces: &[("dept".to_owned(), "dept".to_owned())].into(),
        floors: &floors,
        stage: Stage::Own,
        ownership: Ownership::Social,
        contents: &Contents::new(),
        rights: None,
    })
}

fn web() -> PlacedObject {
    object(TemplateKind::Deployment, "web")
}

fn map() -> PlacedObject {
    object(TemplateKind::ConfigMap, "map")
}

#[test]
fn nothing_goes_because_a_placement_is_not_seen() {
    let plan = decided(Vec::new(), &[(web(), "p")], 0);
    assert!(plan.goes.is_empty() && plan.wants.is_empty());
}

#[test]
fn what_a_decision_no_longer_wants_goes_dependencies_last() {
    let plan = decided(
        vec![placement("p", &[], false)],
        &[(web(), "p"), (map(), "p"), (web(), "p")],
        0,
    );
    assert_eq!(plan.goes.keys().map(|s| s.1.clone()).collect::<Vec<_>>(), [web()]);
    let plan = decided(vec![placement("p", &[], false)], &[(map(), "p")], 0);
    assert_eq!(plan.goes.keys().map(|s| s.1.clone()).collect::<Vec<_>>(), [map()]);
}

/// Nobody can wait for a pool that was deleted; what runs on it stays until its placement leaves.
#[test]
fn a_placement_leaves_although_its_pool_is_gone() {
    let mut leaving = placement("p", &[web()], true);
    leaving.spec.pool = "gone".to_owned();
    let of = |placement: &DualActivePlacement, namespace: &str| {
        let standing = [((namespace.to_owned(), web()), "p".to_owned())].into();
        let names = ["dept", "dept-gone"].map(|n| (n.to_owned(), "dept".to_owned()));
        plan(&Snapshot {
            centre: "jishi",
            placements: &[Arc::new(placement.clone())],
            catalogue: &catalogue(),
            standing: &standing,
            namespaces: &names.into(),
            floors: &Floors::default(),
            stage: Stage::Own,
            ownership: Ownership::Government,
            contents: &Contents::new(),
            rights: None,
        })
    };
    let stays = of(&leaving, "dept");
    assert!(stays.goes.is_empty() && stays.wants.values().all(|w| w.kept));
    leaving.status.as_mut().unwrap().assignment.as_mut().unwrap().leaving = Some(Removal::Delete);
    for namespace in ["dept", "dept-gone"] {
        let goes = of(&leaving, namespace);
        assert_eq!(goes.goes, [((namespace.to_owned(), web()), Removal::Delete)].into());
        assert!(goes.parts.values().all(|part| part.refusal.is_none()));
    }
}

/// The level of the data was raised after it was placed.
#[test]
fn data_that_may_not_be_here_stays_as_it_is() {
    let mut refused = placement("p", &[web()], true);
    let status = refused.status.as_mut().unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let why = reason::DATA_NOT_ALLOWED;
    set_condition(
        &mut status.conditions,
        condition::READY,
        Some(false),
        why,
        "no".to_owned(),
        None,
        now,
    );
    let of = |placement: &DualActivePlacement| decided(vec![placement.clone()], &[(web(), "p"), (map(), "p")], 0);
    let plan = of(&refused);
    assert!(plan.goes.is_empty() && plan.wants.values().all(|w| w.kept));
    let part = plan.parts.values().next().unwrap();
    assert_eq!(part.refusal, Some((why, "no".to_owned())));
    // It may leave.
    refused.status.as_mut().unwrap().assignment.as_mut().unwrap().leaving = Some(Removal::Delete);
    assert!(!of(&refused).goes.is_empty());
}

#[test]
fn a_stored_version_is_not_held() {
    let mut rolling = placement("p", &[map(), web()], true);
    let assignment = rolling.status.as_mut().unwrap().assignment.as_mut().unwrap();
    let of = |object: &PlacedObject| {
        serde_json::json!([{"kind": object.kind, "name": object.name, "newest": "2", "asks": "00",
            "centres": [{"name": "jishi", "revision": "1"}]}])
    };
    assignment.rollouts = serde_json::from_value(of(&web())).unwrap();
    assignment.checked = serde_json::from_value(of(&web())).unwrap();
    let plan = decided(vec![rolling], &[], 0);
    let want = |object: PlacedObject| &plan.wants[&("dept".to_owned(), object)];
    assert_eq!((want(map()).asks.as_str(), want(web()).asks.as_str()), ("", "00"));
    assert_eq!(want(web()).held(&web()).held, None);
    assert_eq!(want(map()).held(&web()).held, Some(web()));
}

#[test]
fn what_another_placement_needs_stays() {
    let leaving = placement("a", &[], false);
    let other = placement("b", &[map(), web()], true);
    let plan = decided(vec![leaving, other], &[(map(), "a")], 0);
    assert!(plan.goes.is_empty());
    assert_eq!(plan.wants[&("dept".to_owned(), map())].here.placement, "b");
}

/// The first by name decides; the other is told where it says otherwise.
#[test]
fn what_a_shared_object_is_not_is_told() {
    let mut other = placement("b", &[map()], true);
    let shared = |other: &DualActivePlacement| {
        let plan = decided(vec![placement("a", &[map()], true), other.clone()], &[], 0);
        let of = |name: &str| plan.parts[&("dept".to_owned(), name.to_owned())].shared.clone();
        assert_eq!(of("a"), BTreeMap::new());
        of("b")
    };
    assert_eq!(shared(&other), BTreeMap::new());
    other.spec.drift = Drift::Report;
    assert_eq!(shared(&other), [(map(), "a".to_owned())].into());
    other.spec.drift = Drift::Correct;
    let one = r#"[{"centre": "jishi", "target": {"kind": "ConfigMap", "name": "map"}, "labels": {"side": "x"}}]"#;
    let assignment = other.status.as_mut().unwrap().assignment.as_mut().unwrap();
    assignment.overrides = serde_json::from_str(one).unwrap();
    assert_eq!(shared(&other), [(map(), "a".to_owned())].into());
}

/// What the first one may not carry out, the other one does.
#[test]
fn who_may_not_change_it_holds_nobody_up() {
    let mut other = placement("b", &[map()], true);
    other.status.as_mut().unwrap().assignment.as_mut().unwrap().epoch = 6;
    let plan = decided(vec![placement("a", &[map()], true), other], &[], 6);
    let want = &plan.wants[&("dept".to_owned(), map())];
    assert!(!want.kept && want.here.placement == "b");
}

#[test]
fn an_older_epoch_changes_nothing_unless_it_was_carried_out() {
    let mut old = placement("p", &[web()], true);
    let plan = decided(vec![old.clone()], &[], 6);
    assert_eq!(
        plan.parts.values().next().unwrap().refusal.as_ref().unwrap().0,
        reason::STALE_EPOCH
    );
    assert!(plan.wants.values().all(|w| w.kept));
    let row = PlacementRow {
        name: "jishi".into(),
        number: 2,
        ..PlacementRow::default()
    };
    old.status.as_mut().unwrap().centres = vec![row];
    let plan = decided(vec![old], &[], 6);
    assert!(plan.wants.values().all(|w| !w.kept));
    assert_eq!(plan.floors.of(""), 6);
}
