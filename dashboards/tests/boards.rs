//! The generated files: up to date, complete in both languages, and drawn without overlap.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an assumption that fails is a test that fails"
)]

use std::collections::BTreeSet;
use std::path::Path;

use dashboards::{Severity, alerts, boards, expand, files, queries};
use serde_json::Value;

fn json(suffix: &str) -> Vec<Value> {
    let files = files().unwrap().into_iter();
    let boards = files.filter(|f| f.name.ends_with(suffix));
    boards.map(|f| serde_json::from_str(&f.content).unwrap()).collect()
}

#[test]
fn what_is_committed_is_what_the_code_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated");
    for file in files().unwrap() {
        let stored = std::fs::read_to_string(folder.join(&file.name)).unwrap_or_default();
        assert!(stored == file.content, "{} is stale: run `make generate`", file.name);
    }
}

#[test]
fn panels_fit_and_do_not_overlap() {
    for board in json(".json") {
        let mut taken = BTreeSet::new();
        for panel in board["panels"].as_array().unwrap() {
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{}", panel["title"]);
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(taken.insert((x, y)), "{} overlaps at {x},{y}", panel["title"]);
                }
            }
        }
    }
}

#[test]
fn both_languages_ask_the_same() {
    let exprs = |board: &Value| -> Vec<String> {
        let panels = board["panels"].as_array().unwrap().iter();
        let targets = panels.filter_map(|p| p["targets"].as_array()).flatten();
        targets.map(|t| t["expr"].as_str().unwrap().to_owned()).collect()
    };
    for (en, zh) in json(".en.json").iter().zip(&json(".zh.json")) {
        assert_eq!(exprs(en), exprs(zh));
        assert_ne!(en["uid"], zh["uid"]);
    }
}

#[test]
fn every_panel_says_what_it_is() {
    for panel in boards().iter().flat_map(|b| &b.rows).flat_map(|r| &r.panels) {
        assert!(!panel.queries.is_empty(), "{} asks nothing", panel.title.en);
        for text in [panel.title, panel.description] {
            assert!(!text.en.is_empty() && text.en.is_ascii(), "{text:?}");
            assert!(!text.zh.is_ascii(), "{text:?}");
        }
    }
}

#[test]
fn queries_are_balanced_and_leave_no_variable() {
    for query in queries() {
        let expr = expand(&query.expr);
        assert!(!expr.contains('$'), "{expr}");
        for (open, close) in ["()", "{}", "[]"].map(|p| p.split_at(1)) {
            assert_eq!(expr.matches(open).count(), expr.matches(close).count(), "{expr}");
        }
    }
}

#[test]
fn an_alert_says_what_is_wrong_and_what_to_do() {
    let all = alerts();
    let names: BTreeSet<&String> = all.iter().map(|a| &a.name).collect();
    assert_eq!(names.len(), all.len());
    for alert in &all {
        for text in [alert.summary, alert.next] {
            assert!(text.en.is_ascii(), "{}", text.en);
            assert!(!text.zh.is_ascii(), "{}", text.zh);
        }
    }
    assert!(all.iter().any(|a| a.severity == Severity::Critical));
}
