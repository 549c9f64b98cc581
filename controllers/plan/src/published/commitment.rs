//! Whether a pool has what is charged of it.

use crds::pool_reason;

use crate::ledger::{Ledger, TenantEntry};
use crate::pool::Pool;

/// Whether more is charged than can be committed, the reason of the condition, and in words where, who holds it and what
/// helps, `English | 中文`.
pub fn commitment(pool: &Pool, ledger: &Ledger) -> (bool, &'static str, String) {
    let beyond = pool.slots.iter().filter_map(|slot| {
        let committable = pool.capacity.get(&*slot.name)?.committable();
        let charged = ledger.centre(&pool.name, &slot.name)?.charged;
        (!charged.fits(committable)).then_some((&slot.name, charged, committable))
    });
    let (mut places, mut places_zh) = (Vec::new(), Vec::new());
    for (centre, charged, committable) in beyond {
        places.push(format!("{centre}: charged {charged}, committable {committable}"));
        places_zh.push(format!("{centre}：已占用 {charged}，可承诺 {committable}"));
    }
    if places.is_empty() {
        let words = "no more is charged than can be committed | 未超出可承诺量";
        return (false, pool_reason::WITHIN_COMMITTABLE, words.to_owned());
    }
    let holds = |(_, t): &(&String, &TenantEntry)| t.charged.get(&pool.name).is_some_and(|held| !held.is_zero());
    let holders = ledger.tenants.iter().filter(holds).map(|(name, _)| name.as_str());
    let holders: Vec<&str> = holders.collect();
    let (places, places_zh, count) = (places.join("; "), places_zh.join("；"), holders.len());
    let first = holders.get(..5).unwrap_or(&holders).join(", ");
    let words = format!(
        "{places}; held by {count} tenants, of them {first}; nothing is evicted, nothing more is granted; bring nodes back, add some, or have grants released | {places_zh}；由 {count} 个租户占用，包括 {first}；不驱逐，也不再授予；请恢复或增加节点，或协调释放配额"
    );
    (true, pool_reason::OVER_COMMITTED, words)
}

#[cfg(test)]
mod tests;
