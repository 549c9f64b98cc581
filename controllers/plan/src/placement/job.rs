//! Jobs: how far they are in a centre, and what their template in the hub says of it, so that `kubectl wait` works there too.
//!
//! The hub's API server holds a Job's status to the same rules as any other's. Once it is complete or failed it stays so;
//! counts of ended pods never fall; the start is said once; who is complete has met its criteria, and who failed its target;
//! neither has pods that run.

use crds::{Assignment, JobEnd, JobOutcome, JobRow, PlacedObject, PlacementRow, TemplateKind};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::template::Template;

/// What the template's status says now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Whether it is complete or failed.
    pub ended: bool,
    /// Pods that run, that are ready, that succeeded, that failed.
    pub counts: [i64; 4],
    /// When it began.
    pub started_at: Option<String>,
    /// With a CronJob: when a Job was due last, and when one succeeded last.
    pub last: [Option<String>; 2],
}

/// How the template's status calls its counts.
const COUNTS: [&str; 4] = ["active", "ready", "succeeded", "failed"];
/// How a CronJob's status calls its times.
const TIMES: [&str; 2] = ["lastScheduleTime", "lastSuccessfulTime"];

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

/// Reads what a status says; `None` for a kind that does not run to an end.
pub fn shown(kind: &TemplateKind, value: &Value) -> Option<Shown> {
    kind.is_job().then(|| Shown {
        ended: end(value).is_some(),
        counts: COUNTS.map(|field| number(value, field)),
        started_at: text(value, "/status/startTime"),
        last: TIMES.map(|field| text(value, &format!("/status/{field}"))),
    })
}

fn number(value: &Value, field: &str) -> i64 {
    // A CronJob's `active` is a list.
    let found = value.pointer(&format!("/status/{field}"));
    found.and_then(Value::as_i64).unwrap_or_default()
}

/// How it ended, by the centre's own controller.
fn end(value: &Value) -> Option<JobEnd> {
    let conditions = value.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().find_map(|condition| {
        let outcome = match condition.get("type").and_then(Value::as_str)? {
            "Complete" => JobOutcome::Complete,
            "Failed" => JobOutcome::Failed,
            _ => return None,
        };
        let of = |field: &str| text(condition, &format!("/{field}")).unwrap_or_default();
        (of("status") == "True").then(|| JobEnd {
            outcome,
            reason: of("reason"),
            message: of("message").chars().take(LONGEST).collect(),
            at: text(value, "/status/completionTime").unwrap_or_else(|| of("lastTransitionTime")),
        })
    })
}

/// Longest message of an end that is passed on, in characters.
const LONGEST: usize = 256;

/// What stands in a centre, as its row says it; `None` for a kind that does not run to an end. The template that it was made
/// of is added by whoever knows it.
pub fn row(object: &PlacedObject, value: &Value) -> Option<JobRow> {
    let found = shown(&object.kind, value)?;
    let [active, ready, succeeded, failed] = found.counts;
    let [last_schedule_time, last_successful_time] = found.last;
    Some(JobRow {
        kind: object.kind.clone(),
        name: object.name.clone(),
        template: String::new(),
        active,
        ready,
        succeeded,
        failed,
        start_time: found.started_at,
        end: end(value),
        last_schedule_time,
        last_successful_time,
    })
}

/// The status to write; `None` where it is said already, where it has ended, or where a centre that runs it has said nothing of
/// this template yet.
pub fn status(
    object: &PlacedObject,
    template: &Template,
    assignment: &Assignment,
    rows: &[PlacementRow],
    now: Timestamp,
) -> Option<Value> {
    let shown = template.job.as_ref().filter(|s| !s.ended)?;
    let mut found: Vec<(&str, &JobRow)> = Vec::new();
    for centre in assignment.centres.iter().filter(|c| c.jobs) {
        let row = rows.iter().find(|r| r.name == centre.name)?.job(object)?;
        // One that was made anew in the hub is another Job, whatever became of the one before.
        if row.template != template.uid {
            return None;
        }
        found.push((&centre.name, row));
    }
    if found.is_empty() {
        return None;
    }
    if object.kind == TemplateKind::CronJob {
        return times(shown, &found);
    }
    let sum = |of: fn(&JobRow) -> i64| found.iter().map(|(_, r)| of(r)).sum::<i64>();
    let [active, ready] = [sum(|r| r.active), sum(|r| r.ready)];
    // Moved to another centre it begins anew there; what ended before did end.
    let [.., succeeded, failed] = shown.counts;
    let mut counts = [
        active,
        ready,
        succeeded.max(sum(|r| r.succeeded)),
        failed.max(sum(|r| r.failed)),
    ];
    let end = ends(&found);
    let first = found
        .iter()
        .filter_map(|(_, r)| r.start_time.clone())
        .min_by_key(|t| at(t));
    let started = shown.started_at.clone().or(first);
    if end.is_some() {
        // Pods of a Job that failed in one place may still run in another; nobody waits for them any more.
        counts[0] = 0;
        counts[1] = 0;
    }
    if end.is_none() && shown.counts == counts && shown.started_at == started {
        return None;
    }
    let [active, ready, succeeded, failed] = counts;
    let mut written = json!({"active": active, "ready": ready, "succeeded": succeeded, "failed": failed});
    let started = started.or_else(|| end.as_ref().map(|e| e.at.clone()));
    put(&mut written, "startTime", started.as_ref().map(|t| json!(t)));
    if let Some(end) = end {
        let complete = end.outcome == JobOutcome::Complete;
        // By the clocks of several centres an end may lie before the first start.
        let last = [Some(end.at.clone()), started]
            .into_iter()
            .flatten()
            .max_by_key(|t| at(t));
        put(
            &mut written,
            "completionTime",
            last.filter(|_| complete).map(|t| json!(t)),
        );
        put(&mut written, "conditions", Some(conditions(&end, now)));
    }
    Some(written)
}

/// A moment for comparison; one that cannot be read is before all others.
fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or(Timestamp::MIN)
}

fn put(status: &mut Value, field: &str, value: Option<Value>) {
    if let (Some(fields), Some(value)) = (status.as_object_mut(), value) {
        fields.insert(field.to_owned(), value);
    }
}

/// A CronJob: when its Jobs were due and succeeded last, wherever that was.
fn times(shown: &Shown, found: &[(&str, &JobRow)]) -> Option<Value> {
    let of = |mine: fn(&JobRow) -> &Option<String>, said: &Option<String>| {
        let all = found.iter().filter_map(|(_, r)| mine(r).clone()).chain(said.clone());
        all.max_by_key(|t| at(t))
    };
    let [due, succeeded] = &shown.last;
    let next = [
        of(|r| &r.last_schedule_time, due),
        of(|r| &r.last_successful_time, succeeded),
    ];
    if next == shown.last {
        return None;
    }
    let mut written = json!({});
    for (field, time) in TIMES.into_iter().zip(next) {
        put(&mut written, field, time.map(|t| json!(t)));
    }
    Some(written)
}

/// Failed where one failed; complete where all are, at the time of the last.
fn ends(found: &[(&str, &JobRow)]) -> Option<JobEnd> {
    let ended = || found.iter().filter_map(|(centre, r)| Some((*centre, r.end.as_ref()?)));
    let failed = ended().find(|(_, e)| e.outcome == JobOutcome::Failed);
    if let Some((centre, end)) = failed {
        let message = format!("{centre}: {}", end.message);
        return Some(JobEnd { message, ..end.clone() });
    }
    let last = ended()
        .max_by_key(|(_, e)| at(&e.at))
        .filter(|_| ended().count() == found.len());
    last.map(|(_, end)| JobEnd {
        message: format!(
            "complete in {0} of {0} centres that run it | 运行它的 {0} 个中心均已完成",
            found.len()
        ),
        ..end.clone()
    })
}

/// The pair of conditions that the API server asks for.
fn conditions(end: &JobEnd, now: Timestamp) -> Value {
    let kinds = match end.outcome {
        JobOutcome::Complete => ["SuccessCriteriaMet", "Complete"],
        JobOutcome::Failed => ["FailureTarget", "Failed"],
    };
    let now = now.to_string();
    let all = kinds.map(|kind| {
        json!({"type": kind, "status": "True", "reason": end.reason, "message": end.message,
            "lastProbeTime": now, "lastTransitionTime": now})
    });
    json!(all)
}

#[cfg(test)]
mod tests;
