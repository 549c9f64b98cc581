//! Each alert fires on what it is about and is silent otherwise: `promtool test rules`, over the committed file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "an assumption that fails is a test that fails"
)]

mod balance;
mod cases;
mod failover;
mod forecast;
mod idle;
mod placements;
mod terms;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use cases::Case;
use serde_json::{Value, json};
use tests::repository;

/// A case as promtool reads it, in minutes `m` or hours `h`. The alert's own series is asked for, so that the wording of
/// annotations may change.
fn group(unit: char, &(alert, series, time, fires): &Case) -> Value {
    let input: Vec<Value> = series.iter().map(|(s, v)| json!({"series": s, "values": v})).collect();
    let expr = format!("count(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}})");
    let samples = if fires {
        json!([{"labels": "{}", "value": 1}])
    } else {
        json!([])
    };
    json!({"name": format!("{alert} at {time}{unit}: {fires}"), "interval": format!("1{unit}"), "input_series": input,
        "promql_expr_test": [{"expr": expr, "eval_time": format!("{time}{unit}"), "exp_samples": samples}]})
}

fn promtool(args: &[&Path]) -> (bool, String) {
    let tool = playground::tools(None).expect("promtool is built").join("promtool");
    let output = Command::new(tool).args(args).output().expect("promtool runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Every case in minutes.
fn cases() -> impl Iterator<Item = &'static Case> {
    cases::CASES
        .iter()
        .chain(idle::CASES)
        .chain(placements::CASES)
        .chain(failover::CASES)
        .chain(terms::CASES)
        .chain(balance::CASES)
}

fn in_minutes() -> Vec<Value> {
    cases().map(|case| group('m', case)).collect()
}

/// Runs tests against a rules file, if any, that is evaluated once a minute, or an hour.
fn run(rules: Option<&Path>, unit: char, tests: &[Value], name: &str) -> (bool, String) {
    let file: PathBuf = std::env::temp_dir().join(format!("xy-alerts-{name}-{}.yaml", std::process::id()));
    let text =
        json!({"rule_files": Vec::from_iter(rules), "evaluation_interval": format!("1{unit}"), "fuzzy_compare": true, "tests": tests}).to_string();
    std::fs::write(&file, text).unwrap();
    let outcome = promtool(&[Path::new("test"), Path::new("rules"), &file]);
    std::fs::remove_file(file).unwrap();
    outcome
}

fn committed() -> PathBuf {
    repository()
        .join("dashboards/generated/alerts.yaml")
        .canonicalize()
        .unwrap()
}

#[test]
fn each_alert_fires_on_what_it_is_about_and_is_silent_otherwise() {
    let (valid, said) = promtool(&[Path::new("check"), Path::new("rules"), &committed()]);
    assert!(valid, "{said}");
    let (passed, said) = run(Some(&committed()), 'm', &in_minutes(), "committed");
    assert!(passed, "{said}");
    for fires in [true, false] {
        let all = cases().chain(forecast::CASES).chain(balance::BY_THE_HOUR);
        let seen: BTreeSet<&str> = all.filter(|c| c.3 == fires).map(|c| c.0).collect();
        for alert in dashboards::alerts() {
            assert!(
                seen.contains(alert.name.as_str()),
                "{}: no case that {fires}",
                alert.name
            );
        }
    }
}

#[test]
fn a_rule_that_is_turned_round_is_found() {
    let text = std::fs::read_to_string(committed()).unwrap();
    let turned = text.replace("xiangyun_centre_ready) == 0", "xiangyun_centre_ready) == 1");
    assert_ne!(text, turned);
    let file = std::env::temp_dir().join(format!("xy-alerts-turned-{}.rules.yaml", std::process::id()));
    std::fs::write(&file, turned).unwrap();
    let (passed, said) = run(Some(&file), 'm', &in_minutes(), "turned");
    std::fs::remove_file(file).unwrap();
    assert!(!passed && said.contains("CentreNotReporting"), "{said}");
}

#[test]
fn what_is_foreseen_is_when_the_trend_ends() {
    for (rules, groups) in [(Some(&*committed()), forecast::alerts()), (None, forecast::boards())] {
        let (passed, said) = run(rules, 'h', &groups, "forecast");
        assert!(passed, "{said}");
    }
}
