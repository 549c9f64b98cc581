//! The invariants, stated once; tests run them after every step.

use std::collections::BTreeMap;

use crds::Resources;

use crate::ledger::{Holding, Ledger};
use crate::pool::Sort;
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

/// Ancestors whose subtree holds more than their ceiling. `cards` are the pools where CPU and memory come with the card.
pub fn ceilings_broken(ledger: &Ledger, sorts: &BTreeMap<String, Sort>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (tenant, entry) in &ledger.tenants {
        for (pool, sum) in ledger.subtree(tenant) {
            let ceiling = entry.ceilings.get(&pool).copied().unwrap_or_default();
            let card = matches!(sorts.get(&pool), Some(Sort::Accelerator { .. }));
            let over = sum
                .iter()
                .any(|(r, v)| !(card && r != "accelerators" && ceiling[r] == 0) && v > ceiling[r]);
            if over && sum != Resources::ZERO {
                wrong.push(format!("{tenant}/{pool}: subtree holds {sum}, ceiling {ceiling}"));
            }
        }
    }
    wrong
}
