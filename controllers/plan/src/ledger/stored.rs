//! The ledger to and from the object that is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{
    AmountError, CentreAmounts, LedgerCeiling, LedgerCentre, LedgerCharge, LedgerGrowth, LedgerPool, LedgerRecord,
    LedgerTenant, QuotaLedgerSpec, Resources,
};
use jiff::Timestamp;

use super::{CentreEntry, Growth, Ledger, PoolEntry, Record, TenantEntry};
use crate::by_name::{ByName, Name};
use crate::ceilings::Ceiling;
use crate::quota::{from_stored, to_stored};

/// Names as they are read: thousands of tenants mention the same pools, so each name is there once.
#[derive(Default)]
struct Names(BTreeSet<Name>);

impl Names {
    fn of(&mut self, name: &str) -> Name {
        if let Some(known) = self.0.get(name) {
            return Name::clone(known);
        }
        let new = Name::from(name);
        self.0.insert(Name::clone(&new));
        new
    }
}

fn charges(map: &ByName<Resources>) -> Vec<LedgerCharge> {
    map.iter()
        .filter(|(_, r)| !r.is_zero())
        .map(|(pool, r)| LedgerCharge {
            pool: pool.to_string(),
            amounts: r.to_amounts(),
        })
        .collect()
}

fn ceiling_to_stored((pool, c): (&Name, &Ceiling)) -> LedgerCeiling {
    LedgerCeiling {
        pool: pool.to_string(),
        amounts: c.amounts.to_amounts(),
        borrow: c.borrow.to_amounts(),
        lend: c.lend.to_amounts(),
    }
}

fn ceiling_from_stored(c: &LedgerCeiling, names: &mut Names) -> Result<(Name, Ceiling), AmountError> {
    let ceiling = Ceiling {
        amounts: (&c.amounts).try_into()?,
        borrow: (&c.borrow).try_into()?,
        lend: (&c.lend).try_into()?,
    };
    Ok((names.of(&c.pool), ceiling))
}

fn by_pool(charges: &[LedgerCharge], names: &mut Names) -> Result<ByName<Resources>, AmountError> {
    charges
        .iter()
        .map(|c| Ok((names.of(&c.pool), (&c.amounts).try_into()?)))
        .collect()
}

impl From<&Ledger> for QuotaLedgerSpec {
    fn from(ledger: &Ledger) -> Self {
        let centre = |(name, c): (&String, &CentreEntry)| LedgerCentre {
            name: name.clone(),
            charged: c.charged.to_amounts(),
            committable: c.committable.to_amounts(),
            report: c.report,
            reported_at: c.reported_at.clone(),
        };
        Self {
            state: ledger.state,
            sequence: ledger.sequence,
            epoch: ledger.epoch,
            pools: ledger
                .pools
                .iter()
                .map(|(name, p)| LedgerPool {
                    name: name.clone(),
                    generation: p.generation,
                    centres: p.centres.iter().map(centre).collect(),
                    phases: p.phases.iter().cloned().collect(),
                    growths: p.growths.iter().map(growth_to_stored).collect(),
                })
                .collect(),
            tenants: ledger
                .tenants
                .iter()
                .map(|(name, t)| LedgerTenant {
                    name: name.clone(),
                    parent: t.parent.clone(),
                    generation: t.generation,
                    ceilings: t.ceilings.iter().map(ceiling_to_stored).collect(),
                    charged: charges(&t.charged),
                })
                .collect(),
            records: ledger.records.iter().map(record_to_stored).collect(),
        }
    }
}

fn record_to_stored((uid, r): (&String, &Record)) -> LedgerRecord {
    LedgerRecord {
        id: r.id.clone(),
        uid: uid.clone(),
        name: r.name.clone(),
        tenant: r.tenant.clone(),
        from: to_stored(&r.from),
        to: to_stored(&r.to),
        starts: r.starts.clone(),
        until: r.until.clone(),
        change: r.change.clone(),
        phase: r.phase.clone(),
    }
}

fn growth_to_stored(growth: &Growth) -> LedgerGrowth {
    let centre = |(name, amounts): (&String, &Resources)| CentreAmounts {
        name: name.clone(),
        amounts: amounts.to_amounts(),
    };
    LedgerGrowth {
        phase: growth.phase.clone(),
        at: growth.at.to_string(),
        before: growth.before.iter().map(centre).collect(),
    }
}

/// Nothing is charged by them: one whose time cannot be read is left out.
fn growths_from_stored(stored: &[LedgerGrowth]) -> Result<Vec<Growth>, AmountError> {
    let mut growths = Vec::with_capacity(stored.len());
    for growth in stored {
        let Ok(at) = growth.at.parse::<Timestamp>() else {
            continue;
        };
        let centre = |c: &CentreAmounts| Ok((c.name.clone(), Resources::try_from(&c.amounts)?));
        growths.push(Growth {
            phase: growth.phase.clone(),
            at,
            before: growth.before.iter().map(centre).collect::<Result<_, AmountError>>()?,
        });
    }
    Ok(growths)
}

impl TryFrom<&QuotaLedgerSpec> for Ledger {
    type Error = AmountError;
    fn try_from(spec: &QuotaLedgerSpec) -> Result<Self, AmountError> {
        let mut ledger = Self {
            state: spec.state,
            sequence: spec.sequence,
            epoch: spec.epoch,
            ..Self::default()
        };
        for p in &spec.pools {
            let mut entry = PoolEntry {
                generation: p.generation,
                centres: BTreeMap::new(),
                phases: p.phases.iter().cloned().collect(),
                growths: growths_from_stored(&p.growths)?,
            };
            for c in &p.centres {
                let centre = CentreEntry {
                    charged: (&c.charged).try_into()?,
                    committable: (&c.committable).try_into()?,
                    report: c.report,
                    reported_at: c.reported_at.clone(),
                };
                entry.centres.insert(c.name.clone(), centre);
            }
            ledger.pools.insert(p.name.clone(), entry);
        }
        let mut names = Names::default();
        for t in &spec.tenants {
            let ceilings = t.ceilings.iter().map(|c| ceiling_from_stored(c, &mut names));
            let entry = TenantEntry {
                parent: t.parent.clone(),
                generation: t.generation,
                ceilings: Arc::new(ceilings.collect::<Result<_, _>>()?),
                charged: by_pool(&t.charged, &mut names)?,
            };
            ledger.tenants.insert(t.name.clone(), entry);
        }
        for r in &spec.records {
            let record = Record {
                id: r.id.clone(),
                name: r.name.clone(),
                tenant: r.tenant.clone(),
                from: from_stored(&r.from)?,
                to: from_stored(&r.to)?,
                starts: r.starts.clone(),
                until: r.until.clone(),
                change: r.change.clone(),
                phase: r.phase.clone(),
            };
            ledger.records.insert(r.uid.clone(), record);
        }
        Ok(ledger)
    }
}
