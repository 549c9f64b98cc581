//! What the ledger takes over from specs and reports before it decides.

use super::{CyclePlan, Snapshot};
use crate::ceilings::{lends_where_it_is, overshoot};
use crate::ledger::Ledger;
use crate::market::{Kept, Market};
use crate::subtree::Subtrees;
use crate::tenants::TenantFacts;

/// Tenants, pools, and what is gone. A tenant that holds something moves only where that fits; until then its old place
/// and ceilings count.
pub(super) fn adopt(snapshot: &Snapshot, ledger: &mut Ledger, plan: &mut CyclePlan) {
    let newer = |(name, facts): &(&String, &TenantFacts)| {
        let known = ledger.tenants.get(*name);
        known.is_none_or(|t| t.generation < facts.generation)
    };
    let newer: Vec<_> = snapshot.tenants.iter().filter(newer).collect();
    let moves = |name: &str, facts: &TenantFacts, ledger: &Ledger| {
        let known = ledger.tenants.get(name).filter(|t| t.generation > 0);
        known.is_some_and(|t| t.parent != facts.parent)
    };
    let (moving, staying): (Vec<_>, Vec<_>) = newer.into_iter().partition(|(name, facts)| moves(name, facts, ledger));
    for (name, facts) in staying {
        take_over(name, facts, ledger);
    }
    for pool in snapshot.pools.values() {
        ledger.adopt_pool(pool);
    }
    for (name, facts) in moving {
        let market = Market {
            pools: &snapshot.pools,
            ledger,
            subtrees: &Subtrees::of(ledger),
            kept: &Kept::new(),
        };
        let parent = facts.parent.as_deref().unwrap_or_default();
        let hinders = overshoot(name, parent, market).map(|breach| breach.in_words());
        match hinders.or_else(|| lends_where_it_is(name, market)) {
            None => take_over(name, facts, ledger),
            Some(words) => {
                plan.overshoot.insert(name.clone(), words);
            }
        }
    }
    ledger.forget(
        |pool| snapshot.pools.contains_key(pool),
        |tenant| snapshot.standing.contains_key(tenant),
    );
}

fn take_over(name: &str, facts: &TenantFacts, ledger: &mut Ledger) {
    ledger.adopt_tenant(name, facts.generation, facts.parent.as_deref(), &facts.ceilings);
}
