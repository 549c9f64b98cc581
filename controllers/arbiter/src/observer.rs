//! Who is silent: a place whose beat an observer saw unchanged for T(1+2ρ), on its own clock, since a linearizable read
//! that showed it *returned*. Nothing else is a verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::row::Incarnation;
use crate::timing::Timing;
use crate::txn::{Txn, key};
use crate::view::View;

/// What an observer has seen of the beats.
#[derive(Clone, Debug)]
pub struct Observer {
    name: String,
    timing: Timing,
    incarnation: Option<Incarnation>,
    seen: BTreeMap<String, (u64, Duration)>,
}

impl Observer {
    /// An observer of that name: the place where it is.
    pub fn new(name: &str, timing: Timing) -> Self {
        Self {
            name: name.to_owned(),
            timing,
            incarnation: None,
            seen: BTreeMap::new(),
        }
    }

    /// A read that returned at `returned`.
    pub fn read(&mut self, view: &View, returned: Duration) {
        if view.incarnation != self.incarnation {
            self.incarnation = view.incarnation;
            self.seen.clear();
        }
        let beats = view.beats.iter().map(|(place, m)| (place.clone(), *m));
        for (place, m) in beats.chain([(OPERATOR.to_owned(), view.operating)]) {
            let seen = self.seen.entry(place).or_insert((m, returned));
            if seen.0 < m {
                *seen = (m, returned);
            }
        }
    }

    /// The beat after which that place was silent for long enough.
    pub fn silent(&self, place: &str, now: Duration) -> Option<u64> {
        let (m, since) = self.seen.get(place)?;
        (now.checked_sub(*since)? >= self.timing.silence()).then_some(*m)
    }

    /// Whether the operator that decides was silent for as long.
    pub fn operator_silent(&self, now: Duration) -> bool {
        self.silent(OPERATOR, now).is_some()
    }

    /// Its verdict about that place. It names the beat, and so never holds for a later life.
    pub fn verdict(&self, place: &str, now: Duration) -> Option<Txn> {
        self.says(key::verdict(&self.name, place), place, now)
    }

    /// What it says instead where the place's API server still answers: its agents are silent, and nothing moves for that.
    pub fn down(&self, place: &str, now: Duration) -> Option<Txn> {
        self.says(key::down(&self.name, place), place, now)
    }

    fn says(&self, key: String, place: &str, now: Duration) -> Option<Txn> {
        let m = self.silent(place, now)?;
        let txn = Txn::default().finds(key::incarnation(), &self.incarnation?);
        Some(txn.unchanged(key::beat(place), m).put(key, &m))
    }
}

/// No place is called like this.
const OPERATOR: &str = " operator";
