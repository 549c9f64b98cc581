//! The way to a world, for people.

use crate::rules::Rules;
use crate::scenarios::{Scenario, Wants};
use crate::state::{Amounts, Late, Ledger, NAMES, World};
use crate::steps::{Step, happens};

const LETTERS: [char; NAMES] = ['a', 'b', 'c'];

/// One line for each step. The model does not care which operator is which; people do.
pub(crate) fn in_words(scenario: &Scenario, rules: Rules, steps: &[Step]) -> Vec<String> {
    let setup = scenario.setup(rules);
    let mut world = World::new(scenario.budget);
    let mut who = [1, 2];
    let mut lines = Vec::new();
    for step in steps {
        let mut next = happens(&world, *step, &setup).unwrap();
        let teller = Teller {
            who,
            before: &world,
            after: &next,
            pools: scenario.pools(),
        };
        lines.push(teller.line(*step));
        if next.operators[0] > next.operators[1] {
            next.operators.swap(0, 1);
            who.swap(0, 1);
        }
        world = next;
    }
    lines
}

/// What each asks, with what a change makes of it.
pub(crate) fn asks(wants: &[Wants], pools: usize) -> String {
    let one = |(name, [first, other]): (usize, &Wants)| {
        let other = (other != first).then(|| format!(" ⇄ {}", amounts(*other, pools)));
        format!(
            "{} {}{}",
            LETTERS[name],
            amounts(*first, pools),
            other.unwrap_or_default()
        )
    };
    wants.iter().enumerate().map(one).collect::<Vec<_>>().join("; ")
}

fn amounts(amounts: Amounts, pools: usize) -> String {
    if pools == 1 {
        return amounts.0[0].to_string();
    }
    format!("({})", amounts.0.map(|n| n.to_string()).join(", "))
}

/// A step, and the worlds before and after it.
struct Teller<'a> {
    who: [usize; 2],
    before: &'a World,
    after: &'a World,
    pools: usize,
}

impl Teller<'_> {
    fn line(&self, step: Step) -> String {
        let holds = |name: usize| self.after.requests[name].map_or(Amounts::NONE, |r| r.holds);
        let asks = |name: usize| self.after.requests[name].map_or(Amounts::NONE, |r| r.asks);
        let amount = |amount| amounts(amount, self.pools);
        let operator = |o: usize| format!("operator {}", self.who[o]);
        match step {
            Step::Create(name) => format!("{} is created and asks {}", LETTERS[name], amount(asks(name))),
            Step::Change(name) => format!("a change asks {} for {}", amount(asks(name)), LETTERS[name]),
            Step::End(name) => format!("the grant of {} ends", LETTERS[name]),
            Step::Delete(name) => format!("{} is deleted", LETTERS[name]),
            Step::VanishByHand(name) => format!("{} vanishes: its finalizer is taken away by hand", LETTERS[name]),
            Step::CentreApplies(name) => format!("the centre lets in {} for {}", amount(holds(name)), LETTERS[name]),
            Step::LedgerIsLost => "the ledger is lost".to_owned(),
            Step::ReadLedger(o) => format!("{} reads the ledger", operator(o)),
            Step::List(o) => format!("{} reads the requests", operator(o)),
            Step::Swap(o) => {
                let (old, new) = (self.before.operators[o].ledger, self.after.ledger);
                let what = if new == self.before.ledger {
                    "it is refused".to_owned()
                } else {
                    self.decided(old, new)
                };
                format!("{} swaps the ledger: {what}", operator(o))
            }
            Step::SwapLate(o) => {
                let new = match self.after.late {
                    Some(Late::Swap(new, _)) => Some(new),
                    _ => None,
                };
                let what = self.decided(self.before.operators[o].ledger, new);
                format!("{} sends a swap, gives it up and begins anew: {what}", operator(o))
            }
            Step::Apply(o, name) => format!("{} writes the allocation of {}", operator(o), self.written(name)),
            Step::ApplyLate(o, name) => format!(
                "{} sends the allocation of {}, gives it up and begins anew",
                operator(o),
                LETTERS[name]
            ),
            Step::Land => self.lands(),
            Step::Clear(o, name) => format!("{} clears what {} held before", operator(o), LETTERS[name]),
            Step::LetGo(o, name) => format!("{} takes the finalizer of {} away", operator(o), LETTERS[name]),
            Step::CreateLedger(o) => format!("{} creates a new ledger", operator(o)),
            Step::Stamp(o, name) => format!(
                "{} writes the uid of the new ledger into {}",
                operator(o),
                LETTERS[name]
            ),
            Step::Recount(o) => {
                let charged = self.after.ledger.map_or(Amounts::NONE, |l| l.charged);
                let refused = self.after.ledger == self.before.ledger;
                let what = if refused {
                    "it is refused".to_owned()
                } else {
                    format!("charged {}", amount(charged))
                };
                format!("{} recounts: {what}", operator(o))
            }
            Step::Crash(o) => format!("{} crashes", operator(o)),
        }
    }

    /// What a swap settles and opens, against the ledger that it was decided on.
    fn decided(&self, old: Option<Ledger>, new: Option<Ledger>) -> String {
        let (Some(old), Some(new)) = (old, new) else {
            return String::new();
        };
        let mut parts = Vec::new();
        for name in (0..NAMES).filter(|name| old.records[*name] != new.records[*name]) {
            if old.records[name].is_some() {
                parts.push(format!("{} is settled", LETTERS[name]));
            }
            if let Some(record) = new.records[name] {
                let [from, to] = [record.from, record.to].map(|a| amounts(a, self.pools));
                parts.push(format!("{} is opened, {from} → {to}", LETTERS[name]));
            }
        }
        parts.join("; ")
    }

    fn written(&self, name: usize) -> String {
        let now = self.after.requests[name].filter(|_| self.after.requests != self.before.requests);
        let what = now.map_or("it is refused".to_owned(), |r| {
            format!("it holds {}", amounts(r.holds, self.pools))
        });
        format!("{}: {what}", LETTERS[name])
    }

    fn lands(&self) -> String {
        match self.before.late {
            Some(Late::Apply(name, ..)) => format!("the late allocation lands on {}", self.written(name)),
            _ if self.after.ledger == self.before.ledger => "the late swap is refused".to_owned(),
            _ => "the late swap lands".to_owned(),
        }
    }
}
