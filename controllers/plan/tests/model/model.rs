//! An explicit-state model of the ledger protocol (docs/decisions/0003-ledger-protocol.md): every order in which two
//! operators, their pauses, crashes and late writes, departments, centres and a lost ledger may act, up to a budget of rare
//! events. With all rules no world is wrong; with any one of them left out some world is. docs/reference/ledger-model.md shows
//! which; `UPDATE_GOLDEN=1` writes it anew.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an assumption that fails is a test that fails"
)]

mod decide;
mod document;
mod lost;
mod operator;
mod outside;
mod real;
mod rules;
mod scenarios;
mod state;
mod steps;
mod words;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Instant;

use document::{Found, PAGE, page};
use rules::{Rule, Rules};
use scenarios::{BY_HAND, SCENARIOS, Scenario, Setup};
use state::World;
use steps::{Step, take};

/// No scenario is larger.
const MOST: usize = 6_000_000;

/// How a search ended.
enum Outcome {
    /// So many worlds, none of them wrong.
    Sound(usize),
    /// The shortest way to a wrong one.
    Wrong(&'static str, Vec<Step>),
    /// More worlds than [`MOST`].
    TooMany,
}

/// What is wrong with a world.
type Judge = fn(&World, &Setup) -> Option<&'static str>;

/// Looks at every world that can be reached, nearest first, for what no world may be.
fn search(scenario: &Scenario, rules: Rules, wrong: Judge) -> Outcome {
    let (setup, hasher) = (scenario.setup(rules), RandomState::new());
    let all = steps::all(setup.wants.len());
    let first = World::new(scenario.budget);
    let mut seen = HashSet::from([hasher.hash_one(first)]);
    // How each world was reached: from which one, by what.
    let mut ways: Vec<(usize, Option<Step>)> = vec![(0, None)];
    let mut queue = VecDeque::from([(first, 0)]);
    while let Some((world, index)) = queue.pop_front() {
        for step in &all {
            let Some(next) = take(&world, *step, &setup) else {
                continue;
            };
            if !seen.insert(hasher.hash_one(next)) {
                continue;
            }
            ways.push((index, Some(*step)));
            if let Some(wrong) = wrong(&next, &setup) {
                return Outcome::Wrong(wrong, way(&ways));
            }
            if ways.len() > MOST {
                return Outcome::TooMany;
            }
            queue.push_back((next, ways.len() - 1));
        }
    }
    Outcome::Sound(ways.len())
}

/// The steps to the newest world.
fn way(ways: &[(usize, Option<Step>)]) -> Vec<Step> {
    let mut at = ways.len() - 1;
    let mut steps = Vec::new();
    while let (from, Some(step)) = ways[at] {
        steps.push(step);
        at = from;
    }
    steps.reverse();
    steps
}

/// The wrong world of that scenario, where there is one.
fn found(scenario: &Scenario, rules: Rules, wrong: Judge) -> Option<Found> {
    match search(scenario, rules, wrong) {
        Outcome::Wrong(wrong, steps) => Some(Found {
            scenario: *scenario,
            wrong,
            steps,
        }),
        _ => None,
    }
}

/// Each scenario with all rules in force, and how many worlds it has; as many at a time as there are cores.
static SOUND: LazyLock<Vec<(Scenario, usize)>> = LazyLock::new(|| {
    let all: Vec<&Scenario> = SCENARIOS.iter().chain([&BY_HAND]).collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        while let Some(scenario) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.lock().unwrap().insert(scenario.name, worlds(scenario));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let found = found.into_inner().unwrap();
    all.into_iter()
        .map(|scenario| (*scenario, found[scenario.name]))
        .collect()
});

/// Looks at all of its worlds.
fn worlds(scenario: &Scenario) -> usize {
    let began = Instant::now();
    let worlds = match search(scenario, Rules::default(), World::wrong) {
        Outcome::Sound(worlds) => worlds,
        Outcome::Wrong(wrong, steps) => {
            let way = words::in_words(scenario, Rules::default(), &steps);
            panic!("{}: {wrong}:\n{}", scenario.name, way.join("\n"))
        }
        Outcome::TooMany => panic!("{}: not all worlds were looked at", scenario.name),
    };
    println!(
        "{}: {worlds} worlds, {:.1} s",
        scenario.name,
        began.elapsed().as_secs_f64()
    );
    worlds
}

/// Each rule left out, and the first world that is wrong without it.
static WITHOUT: LazyLock<Vec<(Rule, Found)>> = LazyLock::new(|| {
    let without = |rule: Rule| {
        let began = Instant::now();
        let rules = Rules { without: Some(rule) };
        let scenario = SCENARIOS.iter().find(|s| s.name == rule.scenario()).unwrap();
        let found = found(scenario, rules, World::wrong);
        let found = found.unwrap_or_else(|| panic!("without {rule:?} nothing goes wrong"));
        let (name, steps, seconds) = (found.scenario.name, found.steps.len(), began.elapsed().as_secs_f64());
        println!(
            "without {rule:?} ({name}): {} after {steps} steps, {seconds:.1} s",
            found.wrong
        );
        (rule, found)
    };
    Rule::ALL.into_iter().map(without).collect()
});

#[test]
fn with_all_rules_no_world_is_wrong() {
    let all: usize = SOUND.iter().map(|(_, worlds)| worlds).sum();
    println!("{all} worlds");
}

#[test]
fn each_rule_is_needed() {
    assert_eq!(WITHOUT.len(), Rule::ALL.len());
}

/// What a request held that vanished by hand is free as soon as the ledger finds it gone, whether or not the centre has taken
/// it back by then. The ledger sells nothing twice, but the centre lets in too much until its agent has looked.
#[test]
fn the_page_shows_what_was_found() {
    let by_hand = found(&BY_HAND, Rules::default(), World::lets_in_too_much).unwrap();
    let page = page(&SOUND, &WITHOUT, &by_hand);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let stored = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(page == stored, "{PAGE} is not what was found:\n{page}");
}
