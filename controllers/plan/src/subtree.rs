//! What the subtree of every tenant holds, beside its ceilings. Summed up once and kept up with each change: to add up a
//! subtree for every question would cost the whole tree each time.

use std::sync::Arc;

use crds::Resources;

use crate::by_name::{ByName, Name};
use crate::ceilings::Ceiling;
use crate::ledger::Ledger;

/// A tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Name.
    pub name: Name,
    parent: Option<usize>,
    ceilings: Arc<ByName<Ceiling>>,
    /// What the whole subtree holds.
    held: ByName<Resources>,
    /// What the tenant itself holds.
    own: ByName<Resources>,
}

impl Node {
    /// Its ceiling in a pool; nothing where the pool is closed.
    pub fn ceiling(&self, pool: &str) -> Option<&Ceiling> {
        self.ceilings.get(pool)
    }

    /// What the subtree holds of a pool.
    pub fn holds(&self, pool: &str) -> Resources {
        self.held.get(pool).copied().unwrap_or_default()
    }

    /// Pools of which the subtree holds something, and how much.
    pub fn held(&self) -> impl Iterator<Item = (&Name, Resources)> + Clone {
        let rows = self.held.iter().map(|(pool, held)| (pool, *held));
        rows.filter(|(_, held)| !held.is_zero())
    }
}

/// Every tenant of a ledger, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subtrees(Vec<Node>);

impl Subtrees {
    /// Sums up a ledger.
    pub fn of(ledger: &Ledger) -> Self {
        let names: Vec<&str> = ledger.tenants.keys().map(String::as_str).collect();
        let nodes = ledger.tenants.iter().map(|(name, entry)| Node {
            name: name.as_str().into(),
            parent: entry.parent.as_deref().and_then(|p| names.binary_search(&p).ok()),
            ceilings: Arc::clone(&entry.ceilings),
            held: entry.charged.clone(),
            own: entry.charged.clone(),
        });
        let mut subtrees = Self(nodes.collect());
        for (place, entry) in ledger.tenants.values().enumerate() {
            let above = subtrees.upwards(place);
            for (pool, amounts) in &entry.charged {
                subtrees.grow(above.get(1..).unwrap_or_default(), pool, *amounts);
            }
        }
        subtrees
    }

    /// Takes over what the tenant itself holds by now.
    pub fn follow(&mut self, ledger: &Ledger, tenant: &str) {
        let (Some(place), Some(entry)) = (self.place(tenant), ledger.tenants.get(tenant)) else {
            return;
        };
        let above = self.upwards(place);
        let before = self
            .0
            .get_mut(place)
            .map(|node| std::mem::replace(&mut node.own, entry.charged.clone()));
        let before = before.unwrap_or_default();
        for (pool, amounts) in &entry.charged {
            let more = amounts.minus(before.get(pool).copied().unwrap_or_default());
            if !more.is_zero() {
                self.grow(&above, pool, more);
            }
        }
    }

    /// The tenant and its ancestors, nearest first. Ends at a parent that is unknown or was met before.
    pub fn lineage(&self, tenant: &str) -> impl Iterator<Item = &Node> {
        self.places(tenant).into_iter().filter_map(|place| self.0.get(place))
    }

    /// The tenant of that name.
    pub fn node(&self, tenant: &str) -> Option<&Node> {
        self.0.get(self.place(tenant)?)
    }

    /// The tenant of that number in the order of names.
    pub fn at(&self, place: usize) -> Option<&Node> {
        self.0.get(place)
    }

    /// The numbers of the tenant and its ancestors, nearest first, as in [`Subtrees::lineage`].
    pub fn places(&self, tenant: &str) -> Vec<usize> {
        self.place(tenant).map(|place| self.upwards(place)).unwrap_or_default()
    }

    fn place(&self, tenant: &str) -> Option<usize> {
        self.0.binary_search_by(|node| (*node.name).cmp(tenant)).ok()
    }

    fn upwards(&self, place: usize) -> Vec<usize> {
        let mut places = Vec::with_capacity(8);
        let mut next = Some(place);
        while let Some(here) = next.filter(|here| !places.contains(here)) {
            places.push(here);
            next = self.0.get(here).and_then(|node| node.parent);
        }
        places
    }

    fn grow(&mut self, places: &[usize], pool: &Name, more: Resources) {
        for place in places {
            if let Some(node) = self.0.get_mut(*place) {
                node.held.update(pool, |held| *held = held.plus(more));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn cpu(cpu: i128) -> Resources {
        Resources { cpu, ..Resources::ZERO }
    }

    fn as_defined(ledger: &Ledger, tenant: &str) -> BTreeMap<String, Resources> {
        let sums = ledger.subtree(tenant).into_iter();
        sums.filter(|(_, sum)| !sum.is_zero()).collect()
    }

    proptest! {
        /// Any parents: a tree, some that do not exist, and cycles.
        #[test]
        fn sums_are_those_of_the_definition(
            tenants in prop::collection::vec((0usize..9, 0i128..5, 0i128..5), 1..7),
            changes in prop::collection::vec((0usize..7, 0i128..9), 0..9),
        ) {
            let mut ledger = Ledger::default();
            for (n, (parent, x86, arm)) in tenants.iter().enumerate() {
                let entry = ledger.tenants.entry(n.to_string()).or_default();
                entry.parent = (*parent != n).then(|| parent.to_string());
                entry.charged = [("x86", cpu(*x86)), ("arm", cpu(*arm))].into();
            }
            let mut subtrees = Subtrees::of(&ledger);
            for (tenant, amount) in changes {
                let name = tenant.to_string();
                if let Some(entry) = ledger.tenants.get_mut(&name) {
                    entry.charged.insert("x86", cpu(amount));
                    subtrees.follow(&ledger, &name);
                }
            }
            for name in ledger.tenants.keys() {
                let held = subtrees.node(name).unwrap().held().map(|(pool, sum)| (pool.to_string(), sum));
                prop_assert_eq!(held.collect::<BTreeMap<_, _>>(), as_defined(&ledger, name));
                let above: Vec<&str> = subtrees.lineage(name).map(|node| &*node.name).collect();
                prop_assert_eq!(above, ledger.lineage(name));
            }
        }
    }
}
