//! docs/reference/property-tests.md names every test with random input, and how many cases it looks at.

#![allow(clippy::unwrap_used, reason = "an assumption that fails is a test that fails")]

#[path = "interleavings/page.rs"]
mod page;

use std::path::{Path, PathBuf};

/// What proptest does where nobody says otherwise.
const CASES: &str = "256";

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    let of = |path: PathBuf| match path.is_dir() {
        true => rust_files(&path),
        false if path.extension().is_some_and(|e| e == "rs") => vec![path],
        false => Vec::new(),
    };
    entries.into_iter().flat_map(of).collect()
}

/// Functions in a `proptest!` block of that text, with their cases.
fn properties(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(begin) = lines.by_ref().find(|line| line.trim() == "proptest! {") {
        let end = begin.replace("proptest! {", "}");
        let mut cases = CASES;
        for line in lines.by_ref().take_while(|line| *line != end) {
            let line = line.trim();
            if line.starts_with("#![proptest_config(") {
                let number = line.split(|c: char| !c.is_ascii_digit()).find(|n| !n.is_empty());
                cases = number.unwrap();
            }
            let name = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            found.extend(name.map(|name| (name, cases)));
        }
    }
    found
}

#[test]
fn every_property_is_listed() {
    let controllers = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut lines = vec!["| where | what holds | cases |".to_owned(), "|---|---|---|".to_owned()];
    let folders = ["arbiter/src", "arbiter/tests", "plan/src", "plan/tests"];
    for file in folders.iter().flat_map(|folder| rust_files(&controllers.join(folder))) {
        let text = std::fs::read_to_string(&file).unwrap();
        let place = file.strip_prefix(controllers).unwrap().display();
        for (name, cases) in properties(&text) {
            lines.push(format!(
                "| `controllers/{place}` | {} | {cases} |",
                page::in_words(name)
            ));
        }
    }
    page::section("properties", &lines);
}
