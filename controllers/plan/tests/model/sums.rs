//! The sums of the ledger, by the very functions that the operator runs; worked out once for all small amounts.

use std::sync::LazyLock;

use crds::Resources;
use plan::ledger::{Ledger, Record as Real};
use plan::quota::{Grant, Part, PoolGrant};

use crate::state::{CAPACITY, Record};

const SIZE: usize = CAPACITY as usize + 1;
/// More than the pool has is never charged for long, but a broken rule may do it.
const CHARGED: usize = 4 * SIZE;

fn amount(n: usize) -> Resources {
    Resources {
        cpu: i128::try_from(n).unwrap_or_default(),
        ..Resources::ZERO
    }
}

fn grant(n: usize) -> Grant {
    let part = Part {
        share: amount(n),
        survival: amount(n),
    };
    let pool = PoolGrant {
        n: amount(n),
        centres: [("c", part)].into(),
    };
    [("p".to_owned(), pool)].into()
}

fn record(from: usize, to: usize) -> Real {
    Real {
        id: "1".into(),
        tenant: "t".into(),
        from: grant(from),
        to: grant(to),
        ..Real::default()
    }
}

fn charged(ledger: &Ledger) -> i128 {
    ledger.centre("p", "c").map_or(0, |c| c.charged.cpu)
}

/// What opening a record adds.
static OPENED: LazyLock<Vec<i128>> = LazyLock::new(|| {
    let pairs = (0..SIZE).flat_map(|from| (0..SIZE).map(move |to| (from, to)));
    let added = |(from, to)| {
        let mut ledger = Ledger::default();
        ledger.open("u", record(from, to));
        charged(&ledger)
    };
    pairs.map(added).collect()
});

/// What settling a record adds, where the request holds so much.
static SETTLED: LazyLock<Vec<i128>> = LazyLock::new(|| {
    let all = (0..SIZE).flat_map(|from| (0..SIZE).flat_map(move |to| (0..SIZE).map(move |holds| (from, to, holds))));
    let added = |(from, to, holds)| {
        let mut ledger = Ledger::default();
        ledger.open("u", record(from, to));
        let before = charged(&ledger);
        ledger.settle("u", &grant(holds));
        charged(&ledger) - before
    };
    all.map(added).collect()
});

fn plus(sum: u8, added: i128) -> u8 {
    let sum = i128::from(sum) + added;
    u8::try_from(sum.clamp(0, CHARGED as i128)).unwrap_or_default()
}

/// The sum after OPEN.
pub(crate) fn opened(sum: u8, record: Record) -> u8 {
    plus(sum, OPENED[usize::from(record.from) * SIZE + usize::from(record.to)])
}

/// The sum after SETTLE.
pub(crate) fn settled(sum: u8, record: Record, holds: u8) -> u8 {
    let [from, to, holds] = [record.from, record.to, holds].map(usize::from);
    plus(sum, SETTLED[(from * SIZE + to) * SIZE + holds])
}
