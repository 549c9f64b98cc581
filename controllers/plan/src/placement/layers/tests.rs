use crds::{CentreRole, ServiceRow, TemplateKind, WorkloadCopies, condition_is_true, find_condition};

use super::super::template::object;
use super::super::testing::centre;
use super::*;

struct Stage {
    status: DualActivePlacementStatus,
    centres: BTreeMap<String, Centre>,
}

fn stage() -> Stage {
    let row = |name: &str| PlacementRow {
        name: name.into(),
        wanted: 2,
        ready: 2,
        services: vec![ServiceRow {
            name: "web".into(),
            ready: 2,
        }],
        ..PlacementRow::default()
    };
    let named = [("a", CentreRole::Primary), ("b", CentreRole::Backup)].map(|(name, role)| {
        let nodes = [("x86".to_owned(), 5)].into();
        (
            name.to_owned(),
            Centre {
                nodes,
                ..centre(true, role)
            },
        )
    });
    Stage {
        status: DualActivePlacementStatus {
            centres: vec![row("a"), row("b")],
            ..DualActivePlacementStatus::default()
        },
        centres: named.into(),
    }
}

/// States in the order of the layers, and the condition.
fn said(stage: &mut Stage) -> (String, Option<bool>) {
    let text = r#"{"displayName": "p", "pool": "x86", "mode": "ActiveActive", "select": {"matchLabels": {"a": "b"}}, "centres": [{"name": "a"}]}"#;
    let placement = DualActivePlacement::new("p", serde_json::from_str(text).unwrap());
    let copies = vec![WorkloadCopies {
        kind: TemplateKind::Deployment,
        name: "web".into(),
        copies: 2,
    }];
    let part = |name: &str| CentreAssignment {
        name: name.into(),
        copies: copies.clone(),
        jobs: true,
    };
    let assignment = Assignment {
        centres: vec![part("a"), part("b")],
        ..Assignment::default()
    };
    let decision = Decision {
        assignment: Some(assignment),
        services: ["web".to_owned()].into(),
        devices: [object(TemplateKind::Deployment, "web")].into(),
        ..Decision::default()
    };
    describe(
        &placement,
        &decision,
        &stage.centres,
        &mut stage.status,
        Timestamp::UNIX_EPOCH,
    );
    let word = |l: &Layer| match l.state {
        LayerState::Normal => 'n',
        LayerState::Degraded => 'd',
        LayerState::Unknown => 'u',
    };
    assert!(condition_is_true(&stage.status.conditions, condition::RESTART_ONLY));
    let serves = find_condition(&stage.status.conditions, condition::EFFECTIVELY_ACTIVE_ACTIVE).unwrap();
    let serves = match serves.status.as_str() {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    };
    (stage.status.layers.iter().map(word).collect(), serves)
}

#[test]
fn each_layer_is_measured_and_can_break() {
    assert_eq!(said(&mut stage()), ("unnnun".into(), Some(true)));
    let mut s = stage();
    s.centres.get_mut("b").unwrap().nodes.clear();
    assert_eq!(said(&mut s), ("udnnun".into(), Some(true)));
    let mut s = stage();
    s.status.centres[1].ready = 1;
    assert_eq!(said(&mut s), ("undnun".into(), Some(true)));
    let mut s = stage();
    s.status.centres[1].services[0].ready = 0;
    assert_eq!(said(&mut s), ("unndun".into(), Some(false)));
    let mut s = stage();
    s.centres.get_mut("b").unwrap().reports = false;
    assert_eq!(said(&mut s), ("uuuuud".into(), None), "what is not heard is not judged");
}

#[test]
fn since_is_kept_while_the_state_is() {
    let mut s = stage();
    said(&mut s);
    for layer in &mut s.status.layers {
        layer.since = "earlier".into();
    }
    s.status.centres[1].ready = 1;
    said(&mut s);
    let kept: String = s
        .status
        .layers
        .iter()
        .map(|l| if l.since == "earlier" { 'k' } else { '-' })
        .collect();
    assert_eq!(kept, "kk-kkk");
}
