//! The ledger as numbers, and the steps that change it. The rules are those of docs/decisions/0003-ledger-protocol.md:
//!
//! at any time, charged = Σ over requests of (record open ? max(from, to) row by row : what the allocation holds).
//!
//! Nothing here reads or writes a server. Whoever sends a swap made of these steps must have read in the order that the
//! protocol asks for; `cycle` is the only caller that decides.

mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{LedgerState, Resources};
use jiff::Timestamp;

use crate::by_name::{ByName, Name};
use crate::ceilings::Ceiling;
use crate::pool::Pool;
use crate::quota::Grant;

/// Most records that may be open at once.
pub const MAX_RECORDS: usize = 512;
/// Of these, kept for records that lower, so that giving back never waits behind taking.
pub const KEPT_FOR_LOWERING: usize = 128;

/// Stored bytes from which nothing is granted that would add to it: etcd takes no object of more than 1.5 MiB.
pub const MOST_BYTES: usize = 1 << 20;

/// Generation of a tenant that was deleted: whoever is made anew under its name is newer.
const GONE: i64 = -1;

/// One pool in one centre.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CentreEntry {
    /// Charged by grants and open records.
    pub charged: Resources,
    /// Adopted capacity after reserve.
    pub committable: Resources,
    /// Number of the report it came from.
    pub report: i64,
    /// Time of that report.
    pub reported_at: Option<String>,
}

/// A pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolEntry {
    /// Generation that was adopted.
    pub generation: i64,
    /// By centre.
    pub centres: BTreeMap<String, CentreEntry>,
    /// Phases of expansion whose capacity is in it.
    pub phases: BTreeSet<String>,
    /// What it gained by phases, oldest first, while the requests that waited for it start.
    pub growths: Vec<Growth>,
}

/// Capacity that came by a phase of expansion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The phase.
    pub phase: String,
    /// When the ledger took it in.
    pub at: Timestamp,
    /// What was committable before, by centre.
    pub before: BTreeMap<String, Resources>,
}

/// A tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantEntry {
    /// Parent as adopted.
    pub parent: Option<String>,
    /// Generation that was adopted; 0 before any was, negative after the tenant was deleted.
    pub generation: i64,
    /// Ceilings by pool; a pool that is absent is closed.
    pub ceilings: Arc<ByName<Ceiling>>,
    /// Its own grants by pool, without its children's.
    pub charged: ByName<Resources>,
}

/// A change under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Id, unique over the life of the ledger.
    pub id: String,
    /// Name of the request.
    pub name: String,
    /// Its tenant, which is its namespace.
    pub tenant: String,
    /// Before.
    pub from: Grant,
    /// After.
    pub to: Grant,
    /// Since when the grant counts.
    pub starts: Option<String>,
    /// Until when the grant counts.
    pub until: Option<String>,
    /// Uid of the request that asked for the change, where it is another one.
    pub change: Option<String>,
    /// Phase of expansion that made room for it.
    pub phase: Option<String>,
}

impl Record {
    /// Whether it raises a row of any pool.
    pub fn raises(&self) -> bool {
        let before = rows(&self.tenant, &self.from);
        rows(&self.tenant, &self.to)
            .iter()
            .any(|(row, after)| !after.fits(before.get(row).copied().unwrap_or_default()))
    }

    /// Whether it lowers a row of any pool.
    pub fn lowers(&self) -> bool {
        let after = rows(&self.tenant, &self.to);
        rows(&self.tenant, &self.from)
            .iter()
            .any(|(row, before)| !before.fits(after.get(row).copied().unwrap_or_default()))
    }

    fn held(&self) -> Rows<'_> {
        larger(rows(&self.tenant, &self.from), rows(&self.tenant, &self.to))
    }
}

/// What a grant adds to: a pool in a centre, or a tenant's own sum of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row<'a> {
    Centre { pool: &'a str, centre: &'a str },
    Tenant { tenant: &'a str, pool: &'a Name },
}
type Rows<'a> = BTreeMap<Row<'a>, Resources>;

fn rows<'a>(tenant: &'a str, grant: &'a Grant) -> Rows<'a> {
    let mut out = Rows::new();
    for (pool, g) in grant {
        out.insert(Row::Tenant { tenant, pool }, g.n);
        for (centre, part) in &g.centres {
            out.insert(Row::Centre { pool, centre }, part.charge());
        }
    }
    out
}

fn larger<'a>(mut a: Rows<'a>, b: Rows<'a>) -> Rows<'a> {
    for (row, amount) in b {
        let slot = a.entry(row).or_default();
        *slot = slot.each_max(amount);
    }
    a
}

/// A live request as the recount sees it.
#[derive(Clone, Debug)]
pub struct Holding<'a> {
    /// Uid.
    pub uid: &'a str,
    /// Tenant.
    pub tenant: &'a str,
    /// What its allocation says.
    pub grant: &'a Grant,
}

/// The ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Whether it may decide.
    pub state: LedgerState,
    /// Counts the swaps.
    pub sequence: i64,
    /// Epoch of the last writer.
    pub epoch: i64,
    /// By pool.
    pub pools: BTreeMap<String, PoolEntry>,
    /// By tenant.
    pub tenants: BTreeMap<String, TenantEntry>,
    /// By uid of the request.
    pub records: BTreeMap<String, Record>,
}

impl Ledger {
    /// What is left of the pool in that centre; negative where it is over-committed.
    pub fn free(&self, pool: &str, centre: &str) -> Resources {
        self.centre(pool, centre)
            .map_or(Resources::ZERO, |c| c.committable.minus(c.charged))
    }

    /// The entry of a pool in a centre.
    pub fn centre(&self, pool: &str, centre: &str) -> Option<&CentreEntry> {
        self.pools.get(pool)?.centres.get(centre)
    }

    /// The ceiling of a tenant in a pool; zero where the pool is closed to it.
    pub fn ceiling(&self, tenant: &str, pool: &str) -> Ceiling {
        let entry = self.tenants.get(tenant);
        entry.and_then(|t| t.ceilings.get(pool)).copied().unwrap_or_default()
    }

    /// The tenant and its ancestors, nearest first. Ends at a parent that is unknown or was met before.
    pub fn lineage(&self, tenant: &str) -> Vec<&str> {
        let mut out: Vec<&str> = Vec::new();
        let mut next = self.tenants.get_key_value(tenant);
        while let Some((name, entry)) = next {
            if out.contains(&name.as_str()) {
                break;
            }
            out.push(name);
            next = entry
                .parent
                .as_ref()
                .and_then(|p| self.tenants.get_key_value(p.as_str()));
        }
        out
    }

    /// Sum of grants of the pool in the subtree of the tenant, by pool.
    pub fn subtree(&self, tenant: &str) -> BTreeMap<String, Resources> {
        let mut sums: BTreeMap<String, Resources> = BTreeMap::new();
        for (name, entry) in &self.tenants {
            if self.lineage(name).contains(&tenant) {
                for (pool, amounts) in &entry.charged {
                    let sum = sums.entry(pool.to_string()).or_default();
                    *sum = sum.plus(*amounts);
                }
            }
        }
        sums
    }

    /// Adopts a pool's capacity: never from an older report or generation than the one it has.
    pub fn adopt_pool(&mut self, pool: &Pool) {
        let entry = entry(&mut self.pools, &pool.name);
        if pool.generation < entry.generation {
            return;
        }
        let newer_spec = pool.generation > entry.generation;
        entry.generation = pool.generation;
        let older = |(centre, slot): (&String, &CentreEntry)| {
            let capacity = pool.capacity.get(centre);
            !newer_spec && capacity.is_some_and(|c| c.report < slot.report)
        };
        if !entry.centres.iter().any(older) {
            entry.phases = pool.phases();
        }
        for (centre, capacity) in &pool.capacity {
            let slot = self::entry(&mut entry.centres, centre);
            let changed = slot.committable != capacity.committable();
            if changed && (newer_spec || capacity.report >= slot.report) {
                slot.committable = capacity.committable();
                slot.report = capacity.report;
                slot.reported_at.clone_from(&capacity.reported_at);
            }
        }
    }

    /// Adopts a tenant's place and ceilings, unless it has a newer generation.
    pub fn adopt_tenant(&mut self, name: &str, generation: i64, parent: Option<&str>, ceilings: &Arc<ByName<Ceiling>>) {
        let entry = entry(&mut self.tenants, name);
        if generation > entry.generation {
            entry.generation = generation;
            entry.parent = parent.map(ToOwned::to_owned);
            entry.ceilings = Arc::clone(ceilings);
        }
    }

    /// Drops pools and tenants that exist no more and charge nothing, but for those above a tenant that stays: what it holds
    /// would no longer count against the ceilings up to the root.
    pub fn forget(&mut self, pool_exists: impl Fn(&str) -> bool, tenant_exists: impl Fn(&str) -> bool) {
        self.pools
            .retain(|name, p| pool_exists(name) || p.centres.values().any(|c| !c.charged.is_zero()));
        if self.tenants.keys().all(|name| tenant_exists(name)) {
            return;
        }
        let stays = |(name, t): &(&String, &TenantEntry)| {
            tenant_exists(name.as_str()) || t.charged.values().any(|c| !c.is_zero())
        };
        let mut kept: BTreeSet<String> = BTreeSet::new();
        for (name, _) in self.tenants.iter().filter(stays) {
            kept.extend(self.lineage(name).into_iter().map(str::to_owned));
        }
        self.tenants.retain(|name, _| kept.contains(name));
        for (name, entry) in &mut self.tenants {
            if entry.generation > 0 && !tenant_exists(name) {
                entry.generation = GONE;
            }
        }
    }

    /// Whether a record of that direction may still be opened.
    pub fn has_room_for_record(&self, raises: bool) -> bool {
        self.records.len()
            < if raises {
                MAX_RECORDS - KEPT_FOR_LOWERING
            } else {
                MAX_RECORDS
            }
    }

    /// OPEN: sums grow by max(from, to) − from.
    pub fn open(&mut self, uid: &str, record: Record) {
        let held = record.held();
        self.add(&held, 1);
        self.add(&rows(&record.tenant, &record.from), -1);
        self.records.insert(uid.to_owned(), record);
    }

    /// SETTLE: the record goes, the charge becomes what the request holds.
    pub fn settle(&mut self, uid: &str, holds: &Grant) {
        if let Some(record) = self.records.remove(uid) {
            self.add(&record.held(), -1);
            self.add(&rows(&record.tenant, holds), 1);
        }
    }

    /// RECOUNT: sums from what the requests hold; records stay and count with max(from, to). Returns what differed.
    pub fn recount<'a>(&mut self, holdings: impl IntoIterator<Item = Holding<'a>>) -> Vec<String> {
        let before = self.clone();
        self.pools
            .values_mut()
            .flat_map(|p| p.centres.values_mut())
            .for_each(|c| c.charged = Resources::ZERO);
        self.tenants.values_mut().for_each(|t| t.charged.clear());
        for holding in holdings {
            if !self.records.contains_key(holding.uid) {
                self.add(&rows(holding.tenant, holding.grant), 1);
            }
        }
        for record in before.records.values() {
            self.add(&record.held(), 1);
        }
        let (before, after) = (before.sums(), self.sums());
        let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let value = |sums: &Rows<'_>, row: &Row<'_>| sums.get(row).copied().unwrap_or_default();
        keys.into_iter()
            .filter(|row| value(&before, row) != value(&after, row))
            .map(|row| match row {
                Row::Centre { pool, centre } => {
                    format!("{pool}@{centre}: {} → {}", value(&before, row), value(&after, row))
                }
                Row::Tenant { tenant, pool } => {
                    format!("{tenant}/{pool}: {} → {}", value(&before, row), value(&after, row))
                }
            })
            .collect()
    }

    fn sums(&self) -> Rows<'_> {
        let mut out = Rows::new();
        for (pool, entry) in &self.pools {
            for (centre, c) in &entry.centres {
                out.insert(Row::Centre { pool, centre }, c.charged);
            }
        }
        for (tenant, entry) in &self.tenants {
            for (pool, amounts) in &entry.charged {
                out.insert(Row::Tenant { tenant, pool }, *amounts);
            }
        }
        out.retain(|_, amount| !amount.is_zero());
        out
    }

    fn add(&mut self, rows: &Rows<'_>, sign: i128) {
        for (row, amount) in rows {
            let change = |sum: &mut Resources| *sum = sum.zip(*amount, |a, b| a + sign * b);
            match row {
                Row::Centre { pool, centre } => {
                    change(&mut entry(&mut entry(&mut self.pools, pool).centres, centre).charged);
                }
                Row::Tenant { tenant, pool } => entry(&mut self.tenants, tenant).charged.update(pool, change),
            }
        }
    }
}

/// The value of that name, made where there is none.
fn entry<'a, T: Default>(map: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    map.entry(name.to_owned()).or_default()
}

#[cfg(test)]
mod tests;
