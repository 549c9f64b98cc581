use crds::{
    CentreAssignment, CentreRevision, DualActivePlacementStatus, PlacementRow, WorkloadCopies, WorkloadRollout,
};

use super::super::template::object;
use super::*;

fn web() -> PlacedObject {
    object(TemplateKind::Deployment, "web")
}

fn placement() -> (DualActivePlacement, Assignment) {
    let text = r#"{"displayName": "p", "pool": "x86", "mode": "ActiveActive", "select": {"matchLabels": {"a": "b"}}, "centres": [{"name": "yanbian"}]}"#;
    let mut placement = DualActivePlacement::new("p", serde_json::from_str(text).unwrap());
    placement.metadata.namespace = Some("dept".to_owned());
    let copies = WorkloadCopies {
        kind: TemplateKind::Deployment,
        name: "web".into(),
        copies: 3,
    };
    let centre = CentreAssignment {
        name: "yanbian".into(),
        copies: vec![copies],
        jobs: true,
    };
    let assignment = Assignment {
        number: 7,
        objects: vec![web()],
        centres: vec![centre],
        ..Assignment::default()
    };
    placement.status = Some(DualActivePlacementStatus {
        assignment: Some(assignment.clone()),
        ..DualActivePlacementStatus::default()
    });
    (placement, assignment)
}

fn contents(of_web: &str) -> Contents {
    [((("dept".to_owned(), web()), None), of_web.to_owned())].into()
}

fn annotate(placement: &mut DualActivePlacement, value: &str) {
    let annotation = (format!("{}yanbian", label::CONFIRMED), value.to_owned());
    placement.metadata.annotations = Some([annotation].into());
}

#[test]
fn a_confirmation_is_of_one_decision_with_one_content() {
    let (mut placement, assignment) = placement();
    let name = |p: &DualActivePlacement, a: &Assignment, of: &str| named(p, a, "yanbian", &contents(of));
    let shown = name(&placement, &assignment, "one");
    annotate(&mut placement, &shown);
    assert!(confirmed(&placement, "yanbian", &shown));
    assert!(!confirmed(&placement, "tonghua", &shown), "of another cloud");
    assert!(
        !confirmed(&placement, "yanbian", &name(&placement, &assignment, "two")),
        "another image"
    );
    let newer = Assignment {
        number: 8,
        ..assignment.clone()
    };
    assert!(!confirmed(&placement, "yanbian", &name(&placement, &newer, "one")));
    // Taken up by a newer leadership it is the same decision.
    let later = Assignment {
        epoch: 9,
        ..assignment.clone()
    };
    assert_eq!(name(&placement, &later, "one"), shown);
    placement.spec.existing = crds::Existing::TakeOver;
    assert_ne!(name(&placement, &assignment, "one"), shown, "it may take over now");
}

/// Contents that share a 64-bit fingerprint are made within minutes; of 128 bits of SHA-256 nobody finds two.
#[test]
fn a_name_is_as_long_as_a_promise_needs() {
    let (placement, assignment) = placement();
    let name = named(&placement, &assignment, "yanbian", &contents("one"));
    let digits = name.strip_prefix("7-").unwrap();
    assert_eq!(digits.len(), 32, "{name}");
    assert!(digits.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    let of = |text: &str| digest(serde_json::from_str(text).unwrap());
    assert_eq!(
        of(r#"{"b": {"d": 1, "c": 2}, "a": []}"#),
        of(r#"{"a": [], "b": {"c": 2, "d": 1}}"#)
    );
    assert_eq!(
        of("{}"),
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    );
}

/// The name of a stored version can be made to fit another one; what is in it counts.
#[test]
fn a_stored_version_counts_by_its_content() {
    let (placement, mut assignment) = placement();
    let revision = "00c0ffee00c0ffee".to_owned();
    assignment.rollouts = vec![WorkloadRollout {
        kind: TemplateKind::Deployment,
        name: "web".into(),
        newest: revision.clone(),
        good: None,
        failed: None,
        since: None,
        centres: vec![CentreRevision {
            name: "yanbian".into(),
            revision: revision.clone(),
        }],
    }];
    let key = (("dept".to_owned(), web()), Some(revision));
    let name = |of: &str| {
        named(
            &placement,
            &assignment,
            "yanbian",
            &[(key.clone(), of.to_owned())].into(),
        )
    };
    assert_eq!(name("one"), name("one"));
    assert_ne!(name("one"), name("two"));
    // The template as it is now is not what is applied.
    let now = named(&placement, &assignment, "yanbian", &contents("one"));
    assert_eq!(now, named(&placement, &assignment, "yanbian", &contents("two")));
}

/// What a decision does not set is part of what is confirmed.
#[test]
fn copies_count_where_no_decision_sets_them() {
    let of = |kind: &TemplateKind, n: i64| content(kind, &json!({"metadata": {"name": "a"}, "spec": {"replicas": n}}));
    let widget = TemplateKind::custom("Widget", "example.org");
    assert_ne!(of(&widget, 1), of(&widget, 9));
    assert_eq!(of(&TemplateKind::Deployment, 1), of(&TemplateKind::Deployment, 9));
}

fn part(assignment: &Assignment, content: &str) -> BTreeMap<(String, String), Part> {
    let part = Part {
        assignment: assignment.clone(),
        namespace: "dept-x86".to_owned(),
        here: true,
        content: Some(content.to_owned()),
        ..Part::default()
    };
    [(("dept".to_owned(), "p".to_owned()), part)].into()
}

fn runs(placement: &mut DualActivePlacement, content: &str) {
    let row = PlacementRow {
        name: "yanbian".into(),
        content: Some(content.to_owned()),
        ..PlacementRow::default()
    };
    placement.status.as_mut().unwrap().centres = vec![row];
}

#[test]
fn what_was_carried_out_needs_nobody() {
    let (mut placement, assignment) = placement();
    let shown = named(&placement, &assignment, "yanbian", &contents("one"));
    runs(&mut placement, &shown);
    assert!(confirmed(&placement, "yanbian", &shown));
    let parts = part(&assignment, &shown);
    let open = |p: &DualActivePlacement| namespaces("yanbian", &[Arc::new(p.clone())], &parts);
    assert!(open(&placement).is_empty(), "its quota needs somebody");
    annotate(&mut placement, &shown);
    assert_eq!(open(&placement), ["dept-x86".to_owned()].into());
}

/// Whatever its kind, another content is another question.
#[test]
fn content_of_every_kind_counts() {
    let all = TemplateKind::ALL
        .into_iter()
        .chain([TemplateKind::custom("Database", "example.org")]);
    for kind in all {
        let of = |value: i64, version: &str| {
            let metadata = json!({"name": "a", "uid": "u", "resourceVersion": version});
            content(
                &kind,
                &json!({"metadata": metadata, "spec": {"a": value}, "data": {"a": value}}),
            )
        };
        assert_ne!(of(1, "7"), of(2, "8"), "{kind:?}");
        // What the hub writes beside the content is nobody's question.
        assert_eq!(of(1, "7") == of(1, "8"), kind != TemplateKind::Secret, "{kind:?}");
    }
    let secret = json!({"metadata": {"uid": "u", "resourceVersion": "7"}, "data": {"a": "b"}});
    assert_eq!(content(&TemplateKind::Secret, &secret), "u/7");
}

/// The number alone opens nothing: a person confirms what was shown.
#[test]
fn a_namespace_opens_with_what_was_shown() {
    let (mut placement, assignment) = placement();
    let [one, two] = ["one", "two"].map(|of| named(&placement, &assignment, "yanbian", &contents(of)));
    let open = |p: &DualActivePlacement, parts: &BTreeMap<_, _>| namespaces("yanbian", &[Arc::new(p.clone())], parts);
    annotate(&mut placement, &one);
    assert_eq!(open(&placement, &part(&assignment, &one)).len(), 1);
    // Another content since, and nothing runs yet.
    assert!(open(&placement, &part(&assignment, &two)).is_empty());
    // What was confirmed runs, and another content waits: the tenant is there.
    runs(&mut placement, &one);
    assert_eq!(open(&placement, &part(&assignment, &two)).len(), 1);
    let newer = Assignment {
        number: 8,
        ..assignment.clone()
    };
    assert!(open(&placement, &part(&newer, &one)).is_empty(), "not looked at yet");
    placement.status.as_mut().unwrap().assignment = Some(newer.clone());
    assert!(open(&placement, &part(&newer, "8-0")).is_empty(), "another decision");
    assert!(open(&placement, &BTreeMap::new()).is_empty());
}

#[test]
fn what_waits_is_counted_by_member() {
    let centre = |name: &str, spec: serde_json::Value| {
        let mut all = json!({"displayName": "x", "operator": "x"});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        Arc::new(DataCenter::new(name, serde_json::from_value(all).unwrap()))
    };
    let member = || json!({"role": "Member", "member": {"type": "City", "stage": "Advised"}});
    let centres = [
        centre("yanbian", member()),
        centre("tonghua", member()),
        centre("jishi", json!({"role": "Primary"})),
    ];
    let (mut placement, _) = placement();
    let row = |name: &str| PlacementRow {
        name: name.into(),
        confirm: Some("7-0".to_owned()),
        ..PlacementRow::default()
    };
    placement.status.as_mut().unwrap().centres = vec![row("yanbian"), row("gone")];
    let found = waiting(&centres, &[Arc::new(placement)]);
    assert_eq!(found, [("yanbian".to_owned(), 1), ("tonghua".to_owned(), 0)].into());
    assert!(waiting(&centres[2..], &[]).is_empty());
}

#[test]
fn the_question_has_the_numbers_and_the_command() {
    let (placement, assignment) = placement();
    let text = question(&placement, &assignment, "yanbian", "7-0123abcd");
    assert!(text.contains("applies 1 Deployment; 3 copies"), "{text}");
    assert!(
        text.contains("annotate dap/p -n dept confirmed.xiangyun.io/yanbian=7-0123abcd"),
        "{text}"
    );
    let leaving = Assignment {
        leaving: Some(crds::Removal::Delete),
        ..assignment
    };
    assert!(question(&placement, &leaving, "yanbian", "8-1").contains("takes away"));
}
