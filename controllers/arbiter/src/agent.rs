//! A centre's side: beats, what their answers allow until when, and acknowledgements.
//!
//! Times are durations on this machine's clock since it booted (CLOCK_BOOTTIME: it goes on while the machine sleeps).
//! Nobody's clock is compared with another's.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::{Kept, Record};
use crate::row::{Epoch, Incarnation, Phase, Proof, Row};
use crate::timing::Timing;
use crate::txn::{AT_ONCE, Beat, Kv, Outcome, Txn, key};

/// The right to run a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// Under this epoch and no other.
    pub epoch: Epoch,
    /// Until then; nothing is sent after it.
    pub until: Duration,
}

/// Why a place may run nothing exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// Another process beats for the place.
    SessionLost,
    /// Two lives of the arbiter have one number.
    IncarnationFork,
}

#[derive(Clone, Debug)]
struct Known {
    row: Row,
    revision: u64,
    deadline: Duration,
}

/// What a process knows that beats for a place.
#[derive(Clone, Debug)]
pub struct Agent {
    place: String,
    session: String,
    timing: Timing,
    /// As it is stored in the centre.
    stored: Record,
    /// As it must be stored before anything is done about it.
    wanted: Record,
    known: BTreeMap<String, Known>,
    barred: Option<Barred>,
    /// The highest number of the record that a gate remembers; `None` before the first one asked.
    gates: Option<u64>,
    /// Whether the place's nodes have gates.
    gated: bool,
    /// Whether it lives without its own API server.
    ailing: bool,
}

impl Agent {
    /// An agent of `place`. The session is unique to the process. `stored` is the record that the centre holds. Where nodes
    /// have gates (`gated`), nothing is stored or claimed before one of them asked: only they know of a later record.
    pub fn new(place: &str, session: &str, timing: Timing, stored: Record, gated: bool) -> Self {
        Self {
            place: place.to_owned(),
            session: session.to_owned(),
            timing,
            wanted: stored.clone(),
            stored,
            known: BTreeMap::new(),
            barred: None,
            gates: None,
            gated,
            ailing: false,
        }
    }

    /// Its first transaction: reads what there is.
    pub fn look(&self) -> Txn {
        Txn::default()
            .range(key::session(&self.place))
            .range(key::incarnation())
    }

    /// From now on this process beats for the place; of two that try, one succeeds.
    pub fn claim(&self, seen: &Outcome) -> Txn {
        let session = key::session(&self.place);
        let revision = seen.get(&session).map_or(0, |kv| kv.revision);
        let txn = Txn::default().unchanged(session.clone(), revision);
        self.alive(txn.put(session, &self.session))
    }

    /// One beat. It is sent to an endpoint of each place at once; one answer is enough.
    pub fn beat(&self) -> Txn {
        self.alive(self.ours())
    }

    /// Whether its beats say that the place lives but does not reach its own API server. Beats alone give no right: that
    /// ends with the lease in the centre.
    pub fn ails(&mut self, ailing: bool) {
        self.ailing = ailing;
    }

    /// A transaction that lands only while this process beats for the place, in the life of the arbiter that it knows.
    fn ours(&self) -> Txn {
        let txn = Txn::default().finds(key::session(&self.place), &self.session);
        match &self.wanted.incarnation {
            Some(incarnation) => txn.finds(key::incarnation(), incarnation),
            None => txn.unchanged(key::incarnation(), 0),
        }
    }

    /// Whatever a place writes is a sign of life, so that nothing of it lands late behind a verdict of silence.
    fn alive(&self, txn: Txn) -> Txn {
        let beat = Beat {
            session: self.session.clone(),
            ailing: self.ailing,
        };
        txn.put(key::beat(&self.place), &beat)
            .range(key::session(&self.place))
            .range(key::incarnation())
            .range(key::epochs())
    }

    /// An answer to a transaction that was sent at `sent`.
    pub fn answered(&mut self, outcome: &Outcome, sent: Duration) {
        let session = outcome.get(&key::session(&self.place)).and_then(Kv::parse::<String>);
        if session.is_some_and(|session| session != self.session) {
            self.known.clear();
            self.barred = self.barred.or(Some(Barred::SessionLost));
            return;
        }
        if self.barred == Some(Barred::SessionLost) && outcome.succeeded {
            // It claimed the session again.
            self.barred = None;
        }
        let incarnation = outcome.get(&key::incarnation()).and_then(Kv::parse::<Incarnation>);
        if !self.lives_in(incarnation) || !outcome.succeeded {
            return;
        }
        for kv in &outcome.read {
            if let (Some(scope), Some(row)) = (key::scope(&kv.key), kv.parse::<Row>()) {
                self.learn(scope, row, kv.revision, sent);
            }
        }
        if self.restored() && self.known.values().any(|known| known.row.phase != Phase::Regrant) {
            // What the arbiter says now counts for more than what was forgotten; only to an arbiter that asks who held
            // what the centre cannot answer.
            self.wanted.number = self.wanted.number.max(self.remembered().saturating_add(1));
        }
    }

    /// Whether an answer of that life of the arbiter is listened to.
    fn lives_in(&mut self, answered: Option<Incarnation>) -> bool {
        let Some(answered) = answered else { return false };
        match self.wanted.incarnation {
            Some(known) if answered == known => true,
            Some(known) if answered.number < known.number => false,
            Some(known) if answered.number == known.number => {
                self.barred = Some(Barred::IncarnationFork);
                false
            }
            _ => {
                // Whoever held what before holds nothing now.
                self.known.clear();
                self.wanted.incarnation = Some(answered);
                self.wanted.scopes.values_mut().for_each(|kept| kept.pinned = false);
                self.changed();
                true
            }
        }
    }

    fn learn(&mut self, scope: &str, row: Row, revision: u64, sent: Duration) {
        let deadline = sent + self.timing.left();
        if let Some(known) = self.known.get_mut(scope) {
            if revision < known.revision || row.epoch < known.row.epoch {
                return;
            }
            if revision == known.revision {
                known.deadline = known.deadline.max(deadline);
                return;
            }
        }
        let kept = self.wanted.of(scope);
        let runs = row.lets(&self.place) && row.epoch >= kept.floor;
        let now = Kept {
            floor: kept.floor.max(row.epoch),
            held: if runs { Some(row.epoch) } else { kept.held },
            pinned: runs && row.pinned() && (kept.pinned || row.phase == Phase::Pinned),
        };
        self.keep(scope, now);
        let known = Known {
            row,
            revision,
            deadline,
        };
        self.known.insert(scope.to_owned(), known);
    }

    fn keep(&mut self, scope: &str, kept: Kept) {
        if self.wanted.of(scope) != kept {
            self.wanted.scopes.insert(scope.to_owned(), kept);
            self.changed();
        }
    }

    fn changed(&mut self) {
        if self.wanted.number == self.stored.number {
            self.wanted.number += 1;
        }
    }

    /// The record that has to be stored in the centre, where it differs. Nothing that it says is acted on before
    /// [`Agent::recorded`].
    pub fn to_record(&self) -> Option<&Record> {
        let later = self.heard() && self.wanted.number > self.remembered();
        (self.wanted != self.stored && later).then_some(&self.wanted)
    }

    /// That record is stored.
    pub fn recorded(&mut self, record: Record) {
        self.stored = record;
        if self.wanted != self.stored {
            self.changed();
        }
    }

    /// The record as it is stored.
    pub fn stored(&self) -> &Record {
        &self.stored
    }

    /// A gate asked, and remembers this number of the record.
    pub fn gate_saw(&mut self, number: u64) {
        self.gates = self.gates.max(Some(number));
    }

    fn remembered(&self) -> u64 {
        self.gates.unwrap_or_default()
    }

    /// Whether it is known if this centre was restored from a copy.
    fn heard(&self) -> bool {
        !self.gated || self.gates.is_some()
    }

    /// The gates remember a later record than the centre has: it was restored from a copy, and what it says of the past
    /// counts for nothing.
    pub fn restored(&self) -> bool {
        self.remembered() > self.stored.number
    }

    /// Why it may run nothing at all.
    pub fn barred(&self) -> Option<Barred> {
        self.barred
    }

    /// The right to run that scope now. `leads` is until when this process leads in its centre: one that slept does not.
    pub fn right(&self, scope: &str, now: Duration, leads: Duration) -> Option<Right> {
        if self.barred.is_some() {
            return None;
        }
        let (stored, wanted) = (self.stored.of(scope), self.wanted.of(scope));
        let (epoch, until) = match self.known.get(scope) {
            Some(Known { row, deadline, .. }) if row.lets(&self.place) => {
                let pinned = row.pinned() && wanted.pinned && stored.pinned;
                (row.epoch, if pinned { Duration::MAX } else { *deadline })
            }
            None if stored.pinned && wanted.pinned && self.heard() && !self.restored() => (stored.floor, Duration::MAX),
            _ => return None,
        };
        let until = until.min(leads);
        (stored.floor == epoch && wanted.floor == epoch && until > now).then_some(Right { epoch, until })
    }

    /// Its place.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Every scope as this process last saw it.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &Row)> {
        self.known.iter().map(|(scope, known)| (scope.as_str(), &known.row))
    }

    /// The row as this process last saw it.
    pub fn row(&self, scope: &str) -> Option<&Row> {
        self.known.get(scope).map(|known| &known.row)
    }

    /// The lowest epoch that may still run here; what is below is stopped.
    pub fn floor(&self, scope: &str) -> Epoch {
        self.stored.of(scope).floor
    }

    /// Gives the scope up: nothing of its present epoch runs here again, whatever becomes of the move.
    pub fn stop(&mut self, scope: &str) {
        let Some(known) = self.known.get(scope).filter(|k| k.row.lets(&self.place)) else {
            return;
        };
        let kept = self.wanted.of(scope);
        let floor = kept.floor.max(known.row.epoch.next());
        let pinned = false;
        self.keep(scope, Kept { floor, pinned, ..kept });
    }

    /// That everything of the scope here was terminated by its kubelet, or that each node's last permit ran out: said once
    /// that is so. `None` where there is nothing to acknowledge, or where it could still start again.
    pub fn acknowledge(&self, scope: &str) -> Option<Txn> {
        let Known { row, revision, .. } = self.known.get(scope)?;
        let stopped = self.stored.of(scope).floor > row.epoch;
        let acknowledged = match row.phase {
            Phase::Held | Phase::Draining if row.lets(&self.place) && stopped => Row {
                holder: None,
                from: Some(self.place.clone()),
                ..row.at(Phase::Released)
            },
            Phase::Fencing if row.from.as_ref() == Some(&self.place) && row.proof.is_none() => {
                (self.floor(scope) >= row.epoch).then_some(Row {
                    proof: Some(Proof::Acked),
                    ..row.clone()
                })?
            }
            _ => return None,
        };
        let txn = self.ours().unchanged(key::epoch(scope), *revision);
        Some(self.alive(txn.put(key::epoch(scope), &acknowledged)))
    }

    /// Takes the deadline back on: first for itself and in the record, then at the gates, then in the arbiter.
    pub fn unpin(&mut self, scope: &str) -> Option<Txn> {
        let Known { row, revision, .. } = self.known.get(scope)?.clone();
        if row.phase != Phase::Unpinning || !row.lets(&self.place) {
            return None;
        }
        let kept = self.wanted.of(scope);
        let pinned = false;
        self.keep(scope, Kept { pinned, ..kept });
        if self.stored != self.wanted || (self.gated && self.remembered() < self.stored.number) {
            return None;
        }
        let txn = self.ours().unchanged(key::epoch(scope), revision);
        Some(self.alive(txn.put(key::epoch(scope), &row.at(Phase::Held))))
    }

    /// What this place last held, for an arbiter that was restored. A centre that was restored itself does not know.
    pub fn claims(&self) -> Vec<Txn> {
        let known = self.stored.incarnation.filter(|_| self.heard() && !self.restored());
        let Some(incarnation) = known else { return Vec::new() };
        let asked = self.known.iter().filter(|(_, known)| known.row.phase == Phase::Regrant);
        let asked: Vec<&String> = asked.map(|(scope, _)| scope).collect();
        let claim = |txn: Txn, scope: &&String| {
            let held = self.stored.of(scope).held;
            txn.put(key::claim(&self.place, scope), &(incarnation, held))
        };
        let claims = asked.chunks(AT_ONCE).map(|chunk| chunk.iter().fold(self.ours(), claim));
        claims.map(|txn| self.alive(txn)).collect()
    }
}
