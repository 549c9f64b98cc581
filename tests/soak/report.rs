//! What came of the runs: a line each, and their sums.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tests::repository;

fn lines() -> PathBuf {
    repository().join("tests/soak/runs.jsonl")
}

fn read() -> Result<Vec<Value>> {
    match std::fs::read_to_string(lines()) {
        Ok(text) => text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).context("runs.jsonl"),
    }
}

/// How many runs were made.
pub(crate) fn done() -> Result<usize> {
    Ok(read()?.len())
}

/// Adds a run.
pub(crate) fn add(line: &Value) -> Result<()> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(lines());
    Ok(writeln!(file.context("runs.jsonl")?, "{line}")?)
}

/// The value below which so many percent of them are; the sorted values are not empty.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    sorted
        .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
        .copied()
}

/// How long moves of a kind took, of these runs.
fn rto(runs: &[&Value], kind: &str) -> Value {
    let seconds = runs.iter().filter_map(|run| run[kind].as_str()?.parse().ok());
    let mut all: Vec<f64> = seconds.collect();
    all.sort_by(f64::total_cmp);
    json!({"moves": all.len(), "p50": percentile(&all, 50), "p99": percentile(&all, 99)})
}

/// Writes the sums; answers the violations.
pub(crate) fn write() -> Result<u64> {
    let runs = read()?;
    let mut faults: BTreeMap<&str, u64> = BTreeMap::new();
    for run in &runs {
        *faults.entry(run["fault"].as_str().unwrap_or_default()).or_default() += 1;
    }
    let violations = runs.iter().filter_map(|run| run["violations"].as_u64()).sum();
    let unfinished = runs.iter().filter(|run| !run["error"].is_null()).count();
    let of = |timing: &str| {
        let runs: Vec<&Value> = runs.iter().filter(|run| run["timing"] == timing).collect();
        json!({"runs": runs.len(), "failoverRto": rto(&runs, "failoverRto"), "failbackRto": rto(&runs, "failbackRto")})
    };
    let figures = json!({"runs": runs.len(), "violations": violations, "unfinished": unfinished, "faults": faults,
        "default": of("default"), "scaled": of("scaled")});
    println!("{figures:#}");
    std::fs::write(repository().join("tests/soak/report.json"), format!("{figures:#}\n"))?;
    Ok(violations)
}
