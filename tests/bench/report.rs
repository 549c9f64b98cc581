//! What was measured, for people and for programs.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use tests::repository;

/// Replaces the figures of one benchmark, keeps the others, prints them and writes both files.
pub(crate) fn record(name: &str, figures: &Map<String, Value>) -> Result<()> {
    let folder = repository().join("tests/bench");
    let path = folder.join("report.json");
    let mut all: Map<String, Value> = match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).context("report.json is not JSON: remove it")?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Map::new(),
        Err(e) => return Err(e).context("report.json"),
    };
    let mut row = figures.clone();
    row.insert("machine".into(), machine()?.into());
    row.insert("commit".into(), commit()?.into());
    show(name, &row)?;
    all.insert(name.into(), Value::Object(row));
    std::fs::write(&path, serde_json::to_string_pretty(&json!(all))? + "\n")?;
    std::fs::write(folder.join("report.md"), table(&all)?)?;
    Ok(())
}

/// What becomes of figures.
pub(crate) type Keep = fn(&str, &Map<String, Value>) -> Result<()>;

/// Only prints them.
#[expect(clippy::unnecessary_wraps, reason = "it stands in for `record`")]
pub(crate) fn show(name: &str, figures: &Map<String, Value>) -> Result<()> {
    for (figure, value) in figures {
        println!("{name} {figure} {value}");
    }
    Ok(())
}

fn table(all: &Map<String, Value>) -> Result<String> {
    let mut text =
        "# Benchmarks\n\nWritten by `make bench`. Times depend on the machine; a ratio was taken within one run, \
                    against the same number of bare calls to the same servers.\n"
            .to_owned();
    for (name, row) in all {
        write!(text, "\n## {name}\n\n| figure | value |\n|---|---|\n")?;
        for (figure, value) in row.as_object().context("a row")? {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            writeln!(text, "| {figure} | {shown} |")?;
        }
    }
    Ok(text)
}

fn machine() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    Ok(format!("{cores} cores, {}", std::env::consts::ARCH))
}

fn commit() -> Result<String> {
    let git = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .current_dir(repository())
        .output()
        .context("git")?;
    Ok(String::from_utf8(git.stdout)?.trim().to_owned())
}
