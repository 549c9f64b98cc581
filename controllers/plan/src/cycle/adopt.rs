//! What the ledger takes over from specs and reports before it decides.

use super::{CyclePlan, Snapshot};
use crate::ceilings::overshoot;
use crate::ledger::Ledger;
use crate::market::{Kept, Market};
use crate::subtree::Subtrees;
use crate::tenants::TenantFacts;

/// Tenants, pools, and what is gone. A tenant that holds something moves only where that fits; until then its old place
/// and ceilings count.
pub(super) fn adopt(snapshot: &Snapshot, ledger: &mut Ledger, plan: &mut CyclePlan) {
    let moves = |name: &str, facts: &TenantFacts, ledger: &Ledger| {
        let known = ledger.tenants.get(name).filter(|t| t.generation > 0);
        known.is_some_and(|t| t.parent != facts.parent && facts.generation > t.generation)
    };
    for (name, facts) in &snapshot.tenants {
        if !moves(name, facts, ledger) {
            take_over(name, facts, ledger);
        }
    }
    for pool in snapshot.pools.values() {
        ledger.adopt_pool(pool);
    }
    for (name, facts) in &snapshot.tenants {
        if !moves(name, facts, ledger) {
            continue;
        }
        let market = Market {
            pools: &snapshot.pools,
            ledger,
            subtrees: &Subtrees::of(ledger),
            tenants: &snapshot.tenants,
            kept: &Kept::new(),
        };
        let parent = facts.parent.as_deref().unwrap_or_default();
        match overshoot(name, parent, market) {
            None => take_over(name, facts, ledger),
            Some(breach) => {
                plan.overshoot.insert(name.clone(), breach.in_words());
            }
        }
    }
    let pools = snapshot.pools.keys().map(String::as_str).collect();
    let tenants = snapshot.standing.keys().map(String::as_str).collect();
    ledger.forget(&pools, &tenants);
}

fn take_over(name: &str, facts: &TenantFacts, ledger: &mut Ledger) {
    ledger.adopt_tenant(name, facts.generation, facts.parent.as_deref(), &facts.ceilings);
}
