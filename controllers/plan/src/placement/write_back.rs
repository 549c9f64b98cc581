//! The status of a workload's template in the hub: the sum of the centres, so that `kubectl rollout status`, `get` and
//! `wait` say the truth there too.

use std::collections::{BTreeMap, BTreeSet};

use crds::{Assignment, PlacedObject, PlacementRow, TemplateKind, WorkloadRow, placement_reason as reason};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::decide::Centre;
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
    /// Conditions.
    pub conditions: Vec<Said>,
}

/// One condition, as it stands in a status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its type.
    pub kind: String,
    /// `True` or `False`.
    pub status: String,
    /// In words, with numbers.
    pub message: String,
    /// Since when, RFC 3339; empty where that is not said.
    pub since: String,
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
        Some(Said {
            kind: of("type")?,
            status: of("status")?,
            message: of("message").unwrap_or_default(),
            since: of("lastTransitionTime").unwrap_or_default(),
        })
    };
    Some(Shown {
        observed: number("observedGeneration"),
        counts: [replicas, updated, ready, available].map(number),
        desired: number("desiredNumberScheduled"),
        conditions: conditions.filter_map(condition).collect(),
    })
}

/// What is known of the centres.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What they said last.
    pub rows: &'a [PlacementRow],
    /// Facts of each; one without any is silent.
    pub centres: &'a BTreeMap<String, Centre>,
    /// Those that are lost.
    pub lost: &'a BTreeSet<&'a str>,
}

/// What the centres of a decision say of a workload, added up.
#[derive(Debug, Default)]
struct Sum<'a> {
    /// Copies there, of the newest template, ready, available: in the centres that are heard.
    counts: [i64; 4],
    /// Copies that should be there, in silent centres too.
    wanted: i64,
    /// Centres that are counted.
    heard: usize,
    /// Centres that are meant to run some and are not heard.
    silent: Vec<&'a str>,
    /// Whether one of them has not taken up the template, as far as it is known.
    behind: bool,
}

impl<'a> Sum<'a> {
    /// `None` while a centre that is heard has said nothing of the workload.
    fn of(object: &PlacedObject, template: &Template, assignment: &'a Assignment, view: &View<'_>) -> Option<Self> {
        let (mut sum, mut decided) = (Self::default(), 0);
        // Of a lost centre nobody waits for anything: the others run what it ran.
        let there = assignment
            .centres
            .iter()
            .filter(|c| !view.lost.contains(c.name.as_str()));
        for centre in there {
            let copies = centre.copies_of(object);
            decided += copies.unwrap_or_default();
            let row = view.rows.iter().find(|r| r.name == centre.name);
            let workload = row.and_then(|r| r.workload(object));
            let heard = view.centres.get(&centre.name).is_some_and(|c| c.reports);
            if !heard && copies == Some(0) {
                continue;
            }
            if heard {
                sum.count(workload?);
            } else {
                sum.silent.push(&centre.name);
            }
            sum.wanted += workload.map_or(copies.unwrap_or_default(), |w| w.wanted);
            let number = row.map(|r| r.number);
            sum.behind |= number != Some(assignment.number) || workload.is_none_or(|w| w.revision != template.revision);
        }
        if object.kind.has_copies() {
            // What nobody runs is missing, too: the others may have no room for all of a lost centre.
            sum.wanted += (template.copies - decided).max(0);
        }
        Some(sum)
    }

    fn count(&mut self, workload: &WorkloadRow) {
        let more = [workload.replicas, workload.updated, workload.ready, workload.available];
        for (sum, more) in self.counts.iter_mut().zip(more) {
            *sum += more;
        }
        self.heard += 1;
    }

    fn words(&self) -> String {
        let ([.., available], wanted, heard) = (self.counts, self.wanted, self.heard);
        if self.silent.is_empty() {
            return format!(
                "{available} of {wanted} copies are available in {heard} centres | {heard} 个中心共 {available}/{wanted} 副本可用"
            );
        }
        let names = self.silent.join(", ");
        format!(
            "{available} of {wanted} copies are available; nothing is heard of {names}, what runs there goes on and is not counted | {available}/{wanted} 副本可用；{names} 未上报，业务不受影响，其副本不计入"
        )
    }
}

/// The status to write; `None` where it is said already, or where a centre that is heard has said nothing yet.
pub fn status(
    object: &PlacedObject,
    template: &Template,
    assignment: &Assignment,
    view: &View<'_>,
    settled: bool,
    now: Timestamp,
) -> Option<Value> {
    let (shown, fields) = (template.shown.as_ref()?, fields(&object.kind)?);
    let sum = Sum::of(object, template, assignment, view)?;
    let (counts, wanted, all_heard) = (sum.counts, sum.wanted, sum.silent.is_empty());
    let current = settled && !sum.behind;
    // A generation that not every centre has taken up is not observed: `rollout status` goes on waiting.
    let observed = if current {
        template.generation
    } else {
        shown.observed.min(template.generation - 1).max(0)
    };
    let [replicas, updated, ready, available] = counts;
    let enough = current && all_heard && available >= wanted;
    let complete = enough && updated >= wanted && replicas == updated;
    let why = match (enough, all_heard) {
        (true, _) => "MinimumReplicasAvailable",
        (false, true) => "MinimumReplicasUnavailable",
        (false, false) => reason::CENTRE_UNKNOWN,
    };
    let progress = if complete {
        "NewReplicaSetAvailable"
    } else {
        "ReplicaSetUpdated"
    };
    let states = [("Available", enough, why), ("Progressing", true, progress)];
    let words = sum.words();
    // Nothing was ever said, and there is nothing to say before the centres have it.
    let unsaid = shown.conditions.is_empty() && !current;
    // The words have what should be there, which no count of every kind says.
    let said = |(kind, is, _): &(&str, bool, &str)| {
        let mut all = shown.conditions.iter();
        all.any(|c| c.kind == *kind && c.status == word(*is) && c.message == words)
    };
    let same = shown.observed == observed
        && shown.counts == counts
        && (object.kind != TemplateKind::DaemonSet || shown.desired == wanted)
        && (unsaid || states.iter().all(said));
    if same {
        return None;
    }
    let conditions = states.map(|state| condition(shown, state, &words, now));
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
fn condition(shown: &Shown, (kind, is, why): (&str, bool, &str), words: &str, now: Timestamp) -> Value {
    let since = shown.conditions.iter().find(|c| c.kind == kind && c.status == word(is));
    let since = since.map(|c| c.since.clone()).filter(|t| !t.is_empty());
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
mod tests;
