//! The operators of two places and the observer of the third.

use std::time::Duration;

use arbiter::operator::Operator;
use arbiter::row::{Phase, Proof, Row};
use arbiter::txn::{Compare, Op, Outcome, Txn, key};
use arbiter::view::View;

use crate::net::PLACES;
use crate::rules::Rule;
use crate::world::{About, Role, SCOPE, Sent, World};

/// Takes the writes of keys that end like this out of a transaction.
pub(crate) fn strip_puts(txn: &mut Txn, end: &str) {
    txn.then
        .retain(|op| !matches!(op, Op::Put { key, .. } if key.ends_with(end)));
}

fn strip_compares(txn: &mut Txn, part: &str) {
    txn.compares.retain(|compare| {
        let (Compare::Unchanged { key, .. } | Compare::Value { key, .. }) = compare;
        !key.contains(part)
    });
}

fn other(place: &str) -> &'static str {
    if place == PLACES[0] { PLACES[1] } else { PLACES[0] }
}

impl World {
    fn operator_of(&mut self, p: usize) -> (&mut Operator, &mut Option<Duration>) {
        match &mut self.processes[p].role {
            Role::Operator(operator, since) => (operator, since),
            _ => unreachable!("process {p} is an operator"),
        }
    }

    pub(crate) fn operator_step(&mut self, p: usize) -> u64 {
        self.send(p, About::View, &View::look());
        // It also decides on what it read before: its own clock went on.
        let now = self.processes[p].clock(self.now);
        self.decides(p, now);
        self.random.between(300, 900)
    }

    pub(crate) fn witness_step(&mut self, p: usize) -> u64 {
        self.send(p, About::View, &View::look());
        let txn = Txn::default().put(key::beat(PLACES[2]), &"witness");
        self.send(p, About::Other, &txn);
        self.random.between(700, 1_200)
    }

    /// An answer that is listened to.
    pub(crate) fn answer(&mut self, sent: &Sent, outcome: &Outcome) {
        let p = sent.process;
        let now = self.processes[p].clock(self.now);
        let is_view = sent.about == About::View;
        match &mut self.processes[p].role {
            Role::Agent(_) => self.agent_answered(p, sent, outcome),
            Role::Operator(operator, since) if is_view => {
                operator.read(View::of(outcome), now);
                let regrants = operator
                    .view()
                    .rows
                    .get(SCOPE)
                    .is_some_and(|(row, _)| row.phase == Phase::Regrant);
                *since = since.filter(|_| regrants).or(regrants.then_some(now));
                self.decides(p, now);
            }
            Role::Witness(observer, view) if is_view => {
                *view = View::of(outcome);
                observer.read(view, now);
                let txns: Vec<_> = PLACES[..2]
                    .iter()
                    .filter_map(|place| observer.verdict(place, now))
                    .collect();
                for txn in txns {
                    self.send(p, About::Other, &txn);
                }
            }
            _ => {}
        }
    }

    fn decides(&mut self, p: usize, now: Duration) {
        let (operator, _) = self.operator_of(p);
        let verdicts = PLACES[..2]
            .iter()
            .filter_map(|place| operator.observer().verdict(place, now));
        let txns: Vec<_> = verdicts.chain(operator.lead(now)).collect();
        for txn in txns {
            self.send(p, About::Other, &txn);
        }
        if let Some(txn) = self.decision(p, now) {
            self.send(p, About::Other, &txn);
        }
    }

    fn decision(&mut self, p: usize, now: Duration) -> Option<Txn> {
        let pinned_stays = self.has(Rule::PinnedStays);
        let (operator, _) = self.operator_of(p);
        let Some((row, _)) = operator.view().rows.get(SCOPE).cloned() else {
            return operator.grant(SCOPE, PLACES[0]);
        };
        let holder = row.holder.as_deref().unwrap_or(PLACES[0]);
        let silent = operator.observer().silent(holder, now).is_some();
        if row.pinned() && silent && !pinned_stays {
            let mut view = operator.view().clone();
            if let Some((row, _)) = view.rows.get_mut(SCOPE) {
                row.phase = Phase::Held;
            }
            let mut believes = operator.clone();
            believes.read(view, now);
            return believes.takeover(SCOPE, [other(holder), PLACES[2]], now);
        }
        match row.phase {
            Phase::Held | Phase::Draining if silent => self.takes(p, holder, now),
            Phase::Held => self.calm(p, now),
            Phase::Pinned if operator.observer().silent(PLACES[2], now).is_none() => operator.unpin(SCOPE),
            Phase::Fencing => self.fences(p, &row, now),
            Phase::Released => {
                let to = other(row.from.as_deref()?);
                operator.hand_over(SCOPE, to)
            }
            Phase::Regrant => self.regrants(p, &row, now),
            _ => None,
        }
    }

    fn takes(&mut self, p: usize, holder: &str, now: Duration) -> Option<Txn> {
        let (beat, two) = (self.has(Rule::TakeoverComparesTheBeat), self.has(Rule::TwoObservers));
        let (operator, _) = self.operator_of(p);
        let mut txn = operator.takeover(SCOPE, [other(holder), PLACES[2]], now)?;
        if !beat {
            strip_compares(&mut txn, "/beat");
        }
        if !two {
            strip_compares(&mut txn, "/observers/");
        }
        Some(txn)
    }

    fn calm(&mut self, p: usize, now: Duration) -> Option<Txn> {
        let wants = std::mem::take(&mut self.wants_move);
        let (operator, _) = self.operator_of(p);
        if operator.observer().silent(PLACES[2], now).is_some() {
            return operator.pin(&[SCOPE.to_owned()]);
        }
        let txn = if wants { operator.drain(SCOPE) } else { None };
        self.wants_move = wants && txn.is_none();
        txn
    }

    fn fences(&mut self, p: usize, row: &Row, now: Duration) -> Option<Txn> {
        // A node without a gate proves nothing by time.
        let proven = self.gated || !self.has(Rule::PromotionNeedsAProof);
        let from = row.from.clone()?;
        let (operator, _) = self.operator_of(p);
        if row.proof.is_none() {
            return operator.prove(SCOPE, Proof::PermitExpired).filter(|_| proven);
        }
        let to = other(&from);
        let to = if operator.observer().silent(to, now).is_some() {
            from.as_str()
        } else {
            to
        };
        operator.promote(SCOPE, to)
    }

    fn regrants(&mut self, p: usize, row: &Row, now: Duration) -> Option<Txn> {
        let all = self.has(Rule::RegrantAsksAll);
        let timing = self.timing;
        let (operator, since) = self.operator_of(p);
        let since = (*since)?;
        let from = row.from.clone()?;
        let places = if all { PLACES[..2].to_vec() } else { vec![from.as_str()] };
        operator.regrant(SCOPE, &places, since, now, timing)
    }
}
