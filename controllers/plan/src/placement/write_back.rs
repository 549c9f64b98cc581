//! The status of a workload's template in the hub: the sum of the centres, so that `kubectl rollout status`, `get` and
//! `wait` say the truth there too.

use crds::{Assignment, PlacedObject, PlacementRow, TemplateKind, WorkloadRow};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::template::Template;

/// How a kind calls its copies: those there, of the newest template, ready, available, and those that are not available.
const fn fields(kind: &TemplateKind) -> Option<[&'static str; 5]> {
    match kind {
        TemplateKind::Deployment => Some([
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
        ]),
        TemplateKind::StatefulSet => Some(["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", ""]),
        TemplateKind::DaemonSet => Some([
            "currentNumberScheduled",
            "updatedNumberScheduled",
            "numberReady",
            "numberAvailable",
            "numberUnavailable",
        ]),
        _ => None,
    }
}

/// What a workload's status says now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Generation that it speaks of.
    pub observed: i64,
    /// Copies there, of the newest template, ready, available.
    pub counts: [i64; 4],
    /// With a DaemonSet: copies that should be there.
    pub desired: i64,
    /// Conditions: type, status, since.
    pub conditions: Vec<(String, String, String)>,
}

/// Reads it; `None` for a kind whose status is not written.
pub fn read(kind: &TemplateKind, value: &Value) -> Option<Shown> {
    let [replicas, updated, ready, available, _] = fields(kind)?;
    let number = |field: &str| {
        value
            .pointer(&format!("/status/{field}"))
            .and_then(Value::as_i64)
            .unwrap_or_default()
    };
    let conditions = value
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let condition = |c: &Value| {
        let of = |field: &str| Some(c.get(field)?.as_str()?.to_owned());
        Some((of("type")?, of("status")?, of("lastTransitionTime").unwrap_or_default()))
    };
    Some(Shown {
        observed: number("observedGeneration"),
        counts: [replicas, updated, ready, available].map(number),
        desired: number("desiredNumberScheduled"),
        conditions: conditions.filter_map(condition).collect(),
    })
}

/// The status to write; `None` where it is said already, or where a centre is not heard and nothing can be said.
pub fn status(
    object: &PlacedObject,
    template: &Template,
    assignment: &Assignment,
    rows: &[PlacementRow],
    settled: bool,
    now: Timestamp,
) -> Option<Value> {
    let (shown, fields) = (template.shown.as_ref()?, fields(&object.kind)?);
    let mut found: Vec<&WorkloadRow> = Vec::new();
    let mut current = settled;
    for centre in &assignment.centres {
        let row = rows.iter().find(|r| r.name == centre.name)?;
        let workload = row.workload(object)?;
        current &= row.number == assignment.number && workload.revision == template.revision;
        found.push(workload);
    }
    let sum = |of: fn(&WorkloadRow) -> i64| found.iter().map(|w| of(w)).sum::<i64>();
    let counts = [
        sum(|w| w.replicas),
        sum(|w| w.updated),
        sum(|w| w.ready),
        sum(|w| w.available),
    ];
    // A generation that not every centre has taken up is not observed: `rollout status` goes on waiting.
    let observed = if current {
        template.generation
    } else {
        shown.observed.min(template.generation - 1).max(0)
    };
    let [replicas, updated, ready, available] = counts;
    let wanted = sum(|w| w.wanted);
    let complete = current && updated >= wanted && available >= wanted && replicas == updated;
    let states = [("Available", current && available >= wanted), ("Progressing", true)];
    // Nothing was ever said, and there is nothing to say before the centres have it.
    let silent = shown.conditions.is_empty() && !current;
    let said = |(kind, is): &(&str, bool)| shown.conditions.iter().any(|c| c.0 == *kind && c.1 == word(*is));
    let same = shown.observed == observed
        && shown.counts == counts
        && (object.kind != TemplateKind::DaemonSet || shown.desired == wanted)
        && (silent || states.iter().all(said));
    if same {
        return None;
    }
    let words = format!(
        "{available} of {wanted} copies are available in {0} centres | {0} 个中心共 {available}/{wanted} 副本可用",
        found.len()
    );
    let conditions = states.map(|(kind, is)| condition(shown, (kind, is, complete), &words, now));
    let mut written = json!({"observedGeneration": observed, "conditions": conditions});
    let named = [replicas, updated, ready, available, (wanted - available).max(0)];
    for (field, number) in fields.into_iter().zip(named).filter(|(field, _)| !field.is_empty()) {
        set(&mut written, field, number);
    }
    if object.kind == TemplateKind::DaemonSet {
        set(&mut written, "desiredNumberScheduled", wanted);
        set(&mut written, "numberMisscheduled", 0);
    }
    Some(written)
}

/// One condition, as the kind's own controller words it.
fn condition(shown: &Shown, (kind, is, complete): (&str, bool, bool), words: &str, now: Timestamp) -> Value {
    let since = shown.conditions.iter().find(|c| c.0 == kind && c.1 == word(is));
    let since = since.map(|c| c.2.clone()).filter(|t| !t.is_empty());
    let why = match (kind, is, complete) {
        ("Available", true, _) => "MinimumReplicasAvailable",
        ("Available", false, _) => "MinimumReplicasUnavailable",
        (_, _, true) => "NewReplicaSetAvailable",
        _ => "ReplicaSetUpdated",
    };
    json!({"type": kind, "status": word(is), "reason": why, "message": words,
        "lastTransitionTime": since.unwrap_or_else(|| now.to_string()), "lastUpdateTime": now.to_string()})
}

fn set(status: &mut Value, field: &str, number: i64) {
    if let Some(fields) = status.as_object_mut() {
        fields.insert(field.to_owned(), json!(number));
    }
}

const fn word(is: bool) -> &'static str {
    if is { "True" } else { "False" }
}

#[cfg(test)]
mod tests {
    use crds::CentreAssignment;

    use super::super::template;
    use super::*;

    #[test]
    fn each_kind_in_its_own_words() {
        for (kind, ready) in [
            (TemplateKind::StatefulSet, "readyReplicas"),
            (TemplateKind::DaemonSet, "numberReady"),
        ] {
            let value = json!({"metadata": {"name": "web", "generation": 5}, "spec": {}});
            let found = template::read(&kind, &value);
            let mut row = row("a", &found.revision, 2);
            row.workloads[0].kind = kind.clone();
            let web = template::object(kind.clone(), "web");
            let assignment = Assignment {
                number: 1,
                centres: vec![CentreAssignment {
                    name: "a".into(),
                    ..CentreAssignment::default()
                }],
                ..Assignment::default()
            };
            let rows = std::slice::from_ref(&row);
            let said = status(&web, &found, &assignment, rows, true, Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!((&said[ready], &said["observedGeneration"]), (&json!(2), &json!(5)));
            let mut again = value;
            again["status"] = said;
            let again = template::read(&kind, &again);
            assert_eq!(
                status(&web, &again, &assignment, rows, true, Timestamp::UNIX_EPOCH),
                None
            );
        }
        assert_eq!(read(&TemplateKind::Service, &json!({})), None);
    }

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

    #[test]
    fn a_template_shows_the_sum_once_every_centre_has_it() {
        let value =
            json!({"metadata": {"generation": 5}, "spec": {"replicas": 4}, "status": {"observedGeneration": 4}});
        let found = template::read(&TemplateKind::Deployment, &value);
        let web = template::object(TemplateKind::Deployment, "web");
        let centre = |name: &str| CentreAssignment {
            name: name.into(),
            ..CentreAssignment::default()
        };
        let assignment = Assignment {
            number: 1,
            centres: vec![centre("a"), centre("b")],
            ..Assignment::default()
        };
        let write = |rows: &[PlacementRow]| status(&web, &found, &assignment, rows, true, Timestamp::UNIX_EPOCH);
        let done = write(&[row("a", &found.revision, 2), row("b", &found.revision, 2)]).unwrap();
        assert_eq!(
            (&done["observedGeneration"], &done["readyReplicas"]),
            (&json!(5), &json!(4))
        );
        assert_eq!(done["conditions"][0]["status"], "True");
        let behind = write(&[row("a", &found.revision, 2), row("b", "older", 2)]).unwrap();
        assert_eq!(behind["observedGeneration"], 4);
        assert_eq!(write(&[row("a", &found.revision, 2)]), None);
        // Before anything is there, there is nothing to say.
        let nothing = ["a", "b"].map(|name| {
            let mut row = row(name, "", 0);
            (row.workloads[0].replicas, row.workloads[0].updated) = (0, 0);
            row
        });
        assert_eq!(write(&nothing), None);
        let mut again = value;
        again["status"] = done;
        let again = template::read(&TemplateKind::Deployment, &again);
        assert_eq!(
            status(
                &web,
                &again,
                &assignment,
                &[row("a", &found.revision, 2), row("b", &found.revision, 2)],
                true,
                Timestamp::UNIX_EPOCH
            ),
            None
        );
    }
}
