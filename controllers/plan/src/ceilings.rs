//! Ceilings over subtrees, borrowing and lending.
//!
//! A tenant may exceed its own ceiling by up to its borrowing limit, from what its siblings leave unused and are willing to
//! lend; what is lent is missing to the lender until it is given back. No ancestor's ceiling is ever exceeded by it, and the
//! root, which has no siblings, borrows nothing.

use crds::{AmountError, Resources};

use crate::by_name::Name;
use crate::ledger::Ledger;
use crate::market::Market;
use crate::pool::{Sort, in_words};
use crate::subtree::Node;

/// A ceiling of one tenant in one pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ceiling {
    /// Over the sum of grants in the subtree.
    pub amounts: Resources,
    /// How far above it the tenant may go.
    pub borrow: Resources,
    /// How much of what is unused its siblings may have.
    pub lend: Resources,
}

/// The ceiling of a pool that is not listed.
const CLOSED: Ceiling = Ceiling {
    amounts: Resources::ZERO,
    borrow: Resources::ZERO,
    lend: Resources::ZERO,
};

impl Ceiling {
    /// Reads a ceiling as it was written.
    ///
    /// # Errors
    /// An amount cannot be read.
    pub fn read(written: &crds::Ceiling) -> Result<Self, AmountError> {
        Ok(Self {
            amounts: (&written.amounts).try_into()?,
            borrow: (&written.borrowing_limit).try_into()?,
            lend: (&written.lending_limit).try_into()?,
        })
    }

    /// Without borrowing and lending.
    pub fn plain(amounts: Resources) -> Self {
        Self {
            amounts,
            ..Self::default()
        }
    }
}

/// What is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Pool.
    pub pool: Name,
    /// Whose ceiling.
    pub ancestor: Name,
    /// Resource.
    pub resource: &'static str,
    /// What is added to the subtree.
    pub asked: i128,
    /// What the subtree holds.
    pub held: i128,
    /// Ceiling and borrowing limit, or what may be had of it while the rest is lent.
    pub limit: i128,
    /// Whether it is what siblings borrow, or have to lend, that is in the way.
    pub lent: bool,
}

impl Breach {
    /// What holds for as long as it waits, `English | 中文`.
    pub fn in_words(&self) -> String {
        self.words("", "")
    }

    /// The same with what the subtree holds now, which changes with every grant in it: for those who ask, not for a status.
    pub fn with_held(&self) -> String {
        let (held, ancestor) = (in_words(self.resource, self.held), &self.ancestor);
        self.words(
            &format!(", the subtree of {ancestor} holds {held}"),
            &format!("，{ancestor} 及下级已占用 {held}"),
        )
    }

    fn words(&self, held: &str, held_zh: &str) -> String {
        let (asked, limit) = (in_words(self.resource, self.asked), in_words(self.resource, self.limit));
        let Self { pool, ancestor, .. } = self;
        if self.lent {
            return format!(
                "{pool}: asked {asked}, but with what the siblings of {ancestor} use or lend only {limit} are left to it{held}; ask them to release, or the platform team to raise the ceiling | {pool}：申请 {asked}，扣除同级占用与可借量后 {ancestor} 仅余 {limit}{held_zh}，请协调同级释放或联系平台组调整"
            );
        }
        format!(
            "{pool}: asked {asked}, ceiling of {ancestor} is {limit}{held}; ask {ancestor}'s administrators to release or the platform team to raise it | {pool}：申请 {asked}，{ancestor} 的上限为 {limit}{held_zh}，请释放配额或联系平台组调整"
        )
    }
}

/// Whether a resource comes along with the cards of its pool, so that a ceiling need not name it.
fn comes_along(card: bool, ceiling: &Ceiling, resource: &str) -> bool {
    card && resource != "accelerators" && ceiling.amounts[resource] == 0
}

/// The siblings of a tenant and itself, as the ledger has them.
fn group<'a>(ledger: &'a Ledger, tenant: &str) -> Vec<&'a str> {
    let parent = ledger.tenants.get(tenant).and_then(|t| t.parent.as_deref());
    let same = |p: Option<&str>| parent.is_some() && p == parent;
    let siblings = ledger.tenants.iter().filter(|(_, t)| same(t.parent.as_deref()));
    siblings.map(|(name, _)| name.as_str()).collect()
}

/// What a group has borrowed beyond what it lends, of one resource, where `tenant` held `sum`.
fn beyond(market: Market<'_>, group: &[&str], pool: &str, resource: &str, tenant: &str, sum: i128) -> i128 {
    let (mut borrowed, mut lendable) = (0, 0);
    for name in group {
        let ceiling = market.ledger.ceiling(name, pool);
        let held = if *name == tenant {
            sum
        } else {
            market.subtrees.node(name).map_or(0, |n| n.holds(pool)[resource])
        };
        let unused = ceiling.amounts[resource] - held;
        borrowed += (-unused).max(0);
        lendable += unused.clamp(0, ceiling.lend[resource]);
    }
    borrowed - lendable
}

/// The first ceiling that would be broken if the subtree of each ancestor in `lineage` grew by `raises`, by pool.
pub fn first_breach<'a>(
    lineage: impl IntoIterator<Item = &'a Node>,
    raises: &(impl Iterator<Item = (&'a Name, Resources)> + Clone),
    market: Market<'_>,
) -> Option<Breach> {
    for node in lineage {
        for (pool, raise) in raises.clone() {
            let (ceiling, held) = (node.ceiling(pool).unwrap_or(&CLOSED), node.holds(pool));
            // Within a ceiling of which nothing is lent nothing is in the way.
            if ceiling.lend.is_zero() && raise.fits(ceiling.amounts.minus(held)) {
                continue;
            }
            let card = is_card(pool, market);
            let breach = raise.iter().filter(|(_, v)| *v > 0).find_map(|(resource, asked)| {
                let one = One {
                    ancestor: &node.name,
                    pool,
                    resource,
                    asked,
                    held: held[resource],
                    ceiling,
                };
                one.breach(market, card)
            });
            if breach.is_some() {
                return breach;
            }
        }
    }
    None
}

/// One resource of one pool at one ancestor.
struct One<'a> {
    ancestor: &'a Name,
    pool: &'a Name,
    resource: &'static str,
    asked: i128,
    held: i128,
    ceiling: &'a Ceiling,
}

impl One<'_> {
    fn breach(&self, market: Market<'_>, card: bool) -> Option<Breach> {
        let (resource, ceiling) = (self.resource, self.ceiling);
        if comes_along(card, ceiling, resource) {
            return None;
        }
        let (own, sum) = (ceiling.amounts[resource], self.held + self.asked);
        let limit = own + self.borrows(market);
        let breach = |limit, lent| Breach {
            pool: Name::clone(self.pool),
            ancestor: Name::clone(self.ancestor),
            resource,
            asked: self.asked,
            held: self.held,
            limit,
            lent,
        };
        if sum > limit {
            return Some(breach(limit, false));
        }
        // Within its own ceiling only what it lends can be in the way.
        let lends_less = own - sum < ceiling.lend[resource];
        if sum <= own && !lends_less {
            return None;
        }
        let group = group(market.ledger, self.ancestor);
        let excess = |sum| beyond(market, &group, self.pool, resource, self.ancestor, sum);
        let (before, after) = (excess(self.held), excess(sum));
        // What was beyond before, as after a ceiling fell, is nobody's fault who does not add to it.
        (after > 0 && after > before).then(|| breach((self.asked - after).max(0), true))
    }

    /// How far it may go above its own ceiling: not at all without siblings who could lend, as at the root.
    fn borrows(&self, market: Market<'_>) -> i128 {
        let has_parent = |name: &str| market.ledger.tenants.get(name).is_some_and(|t| t.parent.is_some());
        let most = self.ceiling.borrow[self.resource];
        if most > 0 && has_parent(self.ancestor) { most } else { 0 }
    }
}

/// Why a subtree cannot move under another parent: what it holds does not fit there.
pub fn overshoot(tenant: &str, parent: &str, market: Market<'_>) -> Option<Breach> {
    let moved = market.subtrees.node(tenant)?;
    let old = market.subtrees.places(tenant);
    let mut new = market.subtrees.places(parent);
    new.retain(|place| !old.contains(place));
    let new = new.into_iter().filter_map(|place| market.subtrees.at(place));
    first_breach(new, &moved.held(), market).or_else(|| not_lent(moved, parent, market))
}

/// What a subtree that moves holds above its own ceiling, and the siblings at its new place do not lend. What nobody lends
/// where it is, as after a ceiling fell, moves along.
fn not_lent(moved: &Node, parent: &str, market: Market<'_>) -> Option<Breach> {
    let siblings = market
        .ledger
        .tenants
        .iter()
        .filter(|(_, t)| t.parent.as_deref() == Some(parent));
    let new: Vec<&str> = siblings.map(|(name, _)| name.as_str()).chain([&*moved.name]).collect();
    let old = group(market.ledger, &moved.name);
    moved.held().find_map(|(pool, held)| {
        let (card, ceiling) = (is_card(pool, market), moved.ceiling(pool).unwrap_or(&CLOSED));
        let above = |(resource, sum): &(&'static str, i128)| {
            !comes_along(card, ceiling, resource) && *sum > ceiling.amounts[resource]
        };
        held.iter().filter(above).find_map(|(resource, sum)| {
            let excess = |group: &[&str], sum| beyond(market, group, pool, resource, &moved.name, sum).max(0);
            let adds = |group: &[&str]| excess(group, sum) - excess(group, 0);
            let missing = adds(&new) - adds(&old);
            (missing > 0).then(|| Breach {
                pool: Name::clone(pool),
                ancestor: Name::clone(&moved.name),
                resource,
                asked: sum,
                held: sum,
                limit: (sum - missing).max(0),
                lent: true,
            })
        })
    })
}

/// Why a tenant cannot leave its siblings: they hold what it lends, `English | 中文`.
pub fn lends_where_it_is(tenant: &str, market: Market<'_>) -> Option<String> {
    let node = market.subtrees.node(tenant)?;
    let siblings = group(market.ledger, tenant);
    let others: Vec<&str> = siblings.iter().copied().filter(|name| *name != tenant).collect();
    let mut pools = market.ledger.tenants.get(tenant)?.ceilings.iter();
    let lends = |(pool, ceiling): (&Name, &Ceiling)| {
        ceiling
            .lend
            .iter()
            .filter(|(_, most)| *most > 0)
            .find_map(|(resource, _)| {
                let excess = |group: &[&str]| beyond(market, group, pool, resource, tenant, node.holds(pool)[resource]);
                let lent = excess(&others).max(0) - excess(&siblings).max(0);
                (lent > 0).then(|| (Name::clone(pool), in_words(resource, lent)))
            })
    };
    let (pool, lent) = pools.find_map(lends)?;
    Some(format!(
        "{pool}: siblings hold {lent} that {tenant} lends; ask them to release, or the platform team to raise their ceilings | {pool}：同级仍占用 {tenant} 借出的 {lent}，请协调同级释放或联系平台组调整"
    ))
}

fn is_card(pool: &str, market: Market<'_>) -> bool {
    let sort = market.pools.get(pool).map(|p| &p.sort);
    matches!(sort, Some(Sort::Accelerator { .. }))
}

#[cfg(test)]
#[path = "ceilings/tests.rs"]
mod tests;
