//! docs/reference/ledger-model.md, as it was found.

use std::fmt::Write as _;

use crate::rules::{Rule, Rules};
use crate::scenarios::Scenario;
use crate::state::Budget;
use crate::steps::Step;
use crate::words::{asks, in_words};

/// A wrong world, and the shortest way there.
pub(crate) struct Found {
    pub(crate) scenario: Scenario,
    pub(crate) wrong: &'static str,
    pub(crate) steps: Vec<Step>,
}

/// Path of the page.
pub(crate) const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/ledger-model.md");

const BEGIN: &str = "\
# The model of the ledger

Written by `UPDATE_GOLDEN=1 cargo test -p plan --test model`; do not edit. The test compares.

`controllers/plan/tests/model` explores [the ledger protocol](../decisions/0003-ledger-protocol.md) breadth-first: one centre,
pools of 2 each, two operators that may pause between any two steps, caches of any age, centres that apply when they like,
and of all else as often as a scenario says. A search ends when there is no world that was not looked at. In every one of
them:

- no pool has more allocated, or lets in more, than there is;
- the ledger is never lower than what it stands for: of each request what its allocation holds, or while a record is open
  the larger of its two sides, pool by pool;
- a grant is all that was asked, from every pool, or nothing.

The decisions are made by the operator's own code: `cycle` says what is settled, given back, applied, cleared and let go,
`restore` what a new ledger takes over, `Ledger` sums up and recounts, `fits_beyond` says what fits.
";

const BY_HAND: &str = "
## A finalizer taken away by hand

The ledger sells nothing twice, but what a request held that vanished by hand is free as soon as the ledger finds it gone.
Until the centre's agent has looked, the centre may then let in more than there is. The shortest way:

";

/// What may happen, in words.
fn happens(budget: &Budget) -> String {
    let all = [
        (budget.creations, "created"),
        (budget.changes, "changed"),
        (budget.ends, "ended"),
        (budget.deletions, "deleted"),
        (budget.crashes, "crash"),
        (budget.late, "late write"),
        (budget.losses, "ledger lost"),
        (budget.recounts, "recount"),
        (budget.by_hand, "finalizer taken by hand"),
    ];
    let all = all.iter().filter(|(times, _)| *times > 0);
    all.map(|(times, what)| format!("{times} {what}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(|g| std::str::from_utf8(g).unwrap()).collect();
    groups.join(",")
}

/// The whole page.
pub(crate) fn page(sound: &[(Scenario, usize)], without: &[(Rule, Found)], by_hand: &Found) -> String {
    let mut out = BEGIN.to_owned();
    scenarios(&mut out, sound).unwrap();
    rules(&mut out, without).unwrap();
    out += BY_HAND;
    way(&mut out, by_hand, Rules::default()).unwrap();
    out
}

fn scenarios(out: &mut String, sound: &[(Scenario, usize)]) -> std::fmt::Result {
    writeln!(out, "\n## Scenarios, with all rules in force\n")?;
    writeln!(
        out,
        "What a request asks, of one pool or of two; after `⇄` what a change of it asks. None of these worlds is wrong.\n"
    )?;
    writeln!(out, "| scenario | asked | pools | may happen | worlds |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    for (scenario, worlds) in sound {
        let pools = scenario.pools();
        writeln!(
            out,
            "| {} | {} | {pools} | {} | {} |",
            scenario.name,
            asks(scenario.wants, pools),
            happens(&scenario.budget),
            thousands(*worlds)
        )?;
    }
    let all: usize = sound.iter().map(|(_, worlds)| worlds).sum();
    writeln!(out, "\n{} worlds together.", thousands(all))
}

fn rules(out: &mut String, without: &[(Rule, Found)]) -> std::fmt::Result {
    writeln!(out, "\n## Each rule left out\n")?;
    writeln!(out, "| without this rule | in the scenario | steps | what goes wrong |")?;
    writeln!(out, "|---|---|---|---|")?;
    for (rule, found) in without {
        let (scenario, steps) = (found.scenario.name, found.steps.len());
        writeln!(out, "| {} | {scenario} | {steps} | {} |", rule.in_words(), found.wrong)?;
    }
    writeln!(
        out,
        "\nThe shortest way to each in its scenario, where all other rules are in force:"
    )?;
    for (rule, found) in without {
        writeln!(out, "\n### {rule:?}\n\n{}. Without that:\n", rule.in_words())?;
        let rules = Rules { without: Some(*rule) };
        way(out, found, rules)?;
    }
    Ok(())
}

fn way(out: &mut String, found: &Found, rules: Rules) -> std::fmt::Result {
    let lines = in_words(&found.scenario, rules, &found.steps);
    for (number, line) in lines.iter().enumerate() {
        writeln!(out, "{}. {line}", number + 1)?;
    }
    writeln!(out, "\n⇒ {}", found.wrong)
}
