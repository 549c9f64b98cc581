//! Pools whose prices are known, though the pool is gone.

use std::collections::BTreeMap;

use crds::QuotaPool;

use super::Rates;

/// Pools as they are, and those that were deleted as they were last. A pool may be deleted as soon as nothing is charged of
/// it, and what was held of it in the last moments has its price only after that.
#[derive(Debug, Default)]
pub struct KnownPools(BTreeMap<String, QuotaPool>);

impl KnownPools {
    /// Takes in the pools as they are, and answers with all that are known. Of a deleted one whose prices could not be read
    /// nothing is kept.
    pub fn with(&mut self, pools: Vec<QuotaPool>) -> Vec<QuotaPool> {
        self.0.retain(|_, pool| Rates::read(&pool.spec).is_ok());
        let named = pools.into_iter().filter_map(|p| Some((p.metadata.name.clone()?, p)));
        self.0.extend(named);
        self.0.values().cloned().collect()
    }
}
