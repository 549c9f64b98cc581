//! The largest possible grants, in the figures from which the policy `xiangyun-never-fits` computes the one of each survival
//! as [`market::largest`] does.

use std::cmp::Reverse;

use crds::{AdmissionLimitsSpec, LargestGrant, NeedKind, Resources, Units};

use crate::cycle::Snapshot;
use crate::ledger::Ledger;
use crate::market::{shared, whole};
use crate::pool::{Pool, Sort};
use crate::quota::Slot;

/// One row for each pool whose capacity the ledger adopted in all its centres, the largest first within its kind, each followed
/// by one for each of its centres. A pool that is not fully known has no row, and a policy without a row lets the reconcile
/// decide.
pub fn limits(snapshot: &Snapshot, ledger: &Ledger) -> AdmissionLimitsSpec {
    let known = |p: &&Pool| p.slots.iter().all(|s| ledger.centre(&p.name, &s.name).is_some());
    let mut pools: Vec<(NeedKind, Reverse<Resources>, &Pool)> = snapshot
        .pools
        .values()
        .filter(known)
        .map(|pool| (pool.sort.kind(), Reverse(together(pool, ledger)), pool))
        // A pool with nothing to commit, as before its first node is ready, says nothing about what will ever fit.
        .filter(|(_, largest, _)| !largest.0.is_zero())
        .collect();
    pools.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then_with(|| a.2.name.cmp(&b.2.name)));
    AdmissionLimitsSpec {
        pools: pools.into_iter().flat_map(|(_, _, pool)| rows(pool, ledger)).collect(),
    }
}

/// What each centre of the pool could hold alone.
fn together(pool: &Pool, ledger: &Ledger) -> Resources {
    whole(&pool.slots, |centre| committable(pool, ledger, centre))
}

fn committable(pool: &Pool, ledger: &Ledger, centre: &str) -> Option<Resources> {
    Some(ledger.centre(&pool.name, centre)?.committable)
}

/// All centres together, and each for what lives in one.
fn rows<'a>(pool: &'a Pool, ledger: &'a Ledger) -> impl Iterator<Item = LargestGrant> + 'a {
    let one = |slot: &'a Slot| (std::slice::from_ref(slot), Some(slot.name.to_string()));
    let homes = std::iter::once((pool.slots.as_slice(), None)).chain(pool.slots.iter().map(one));
    homes.map(move |(home, centre)| {
        let (use_, tier) = match &pool.sort {
            Sort::Accelerator { use_, .. } => (Some(*use_), None),
            Sort::Storage(tier) => (None, Some(*tier)),
            Sort::Compute(_) => (None, None),
        };
        LargestGrant {
            name: pool.name.to_string(),
            centre,
            kind: pool.sort.kind(),
            architecture: pool.architecture(),
            zone: pool.zone,
            use_,
            tier,
            whole: units(whole(home, |centre| committable(pool, ledger, centre))),
            shared: units(shared(home, 1, |centre| committable(pool, ledger, centre))),
        }
    })
}

/// What a policy counts with. It multiplies by a hundred in 64 bits, but not storage, of which there may be more than 81Pi.
fn units(n: Resources) -> Units {
    let bounded = |value: i128, most: i64| i64::try_from(value.max(0)).unwrap_or(most).min(most);
    Units {
        cpu: bounded(n.cpu, i64::MAX / 100),
        memory: bounded(n.memory, i64::MAX / 100),
        storage: bounded(n.storage, i64::MAX),
        accelerators: bounded(n.accelerators, i64::MAX / 100),
    }
}

#[cfg(test)]
mod tests;
