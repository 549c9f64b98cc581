//! Every command of the documents, run on a real cloud in the order of the page, and what it says there compared with what
//! it prints.
//!
//! A block ```` ```sh ```` must succeed, every command of it; of ```` ```sh refused ```` the last command must fail;
//! ```` ```sh not-run: REASON ```` is for what a test cannot do. Each line of a ```` ```text ```` below it must be found
//! in the output, `…` standing for anything.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "an assumption that fails is a test that fails"
)]

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use playground::{Cloud, Options, Profile};
use tests::repository;

/// In the order in which one leaves the cloud as the next needs it.
const PAGES: [&str; 4] = [
    "docs/tutorial.md",
    "README.md",
    "docs/troubleshooting.md",
    "docs/install.md",
];
/// How many blocks may stay out.
const NOT_RUN: usize = 7;

/// One block of commands.
#[derive(Debug)]
struct Block {
    line: usize,
    commands: String,
    refused: bool,
    expected: Vec<String>,
}

/// The blocks of a page that are run, and how many are not.
fn blocks(page: &str) -> (Vec<Block>, usize) {
    let (mut blocks, mut left_out): (Vec<Block>, usize) = (Vec::new(), 0);
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let body = lines.by_ref().map(|(_, l)| l).take_while(|l| *l != "```");
        let body: Vec<&str> = body.collect();
        match info {
            "sh" | "sh refused" => blocks.push(Block {
                line: number + 1,
                commands: body.join("\n"),
                refused: info == "sh refused",
                expected: Vec::new(),
            }),
            "text" => {
                let block = blocks.last_mut().expect("a text stands below its commands");
                block.expected = body.iter().map(|l| (*l).to_owned()).collect();
            }
            _ if info.starts_with("sh not-run: ") => left_out += 1,
            _ => {}
        }
    }
    (blocks, left_out)
}

/// One script for a page, so that functions and variables live on; a file for what each block printed, and one where it
/// ended well.
fn script(blocks: &[Block], out: &Path) -> String {
    let mut text = "set -euo pipefail\nexport LC_ALL=C.UTF-8\n".to_owned();
    for (i, block) in blocks.iter().enumerate() {
        let (commands, out) = (&block.commands, out.display());
        let run = if block.refused {
            format!("if {{\n{commands}\n}} >{out}/{i}.out 2>&1; then exit 1; fi")
        } else {
            format!("{{\n{commands}\n}} >{out}/{i}.out 2>&1")
        };
        let _ = writeln!(text, "{run}\ntouch {out}/{i}.done");
    }
    text
}

/// Whether the parts between the ellipses stand in one line of the output, in that order.
fn says(output: &str, expected: &str) -> bool {
    output.lines().any(|line| {
        let mut rest = line;
        expected.split('…').map(str::trim).all(|part| {
            let found = rest.find(part);
            rest = found.map_or("", |at| &rest[at + part.len()..]);
            found.is_some()
        })
    })
}

/// A folder that looks like the repository with a running demo.
fn view(cloud: &Cloud) -> PathBuf {
    let view = cloud.dir().join("view");
    std::fs::create_dir_all(view.join("target")).unwrap();
    for name in ["examples", "charts", "dashboards", "docs", "Makefile"] {
        symlink(repository().canonicalize().unwrap().join(name), view.join(name)).unwrap();
    }
    // Tests run from target/debug/deps.
    let own = std::env::current_exe().unwrap();
    symlink(own.ancestors().nth(2).unwrap(), view.join("target/debug")).unwrap();
    symlink(cloud.dir(), view.join(".playground")).unwrap();
    view
}

fn run_page(page: &str, view: &Path) -> (usize, usize) {
    let text = std::fs::read_to_string(repository().join(page)).unwrap();
    let (blocks, left_out) = blocks(&text);
    let out = view.join(page.replace('/', "-"));
    std::fs::create_dir_all(&out).unwrap();
    let file = out.join("script.sh");
    std::fs::write(&file, script(&blocks, &out)).unwrap();
    let log = std::fs::File::create(out.join("log")).unwrap();
    let mut bash = Command::new("bash");
    bash.arg(&file)
        .current_dir(view)
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    let ended = bash.status().unwrap();
    for (i, block) in blocks.iter().enumerate() {
        let said = std::fs::read_to_string(out.join(format!("{i}.out"))).unwrap_or_default();
        let place = format!("{page}:{}\n{}\n--- said:\n{said}", block.line, block.commands);
        assert!(out.join(format!("{i}.done")).exists(), "{place}\n--- {ended}");
        for expected in &block.expected {
            assert!(says(&said, expected), "{place}--- does not say: {expected}");
        }
    }
    let commands = blocks.iter().flat_map(|b| b.commands.lines());
    let commands = commands.filter(|l| !l.trim().is_empty() && !l.starts_with('#')).count();
    println!("{page}: {} blocks, {commands} lines of commands", blocks.len());
    (commands, left_out)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_does_what_the_page_says() {
    let options = Options {
        profile: Profile::Full,
        ..Options::default()
    };
    let cloud = Cloud::up(options).await.unwrap();
    let view = view(&cloud);
    let (commands, left_out) = tokio::task::spawn_blocking(move || {
        let pages = PAGES.map(|page| run_page(page, &view));
        pages.iter().fold((0, 0), |sum, page| (sum.0 + page.0, sum.1 + page.1))
    })
    .await
    .unwrap();
    println!("{commands} lines of commands run, {left_out} blocks not");
    assert!(commands > 60 && left_out <= NOT_RUN);
    drop(cloud);
}

#[test]
fn an_ellipsis_stands_for_anything_in_between() {
    assert!(says("x86  jishi  cpu  256\n", "x86 … 256"));
    assert!(!says("256  x86\n", "x86 … 256"));
    assert!(!says("x86\n256\n", "x86 … 256"));
}
