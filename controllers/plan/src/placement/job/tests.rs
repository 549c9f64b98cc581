use crds::CentreAssignment;

use super::super::template;
use super::*;

fn object_of(kind: TemplateKind) -> PlacedObject {
    template::object(kind, "once")
}

/// A Job as a centre's controller leaves it.
fn stands(status: &Value) -> Value {
    json!({"metadata": {"name": "once"}, "status": status})
}

fn complete(start: &str, end: &str) -> Value {
    let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": "CompletionsReached", "message": "Reached expected number of succeeded pods", "lastTransitionTime": end});
    json!({"startTime": start, "completionTime": end, "succeeded": 2, "active": 0, "ready": 0,
        "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]})
}

fn failed(at: &str) -> Value {
    let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit", "lastTransitionTime": at});
    json!({"startTime": at, "failed": 3, "conditions": [condition("FailureTarget"), condition("Failed")]})
}

fn running(active: i64) -> Value {
    json!({"startTime": "2026-11-25T02:00:00Z", "active": active, "ready": 1, "failed": 1})
}

/// What the hub's template becomes by these centres: name, whether they run it, and what stands there.
fn said(kind: TemplateKind, hub: &Value, centres: &[(&str, bool, Value)]) -> Option<Value> {
    let object = object_of(kind);
    let value = json!({"metadata": {"name": "once", "uid": "u1"}, "spec": {}, "status": hub});
    let found = template::read(&object.kind, &value);
    let assignment = Assignment {
        centres: centres
            .iter()
            .map(|(name, jobs, _)| CentreAssignment {
                name: (*name).to_owned(),
                jobs: *jobs,
                ..CentreAssignment::default()
            })
            .collect(),
        ..Assignment::default()
    };
    let rows: Vec<PlacementRow> = centres
        .iter()
        .map(|(name, _, status)| {
            let mut job = row(&object, &stands(status)).unwrap();
            "u1".clone_into(&mut job.template);
            PlacementRow {
                name: (*name).to_owned(),
                jobs: vec![job],
                ..PlacementRow::default()
            }
        })
        .collect();
    status(
        &object,
        &found,
        &assignment,
        &rows,
        "2026-11-25T03:00:00Z".parse().unwrap(),
    )
}

fn job(hub: &Value, centres: &[(&str, bool, Value)]) -> Option<Value> {
    said(TemplateKind::Job, hub, centres)
}

fn types(status: &Value) -> Vec<&str> {
    let all = status["conditions"].as_array().into_iter().flatten();
    all.map(|c| c["type"].as_str().unwrap()).collect()
}

const EARLY: &str = "2026-11-25T02:00:00Z";
const LATE: &str = "2026-11-25T02:10:00Z";

#[test]
fn complete_where_it_runs_whoever_stands_still() {
    let idle = json!({"conditions": [{"type": "Suspended", "status": "True"}]});
    let centres = [("a", true, complete(EARLY, LATE)), ("b", false, idle)];
    let done = job(&json!({}), &centres).unwrap();
    assert_eq!(types(&done), ["SuccessCriteriaMet", "Complete"]);
    assert_eq!(
        (&done["startTime"], &done["completionTime"], &done["succeeded"]),
        (&json!(EARLY), &json!(LATE), &json!(2))
    );
    assert_eq!(job(&done, &centres), None, "it is said");
}

#[test]
fn complete_in_every_centre_or_not_at_all() {
    let one = [("a", true, complete(EARLY, LATE)), ("b", true, running(1))];
    let half = job(&json!({}), &one).unwrap();
    assert!(types(&half).is_empty(), "{half}");
    assert_eq!((&half["succeeded"], &half["active"]), (&json!(2), &json!(1)));
    assert_eq!(half["completionTime"], Value::Null);
    assert_eq!(job(&half, &one), None);
    // By the other centre's clock it ended before it began here.
    let both = [("a", true, complete(LATE, LATE)), ("b", true, complete(LATE, EARLY))];
    let done = job(&json!({"startTime": LATE}), &both).unwrap();
    assert_eq!((types(&done).len(), &done["completionTime"]), (2, &json!(LATE)));
}

#[test]
fn failed_where_one_failed() {
    let centres = [("a", true, running(1)), ("b", true, failed(LATE))];
    let done = job(&json!({}), &centres).unwrap();
    assert_eq!(types(&done), ["FailureTarget", "Failed"]);
    assert_eq!((&done["active"], &done["ready"]), (&json!(0), &json!(0)), "{done}");
    assert_eq!(done["completionTime"], Value::Null);
    let message = done["conditions"][1]["message"].as_str().unwrap();
    assert!(message.starts_with("b: Job has reached"), "{message}");
    assert_eq!(done["failed"], 4);
    // Ended is ended, whatever is heard later.
    assert_eq!(job(&done, &[("a", true, complete(EARLY, LATE))]), None);
}

#[test]
fn counts_never_fall_and_the_start_stays() {
    let hub = json!({"startTime": EARLY, "active": 1, "ready": 1, "succeeded": 5, "failed": 2});
    let moved = json!({"startTime": LATE, "active": 3, "ready": 2});
    let written = job(&hub, &[("b", true, moved)]).unwrap();
    assert_eq!(
        (
            &written["startTime"],
            &written["succeeded"],
            &written["failed"],
            &written["active"]
        ),
        (&json!(EARLY), &json!(5), &json!(2), &json!(3))
    );
}

/// A template that was made anew is another Job; a centre that is not heard is no end.
#[test]
fn nothing_is_said_of_another_job_or_without_a_row() {
    let object = object_of(TemplateKind::Job);
    let value = json!({"metadata": {"name": "once", "uid": "u2"}, "spec": {}});
    let found = template::read(&TemplateKind::Job, &value);
    let centre = CentreAssignment {
        name: "a".to_owned(),
        jobs: true,
        ..CentreAssignment::default()
    };
    let assignment = Assignment {
        centres: vec![centre],
        ..Assignment::default()
    };
    let mut job = row(&object, &stands(&complete(EARLY, LATE))).unwrap();
    "u1".clone_into(&mut job.template);
    let mut rows = vec![PlacementRow {
        name: "a".to_owned(),
        jobs: vec![job],
        ..PlacementRow::default()
    }];
    let now = Timestamp::UNIX_EPOCH;
    assert_eq!(status(&object, &found, &assignment, &rows, now), None);
    "u2".clone_into(&mut rows[0].jobs[0].template);
    assert!(status(&object, &found, &assignment, &rows, now).is_some());
    assert_eq!(status(&object, &found, &assignment, &[], now), None);
    assert_eq!(status(&object, &found, &Assignment::default(), &rows, now), None);
}

#[test]
fn a_cron_job_says_when_it_was_due_and_when_it_succeeded() {
    let centre = |due: &str| json!({"active": [{"name": "once-1"}], "lastScheduleTime": due});
    let first = said(TemplateKind::CronJob, &json!({}), &[("a", true, centre(EARLY))]).unwrap();
    assert_eq!(first, json!({"lastScheduleTime": EARLY}));
    assert_eq!(said(TemplateKind::CronJob, &first, &[("a", true, centre(EARLY))]), None);
    // It moved: what was is not unsaid.
    let hub = json!({"lastScheduleTime": LATE, "lastSuccessfulTime": LATE});
    assert_eq!(said(TemplateKind::CronJob, &hub, &[("b", true, centre(EARLY))]), None);
    assert_eq!(shown(&TemplateKind::Deployment, &json!({})), None);
}
