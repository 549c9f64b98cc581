//! The world of the model: one pool in one centre, a few requests by name, two operators, writes that land late. Small and
//! copied whole, so that millions of them can be looked at.

/// What the pool can commit, and what every request asks for at first: only one can have it, until somebody asks for less.
pub(crate) const CAPACITY: u8 = 2;
/// Names of requests.
pub(crate) const NAMES: usize = 2;
/// Operators; each may believe that it leads.
pub(crate) const OPERATORS: usize = 2;

/// A request as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    pub(crate) uid: u8,
    pub(crate) version: u8,
    /// Record of its allocation; 0 before the first.
    pub(crate) record: u8,
    /// What it asks: for its grant, or by the last change of it.
    pub(crate) asks: u8,
    /// What its allocation holds.
    pub(crate) holds: u8,
    /// What it held before a lowering that is not known to be settled; 0 otherwise.
    pub(crate) before: u8,
    pub(crate) ended: bool,
    pub(crate) deleting: bool,
    /// Uid of the ledger that counted it last.
    pub(crate) stamp: u8,
    /// Record that the centre says is applied.
    pub(crate) confirmed: u8,
}

/// A change under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Record {
    pub(crate) id: u8,
    pub(crate) uid: u8,
    pub(crate) from: u8,
    pub(crate) to: u8,
}

/// The ledger as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ledger {
    pub(crate) uid: u8,
    pub(crate) version: u8,
    pub(crate) counting: bool,
    pub(crate) charged: u8,
    pub(crate) sequence: u8,
    /// By name of the request.
    pub(crate) records: [Option<Record>; NAMES],
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
    pub(crate) in_force: [u8; NAMES],
    /// What of that belongs to a request that vanished by hand: nobody waits for the centre to take it back.
    pub(crate) orphaned: [u8; NAMES],
    pub(crate) operators: [Operator; OPERATORS],
    pub(crate) late: Option<Late>,
    pub(crate) next_uid: u8,
    /// How often each of these may still happen.
    pub(crate) budget: Budget,
}

/// How often the rare things may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
                charged: 0,
                sequence: 0,
                records: [None; NAMES],
            }),
            requests: [None; NAMES],
            in_force: [0; NAMES],
            orphaned: [0; NAMES],
            operators: [Operator::default(); OPERATORS],
            late: None,
            next_uid: 1,
            budget,
        }
    }

    /// Whether the centre lets in more than there is, counting what vanished by hand.
    pub(crate) fn lets_in_too_much(&self) -> Option<&'static str> {
        let in_force: u8 = self.in_force.iter().sum();
        (in_force > CAPACITY).then_some("the centre lets in more than there is")
    }

    /// What is wrong, if anything: the centre lets in more than there is, not counting what vanished by hand; more is
    /// allocated than there is; or the ledger is lower than what it stands for.
    pub(crate) fn wrong(&self) -> Option<&'static str> {
        let allocated: u8 = self.requests.iter().flatten().map(|r| r.holds).sum();
        if allocated > CAPACITY {
            return Some("more is allocated than there is");
        }
        let in_force: u8 = self.in_force.iter().sum();
        if in_force - self.orphaned.iter().sum::<u8>() > CAPACITY {
            return Some("the centre lets in more than there is");
        }
        let ledger = self.ledger.filter(|l| !l.counting)?;
        let held = |name: usize| match (ledger.records[name], self.requests[name]) {
            (Some(record), Some(request)) if record.uid == request.uid => record.from.max(record.to),
            (Some(record), request) => record.from.max(record.to) + request.map_or(0, |r| r.holds),
            (None, request) => request.map_or(0, |r| r.holds),
        };
        let rule: u8 = (0..NAMES).map(held).sum();
        (ledger.charged < rule).then_some("the ledger is lower than what it stands for")
    }
}
