//! The arbiter's own code in a simulated province: two agents a centre, two operators and a witness, gates, kubelets, an
//! arbiter's store of five voters; loss, delay, duplicates, one-way cuts, pauses anywhere, late writes, clocks that run
//! away, power loss, restores. A seed replays exactly.
//!
//! `SEEDS=100000 cargo test --release -p arbiter --test simulation` looks at more of them; `SEED=n` at one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "an assumption that fails is a test that fails"
)]

#[path = "simulation/centres.rs"]
mod centres;
#[path = "simulation/check.rs"]
mod check;
#[path = "simulation/faults.rs"]
mod faults;
#[path = "simulation/net.rs"]
mod net;
#[path = "simulation/operators.rs"]
mod operators;
#[path = "../../plan/tests/interleavings/page.rs"]
mod page;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/rules.rs"]
mod rules;
#[path = "simulation/seasons.rs"]
mod seasons;
#[path = "simulation/store.rs"]
mod store;
#[path = "simulation/world.rs"]
mod world;

use rules::Rule;
use world::World;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One run; what was wrong in it.
fn run(seed: u64, without: Option<Rule>) -> (Option<String>, u64) {
    let mut world = World::new(seed, without);
    world.run(faults::END);
    if world.violation.is_none() {
        world.ends();
    }
    (world.violation, world.moves)
}

#[test]
fn an_exclusive_scope_never_communicates_in_two_places() {
    let seeds = number("SEED").map_or(0..number("SEEDS").unwrap_or(1_000), |seed| seed..seed + 1);
    let mut moves = 0;
    for seed in seeds {
        let (violation, grants) = run(seed, None);
        assert_eq!(violation, None, "seed {seed}");
        moves += grants;
    }
    println!("{moves} grants");
    assert!(moves > 0, "nothing ever moved");
}

#[test]
fn each_rule_left_out_is_found() {
    let mut missed = Vec::new();
    let mut lines = vec![
        "| left out | seed | what goes wrong |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    let only = std::env::var("RULE").ok();
    let wanted = |rule: &Rule| only.as_ref().is_none_or(|only| *only == format!("{rule:?}"));
    for rule in Rule::ALL.into_iter().filter(wanted) {
        let begin = rule.seed();
        let mut seeds = begin..begin + number("SEEDS").unwrap_or(20_000);
        let found = seeds.find_map(|seed| Some((seed, run(seed, Some(rule)).0?)));
        if let Some((seed, what)) = found {
            println!("{rule:?} | {what} | seed {seed}");
            lines.push(format!(
                "| {} | {seed} | {what} |",
                page::in_words(&format!("{rule:?}"))
            ));
        } else {
            println!("{rule:?} | -");
            missed.push(rule);
        }
    }
    assert!(missed.is_empty(), "never missed: {missed:?}");
    if only.is_none() && number("SEEDS").is_none() {
        page::section("simulation", &lines);
    }
}
