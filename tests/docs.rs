//! What is written for people must be true: every link and every path that a page names exists.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "an assumption that fails is a test that fails"
)]

use std::path::{Path, PathBuf};

use tests::{files, repository};

/// README.md and every page under docs/.
fn pages() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("README.md")];
    found.extend(files(&["docs"], "md").unwrap());
    found
}

/// Targets of `[text](target)`, without those that lead out of the repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://"))
}

/// What stands between back-ticks or on a line of a shell block and looks like a path of the repository.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let tops = [
        "crds/",
        "controllers/",
        "operator/",
        "tests/",
        "charts/",
        "dashboards/",
        "docs/",
        "examples/",
        ".ci/",
    ];
    text.split(|c: char| c.is_whitespace() || "`()[],;|".contains(c))
        .map(|word| word.trim_end_matches(['.', ':']))
        .filter(move |word| tops.iter().any(|top| word.starts_with(top)))
}

/// The headings of a page as anchors.
fn anchors(page: &str) -> Vec<String> {
    let keep = |c: char| c.is_alphanumeric() || c == ' ' || c == '-';
    page.lines()
        .filter(|l| l.starts_with('#'))
        .map(|l| {
            l.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| keep(*c))
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let text = std::fs::read_to_string(repository().join(&page)).unwrap();
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap_or(Path::new("")).join(file)
            };
            let target = repository().join(target);
            assert!(target.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(target).unwrap();
                assert!(
                    anchors(&text).contains(&anchor.to_owned()),
                    "{}: no heading #{anchor}",
                    page.display()
                );
            }
        }
    }
}

#[test]
fn every_path_that_is_named_exists() {
    for page in pages() {
        let text = std::fs::read_to_string(repository().join(&page)).unwrap();
        for path in paths(&text) {
            assert!(repository().join(path).exists(), "{}: {path}", page.display());
        }
    }
}

#[test]
fn comments_refer_to_pages_that_exist() {
    for file in ["crds", "controllers", "operator", "tests"]
        .iter()
        .flat_map(|top| rust_files(&repository().join(top)))
    {
        let text = std::fs::read_to_string(&file).unwrap();
        for page in paths(&text).filter(|p| p.starts_with("docs/") && p.contains(".md")) {
            let page = page.trim_end_matches(|c: char| !c.is_alphanumeric());
            assert!(repository().join(page).exists(), "{}: {page}", file.display());
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false if path.extension().is_some_and(|e| e == "rs") => vec![path],
            false => Vec::new(),
        })
        .collect()
}

/// The values of string constants in a file, such as reasons.
fn constants(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join(file)).unwrap();
    let values = text
        .lines()
        .filter_map(|l| l.split_once(": &str = \"")?.1.strip_suffix("\";"));
    let reason = |v: &&str| v.starts_with(char::is_uppercase) && v.chars().all(char::is_alphanumeric);
    values.filter(reason).map(str::to_owned).collect()
}

#[test]
fn every_reason_refusal_and_alert_is_explained() {
    let page = std::fs::read_to_string(repository().join("docs/troubleshooting.md")).unwrap();
    let mut words = Vec::new();
    for kind in [
        "tenant",
        "resource_request",
        "data_center",
        "expansion_phase",
        "quota_pool",
        "request_approval",
        "reclaim_policy",
        "dual_active_placement",
        "placeable_kind",
        "failover",
        "failover_approval",
    ] {
        words.extend(constants(&format!("crds/src/{kind}.rs")));
    }
    assert!(words.len() > 30, "{words:?}");
    for policy in files(&["charts"], "yaml").unwrap() {
        let text = std::fs::read_to_string(repository().join(policy)).unwrap();
        let marked = text
            .split('(')
            .skip(1)
            .filter_map(|rest| rest.split_once(") "))
            .map(|(word, _)| word);
        let marked = marked.filter(|w| w.starts_with(char::is_uppercase) && w.chars().all(char::is_alphanumeric));
        words.extend(marked.map(str::to_owned));
    }
    for word in words {
        assert!(
            page.contains(&format!("`{word}`")),
            "docs/troubleshooting.md does not explain {word}"
        );
    }
    for alert in dashboards::alerts() {
        let heading = format!("\n### {}\n", alert.name);
        assert!(
            page.contains(&heading),
            "docs/troubleshooting.md has no section {}",
            alert.name
        );
    }
}

/// 31,800 vCPU, 135 TB and 7 PB at the end of 2020; 100,000 vCPU, 400 TB and 15 PB with the last phase.
#[test]
fn the_phases_of_the_examples_add_up_to_the_plan() {
    let text = std::fs::read_to_string(repository().join("examples/30-phases.yaml")).unwrap();
    let phases: Vec<crds::ExpansionPhase> = serde_saphyr::from_multiple(&text).unwrap();
    let in_words = |sum: crds::Resources| {
        let of = |resource: &str| crds::Resources::amount(resource, sum[resource]).0;
        ["cpu", "memory", "storage"].map(of)
    };
    let totals = plan::phase::totals(&phases);
    assert_eq!(in_words(totals.accepted), ["31800", "135T", "7P"]);
    assert_eq!(in_words(totals.target), ["100000", "400T", "15P"]);
    let all = phases.iter().map(|p| plan::phase::delivers(p).unwrap());
    let all = all.reduce(crds::Resources::plus).unwrap();
    assert_eq!(in_words(all), in_words(totals.target));
}

#[test]
fn every_scenario_is_a_test() {
    let page = std::fs::read_to_string(repository().join("docs/reference/scenarios.md")).unwrap();
    let suites = files(&["tests/scenarios"], "rs").unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|l| l.starts_with("| ") && l.contains('`'))
        .map(|l| l.split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 30, "{}", rows.len());
    for row in rows {
        let (suite, functions) = (row[2], row[3]);
        let of = ["/", ".rs"].map(|end| format!("tests/scenarios/{suite}{end}"));
        let of_suite = suites
            .iter()
            .filter(|f| of.iter().any(|of| f.to_string_lossy().starts_with(of)));
        let text: String = of_suite
            .map(|f| std::fs::read_to_string(repository().join(f)).unwrap())
            .collect();
        for function in functions.split(", ").map(|f| f.trim_matches('`')) {
            let step = text.contains(&format!("::{function},"));
            let whole = text.contains(&format!("fn {function}() "));
            assert!(step || whole, "{suite} has no step {function}");
        }
    }
}
