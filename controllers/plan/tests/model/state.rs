//! The world of the model: two pools in one centre, a few requests by name, two operators, a write that lands late. Small and
//! copied whole, so that millions of them can be looked at.

use std::hash::{Hash, Hasher};

use crate::scenarios::Setup;

/// What each pool can commit. Amounts are no larger.
pub(crate) const CAPACITY: u8 = 2;
/// Pools; a scenario may use one of them only.
pub(crate) const POOLS: usize = 2;
/// Most names of requests in a scenario.
pub(crate) const NAMES: usize = 3;
/// Operators; each may believe that it leads.
pub(crate) const OPERATORS: usize = 2;

/// An amount of each pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Amounts(pub(crate) [u8; POOLS]);

impl Amounts {
    pub(crate) const NONE: Self = Self([0; POOLS]);

    pub(crate) fn zip(self, other: Self, f: impl Fn(u8, u8) -> u8) -> Self {
        Self(std::array::from_fn(|pool| f(self.0[pool], other.0[pool])))
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        self.zip(other, u8::saturating_add)
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        self.zip(other, u8::saturating_sub)
    }

    pub(crate) fn each_max(self, other: Self) -> Self {
        self.zip(other, u8::max)
    }

    /// Whether it is more than `other` in any pool.
    pub(crate) fn exceeds(self, other: Self) -> bool {
        self.minus(other) != Self::NONE
    }

    pub(crate) fn sum(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::NONE, Self::plus)
    }
}

/// What there is.
pub(crate) const ALL: Amounts = Amounts([CAPACITY; POOLS]);

/// A request as it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Request {
    pub(crate) uid: u8,
    pub(crate) version: u8,
    /// Record of its allocation; 0 before the first.
    pub(crate) record: u8,
    /// What it asks: for its grant, or by the last change of it.
    pub(crate) asks: Amounts,
    /// What its allocation holds.
    pub(crate) holds: Amounts,
    /// What it held before a lowering that is not known to be settled; nothing otherwise.
    pub(crate) before: Amounts,
    pub(crate) ended: bool,
    pub(crate) deleting: bool,
    /// Uid of the ledger that counted it last.
    pub(crate) stamp: u8,
    /// Record that the centre says is applied.
    pub(crate) confirmed: u8,
}

/// One number, because each world is hashed.
impl Hash for Request {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let numbers = [self.uid, self.version, self.record, self.stamp, self.confirmed];
        let amounts = [self.asks, self.holds, self.before].map(|amounts| amounts.0);
        let mut all = [0; 16];
        all[..5].copy_from_slice(&numbers);
        all[5..11].copy_from_slice(amounts.as_flattened());
        all[11..13].copy_from_slice(&[self.ended, self.deleting].map(u8::from));
        state.write_u128(u128::from_le_bytes(all));
    }
}

/// A change under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) id: u8,
    pub(crate) uid: u8,
    pub(crate) from: Amounts,
    pub(crate) to: Amounts,
}

impl Hash for Record {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let ([a, b], [c, d]) = (self.from.0, self.to.0);
        state.write_u64(u64::from_le_bytes([self.id, self.uid, a, b, c, d, 0, 0]));
    }
}

/// The ledger as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ledger {
    pub(crate) uid: u8,
    pub(crate) version: u8,
    pub(crate) counting: bool,
    pub(crate) charged: Amounts,
    pub(crate) sequence: u8,
    /// By name of the request.
    pub(crate) records: [Option<Record>; NAMES],
}

impl Hash for Ledger {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b] = self.charged.0;
        let numbers = [self.uid, self.version, self.sequence, self.counting.into(), a, b, 0, 0];
        state.write_u64(u64::from_le_bytes(numbers));
        self.records.iter().for_each(|record| record.hash(state));
    }
}

/// A copy of a request in an operator's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Read {
    /// `None`: it was not there.
    pub(crate) request: Option<Request>,
    /// Whether it was read after the ledger that the operator holds.
    pub(crate) after: bool,
    /// Whether it is the answer to this operator's own APPLY. It proves that the record was carried out, whatever has
    /// become of the request since, and nothing else.
    pub(crate) own: bool,
}

/// What an operator has in its hands. It may sleep between any two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Operator {
    pub(crate) ledger: Option<Ledger>,
    pub(crate) reads: [Option<Read>; NAMES],
    /// Whether the reads are one snapshot of the store, made after the ledger.
    pub(crate) listed: bool,
}

/// A write that was given up by its sender, and may land at any time, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Late {
    /// The ledger to store, on the version that it was decided on.
    Swap(Ledger, u8),
    /// Name, copy it was decided on, and the record.
    Apply(usize, Request, Record),
}

/// Everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct World {
    pub(crate) ledger: Option<Ledger>,
    pub(crate) requests: [Option<Request>; NAMES],
    /// What the centre lets in for each name; it outlives the request.
    pub(crate) in_force: [Amounts; NAMES],
    /// What of that belongs to a request that vanished by hand: nobody waits for the centre to take it back.
    pub(crate) orphaned: [Amounts; NAMES],
    pub(crate) operators: [Operator; OPERATORS],
    pub(crate) late: Option<Late>,
    pub(crate) next_uid: u8,
    /// How often each of these may still happen.
    pub(crate) budget: Budget,
}

/// How often the rare things may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Budget {
    pub(crate) creations: u8,
    pub(crate) changes: u8,
    pub(crate) ends: u8,
    pub(crate) deletions: u8,
    pub(crate) crashes: u8,
    pub(crate) late: u8,
    pub(crate) losses: u8,
    pub(crate) recounts: u8,
    /// Finalizers taken away by hand.
    pub(crate) by_hand: u8,
}

impl World {
    /// An empty ledger and no request.
    pub(crate) fn new(budget: Budget) -> Self {
        Self {
            ledger: Some(Ledger {
                uid: 1,
                version: 1,
                counting: false,
                charged: Amounts::NONE,
                sequence: 0,
                records: [None; NAMES],
            }),
            requests: [None; NAMES],
            in_force: [Amounts::NONE; NAMES],
            orphaned: [Amounts::NONE; NAMES],
            operators: [Operator::default(); OPERATORS],
            late: None,
            next_uid: 1,
            budget,
        }
    }

    fn held(&self, name: usize) -> Amounts {
        self.requests[name].map_or(Amounts::NONE, |r| r.holds)
    }

    /// Whether the centre lets in more than there is, counting what vanished by hand.
    pub(crate) fn lets_in_too_much(&self, _: &Setup) -> Option<&'static str> {
        let in_force = Amounts::sum(self.in_force);
        in_force.exceeds(ALL).then_some("the centre lets in more than there is")
    }

    /// What is wrong, if anything: the centre lets in more than there is, not counting what vanished by hand; more is
    /// allocated than there is; a grant is a part of what was asked; or the ledger is lower than what it stands for.
    pub(crate) fn wrong(&self, setup: &Setup) -> Option<&'static str> {
        if Amounts::sum((0..NAMES).map(|name| self.held(name))).exceeds(ALL) {
            return Some("more is allocated than there is");
        }
        let in_force = Amounts::sum(self.in_force).minus(Amounts::sum(self.orphaned));
        if in_force.exceeds(ALL) {
            return Some("the centre lets in more than there is");
        }
        let whole = |name: usize| self.held(name) == Amounts::NONE || setup.wants[name].contains(&self.held(name));
        if !(0..setup.wants.len()).all(whole) {
            return Some("a request holds a part of what it asked");
        }
        let ledger = self.ledger.filter(|l| !l.counting)?;
        let charges = |name: usize| match (ledger.records[name], self.requests[name]) {
            (Some(record), Some(request)) if record.uid == request.uid => record.from.each_max(record.to),
            (Some(record), _) => record.from.each_max(record.to).plus(self.held(name)),
            (None, _) => self.held(name),
        };
        let rule = Amounts::sum((0..NAMES).map(charges));
        rule.exceeds(ledger.charged)
            .then_some("the ledger is lower than what it stands for")
    }
}
