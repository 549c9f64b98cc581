use crds::{Assignment, CentreAssignment};

use super::super::template::object;
use super::*;

mod rights;

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

/// What stands in a centre, and what it says of itself.
#[derive(Default)]
struct Stands {
    states: BTreeMap<Spot, State>,
    progress: BTreeMap<Spot, Progress>,
    unready: BTreeMap<Spot, String>,
    forbidden: BTreeMap<TemplateKind, Why>,
}

impl Stands {
    fn row(&self, part: &Part, old: Option<&PlacementRow>) -> PlacementRow {
        let seen = Seen {
            states: &self.states,
            progress: &self.progress,
            jobs: &BTreeMap::new(),
            ready: &BTreeMap::new(),
            requests: &Known::NotAsked,
            unready: &self.unready,
            forbidden: &self.forbidden,
            fought: &BTreeMap::new(),
            left: 0,
            fence: None,
        };
        row("a", part, old, &seen, Timestamp::UNIX_EPOCH).unwrap()
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
    let stands = Stands {
        states: [(spot.clone(), state)].into(),
        progress: [(spot, is)].into(),
        ..Stands::default()
    };
    stands.row(part, old)
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
    let stands = Stands {
        states: part.assignment.objects.iter().map(state).collect(),
        ..Stands::default()
    };
    stands.row(part, old)
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
fn a_kind_that_is_missing_holds_up_nothing_else() {
    let mut part = part(true);
    let widget = object(TemplateKind::custom("Widget", "example.org"), "blue");
    part.assignment.objects.push(widget.clone());
    let missing = || State::Failed(reason::KIND_MISSING, "no Widget here | 无 Widget".to_owned());
    let row = with_state(&part, None, |o| if *o == widget { missing() } else { done(7) });
    assert_eq!((row.reason.as_str(), row.number), ("KindMissing", 4));
    let waits = || State::Waits("not yet | 尚未".to_owned());
    let row = with_state(&part, None, |o| if *o == widget { missing() } else { waits() });
    assert_eq!((row.reason.as_str(), row.number), ("KindMissing", 0));
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
fn what_failed_for_good_is_another_reason_than_what_takes_time() {
    let (job, widget) = (
        object(TemplateKind::Job, "import"),
        object(TemplateKind::custom("Widget", "example.org"), "blue"),
    );
    let mut part = part(true);
    part.assignment.objects = vec![widget.clone(), job.clone()];
    let of = |unready: &[&PlacedObject]| {
        let spot = |o: &PlacedObject| ("dept".to_owned(), o.clone());
        let stands = Stands {
            states: [&widget, &job].map(|o| (spot(o), done(1))).into(),
            unready: unready.iter().map(|o| (spot(o), "why | 原因".to_owned())).collect(),
            ..Stands::default()
        };
        let row = stands.row(&part, None);
        (row.number, row.reason, row.message.unwrap_or_default())
    };
    let failed = (
        4,
        "ObjectFailed".to_owned(),
        "Job import: why | Job import：原因".to_owned(),
    );
    assert_eq!(of(&[&job]), failed);
    assert_eq!(of(&[&widget, &job]), failed, "the worst first");
    assert_eq!(of(&[&widget]).1, "Starting");
    assert_eq!(of(&[]).1, "Applied");
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
    let none = BTreeMap::new();
    let of = |part: &Part, old, unready: &BTreeMap<Spot, String>, forbidden: &BTreeMap<_, Why>| {
        let stands = Stands {
            states: [(spot.clone(), done(0))].into(),
            progress: [(spot.clone(), is)].into(),
            unready: unready.clone(),
            forbidden: forbidden.clone(),
        };
        stands.row(part, old)
    };
    let nothing = BTreeMap::new();
    let unready: BTreeMap<_, _> = [(spot.clone(), "no disk | 无磁盘".to_owned())].into();
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
