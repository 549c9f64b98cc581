//! Days as a department sees them.

use super::*;
use serde_json::json;

fn grant(kind: &str, term: &serde_json::Value, from: &str, until: &str) -> Request {
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "r", "namespace": "dept", "uid": "u"},
        "spec": {"displayName": "r", "type": kind, "term": term},
        "status": {"allocation": {"record": "1", "ledger": "l", "epoch": 1, "from": from, "until": until, "pools": []}}});
    Request::read(serde_json::from_value(object).unwrap(), true).unwrap()
}

fn at(request: &Request, today: &str) -> Stage {
    stage(request, 14, today.parse().unwrap())
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

#[test]
fn it_is_said_thirty_seven_and_one_day_before() {
    let year = grant("New", &json!({"months": 12}), "2026-01-01T00:00:00Z", "2027-01-01");
    assert_eq!(at(&year, "2026-12-01"), Stage::Running);
    assert_eq!(at(&year, "2026-12-02"), Stage::Ends(30, date("2027-01-01")));
    assert_eq!(at(&year, "2026-12-25"), Stage::Ends(7, date("2027-01-01")));
    assert_eq!(at(&year, "2026-12-31"), Stage::Ends(1, date("2027-01-01")));
    assert_eq!(
        at(&year, "2027-01-01"),
        Stage::Ends(1, date("2027-01-01")),
        "the last day is in force"
    );
}

#[test]
fn a_new_grant_has_days_of_grace_a_trial_has_none() {
    let year = grant("New", &json!({"months": 12}), "2026-01-01T00:00:00Z", "2027-01-01");
    assert_eq!(at(&year, "2027-01-02"), Stage::Grace(date("2027-01-15")));
    assert_eq!(at(&year, "2027-01-15"), Stage::Grace(date("2027-01-15")));
    assert_eq!(at(&year, "2027-01-16"), Stage::Over);
    let trial = grant("Trial", &json!({"trialDays": 30}), "2026-01-01T00:00:00Z", "2026-01-31");
    assert_eq!(at(&trial, "2026-02-01"), Stage::Over);
}

#[test]
fn a_trial_that_was_renewed_has_days_of_grace() {
    let renewed = grant("Trial", &json!({"trialDays": 30}), "2026-01-01T00:00:00Z", "2026-07-31");
    assert_eq!(at(&renewed, "2026-08-01"), Stage::Grace(date("2026-08-14")));
    assert_eq!(at(&renewed, "2026-08-15"), Stage::Over);
    let emergency = grant("Emergency", &json!(null), "2026-01-01T00:00:00Z", "2026-01-11");
    assert_eq!(at(&emergency, "2026-01-12"), Stage::Over);
}

#[test]
fn a_short_term_is_not_warned_of_from_its_first_day() {
    let trial = grant("Trial", &json!({"trialDays": 30}), "2026-01-01T00:00:00Z", "2026-01-31");
    assert_eq!(at(&trial, "2026-01-02"), Stage::Running);
    assert_eq!(at(&trial, "2026-01-24"), Stage::Ends(7, date("2026-01-31")));
}

#[test]
fn a_trial_run_comes_before_the_months() {
    let spec = grant(
        "New",
        &json!({"months": 12, "trialDays": 30}),
        "2026-01-01T00:00:00Z",
        "2027-01-31",
    );
    assert_eq!(end(&spec.object().spec, date("2026-01-01")), Some(date("2027-01-31")));
    assert_eq!(at(&spec, "2026-01-31"), Stage::TrialRun(date("2026-01-31")));
    assert_eq!(at(&spec, "2026-02-01"), Stage::Running);
}

#[test]
fn a_renewal_counts_from_the_present_end_or_from_today() {
    let year = grant("New", &json!({"months": 12}), "2026-01-01T00:00:00Z", "2027-01-31");
    let renew = grant("Renew", &json!({"months": 1}), "2026-01-01T00:00:00Z", "2027-01-31");
    let renewed = |today: &str| renewed(&renew.object().spec, &year, date(today));
    assert_eq!(renewed("2026-12-01"), Some(date("2027-02-28")));
    assert_eq!(renewed("2027-02-10"), Some(date("2027-03-10")));
}
