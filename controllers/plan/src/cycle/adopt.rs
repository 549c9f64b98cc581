//! What the ledger takes over from specs and reports before it decides.

use super::{CyclePlan, Snapshot};
use crate::ceilings::{lends_where_it_is, overshoot};
use crate::ledger::Ledger;
use crate::market::{Kept, Market};
use crate::subtree::Subtrees;
use crate::tenants::TenantFacts;

/// A tenant whose spec is newer than what the ledger has of it.
type Newer<'a> = (&'a String, &'a TenantFacts);

/// Tenants, pools, and what is gone. A tenant that holds something moves only where that fits; until then its old place
/// and ceilings count.
pub(super) fn adopt(snapshot: &Snapshot, ledger: &mut Ledger, plan: &mut CyclePlan) {
    let newer = |(name, facts): &Newer<'_>| {
        let known = ledger.tenants.get(*name);
        known.is_none_or(|t| t.generation < facts.generation)
    };
    let newer: Vec<Newer<'_>> = snapshot.tenants.iter().filter(newer).collect();
    let mut moving = Vec::new();
    for (name, facts) in newer {
        if moves(name, facts, ledger) {
            moving.push((name, facts));
        } else {
            take_over(name, facts, ledger);
        }
    }
    for pool in snapshot.pools.values() {
        ledger.adopt_pool(pool);
    }
    move_all(moving, snapshot, ledger, plan);
    ledger.forget(
        |pool| snapshot.pools.contains_key(pool),
        |tenant| snapshot.standing.contains_key(tenant),
    );
}

/// Whether these pools would change what the ledger has of them. A cache may be older than what was adopted, and would take
/// up again what was lowered since: whoever decides asks this, and then reads pools, centres and phases after the ledger.
pub fn moves_capacity(snapshot: &Snapshot) -> bool {
    let known = &snapshot.ledger.pools;
    let mut ledger = Ledger {
        pools: known.clone(),
        ..Ledger::default()
    };
    for pool in snapshot.pools.values() {
        ledger.adopt_pool(pool);
    }
    ledger.pools != *known
}

/// Whether it asks for another place than the ledger has. One that the ledger does not know takes its place at once, unless
/// that lies below it.
fn moves(name: &str, facts: &TenantFacts, ledger: &Ledger) -> bool {
    let known = ledger.tenants.get(name);
    if known.is_some_and(|t| t.parent == facts.parent) {
        return false;
    }
    known.is_some_and(|t| t.generation != 0) || below_itself(name, facts, ledger).is_some()
}

/// Moves those that may. A place below the tenant itself is free only once one of those between has moved away: until then
/// both would be cut off from the root, and from the ceilings above.
fn move_all(mut moving: Vec<Newer<'_>>, snapshot: &Snapshot, ledger: &mut Ledger, plan: &mut CyclePlan) {
    loop {
        let before = moving.len();
        moving.retain(|(name, facts)| {
            let below = below_itself(name, facts, ledger);
            let waits = below.is_some();
            match below.or_else(|| hinders(name, facts, snapshot, ledger)) {
                None => {
                    plan.overshoot.remove(*name);
                    take_over(name, facts, ledger);
                }
                Some(words) => {
                    plan.overshoot.insert((*name).clone(), words);
                }
            }
            waits
        });
        if moving.is_empty() || moving.len() == before {
            return;
        }
    }
}

/// The way from the new parent up to the tenant itself, as the ledger still has it, in words; nothing where there is none.
fn below_itself(name: &str, facts: &TenantFacts, ledger: &Ledger) -> Option<String> {
    let parent = facts.parent.as_deref()?;
    let above = |tenant: &str| ledger.tenants.get(tenant).and_then(|t| t.parent.as_deref());
    let lineage = ledger.lineage(parent);
    let last = lineage.iter().position(|tenant| above(tenant) == Some(name))?;
    let way = lineage.get(..=last).unwrap_or_default().join(" → ");
    Some(format!(
        "{way} still lies below {name}; it moves when one of these has moved away, see their condition Adopted | {way} 仍位于 {name} 之下，待其中之一移出后自动迁移，请查看其 Adopted 条件"
    ))
}

/// Why what it holds does not fit at its new place, or is missing at the old one.
fn hinders(name: &str, facts: &TenantFacts, snapshot: &Snapshot, ledger: &Ledger) -> Option<String> {
    let market = Market {
        pools: &snapshot.pools,
        ledger,
        subtrees: &Subtrees::of(ledger),
        kept: &Kept::new(),
    };
    let parent = facts.parent.as_deref().unwrap_or_default();
    let breach = overshoot(name, parent, market).map(|breach| breach.in_words());
    breach.or_else(|| lends_where_it_is(name, market))
}

fn take_over(name: &str, facts: &TenantFacts, ledger: &mut Ledger) {
    ledger.adopt_tenant(name, facts.generation, facts.parent.as_deref(), &facts.ceilings);
}

#[cfg(test)]
#[path = "adopt/tests.rs"]
mod tests;
