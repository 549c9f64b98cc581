//! The invariants, stated once; tests run them after every step.

use std::collections::{BTreeMap, BTreeSet};

use crds::{RequestType, Resources};

use crate::ledger::{Holding, Ledger};
use crate::request::Request;

/// Everything that is wrong with a ledger and the requests it counts: charged less than the requests hold, or more
/// than can be committed. `capacity_fell` says whether committable capacity ever fell: only then may a pool be charged
/// above it.
pub fn violations(ledger: &Ledger, requests: &[Request], capacity_fell: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let recounted = recounted(ledger, requests);
    for (pool, entry) in &recounted.pools {
        for (centre, held) in &entry.centres {
            let charged = ledger.centre(pool, centre).map_or(Resources::ZERO, |c| c.charged);
            if !held.charged.fits(charged) {
                wrong.push(format!(
                    "{pool}@{centre} is charged {charged}, but {} is held",
                    held.charged
                ));
            }
            if !capacity_fell && !charged.fits(held.committable) {
                wrong.push(format!(
                    "{pool}@{centre} is oversold: charged {charged}, committable {}",
                    held.committable
                ));
            }
        }
    }
    wrong
}

/// What the rule of the ledger says that it should charge.
pub fn recounted(ledger: &Ledger, requests: &[Request]) -> Ledger {
    let mut recounted = ledger.clone();
    let holdings = requests.iter().map(|r| Holding {
        uid: r.uid(),
        tenant: r.tenant(),
        grant: &r.holds,
    });
    drop(recounted.recount(holdings));
    recounted
}

/// Ancestors whose subtree holds more than their ceiling and what they may borrow, and groups of siblings that borrow more
/// than they lend. Emergencies may go above and are left out. `cards` are the pools where CPU and memory come with the card.
pub fn ceilings_broken(ledger: &Ledger, requests: &[Request], cards: &BTreeSet<&str>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut plain = ledger.clone();
    let usual = requests.iter().filter(|r| r.kind() != RequestType::Emergency);
    drop(plain.recount(usual.map(|r| Holding {
        uid: r.uid(),
        tenant: r.tenant(),
        grant: &r.holds,
    })));
    let mut beyond: BTreeMap<(&str, String, &str), i128> = BTreeMap::new();
    for (tenant, entry) in &plain.tenants {
        for (pool, sum) in plain.subtree(tenant) {
            let ceiling = entry.ceilings.get(&pool).copied().unwrap_or_default();
            for (resource, held) in sum.iter() {
                if cards.contains(pool.as_str()) && resource != "accelerators" && ceiling.amounts[resource] == 0 {
                    continue;
                }
                let (own, borrow) = (ceiling.amounts[resource], ceiling.borrow[resource]);
                if held > own + borrow {
                    wrong.push(format!(
                        "{tenant}/{pool}: subtree holds {held} {resource}, ceiling {own} + {borrow}"
                    ));
                }
                let unused = own - held;
                let lent = unused.clamp(0, ceiling.lend[resource].max(0));
                let group = entry.parent.as_deref().unwrap_or_default();
                *beyond.entry((group, pool.clone(), resource)).or_default() += (-unused).max(0) - lent;
            }
        }
    }
    // A sibling that holds nothing of the pool lends all it is willing to.
    for ((parent, pool, resource), excess) in beyond {
        let idle = plain.tenants.iter().filter(|(name, t)| {
            t.parent.as_deref().unwrap_or_default() == parent && !plain.subtree(name).contains_key(&pool)
        });
        let lent: i128 = idle
            .map(|(name, _)| plain.ceiling(name, &pool))
            .map(|c| c.lend[resource].min(c.amounts[resource]))
            .sum();
        if excess > lent {
            wrong.push(format!(
                "below {parent:?} {excess} {resource} of {pool} are borrowed, {lent} lent"
            ));
        }
    }
    wrong
}
