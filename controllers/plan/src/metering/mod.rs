//! Metering: what a request held, for how long, and what that costs.
//!
//! The record is `status.history` of the request, written with the allocation. Everything here is exact: amounts in the
//! units of the ledger times whole seconds. Only what is printed is rounded, once: hours and days half up to six
//! decimals, the price of a row half up to 0.01.

mod known;
mod month;
mod price;
mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crds::{AmountError, HistoryEntry, PoolAmounts, ResourceRequestStatus, Resources};
use jiff::Timestamp;

pub use known::KnownPools;
pub use month::Month;
pub use price::{Rates, rounded};
pub use report::{MeteringPlan, Snapshot, Write, plan, without_closed_rows};

/// Amounts times seconds, by pool: milli-vCPU·s, byte·s, card·s.
pub type Usage = BTreeMap<String, Resources>;

/// Why a request or a pool cannot be metered. Unknown is not zero: its tenant's reports stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeteringError {
    /// An amount cannot be read.
    #[error("{0}")]
    Amount(#[from] AmountError),
    /// A time cannot be read.
    #[error("{0:?} is no time")]
    Time(String),
    /// A price cannot be read.
    #[error("{0:?} is no price; write for example 30 or 0.0125")]
    Price(String),
    /// A pool is gone of which more was held than the reports know, or its prices cannot be read.
    #[error("the prices of pool {0} are not known; create it again until all that was held of it is in the reports")]
    NoPrices(String),
}

/// From a moment on, what is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Seconds since 1970.
    pub at: i64,
    /// Amounts by pool.
    pub pools: Usage,
}

/// Adds to the history what the allocation holds from `now` on, where that is not what is recorded. For the write that
/// also carries the allocation: no other write is needed, and the two cannot differ.
pub fn record(status: &mut ResourceRequestStatus, now: Timestamp) {
    let Some(allocation) = &status.allocation else { return };
    let pools: Vec<PoolAmounts> = allocation
        .pools
        .iter()
        .map(|p| PoolAmounts {
            pool: p.name.clone(),
            amounts: p.amounts.clone(),
        })
        .collect();
    let last = status.history.last();
    if last.map_or(pools.is_empty(), |l| l.pools == pools) {
        return;
    }
    // A clock that was set back does not reorder what happened.
    let earliest = last
        .and_then(|l| l.at.parse::<Timestamp>().ok())
        .unwrap_or(Timestamp::MIN);
    let at = now.max(earliest).as_second();
    status.history.push(HistoryEntry {
        at: time(at),
        record: allocation.record.clone(),
        pools,
    });
}

/// Whole seconds as they are written.
fn time(second: i64) -> String {
    Timestamp::from_second(second).unwrap_or_default().to_string()
}

/// Whole seconds as they were written.
fn second(text: &str) -> Result<i64, MeteringError> {
    let at = text.parse::<Timestamp>();
    at.map(Timestamp::as_second)
        .map_err(|_| MeteringError::Time(text.to_owned()))
}

/// Reads a history.
///
/// # Errors
/// What in it cannot be read.
pub fn changes(history: &[HistoryEntry]) -> Result<Vec<Change>, MeteringError> {
    let pool = |p: &PoolAmounts| Ok::<_, MeteringError>((p.pool.clone(), Resources::try_from(&p.amounts)?));
    history
        .iter()
        .map(|entry| {
            Ok(Change {
                at: second(&entry.at)?,
                pools: entry.pools.iter().map(pool).collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

/// What was held between two moments, seconds since 1970, the second one not included.
pub fn used(changes: &[Change], from: i64, to: i64) -> Usage {
    let mut sum = Usage::new();
    let ends = changes.iter().skip(1).map(|c| c.at).chain([i64::MAX]);
    for (change, end) in changes.iter().zip(ends) {
        let seconds = end.min(to).saturating_sub(change.at.max(from)).max(0);
        if seconds == 0 {
            continue;
        }
        for (pool, amounts) in &change.pools {
            let part = amounts.zip(Resources::ZERO, |a, _| a.saturating_mul(seconds.into()));
            let all = sum.entry(pool.clone()).or_default();
            *all = all.plus(part);
        }
    }
    sum.retain(|_, amounts| !amounts.is_zero());
    sum
}

/// Whether nothing is held any more.
fn over(changes: &[Change]) -> bool {
    changes.last().is_none_or(|c| c.pools.values().all(|p| p.is_zero()))
}
