use crds::{CentreAssignment, CentreRole, WorkloadCopies};

use super::super::template;
use super::super::testing::centre;
use super::*;

fn row(name: &str, revision: &str, ready: i64) -> PlacementRow {
    let workload = WorkloadRow {
        kind: TemplateKind::Deployment,
        name: "web".into(),
        generation: 5,
        revision: revision.to_owned(),
        wanted: 2,
        replicas: 2,
        updated: 2,
        ready,
        available: ready,
    };
    PlacementRow {
        name: name.into(),
        number: 1,
        workloads: vec![workload],
        ..PlacementRow::default()
    }
}

/// A decision on `web` with so many copies in each centre.
fn decided(kind: &TemplateKind, all: &[(&str, i64)]) -> Assignment {
    let part = |(name, copies): &(&str, i64)| CentreAssignment {
        name: (*name).to_owned(),
        copies: vec![WorkloadCopies {
            kind: kind.clone(),
            name: "web".into(),
            copies: *copies,
        }],
        ..CentreAssignment::default()
    };
    Assignment {
        number: 1,
        centres: all.iter().map(part).collect(),
        ..Assignment::default()
    }
}

/// What is written where the centres that are not `silent` are heard.
fn write(
    template: &Template,
    assignment: &Assignment,
    rows: &[PlacementRow],
    (silent, lost): (&[&str], &[&str]),
) -> Option<Value> {
    let kind = rows.iter().flat_map(|r| &r.workloads).map(|w| w.kind.clone()).next();
    let web = template::object(kind.unwrap_or(TemplateKind::Deployment), "web");
    let names = assignment.centres.iter().map(|c| c.name.as_str());
    let heard = |name: &str| !silent.contains(&name) && !lost.contains(&name);
    let centres = names.map(|name| (name.to_owned(), centre(heard(name), CentreRole::Primary)));
    let view = View {
        rows,
        centres: &centres.collect(),
        lost: &lost.iter().copied().collect(),
    };
    status(&web, template, assignment, &view, true, Timestamp::UNIX_EPOCH)
}

/// The template with a status.
fn saying(template: &Value, status: &Value) -> Template {
    let mut again = template.clone();
    again["status"] = status.clone();
    template::read(&TemplateKind::Deployment, &again)
}

const ALL_HEARD: (&[&str], &[&str]) = (&[], &[]);

#[test]
fn each_kind_in_its_own_words() {
    for (kind, ready) in [
        (TemplateKind::StatefulSet, "readyReplicas"),
        (TemplateKind::DaemonSet, "numberReady"),
    ] {
        let value = json!({"metadata": {"name": "web", "generation": 5}, "spec": {"replicas": 2}});
        let found = template::read(&kind, &value);
        let mut row = row("a", &found.revision, 2);
        row.workloads[0].kind = kind.clone();
        let assignment = decided(&kind, &[("a", 2)]);
        let rows = std::slice::from_ref(&row);
        let said = write(&found, &assignment, rows, ALL_HEARD).unwrap();
        assert_eq!((&said[ready], &said["observedGeneration"]), (&json!(2), &json!(5)));
        let mut again = value;
        again["status"] = said;
        let again = template::read(&kind, &again);
        assert_eq!(write(&again, &assignment, rows, ALL_HEARD), None);
    }
    assert_eq!(read(&TemplateKind::Service, &json!({})), None);
}

/// The template of `web` with four copies, and its facts.
fn web() -> (Value, Template) {
    let value = json!({"metadata": {"generation": 5}, "spec": {"replicas": 4}, "status": {"observedGeneration": 4}});
    let found = template::read(&TemplateKind::Deployment, &value);
    (value, found)
}

#[test]
fn a_template_shows_the_sum_once_every_centre_has_it() {
    let (value, found) = web();
    let assignment = decided(&TemplateKind::Deployment, &[("a", 2), ("b", 2)]);
    let said = |rows: &[PlacementRow]| write(&found, &assignment, rows, ALL_HEARD);
    let both = [row("a", &found.revision, 2), row("b", &found.revision, 2)];
    let done = said(&both).unwrap();
    assert_eq!(
        (&done["observedGeneration"], &done["readyReplicas"]),
        (&json!(5), &json!(4))
    );
    assert_eq!(done["conditions"][0]["status"], "True");
    let behind = said(&[row("a", &found.revision, 2), row("b", "older", 2)]).unwrap();
    assert_eq!(behind["observedGeneration"], 4);
    assert_eq!(said(&[row("a", &found.revision, 2)]), None);
    // Before anything is there, there is nothing to say.
    let nothing = ["a", "b"].map(|name| {
        let mut row = row(name, "", 0);
        (row.workloads[0].replicas, row.workloads[0].updated) = (0, 0);
        row
    });
    assert_eq!(said(&nothing), None);
    let again = saying(&value, &done);
    assert_eq!(write(&again, &assignment, &both, ALL_HEARD), None);
}

#[test]
fn what_is_not_heard_is_not_counted_as_ready() {
    let (value, found) = web();
    let assignment = decided(&TemplateKind::Deployment, &[("a", 2), ("b", 2)]);
    let both = [row("a", &found.revision, 2), row("b", &found.revision, 2)];
    let silent: (&[&str], &[&str]) = (&["b"], &[]);
    let done = saying(&value, &write(&found, &assignment, &both, ALL_HEARD).unwrap());
    let said = write(&done, &assignment, &both, silent).unwrap();
    let counts = ["replicas", "readyReplicas", "availableReplicas", "unavailableReplicas"];
    assert_eq!(counts.map(|field| said[field].as_i64()), [Some(2); 4], "{said}");
    let available = &said["conditions"][0];
    assert_eq!(
        (&available["status"], &available["reason"]),
        (&json!("False"), &json!("CentreUnknown"))
    );
    let words = available["message"].as_str().unwrap();
    assert!(
        words.starts_with("2 of 4 copies are available; nothing is heard of b") && words.contains(" | 2/4"),
        "{words}"
    );
    // It had taken up the template when it was heard last.
    assert_eq!(said["observedGeneration"], 5);
    assert_eq!(write(&saying(&value, &said), &assignment, &both, silent), None);
    // One of which nothing was ever heard.
    let said = write(&done, &assignment, &both[..1], silent).unwrap();
    assert_eq!((&said["observedGeneration"], &said["replicas"]), (&json!(4), &json!(2)));
    // One that runs nothing by the decision is missed by nobody.
    let one_sided = decided(&TemplateKind::Deployment, &[("a", 4), ("b", 0)]);
    let mut all = row("a", &found.revision, 4);
    let own = &mut all.workloads[0];
    (own.wanted, own.replicas, own.updated) = (4, 4, 4);
    let said = write(&found, &one_sided, &[all, row("b", "older", 2)], silent).unwrap();
    assert_eq!(
        (&said["observedGeneration"], &said["conditions"][0]["status"]),
        (&json!(5), &json!("True"))
    );
}

#[test]
fn a_lost_centre_holds_nothing_back_once_the_others_took_over() {
    let (_, found) = web();
    let lost: (&[&str], &[&str]) = (&[], &["b"]);
    let mut rows = [row("a", &found.revision, 2), row("b", &found.revision, 2)];
    // Its copies stay decided, and nobody counts on them.
    let before = decided(&TemplateKind::Deployment, &[("a", 2), ("b", 2)]);
    let said = write(&found, &before, &rows, lost).unwrap();
    let available = &said["conditions"][0];
    assert_eq!((&said["replicas"], &available["status"]), (&json!(2), &json!("False")));
    assert!(available["message"].as_str().unwrap().starts_with("2 of 4"), "{said}");
    let raised = Assignment {
        number: 2,
        ..decided(&TemplateKind::Deployment, &[("a", 4), ("b", 2)])
    };
    rows[0].number = 2;
    let own = &mut rows[0].workloads[0];
    (own.wanted, own.replicas, own.updated, own.ready, own.available) = (4, 4, 4, 4, 4);
    let said = write(&found, &raised, &rows, lost).unwrap();
    assert_eq!(
        (&said["replicas"], &said["readyReplicas"], &said["observedGeneration"]),
        (&json!(4), &json!(4), &json!(5))
    );
    let conditions = &said["conditions"];
    assert_eq!(
        (&conditions[0]["status"], &conditions[1]["reason"]),
        (&json!("True"), &json!("NewReplicaSetAvailable"))
    );
}

#[test]
fn what_should_be_there_is_told_when_it_changes_alone() {
    let (value, found) = web();
    let assignment = decided(&TemplateKind::Deployment, &[("a", 2), ("b", 2)]);
    let mut rows = [row("a", &found.revision, 2), row("b", &found.revision, 1)];
    let first = write(&found, &assignment, &rows, ALL_HEARD).unwrap();
    assert_eq!(first["unavailableReplicas"], 1);
    let again = saying(&value, &first);
    assert_eq!(write(&again, &assignment, &rows, ALL_HEARD), None);
    rows[1].workloads[0].wanted = 3;
    let said = write(&again, &assignment, &rows, ALL_HEARD).unwrap();
    assert_eq!(said["unavailableReplicas"], 2);
}
