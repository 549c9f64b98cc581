//! What the subtree of every tenant holds, beside its ceilings. Summed up once and kept up with each change: to add up a
//! subtree for every question would cost the whole tree each time.

use std::collections::BTreeMap;

use crds::Resources;

use crate::ceilings::Ceiling;
use crate::ledger::Ledger;

/// A pool in a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Ceiling of the tenant; zero where the pool is closed.
    pub ceiling: Ceiling,
    /// What the whole subtree holds.
    pub held: Resources,
    /// What the tenant itself holds.
    own: Resources,
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Name.
    pub name: String,
    parent: Option<usize>,
    rows: BTreeMap<String, Row>,
}

impl Node {
    /// The row of a pool; zero where there is none.
    pub fn row(&self, pool: &str) -> Row {
        self.rows.get(pool).copied().unwrap_or_default()
    }

    /// Pools of which the subtree holds something, and how much.
    pub fn held(&self) -> impl Iterator<Item = (&str, Resources)> {
        let rows = self.rows.iter().map(|(pool, row)| (pool.as_str(), row.held));
        rows.filter(|(_, held)| !held.is_zero())
    }
}

/// Every tenant of a ledger, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subtrees(Vec<Node>);

impl Subtrees {
    /// Sums up a ledger.
    pub fn of(ledger: &Ledger) -> Self {
        let names: Vec<&String> = ledger.tenants.keys().collect();
        let nodes = ledger.tenants.iter().map(|(name, entry)| Node {
            name: name.clone(),
            parent: entry.parent.as_ref().and_then(|p| names.binary_search(&p).ok()),
            rows: entry
                .ceilings
                .iter()
                .map(|(pool, ceiling)| {
                    let row = Row {
                        ceiling: *ceiling,
                        ..Row::default()
                    };
                    (pool.clone(), row)
                })
                .collect(),
        });
        let mut subtrees = Self(nodes.collect());
        for (place, entry) in ledger.tenants.values().enumerate() {
            for (pool, amounts) in &entry.charged {
                subtrees.charge(place, pool, *amounts);
            }
        }
        subtrees
    }

    /// Takes over what the tenant itself holds by now.
    pub fn follow(&mut self, ledger: &Ledger, tenant: &str) {
        if let (Some(place), Some(entry)) = (self.place(tenant), ledger.tenants.get(tenant)) {
            for (pool, amounts) in &entry.charged {
                self.charge(place, pool, *amounts);
            }
        }
    }

    /// The tenant and its ancestors, nearest first. Ends at a parent that is unknown or was met before.
    pub fn lineage(&self, tenant: &str) -> impl Iterator<Item = &Node> {
        let places = self.place(tenant).map(|place| self.upwards(place)).unwrap_or_default();
        places.into_iter().filter_map(|place| self.0.get(place))
    }

    /// The tenant of that name.
    pub fn node(&self, tenant: &str) -> Option<&Node> {
        self.0.get(self.place(tenant)?)
    }

    fn place(&self, tenant: &str) -> Option<usize> {
        self.0.binary_search_by(|node| node.name.as_str().cmp(tenant)).ok()
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

    /// The tenant holds `own` of the pool; those above it hold as much more or less.
    fn charge(&mut self, place: usize, pool: &str, own: Resources) {
        let before = self.0.get(place).map_or(Resources::ZERO, |node| node.row(pool).own);
        let more = own.minus(before);
        if more.is_zero() {
            return;
        }
        for above in self.upwards(place) {
            let Some(node) = self.0.get_mut(above) else {
                continue;
            };
            let row = match node.rows.get_mut(pool) {
                Some(row) => row,
                None => node.rows.entry(pool.to_owned()).or_default(),
            };
            row.held = row.held.plus(more);
            if above == place {
                row.own = own;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
                entry.charged = [("x86".to_owned(), cpu(*x86)), ("arm".to_owned(), cpu(*arm))].into();
            }
            let mut subtrees = Subtrees::of(&ledger);
            for (tenant, amount) in changes {
                let name = tenant.to_string();
                if let Some(entry) = ledger.tenants.get_mut(&name) {
                    entry.charged.insert("x86".to_owned(), cpu(amount));
                    subtrees.follow(&ledger, &name);
                }
            }
            for name in ledger.tenants.keys() {
                let held = subtrees.node(name).unwrap().held().map(|(pool, sum)| (pool.to_owned(), sum));
                prop_assert_eq!(held.collect::<BTreeMap<_, _>>(), as_defined(&ledger, name));
                let above: Vec<&str> = subtrees.lineage(name).map(|node| node.name.as_str()).collect();
                prop_assert_eq!(above, ledger.lineage(name));
            }
        }
    }
}
