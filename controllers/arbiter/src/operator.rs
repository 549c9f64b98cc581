//! The deciding side: every transaction that changes who may run a scope. Each compares the row as it was read, the life
//! of the arbiter, and that this operator still decides; a takeover compares the other side's life as well, because a
//! transaction that was given up lands late.

use std::time::Duration;

use crate::observer::Observer;
use crate::row::{Epoch, Incarnation, Phase, Proof, Row};
use crate::timing::Timing;
use crate::txn::{AT_ONCE, Txn, key};
use crate::view::View;

/// An operator of one place. It is one of the observers.
#[derive(Clone, Debug)]
pub struct Operator {
    session: String,
    observer: Observer,
    view: View,
}

impl Operator {
    /// An operator; the session is unique to the process.
    pub fn new(place: &str, session: &str, timing: Timing) -> Self {
        Self {
            session: session.to_owned(),
            observer: Observer::new(place, timing),
            view: View::default(),
        }
    }

    /// A read that returned at `returned`.
    pub fn read(&mut self, view: View, returned: Duration) {
        self.observer.read(&view, returned);
        self.view = view;
    }

    /// What it last read.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// What it sees of the beats.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Begins to decide, or goes on: where nobody does, or who did is silent.
    pub fn lead(&self, now: Duration) -> Option<Txn> {
        let revision = match &self.view.operator {
            Some((session, revision)) if *session == self.session => {
                let txn = Txn::default().unchanged(key::operator(), *revision);
                return Some(txn.put(key::operating(), &self.session));
            }
            Some((_, revision)) if self.observer.operator_silent(now) => *revision,
            Some(_) => return None,
            None => 0,
        };
        let txn = Txn::default()
            .unchanged(key::operator(), revision)
            .unchanged(key::operating(), self.view.operating);
        let txn = txn.put(key::operator(), &self.session);
        Some(txn.put(key::operating(), &self.session))
    }

    /// A transaction of whoever decides.
    fn deciding(&self) -> Option<Txn> {
        let (session, revision) = self.view.operator.as_ref()?;
        let txn = Txn::default().finds(key::incarnation(), &self.view.incarnation?);
        (*session == self.session).then(|| txn.unchanged(key::operator(), *revision))
    }

    fn change(&self, scope: &str, revision: u64, row: &Row) -> Option<Txn> {
        let txn = self.deciding()?.unchanged(key::epoch(scope), revision);
        Some(txn.put(key::epoch(scope), row))
    }

    fn row(&self, scope: &str) -> Option<(&Row, u64)> {
        self.view.rows.get(scope).map(|(row, revision)| (row, *revision))
    }

    /// The first grant of a scope that has no row.
    pub fn grant(&self, scope: &str, holder: &str) -> Option<Txn> {
        let Incarnation {
            number: incarnation, ..
        } = self.view.incarnation?;
        let epoch = Epoch {
            incarnation,
            counter: 1,
        };
        if self.row(scope).is_some() {
            return None;
        }
        self.change(scope, 0, &Row::held(epoch, holder))
    }

    /// Takes the scope from a holder that was silent for T(1+2ρ), for this operator and for two observers that name the
    /// same beat. Nobody may run it afterwards, and nobody is promoted before a proof.
    pub fn takeover(&self, scope: &str, observers: [&str; 2], now: Duration) -> Option<Txn> {
        let (row, revision) = self.row(scope)?;
        let holder = row.holder.as_deref()?;
        if !matches!(row.phase, Phase::Held | Phase::Draining) {
            return None;
        }
        let m = self.observer.silent(holder, now)?;
        let next = Row {
            epoch: row.epoch.next(),
            holder: None,
            from: Some(holder.to_owned()),
            ..row.at(Phase::Fencing)
        };
        let txn = self.change(scope, revision, &next)?.unchanged(key::beat(holder), m);
        let verdicts = observers.into_iter();
        Some(verdicts.fold(txn, |txn, observer| txn.finds(key::verdict(observer, holder), &m)))
    }

    /// Records why the old holder is certainly silent.
    pub fn prove(&self, scope: &str, proof: Proof) -> Option<Txn> {
        let (row, revision) = self.row(scope)?;
        let proven = Row {
            proof: Some(proof),
            ..row.clone()
        };
        let open = row.phase == Phase::Fencing && row.proof.is_none();
        self.change(scope, revision, &proven).filter(|_| open)
    }

    /// Lets `to` run a scope whose last holder is proven silent. The epoch is the takeover's own.
    pub fn promote(&self, scope: &str, to: &str) -> Option<Txn> {
        let (row, revision) = self.row(scope)?;
        let proven = row.phase == Phase::Fencing && row.proof.is_some();
        let txn = self.change(scope, revision, &Row::held(row.epoch, to));
        txn.filter(|_| proven)
    }

    /// Asks the holder to stop and say so, for a planned move.
    pub fn drain(&self, scope: &str) -> Option<Txn> {
        let (row, revision) = self.row(scope)?;
        let txn = self.change(scope, revision, &row.at(Phase::Draining));
        txn.filter(|_| row.phase == Phase::Held)
    }

    /// Gives a scope that its holder released to `to`; to the same place again where the move is given up.
    pub fn hand_over(&self, scope: &str, to: &str) -> Option<Txn> {
        let (row, revision) = self.row(scope)?;
        let txn = self.change(scope, revision, &Row::held(row.epoch.next(), to));
        txn.filter(|_| row.phase == Phase::Released)
    }

    /// Lets every holder among `scopes` go on without a deadline while the witness is lost: all of them or none, and only
    /// while their places live.
    pub fn pin(&self, scopes: &[String]) -> Option<Txn> {
        let mut txn = self.deciding()?;
        for scope in scopes {
            let (row, revision) = self.row(scope).filter(|(row, _)| row.phase == Phase::Held)?;
            let holder = row.holder.as_deref()?;
            let beat = self.view.beats.get(holder)?;
            txn = txn
                .unchanged(key::epoch(scope), revision)
                .unchanged(key::beat(holder), *beat)
                .put(key::epoch(scope), &row.at(Phase::Pinned));
        }
        Some(txn).filter(|_| !scopes.is_empty())
    }

    /// Asks the holder of a pinned scope to take its deadline back on.
    pub fn unpin(&self, scope: &str) -> Option<Txn> {
        let (row, revision) = self.row(scope)?;
        let txn = self.change(scope, revision, &row.at(Phase::Unpinning));
        txn.filter(|_| row.phase == Phase::Pinned)
    }

    /// After a restore: the place that held the highest epoch goes on, once every place has said what it held, and every
    /// right of the life before has run out. `since` is when this operator first read the scope as `Regrant`.
    pub fn regrant(&self, scope: &str, places: &[&str], since: Duration, now: Duration, timing: Timing) -> Option<Txn> {
        let (row, revision) = self.row(scope).filter(|(row, _)| row.phase == Phase::Regrant)?;
        if now.checked_sub(since)? < timing.silence() {
            return None;
        }
        let mut highest = None;
        for place in places {
            let (life, held) = self.view.claims.get(&key::claim(place, scope))?;
            if Some(*life) != self.view.incarnation {
                return None;
            }
            highest = highest.max(held.map(|held| (held, *place)));
        }
        let (_, place) = highest?;
        self.change(scope, revision, &Row::held(row.epoch.next(), place))
    }
}

/// What is written first in a store that was restored from a copy, or is new, in this order: everybody holds nothing, and is
/// asked what it held; then the new life, which no answer counts without. `life` has a number above every one that any source
/// names: the copy, the record of each centre. One transaction where that is enough.
pub fn restored(view: &View, revision: u64, life: Incarnation) -> Vec<Txn> {
    let epoch = Epoch {
        incarnation: life.number,
        counter: 1,
    };
    let begin = || Txn::default().unchanged(key::incarnation(), revision);
    let rows: Vec<(&String, &(Row, u64))> = view.rows.iter().collect();
    let taken = |txn: Txn, (scope, (row, _)): &(&String, &(Row, u64))| {
        let regrant = Row {
            epoch,
            holder: None,
            from: row.holder.clone().or_else(|| row.from.clone()),
            proof: None,
            phase: Phase::Regrant,
        };
        txn.put(key::epoch(scope), &regrant)
    };
    let mut all: Vec<Txn> = rows
        .chunks(AT_ONCE)
        .map(|chunk| chunk.iter().fold(begin(), taken))
        .collect();
    let last = all.pop().unwrap_or_else(begin);
    all.push(last.put(key::incarnation(), &life));
    all
}
