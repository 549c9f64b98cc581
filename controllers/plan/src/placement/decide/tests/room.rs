//! What counts against a grant, and what may be done while less is granted than is held.

use serde_json::{Value, json};

use super::*;
use crate::placement::template::read;

fn put(s: &mut Stage, object: &PlacedObject, spec: &Value) {
    let value = json!({"metadata": {"name": object.name, "labels": {"app": "web"}}, "spec": spec});
    let facts = read(&object.kind, &value);
    s.templates.insert(("dept".to_owned(), object.clone()), Arc::new(facts));
}

fn pods(cpu: i64) -> Value {
    json!({"spec": {"containers": [{"name": "c", "image": "web:1", "resources": {"limits": {"cpu": cpu, "memory": "0"}}}]}})
}

fn workload(s: &mut Stage, copies: i64, cpu: i64) {
    put(s, &web(), &json!({"replicas": copies, "template": pods(cpu)}));
}

fn grant(s: &mut Stage, granted: i128) {
    for room in s.grants.values_mut().flat_map(|g| g.centres.values_mut()) {
        room.in_force = cpu(granted);
    }
}

/// Ten copies, five in each centre, and then a grant of three in each.
fn shrunken() -> Stage {
    let mut s = stage(5);
    workload(&mut s, 10, 1);
    s.placement("p", "web", BOTH);
    assert_eq!(copies(&s.store("p", true)), both(5, 5));
    grant(&mut s, 3);
    s
}

#[test]
fn what_holds_more_than_is_granted_may_become_less_and_says_so() {
    let mut s = shrunken();
    let same = s.store("p", true);
    let note = same.note.as_ref().unwrap();
    assert_eq!(
        (copies(&same), why(&same), note.reason),
        (both(5, 5), None, reason::GRANT_TOO_SMALL)
    );
    let message = &note.message;
    assert!(
        message.contains("needs cpu 5") && message.contains("short of cpu 2; what runs stays and may become less"),
        "{message}"
    );
    workload(&mut s, 8, 1);
    let nearer = s.store("p", true);
    assert_eq!((copies(&nearer), nearer.follows), (both(4, 4), true));
    // What was given up is not taken back.
    workload(&mut s, 10, 1);
    let refused = s.store("p", true);
    assert_eq!((copies(&refused), refused.follows), (both(4, 4), false));
    assert!(refused.obstacle.unwrap().message.contains("nothing was changed"));
    workload(&mut s, 6, 1);
    let fits = s.store("p", true);
    assert_eq!((copies(&fits), why(&fits), fits.note), (both(3, 3), None, None));
}

#[test]
fn fewer_larger_pods_are_no_more_and_as_many_are() {
    let mut s = shrunken();
    workload(&mut s, 4, 2);
    let fewer = s.store("p", true);
    assert_eq!((copies(&fewer), fewer.follows), (both(2, 2), true));
    workload(&mut s, 4, 3);
    let larger = s.store("p", true);
    assert_eq!((larger.follows, why(&larger)), (false, Some(reason::GRANT_TOO_SMALL)));
}

#[test]
fn larger_pods_do_not_go_beyond_what_a_member_lends() {
    let lends = |n| Some([("x86".to_owned(), cpu(n))].into());
    let mut s = stage(10);
    s.centres.get_mut("b").unwrap().lends = lends(3);
    workload(&mut s, 6, 1);
    s.placement("p", "web", BOTH);
    assert_eq!(why(&s.store("p", true)), None);
    workload(&mut s, 6, 2);
    let refused = s.store("p", true);
    assert_eq!((refused.follows, why(&refused)), (false, Some(reason::LEND_EXCEEDED)));
}

fn each() -> PlacedObject {
    object(TemplateKind::DaemonSet, "each")
}

/// A DaemonSet of one vCPU a pod where four are granted, with so many nodes in the pool.
fn on_nodes(nodes: [Option<i64>; 2]) -> Stage {
    let mut s = stage(4);
    for (name, n) in ["a", "b"].into_iter().zip(nodes) {
        s.centres.get_mut(name).unwrap().nodes = n.map(|n| ("x86".to_owned(), n)).into_iter().collect();
    }
    put(&mut s, &each(), &json!({"template": pods(1)}));
    s.placement("p", "web", BOTH);
    s
}

#[test]
fn a_daemon_set_counts_a_pod_for_each_node() {
    let mut s = on_nodes([Some(4), Some(2)]);
    let placed = s.store("p", true);
    assert_eq!(why(&placed), None);
    let needs = &placed.assignment.as_ref().unwrap().needs;
    let needs = ["a", "b"].map(|c| Resources::try_from(&needs[c]).unwrap().cpu);
    assert_eq!(needs, [4000, 2000]);
    // Another one finds what is left.
    s.template(object(TemplateKind::Deployment, "api"), 2, "api", &[]);
    s.placement("q", "api", BOTH);
    let refused = s.store("q", true);
    assert_eq!(why(&refused), Some(reason::GRANT_TOO_SMALL));
    assert!(
        refused
            .obstacle
            .unwrap()
            .message
            .contains("other placements hold cpu 4")
    );
    let message = on_nodes([Some(5), Some(2)]).store("p", true).obstacle.unwrap().message;
    assert!(
        message.contains("a: needs cpu 5") && message.contains("short of cpu 1"),
        "{message}"
    );
}

#[test]
fn the_centre_itself_knows_how_many_nodes_match() {
    let mut s = on_nodes([Some(9), Some(9)]);
    let workload = json!({"kind": "DaemonSet", "name": "each", "generation": 1, "revision": "r",
        "wanted": 2, "replicas": 2, "updated": 2, "ready": 2, "available": 2});
    let row = |name: &str| PlacementRow {
        name: name.to_owned(),
        workloads: vec![serde_json::from_value(workload.clone()).unwrap()],
        ..PlacementRow::default()
    };
    assert_eq!(why(&s.store("p", false)), Some(reason::GRANT_TOO_SMALL));
    let status = s.placements[0].status.get_or_insert_default();
    status.centres = vec![row("a"), row("b")];
    assert_eq!(why(&s.store("p", false)), None);
}

#[test]
fn unknown_nodes_are_told_and_not_taken_for_none() {
    let mut s = on_nodes([Some(1), None]);
    let placed = s.store("p", true);
    assert_eq!((placed.follows, why(&placed)), (true, None));
    let survivable = placed.survivable.as_ref().unwrap();
    assert_eq!(survivable.0, None);
    let note = placed.note.as_ref().unwrap();
    assert_eq!(note.reason, reason::NODES_UNKNOWN);
    for message in [&note.message, &survivable.1] {
        assert!(message.contains("how many pods it gets in b is not known"), "{message}");
    }
    let known = on_nodes([Some(1), Some(0)]).store("p", true);
    assert_eq!((known.note, known.survivable.unwrap().0), (None, Some(true)));
}

#[test]
fn survival_counts_the_pods_on_each_node() {
    // Eight are kept in each centre for when it is alone.
    let survives = |nodes| survivable(nodes, false);
    assert!(survives(8) && !survives(9));
    // Those of another placement take their part.
    assert!(survivable(4, true) && !survivable(5, true));
}

fn survivable(nodes: i64, two: bool) -> bool {
    let mut s = on_nodes([Some(nodes), Some(1)]);
    if two {
        let other = object(TemplateKind::DaemonSet, "other");
        let value = json!({"metadata": {"name": "other", "labels": {"app": "other"}}, "spec": {"template": pods(1)}});
        s.templates.insert(
            ("dept".to_owned(), other),
            Arc::new(read(&TemplateKind::DaemonSet, &value)),
        );
        s.placement("q", "other", BOTH);
    }
    s.grants.values_mut().for_each(|g| {
        for room in g.centres.values_mut() {
            room.in_force = cpu(20);
        }
    });
    s.store("p", true).survivable.unwrap().0 == Some(true)
}

#[test]
fn every_pod_of_a_run_counts() {
    let mut s = stage(4);
    let nightly = object(TemplateKind::CronJob, "nightly");
    let job = |parallel: i64| json!({"jobTemplate": {"spec": {"parallelism": parallel, "template": pods(1)}}});
    put(&mut s, &nightly, &job(5));
    s.placement("p", "web", BOTH);
    assert_eq!(why(&s.store("p", true)), Some(reason::GRANT_TOO_SMALL));
    put(&mut s, &nightly, &job(4));
    assert_eq!(why(&s.store("p", true)), None);
}
