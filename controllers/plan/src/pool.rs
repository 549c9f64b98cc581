//! A pool as decisions see it: its spec read into exact numbers, and the capacity its centres report.

use std::collections::BTreeMap;

use crds::{
    AcceleratorUse, Amount, AmountError, Architecture, CapacitySource, CardNodes, CentreRole, DataCenter, Intake,
    NeedKind, QuotaPool, Resources, StorageTier, Zone,
};
use jiff::{SignedDuration, Timestamp};

use crate::approvals::Policy;
use crate::quota::{self, Slot};

/// What a pool is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sort {
    /// CPU and memory.
    Compute(Architecture),
    /// Cards, each with CPU and memory of its node.
    Accelerator {
        /// Architecture of the nodes.
        architecture: Architecture,
        /// What the cards are for.
        use_: AcceleratorUse,
        /// What one card brings.
        per_unit: Resources,
    },
    /// Bytes.
    Storage(StorageTier),
}

impl Sort {
    /// The kind of need it serves.
    pub fn kind(&self) -> NeedKind {
        match self {
            Self::Compute(_) => NeedKind::Compute,
            Self::Accelerator { .. } => NeedKind::Accelerator,
            Self::Storage(_) => NeedKind::Storage,
        }
    }
}

/// Capacity of one centre, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Found or declared, times over-commit. The last known figure where the report is too old.
    pub gross: Resources,
    /// Kept back.
    pub reserved: Resources,
    /// In use.
    pub used: Resources,
    /// Number of the report; 0 where declared.
    pub report: i64,
    /// Time of the report.
    pub reported_at: Option<String>,
    /// Whether it may be sold against: declared, or reported within `staleAfter`.
    pub known: bool,
    /// How the cards lie in the nodes; empty where that is not known, as for declared capacity.
    pub cards: Vec<CardNodes>,
}

impl Capacity {
    /// What may be promised.
    pub fn committable(&self) -> Resources {
        self.gross.minus(self.reserved)
    }
}

/// A pool whose spec was understood.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Name.
    pub name: String,
    /// Generation of the spec.
    pub generation: i64,
    /// What it is made of.
    pub sort: Sort,
    /// Network zone.
    pub zone: Zone,
    /// Its centres.
    pub slots: Vec<Slot>,
    /// Capacity by centre; a centre that does not exist or never reported is absent.
    pub capacity: BTreeMap<String, Capacity>,
    /// Who must agree.
    pub policy: Policy,
    /// What it still takes in.
    pub intake: Intake,
    /// How long the first of the queue waits before it keeps what is freed.
    pub hold_after: SignedDuration,
}

/// Why a pool cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// An amount cannot be read.
    #[error("{0}")]
    Amount(#[from] AmountError),
    /// `staleAfter` or `holdAfter` is no time.
    #[error("{0:?} is not a time such as 60s or 72h | 时长格式应为 60s 或 72h")]
    Duration(String),
    /// Neither architecture nor storage.
    #[error("the pool has neither architecture nor storage | 资源池未指定 architecture 或 storage")]
    NoSort,
}

impl Pool {
    /// Reads the spec, and the capacity from the centres' reports as they are at `now`.
    ///
    /// # Errors
    /// What in the spec cannot be worked with.
    pub fn read(pool: &QuotaPool, centres: &[DataCenter], now: Timestamp) -> Result<Self, PoolError> {
        let spec = &pool.spec;
        let sort = match (&spec.storage, &spec.accelerator, spec.architecture) {
            (Some(storage), _, _) => Sort::Storage(storage.tier),
            (None, Some(card), Some(architecture)) => Sort::Accelerator {
                architecture,
                use_: card.use_,
                per_unit: (&card.per_unit).try_into()?,
            },
            (None, None, Some(architecture)) => Sort::Compute(architecture),
            (None, _, None) => return Err(PoolError::NoSort),
        };
        let primary = |name: &str| {
            centres
                .iter()
                .any(|c| c.metadata.name.as_deref() == Some(name) && c.spec.role == CentreRole::Primary)
        };
        let slots = spec
            .centres
            .iter()
            .map(|c| Slot {
                name: c.name.clone(),
                weight: c.weight.into(),
                primary: primary(&c.name),
            })
            .collect();
        let mut capacity = BTreeMap::new();
        for centre in &spec.centres {
            if let Some(found) = Self::capacity_in(pool, &centre.name, centres, now)? {
                capacity.insert(centre.name.clone(), found);
            }
        }
        Ok(Self {
            name: pool.metadata.name.clone().unwrap_or_default(),
            generation: pool.metadata.generation.unwrap_or_default(),
            sort,
            zone: spec.zone,
            slots,
            capacity,
            policy: spec
                .approval
                .as_ref()
                .map(Policy::read)
                .transpose()?
                .unwrap_or_default(),
            intake: spec.intake,
            hold_after: duration(&spec.hold_after)?,
        })
    }

    fn capacity_in(
        pool: &QuotaPool,
        centre: &str,
        centres: &[DataCenter],
        now: Timestamp,
    ) -> Result<Option<Capacity>, PoolError> {
        let spec = &pool.spec;
        let Some(listed) = spec.centres.iter().find(|c| c.name == centre) else {
            return Ok(None);
        };
        let Some(exists) = centres.iter().find(|c| c.metadata.name.as_deref() == Some(centre)) else {
            return Ok(None);
        };
        let report = exists.status.as_ref().and_then(|s| s.report.as_ref());
        let row = report.and_then(|r| r.pools.iter().find(|p| Some(&p.name) == pool.metadata.name.as_ref()));
        let used = row
            .map(|r| Resources::try_from(&r.used))
            .transpose()?
            .unwrap_or_default();
        let (found, number, at, known) = match (listed.source, &listed.amounts, report) {
            (CapacitySource::Declared, Some(amounts), _) => (Resources::try_from(amounts)?, 0, None, true),
            (CapacitySource::Nodes, _, Some(report)) => {
                let found = row
                    .map(|r| Resources::try_from(&r.allocatable))
                    .transpose()?
                    .unwrap_or_default();
                let limit = duration(&spec.stale_after)?;
                let known = report
                    .reported_at
                    .parse::<Timestamp>()
                    .is_ok_and(|at| now.duration_since(at) <= limit);
                (found, report.number, Some(report.reported_at.clone()), known)
            }
            _ => return Ok(None),
        };
        let ratio = spec.overcommit.as_ref().map_or(Ok(1000), |o| o.cpu.parse("cpu"))?;
        let gross = quota::gross(found, ratio);
        let reserved = quota::reserved(gross, spec.reserve.as_ref())?;
        Ok(Some(Capacity {
            gross,
            reserved,
            used,
            report: number,
            reported_at: at,
            known,
            cards: row
                .filter(|_| listed.source == CapacitySource::Nodes)
                .map(|r| r.cards.clone())
                .unwrap_or_default(),
        }))
    }

    /// Whether every centre of the pool may be sold against.
    pub fn known_in(&self, centre: &str) -> bool {
        self.capacity.get(centre).is_some_and(|c| c.known)
    }

    /// What is asked of it, with what a card brings.
    pub fn with_cards(&self, asked: Resources) -> Resources {
        match &self.sort {
            Sort::Accelerator { per_unit, .. } => asked.plus(Resources {
                cpu: per_unit.cpu * asked.accelerators,
                memory: per_unit.memory * asked.accelerators,
                ..Resources::ZERO
            }),
            Sort::Compute(_) | Sort::Storage(_) => asked,
        }
    }

    /// Resources that its figures are printed for, zero or not.
    pub fn resources(&self) -> &'static [&'static str] {
        match self.sort {
            Sort::Compute(_) => &["cpu", "memory"],
            Sort::Accelerator { .. } => &["cpu", "memory", "accelerators"],
            Sort::Storage(_) => &["storage"],
        }
    }

    /// Architecture of its nodes.
    pub fn architecture(&self) -> Option<Architecture> {
        match &self.sort {
            Sort::Compute(a) | Sort::Accelerator { architecture: a, .. } => Some(*a),
            Sort::Storage(_) => None,
        }
    }
}

/// `60s`, `90m` or `72h` as a duration.
fn duration(text: &str) -> Result<SignedDuration, PoolError> {
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let read = |(unit, seconds): (&str, i64)| Some(i64::from(text.strip_suffix(unit)?.parse::<u32>().ok()?) * seconds);
    let seconds = units.into_iter().find_map(read);
    seconds
        .map(SignedDuration::from_secs)
        .ok_or_else(|| PoolError::Duration(text.to_owned()))
}

/// One amount for a sentence: `16 accelerators`, `64 cpu`.
pub fn in_words(resource: &str, value: i128) -> String {
    let Amount(text) = Resources::amount(resource, value);
    format!("{text} {resource}")
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A pool of cards without centres.
    pub(crate) fn cards() -> Pool {
        Pool {
            name: "gpu".into(),
            generation: 1,
            sort: Sort::Accelerator {
                architecture: Architecture::Amd64,
                use_: AcceleratorUse::Training,
                per_unit: Resources::ZERO,
            },
            zone: Zone::GovExtranet,
            slots: vec![],
            capacity: BTreeMap::new(),
            policy: Policy::default(),
            intake: Intake::Open,
            hold_after: SignedDuration::from_hours(72),
        }
    }
}
