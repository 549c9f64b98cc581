//! Grafana boards and Prometheus alerts: written once, in two languages, and generated into `dashboards/generated`.

mod alerts;
mod balance;
mod board;
mod failover;
mod grafana;
mod province;
mod text;

use std::io;
use std::path::Path;

pub use alerts::{Alert, Severity, alerts};
pub use board::{Board, Kind, Panel, Row, Unit};
pub use text::{Language, Text};

/// A generated file.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name in `dashboards/generated`.
    pub name: String,
    /// What is in it.
    pub content: String,
}

/// A query of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Title of the board.
    pub board: &'static str,
    /// Title of the panel.
    pub panel: &'static str,
    /// PromQL, with the board's variables.
    pub expr: String,
}

/// Every board.
pub fn boards() -> Vec<Board> {
    vec![province::board(), failover::board()]
}

/// Every generated file.
///
/// # Errors
/// A value that cannot be written, which no test has seen.
pub fn files() -> io::Result<Vec<File>> {
    let mut files = vec![File {
        name: "alerts.yaml".to_owned(),
        content: alerts::rules()?,
    }];
    for board in boards() {
        for language in [Language::En, Language::Zh] {
            files.push(File {
                name: format!("{}.{}.json", board.name, language.code()),
                content: format!("{:#}\n", grafana::render(&board, language)),
            });
        }
    }
    Ok(files)
}

/// Writes every generated file into a folder.
///
/// # Errors
/// A file that cannot be written.
pub fn write(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for file in files()? {
        std::fs::write(folder.join(file.name), file.content)?;
    }
    Ok(())
}

/// Every query of every board.
pub fn queries() -> Vec<Query> {
    let mut all = Vec::new();
    for board in boards() {
        for panel in board.rows.iter().flat_map(|r| &r.panels) {
            all.extend(panel.queries.iter().map(|(expr, _)| Query {
                board: board.title.en,
                panel: panel.title.en,
                expr: expr.clone(),
            }));
        }
    }
    all
}

/// A query as Prometheus itself takes it: the board's variables replaced by what they are at first.
pub fn expand(expr: &str) -> String {
    expr.replace("$pool", ".*")
        .replace("$resource", "cpu")
        .replace("$__rate_interval", "1m")
}
