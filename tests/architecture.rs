//! The shape of the repository: which crate may see which, and how large a file may grow. The table is the one of
//! docs/concepts.md, "Crates"; a change here is a change of the design.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "an assumption that fails is a test that fails"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{files, repository};

/// A crate: the crates of this workspace that it may see, and what it must not see at all.
struct Rule {
    name: &'static str,
    workspace: &'static [&'static str],
    forbidden: &'static [&'static str],
}

/// What does I/O, keeps time or rolls dice.
const IMPURE: &[&str] = &[
    "tokio",
    "kube-client",
    "kube-runtime",
    "hyper",
    "rustls",
    "reqwest",
    "rand",
    "getrandom",
    "etcd-client",
];

const RULES: &[Rule] = &[
    Rule {
        name: "crds",
        workspace: &[],
        forbidden: IMPURE,
    },
    Rule {
        name: "plan",
        workspace: &["crds"],
        forbidden: IMPURE,
    },
    Rule {
        name: "arbiter",
        workspace: &["crds"],
        forbidden: &["tokio", "kube-client", "kube-runtime"],
    },
    Rule {
        name: "dashboards",
        workspace: &[],
        forbidden: &["tokio", "kube-client", "kube-runtime", "hyper"],
    },
    Rule {
        name: "controllers",
        workspace: &["crds", "plan", "arbiter"],
        forbidden: &["clap"],
    },
    Rule {
        name: "xiangyun",
        workspace: &["crds", "plan", "arbiter", "controllers", "dashboards"],
        forbidden: &[],
    },
    // It has a capability that nothing else has: little is in it.
    Rule {
        name: "gate",
        workspace: &["arbiter"],
        forbidden: &["kube-client", "kube-runtime", "k8s-openapi", "rustls", "rand"],
    },
    Rule {
        name: "kubectl-xiangyun",
        workspace: &["crds", "plan"],
        forbidden: &["kube-runtime", "prometheus", "axum"],
    },
    // The cloud under the tests knows nothing of the product, so that it can contradict it.
    Rule {
        name: "playground",
        workspace: &[],
        forbidden: &[],
    },
];

/// The names that a crate depends on in an ordinary build, itself left out.
fn tree(name: &str) -> BTreeSet<String> {
    // The metadata of the workspace would show the features that all crates have together.
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "-e", "normal", "--prefix", "none", "-p", name])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo tree -p {name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .filter_map(|l| l.split_whitespace().next())
        .filter(|n| *n != name)
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn crates_see_only_what_they_may() {
    let ours: BTreeSet<&str> = RULES.iter().map(|r| r.name).chain(["tests"]).collect();
    for rule in RULES {
        let tree = tree(rule.name);
        let seen: Vec<_> = tree.iter().filter(|n| ours.contains(n.as_str())).collect();
        let odd: Vec<_> = seen.iter().filter(|n| !rule.workspace.contains(&n.as_str())).collect();
        assert!(odd.is_empty(), "{} must not depend on {odd:?}", rule.name);
        let odd: Vec<_> = rule.forbidden.iter().filter(|n| tree.contains(**n)).collect();
        assert!(
            odd.is_empty(),
            "{} must not depend on {odd:?}, not even indirectly",
            rule.name
        );
    }
}

#[test]
fn every_member_has_a_rule() {
    let manifest = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let members = manifest
        .split("members = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    // `tests` may depend on anything.
    assert_eq!(members.len(), RULES.len() + 1, "{members:?}");
}

/// Every Rust file of the workspace with its text. The build folder may lie anywhere, but never in these.
fn sources() -> Vec<(PathBuf, String)> {
    files(&["crds", "controllers", "operator", "tests"], "rs")
        .unwrap()
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(repository().join(&path)).unwrap();
            (path, text)
        })
        .collect()
}

#[test]
fn files_are_short() {
    let limit = |path: &Path| {
        if path.file_name().is_some_and(|n| n == "main.rs") {
            60
        } else {
            400
        }
    };
    let lengths = sources().into_iter().map(|(path, text)| (text.lines().count(), path));
    let long: Vec<_> = lengths.filter(|(lines, path)| *lines > limit(path)).collect();
    assert!(long.is_empty(), "too long: {long:?}");
}

#[test]
fn names_say_what_is_inside() {
    let vague = |part: &str| ["util", "utils", "helper", "helpers", "manager", "common", "misc"].contains(&part);
    let named: Vec<_> = sources()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| {
            path.with_extension("")
                .components()
                .any(|c| c.as_os_str().to_str().is_some_and(|c| c.split('_').any(vague)))
        })
        .collect();
    assert!(named.is_empty(), "{named:?}");
}

#[test]
fn no_test_is_switched_off() {
    let mark = concat!("#[", "ignore");
    let off: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| text.contains(mark))
        .map(|(path, _)| path)
        .collect();
    assert!(off.is_empty(), "{off:?}");
}

#[test]
fn decisions_have_no_clock_and_touch_nothing() {
    let touching = [
        "::now()",
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "SystemTime",
        "Instant",
        "boot_time",
        "tokio",
    ];
    let gate = ["bounds", "listing", "plan", "ranges", "ruleset", "transaction"];
    let gate = gate.map(|name| PathBuf::from(format!("operator/gate/src/{name}.rs")));
    let decides = |path: &Path| path.starts_with("controllers/plan/src") || gate.iter().any(|file| file == path);
    let deciding: Vec<_> = sources().into_iter().filter(|(path, _)| decides(path)).collect();
    assert!(
        gate.iter().all(|file| deciding.iter().any(|(path, _)| path == file)),
        "{gate:?}"
    );
    for (path, text) in deciding {
        let code = text.split("#[cfg(test)]").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let found: Vec<_> = lines.filter(|line| touching.iter().any(|t| line.contains(t))).collect();
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}
