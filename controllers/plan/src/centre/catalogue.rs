//! The pools as a centre sees them: which namespace a grant goes to, and what its resources are called there.

use std::collections::{BTreeMap, BTreeSet};

use crds::{Architecture, QuotaPool};

/// What an agent needs to know of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolFacts {
    /// Whether tenants have a namespace of their own for it.
    pub separate: bool,
    /// Extended resource of its cards, such as `nvidia.com/gpu`.
    pub card: Option<String>,
    /// Processors of its nodes, as Kubernetes calls them: `amd64` or `arm64`.
    pub architecture: Option<&'static str>,
    /// StorageClass, where it is a storage pool.
    pub storage_class: Option<String>,
    /// Centres that it names.
    pub centres: BTreeSet<String>,
}

impl PoolFacts {
    /// Whether pods run on it.
    pub fn is_compute(&self) -> bool {
        self.storage_class.is_none()
    }
}

/// Every pool of the hub, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue(BTreeMap<String, PoolFacts>);

impl Catalogue {
    /// Reads the pools.
    pub fn read(pools: &[QuotaPool]) -> Self {
        let facts = |pool: &QuotaPool| PoolFacts {
            separate: pool.spec.separate_namespace,
            card: pool.spec.accelerator.as_ref().map(|a| a.resource_name.clone()),
            architecture: pool.spec.architecture.map(Architecture::name),
            storage_class: pool.spec.storage.as_ref().map(|s| s.storage_class_name.clone()),
            centres: pool.spec.centres.iter().map(|c| c.name.clone()).collect(),
        };
        Self(
            pools
                .iter()
                .filter_map(|p| Some((p.metadata.name.clone()?, facts(p))))
                .collect(),
        )
    }

    /// The pool of that name.
    pub fn get(&self, pool: &str) -> Option<&PoolFacts> {
        self.0.get(pool)
    }

    /// Name and facts of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &PoolFacts)> {
        self.0.iter().map(|(name, facts)| (name.as_str(), facts))
    }

    /// Every extended resource of any pool.
    pub fn cards(&self) -> BTreeSet<&str> {
        self.0.values().filter_map(|p| p.card.as_deref()).collect()
    }

    /// Every StorageClass of any pool.
    pub fn storage_classes(&self) -> BTreeSet<&str> {
        self.0.values().filter_map(|p| p.storage_class.as_deref()).collect()
    }

    /// The namespace in which a tenant uses a pool.
    pub fn namespace(&self, tenant: &str, pool: &str) -> String {
        match self.0.get(pool) {
            Some(facts) if facts.separate => format!("{tenant}-{pool}"),
            _ => tenant.to_owned(),
        }
    }
}
