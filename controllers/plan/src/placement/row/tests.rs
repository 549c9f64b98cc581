use crds::{Assignment, CentreAssignment};

use super::super::template::object;
use super::*;

fn part(here: bool) -> Part {
    let centre = CentreAssignment {
        name: "a".into(),
        ..CentreAssignment::default()
    };
    let objects = vec![object(TemplateKind::Deployment, "web")];
    let assignment = Assignment {
        number: 4,
        epoch: 2,
        objects,
        centres: vec![centre],
        ..Assignment::default()
    };
    Part {
        assignment,
        namespace: "dept".into(),
        here,
        ..Part::default()
    }
}

fn make(part: &Part, old: Option<&PlacementRow>, state: State, ready: i64) -> PlacementRow {
    let spot = ("dept".to_owned(), object(TemplateKind::Deployment, "web"));
    let is = Progress {
        generation: (2, 2),
        asked: 3,
        replicas: 3,
        updated: 3,
        ready,
        available: ready,
    };
    let states = [(spot.clone(), state)].into();
    let (progress, ready) = ([(spot, is)].into(), BTreeMap::new());
    let seen = Seen {
        states: &states,
        progress: &progress,
        jobs: &BTreeMap::new(),
        ready: &ready,
        requests: &Known::NotAsked,
        unready: &BTreeMap::new(),
        forbidden: &BTreeMap::new(),
        left: 0,
        fence: None,
    };
    row("a", part, old, &seen, Timestamp::UNIX_EPOCH).unwrap()
}

fn done(generation: i64) -> State {
    State::Done(Version {
        generation,
        revision: "r".into(),
        ..Version::default()
    })
}

#[test]
fn a_row_carries_the_number_only_when_all_is_done() {
    let done_row = make(&part(true), None, done(7), 2);
    assert_eq!(
        (
            done_row.number,
            done_row.wanted,
            done_row.ready,
            done_row.reason.as_str()
        ),
        (4, 3, 2, "Applied")
    );
    let workload = &done_row.workloads[0];
    assert_eq!((workload.generation, workload.revision.as_str()), (7, "r"));
    let old = PlacementRow { number: 3, ..done_row };
    let failed = make(
        &part(true),
        Some(&old),
        State::Failed(reason::OBJECT_EXISTS, "there".into()),
        2,
    );
    assert_eq!((failed.number, failed.reason.as_str()), (3, "ObjectExists"));
    assert_eq!(failed.workloads[0].generation, 7);
    assert_eq!(make(&part(false), Some(&old), done(7), 0).reason, "Removed");
}

/// The row of a centre that says that of every object, of which none stands.
fn with_state(part: &Part, old: Option<&PlacementRow>, state: impl Fn(&PlacedObject) -> State) -> PlacementRow {
    let state = |o: &PlacedObject| (("dept".to_owned(), o.clone()), state(o));
    let states = part.assignment.objects.iter().map(state).collect();
    let seen = Seen {
        states: &states,
        progress: &BTreeMap::new(),
        jobs: &BTreeMap::new(),
        ready: &BTreeMap::new(),
        requests: &Known::NotAsked,
        unready: &BTreeMap::new(),
        forbidden: &BTreeMap::new(),
        left: 0,
        fence: None,
    };
    row("a", part, old, &seen, Timestamp::UNIX_EPOCH).unwrap()
}

/// One whose API server refuses every object.
fn refused(part: &Part, old: Option<&PlacementRow>) -> PlacementRow {
    with_state(part, old, |_| {
        State::Failed(reason::APPLY_FAILED, "refused | 已拒绝".to_owned())
    })
}

fn with_copies(objects: Vec<PlacedObject>, copies: i64) -> Part {
    let mut part = part(true);
    let divided = |o: &PlacedObject| crds::WorkloadCopies {
        kind: o.kind.clone(),
        name: o.name.clone(),
        copies,
    };
    part.assignment.centres[0].copies = objects.iter().map(divided).collect();
    part.assignment.objects = objects;
    part
}

#[test]
fn what_does_not_stand_is_wanted_as_decided() {
    let web = object(TemplateKind::Deployment, "web");
    let widget = object(TemplateKind::custom("Widget", "example.org"), "blue");
    let mut part = with_copies(vec![web.clone(), widget], 4);
    let gone = refused(&part, None);
    assert_eq!((gone.wanted, gone.applied, gone.ready), (8, 0, 0));
    assert!(gone.workloads.iter().all(|w| w.available == 0 && w.revision.is_empty()));
    part.held = Some(super::super::exclusive::Held::default());
    assert_eq!(refused(&part, None).wanted, 0, "without its right it is to run none");
    // Where it stands its autoscaler may want fewer than were divided.
    let part = with_copies(vec![web], 4);
    assert_eq!(make(&part, None, done(7), 3).wanted, 3);
}

/// A Deployment that was deleted and is refused since: the version that it had is not healthy there.
#[test]
fn what_went_is_of_no_version_and_holds_the_next_centre_back() {
    use super::super::rollout::{Look, Phase, next};

    let web = object(TemplateKind::Deployment, "web");
    let part = with_copies(vec![web.clone()], 3);
    let stood = make(&part, None, done(7), 3);
    let gone = refused(&part, Some(&stood));
    let workload = &gone.workloads[0];
    assert_eq!((workload.generation, workload.revision.as_str()), (0, ""));
    let rollout = crds::Rollout {
        order: crds::RolloutOrder::BackupFirst,
        paused: false,
        deadline: "60s".into(),
        on_failure: crds::OnFailure::Stop,
    };
    let step = |old: Option<&crds::WorkloadRollout>, row: &PlacementRow| {
        next(&Look {
            rollout: &rollout,
            object: &web,
            newest: "r",
            centres: &["a"],
            old,
            rows: &[row],
            now: Timestamp::UNIX_EPOCH,
        })
    };
    let (before, phase) = step(None, &stood);
    assert_eq!(phase, Phase::Done);
    assert_eq!(step(Some(&before), &gone).1, Phase::Going("a".into(), 0, 3));
}

#[test]
fn every_drifted_object_is_told() {
    let mut part = part(true);
    part.assignment.objects = ["a", "b"].map(|name| object(TemplateKind::ConfigMap, name)).into();
    let row = with_state(&part, None, |o| {
        let name = &o.name;
        let message = format!("{o}: data.{name} changed by kubectl | {o}: data.{name} 已被 kubectl 修改");
        State::Failed(reason::DRIFTED, message)
    });
    assert_eq!((row.reason.as_str(), row.number), ("Drifted", 4));
    let said = row.message.unwrap();
    assert!(
        said.starts_with("ConfigMap a: data.a changed by kubectl; ConfigMap b: data.b changed by kubectl; it stays"),
        "{said}"
    );
}

#[test]
fn what_another_placement_decides_is_noted() {
    let mut part = part(true);
    part.shared = [(object(TemplateKind::ConfigMap, "map"), "first".to_owned())].into();
    let row = make(&part, None, done(7), 3);
    assert_eq!(row.reason, "Applied");
    let said = row.message.unwrap();
    assert!(
        said.starts_with("ConfigMap map stands here as dap/first says; overrides, drift and existing of this"),
        "{said}"
    );
}

#[test]
fn a_custom_resource_counts_by_its_policy() {
    let widget = object(TemplateKind::custom("Widget", "example.org"), "blue");
    let spot = ("dept".to_owned(), widget.clone());
    let mut part = part(true);
    part.assignment.objects = vec![widget.clone()];
    let is = progress(
        &widget.kind,
        &serde_json::json!({"metadata": {"generation": 4}, "spec": {"replicas": 2}}),
    );
    let states = [(spot.clone(), done(0))].into();
    let (progress, none) = ([(spot.clone(), is)].into(), BTreeMap::new());
    let of = |part: &Part, old, unready: &BTreeMap<Spot, String>, forbidden: &BTreeMap<_, Why>| {
        let seen = Seen {
            states: &states,
            jobs: &BTreeMap::new(),
            progress: &progress,
            ready: &BTreeMap::new(),
            requests: &Known::NotAsked,
            unready,
            forbidden,
            left: 0,
            fence: None,
        };
        row("a", part, old, &seen, Timestamp::UNIX_EPOCH).unwrap()
    };
    let nothing = BTreeMap::new();
    let unready: BTreeMap<_, _> = [(spot, "no disk | 无磁盘".to_owned())].into();
    let starting = of(&part, None, &unready, &nothing);
    assert_eq!((starting.number, starting.reason.as_str()), (4, "Starting"));
    let said = "Widget.example.org blue: no disk | Widget.example.org blue：无磁盘";
    assert_eq!((starting.message.as_deref(), starting.wanted), (Some(said), 0));
    assert_eq!(of(&part, None, &none, &nothing).reason, "Applied");
    // With copies they are all ready, or not.
    part.assignment.centres[0].copies = vec![crds::WorkloadCopies {
        kind: widget.kind.clone(),
        name: "blue".into(),
        copies: 2,
    }];
    let ready = of(&part, None, &none, &nothing);
    assert_eq!(
        (ready.wanted, ready.ready, of(&part, None, &unready, &nothing).ready),
        (2, 2, 0)
    );
    // What may not be read is not said to be gone.
    let forbidden = [(widget.kind, ("RoleMissing", "no role".to_owned()))].into();
    part.here = false;
    assert_eq!(of(&part, Some(&ready), &none, &forbidden).reason, "RoleMissing");
    assert_eq!(of(&part, Some(&ready), &none, &nothing).reason, "Removed");
}

#[test]
fn counts_alone_are_told_once_a_second() {
    let old = make(&part(true), None, done(7), 1);
    let new = make(&part(true), None, done(7), 2);
    let at = |ms| Timestamp::from_millisecond(ms).unwrap();
    assert_eq!(due(Some(&old), &old, at(5000)), None);
    assert_eq!(due(Some(&old), &new, at(400)), Some(SignedDuration::from_millis(600)));
    assert_eq!(due(Some(&old), &new, at(1500)), Some(SignedDuration::ZERO));
    let other = PlacementRow { number: 5, ..new };
    assert_eq!(due(Some(&old), &other, at(400)), Some(SignedDuration::ZERO));
}

/// Requests come and go; a row follows them when they begin or end, and otherwise every five minutes.
#[test]
fn figures_that_moved_are_told_seldom() {
    let row = |rate: Option<&str>| PlacementRow {
        services: vec![ServiceRow {
            name: "web".into(),
            ready: 2,
            requests_per_second: rate.map(crds::Amount::from),
        }],
        reported_at: Timestamp::UNIX_EPOCH.to_string(),
        ..PlacementRow::default()
    };
    let at = |second| Timestamp::from_second(second).unwrap();
    let (old, moved) = (row(Some("3")), row(Some("30")));
    assert_eq!(due(Some(&old), &moved, at(60)), Some(SignedDuration::from_secs(240)));
    assert_eq!(due(Some(&old), &moved, at(300)), Some(SignedDuration::ZERO));
    for rate in [None, Some("0")] {
        assert_eq!(
            due(Some(&old), &row(rate), at(60)),
            Some(SignedDuration::ZERO),
            "{rate:?}"
        );
    }
    let counted = PlacementRow { ready: 1, ..moved };
    assert_eq!(
        due(Some(&old), &counted, at(60)),
        Some(SignedDuration::ZERO),
        "with a count that changed"
    );
}

/// What a centre says of an exclusive placement: its right, since when it is fenced, and that only where it is meant to run.
#[test]
fn a_row_says_under_which_right_it_runs_or_why_it_does_not() {
    let epoch = crds::RightEpoch {
        incarnation: 1,
        counter: 7,
    };
    let held = |runs: bool| super::super::exclusive::Held {
        epoch,
        runs,
        unknown: false,
        why: (!runs).then(|| (reason::FENCED, "ran out | 到期".to_owned())),
    };
    let with = |runs: bool, active: &str| {
        let mut part = part(true);
        part.held = Some(held(runs));
        part.assignment.active = Some(active.to_owned());
        part
    };
    let running = make(&with(true, "a"), None, done(3), 3);
    assert_eq!((running.right, running.reason.as_str()), (Some(epoch), reason::APPLIED));
    let fenced = make(&with(false, "a"), Some(&running), done(3), 0);
    assert_eq!((fenced.right, fenced.reason.as_str()), (None, reason::FENCED));
    assert!(fenced.fenced_since.is_some());
    assert_eq!(fenced.number, 4, "what was decided is carried out all the same");
    let later = PlacementRow {
        fenced_since: Some("2026-01-01T00:00:00Z".to_owned()),
        ..fenced
    };
    let still = make(&with(false, "a"), Some(&later), done(3), 0);
    assert_eq!(still.fenced_since, later.fenced_since);
    let mut unheard = with(false, "a");
    unheard.held.as_mut().unwrap().unknown = true;
    let same = make(&unheard, Some(&running), done(3), 3);
    assert_eq!(same.right, Some(epoch), "what is not known is not said to have ended");
    let elsewhere = make(&with(false, "b"), Some(&running), done(3), 0);
    assert_eq!(
        (elsewhere.reason.as_str(), elsewhere.fenced_since),
        (reason::APPLIED, None)
    );
}

#[test]
fn what_is_wrong_is_told_before_what_is_well() {
    let part = part(true);
    let well = make(&part, None, done(1), 3);
    let wrong = make(&part, None, State::Failed(reason::OBJECT_EXISTS, "it exists".into()), 3);
    assert!(!urgent(None, &well) && urgent(Some(&well), &wrong));
    let right = PlacementRow {
        right: Some(crds::RightEpoch {
            incarnation: 1,
            counter: 2,
        }),
        ..well.clone()
    };
    assert!(urgent(Some(&well), &right) && !urgent(Some(&right), &right));
}
