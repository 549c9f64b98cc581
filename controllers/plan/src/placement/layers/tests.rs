use crds::{
    CentreRole, PlacedObject, ServiceRow, TemplateKind, WorkloadCopies, WorkloadRow, condition_is_true, find_condition,
};

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
            ..ServiceRow::default()
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
    said_of(stage, assignment, &["web"])
}

/// The same of this decision, with Services of these names.
fn said_of(stage: &mut Stage, assignment: Assignment, services: &[&str]) -> (String, Option<bool>) {
    let text = r#"{"displayName": "p", "pool": "x86", "mode": "ActiveActive", "select": {"matchLabels": {"a": "b"}}, "centres": [{"name": "a"}]}"#;
    let placement = DualActivePlacement::new("p", serde_json::from_str(text).unwrap());
    let decision = Decision {
        assignment: Some(assignment),
        services: services.iter().map(|name| (*name).to_owned()).collect(),
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

/// Requests of both centres, and what the condition says then.
fn with_requests(rates: [Option<&str>; 2]) -> (Stage, (String, Option<bool>), String, String) {
    let mut s = stage();
    for (row, rate) in s.status.centres.iter_mut().zip(rates) {
        row.services[0].requests_per_second = rate.map(crds::Amount::from);
    }
    let states = said(&mut s);
    let said = find_condition(&s.status.conditions, condition::EFFECTIVELY_ACTIVE_ACTIVE).unwrap();
    let (reason, message) = (said.reason.clone(), said.message.clone());
    (s, states, reason, message)
}

#[test]
fn endpoints_without_requests_do_not_serve() {
    let (mut s, states, reason, message) = with_requests([Some("12.4"), Some("0")]);
    assert_eq!(
        (states, reason.as_str()),
        (("unnnun".into(), Some(false)), "OneSidedTraffic")
    );
    assert!(
        message.contains("gets 12.4 requests a second in a and none in b") && message.contains(" | "),
        "{message}"
    );
    // Without endpoints that is said first, and a silent centre is not judged.
    s.status.centres[1].services[0].ready = 0;
    assert_eq!(said(&mut s), ("unndun".into(), Some(false)));
    let why = find_condition(&s.status.conditions, condition::EFFECTIVELY_ACTIVE_ACTIVE).unwrap();
    assert_eq!(why.reason, "CentreDoesNotServe");
    s.centres.get_mut("b").unwrap().reports = false;
    assert_eq!(said(&mut s).1, None);
}

#[test]
fn endpoints_decide_where_requests_are_not_known_or_few() {
    for (rates, words) in [
        ([Some("12.4"), Some("0.1")], "in every centre, and requests"),
        ([Some("0.1"), Some("0")], "too few requests"),
        ([Some("12.4"), None], "not measured in b, see metricSources"),
        ([None, Some("0")], "not measured in a"),
        ([None, None], "not measured in a"),
    ] {
        let (_, states, reason, message) = with_requests(rates);
        assert_eq!(
            (states.1, reason.as_str()),
            (Some(true), "ServesEverywhere"),
            "{rates:?}"
        );
        assert!(message.contains(words) && message.contains(" | "), "{message}");
    }
}

/// A decision on one object whose copies are not divided.
fn undivided(object: &PlacedObject) -> Assignment {
    let part = |name: &str| CentreAssignment {
        name: name.into(),
        ..CentreAssignment::default()
    };
    Assignment {
        objects: vec![object.clone()],
        centres: vec![part("a"), part("b")],
        ..Assignment::default()
    }
}

#[test]
fn a_centre_that_gets_no_copy_by_the_decision_is_no_fault() {
    let mut s = stage();
    (s.status.centres[1].wanted, s.status.centres[1].ready) = (0, 0);
    s.status.centres[1].services[0].ready = 0;
    let part = |name: &str, copies: i64| CentreAssignment {
        name: name.into(),
        copies: vec![WorkloadCopies {
            kind: TemplateKind::Deployment,
            name: "web".into(),
            copies,
        }],
        jobs: true,
    };
    let one = Assignment {
        centres: vec![part("a", 1), part("b", 0)],
        ..Assignment::default()
    };
    assert_eq!(said_of(&mut s, one.clone(), &["web"]), ("unnnun".into(), Some(false)));
    let (why, words) = reason_and_words(&s);
    assert!(
        why == "NotEverywhere" && words.starts_with("no copy is divided to b; ") && words.contains(" | "),
        "{why} {words}"
    );
    // What should run and does not is said first.
    s.status.centres[0].ready = 0;
    said_of(&mut s, one, &["web"]);
    let (why, words) = reason_and_words(&s);
    assert_eq!(
        (why.as_str(), words.as_str()),
        ("CentreDoesNotServe", "no copy is ready in a | a 无就绪副本")
    );
    let mut s = stage();
    let alone = Assignment {
        centres: vec![part("a", 2)],
        ..Assignment::default()
    };
    assert_eq!(said_of(&mut s, alone, &["web"]).1, Some(false));
    assert_eq!(reason_and_words(&s).0, "NotEverywhere");
}

#[test]
fn what_failed_for_good_breaks_the_application() {
    let mut s = stage();
    s.status.centres[1].reason = "ObjectFailed".into();
    s.status.centres[1].message = Some("Job j failed | Job j 运行失败".into());
    assert_eq!(said(&mut s).0, "undnun");
    let layer = &s.status.layers[2];
    assert_eq!(
        (layer.reason.as_str(), layer.message.as_str()),
        ("ObjectFailed", "b: Job j failed | b：Job j 运行失败")
    );
}

fn reason_and_words(stage: &Stage) -> (String, String) {
    let said = find_condition(&stage.status.conditions, condition::EFFECTIVELY_ACTIVE_ACTIVE).unwrap();
    (said.reason.clone(), said.message.clone())
}

#[test]
fn a_daemon_set_is_counted_by_its_row() {
    let daemon = object(TemplateKind::DaemonSet, "web");
    let assignment = undivided(&daemon);
    let with = |ready: i64, endpoints: i64| {
        let mut s = stage();
        for row in &mut s.status.centres {
            row.workloads = vec![WorkloadRow {
                kind: daemon.kind.clone(),
                name: daemon.name.clone(),
                generation: 1,
                revision: String::new(),
                wanted: 2,
                replicas: 2,
                updated: 2,
                ready: 2,
                available: 2,
            }];
        }
        s.status.centres[1].ready = ready;
        s.status.centres[1].services[0].ready = endpoints;
        s
    };
    let mut s = with(2, 2);
    assert_eq!(
        said_of(&mut s, assignment.clone(), &["web"]),
        ("unnnun".into(), Some(true))
    );
    assert_eq!(said_of(&mut s, assignment.clone(), &[]), ("unnuun".into(), Some(true)));
    let mut s = with(2, 0);
    assert_eq!(
        said_of(&mut s, assignment.clone(), &["web"]),
        ("unndun".into(), Some(false))
    );
    assert!(
        reason_and_words(&s)
            .1
            .starts_with("Service web has no ready endpoint in b")
    );
    let mut s = with(0, 0);
    assert_eq!(said_of(&mut s, assignment, &["web"]), ("unddun".into(), Some(false)));
    assert!(reason_and_words(&s).1.starts_with("no copy is ready in b"));
}

#[test]
fn what_nobody_counts_is_unknown() {
    let custom = object(TemplateKind::custom("Cache", "cache.example.org"), "web");
    let assignment = undivided(&custom);
    let mut s = stage();
    for row in &mut s.status.centres {
        (row.wanted, row.ready) = (0, 0);
    }
    assert_eq!(said_of(&mut s, assignment.clone(), &[]), ("unuuun".into(), None));
    let (why, words) = reason_and_words(&s);
    assert!(why == "NotMeasured" && words.contains(" | "), "{words}");
    // Endpoints are counted whatever is behind them.
    assert_eq!(
        said_of(&mut s, assignment.clone(), &["web"]),
        ("ununun".into(), Some(true))
    );
    assert!(reason_and_words(&s).1.starts_with("ready endpoints in every centre"));
    s.status.centres[1].services[0].ready = 0;
    assert_eq!(said_of(&mut s, assignment.clone(), &["web"]).1, Some(false));
    assert_eq!(reason_and_words(&s).0, "CentreDoesNotServe");
    // What waits in a standby is no fault.
    let standby = Assignment {
        active: Some("a".into()),
        ..assignment
    };
    assert_eq!(said_of(&mut s, standby, &["web"]), ("ununun".into(), Some(true)));
}
