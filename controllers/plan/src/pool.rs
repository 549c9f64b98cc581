//! A pool as decisions see it: its spec read into exact numbers, and the capacity its centres report.

use std::collections::{BTreeMap, BTreeSet};

use crds::{
    AcceleratorUse, Amount, AmountError, Architecture, CapacitySource, CardNodes, CentreReport, CentreRole, DataCenter,
    ExpansionPhase, Intake, NeedKind, PoolCentre, QuotaPool, QuotaPoolSpec, Reserve, Resources, StorageTier, Zone,
};
use jiff::{SignedDuration, Timestamp};

use crate::approvals::Policy;
use crate::by_name::Name;
use crate::centre::stage;
use crate::centre_health::is_recent;
use crate::phase::{self, Found};
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
    /// What it has of each accepted phase of expansion, before over-commit.
    pub phases: BTreeMap<String, Resources>,
    /// What nodes of phases that are not accepted could add.
    pub waiting: BTreeMap<String, Resources>,
    /// The most that may be promised of it, where a member cloud lends it.
    pub lent: Option<Resources>,
    /// In use.
    pub used: Resources,
    /// Number of the report; 0 where declared.
    pub report: i64,
    /// Time of the report.
    pub reported_at: Option<String>,
    /// Whether it may be sold against: declared, or reported within `staleAfter`, and not of a member that is only observed.
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
    pub name: Name,
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
    /// Sold CPU per real CPU, in thousandths.
    pub overcommit: i128,
    /// What is kept back.
    pub reserve: Option<Reserve>,
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
    /// Reads the spec, and the capacity from the centres' reports as they are at `now` and from the accepted phases.
    ///
    /// # Errors
    /// What in the spec cannot be worked with.
    pub fn read(
        pool: &QuotaPool,
        centres: &[DataCenter],
        phases: &[ExpansionPhase],
        now: Timestamp,
    ) -> Result<Self, PoolError> {
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
                name: c.name.as_str().into(),
                weight: c.weight.into(),
                primary: primary(&c.name),
            })
            .collect();
        let mut capacity = BTreeMap::new();
        for centre in &spec.centres {
            if let Some(found) = found_in(pool, centre, centres, phases)? {
                let found = capacity_in(pool, centre, centres, found, now)?;
                capacity.insert(centre.name.clone(), found);
            }
        }
        Ok(Self {
            name: pool.metadata.name.as_deref().unwrap_or_default().into(),
            generation: pool.metadata.generation.unwrap_or_default(),
            sort,
            zone: spec.zone,
            slots,
            capacity,
            overcommit: overcommit(spec)?,
            reserve: spec.reserve.clone(),
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

    /// Phases of expansion that count in any of its centres.
    pub fn phases(&self) -> BTreeSet<String> {
        self.capacity.values().flat_map(|c| c.phases.keys().cloned()).collect()
    }

    /// What the phase has in that centre becomes `amounts`, accepted; a centre whose capacity is not there stays as it is.
    pub fn set_phase(&mut self, centre: &str, phase: &str, amounts: Resources) {
        let Some(slot) = self.capacity.get_mut(centre) else {
            return;
        };
        let before = slot.phases.insert(phase.to_owned(), amounts).unwrap_or_default();
        let gross = slot.gross.plus(quota::gross(amounts.minus(before), self.overcommit));
        slot.gross = slot.lent.map_or(gross, |most| gross.each_min(most));
        // The reserve was read together with the pool.
        slot.reserved = quota::reserved(slot.gross, self.reserve.as_ref()).unwrap_or(slot.reserved);
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

fn centre<'a>(name: &str, centres: &'a [DataCenter]) -> Option<&'a DataCenter> {
    centres.iter().find(|c| c.metadata.name.as_deref() == Some(name))
}

fn report(centre: &DataCenter) -> Option<&CentreReport> {
    centre.status.as_ref().and_then(|s| s.report.as_ref())
}

/// What the centre has of the pool; nothing where it does not exist, or its agent would have to report and never did.
///
/// # Errors
/// An amount cannot be read.
pub fn found_in(
    pool: &QuotaPool,
    listed: &PoolCentre,
    centres: &[DataCenter],
    phases: &[ExpansionPhase],
) -> Result<Option<Found>, PoolError> {
    let name = pool.metadata.name.as_deref().unwrap_or_default();
    let Some(report) = centre(&listed.name, centres).map(report) else {
        return Ok(None);
    };
    if listed.source == CapacitySource::Nodes && report.is_none() {
        return Ok(None);
    }
    let row = report.and_then(|r| r.pools.iter().find(|p| p.name == name));
    Ok(Some(phase::found(name, listed, row, phases)?))
}

/// Gross and reserved of what was found in a centre.
///
/// # Errors
/// An amount of the spec cannot be read.
pub fn capacity(found: Resources, spec: &QuotaPoolSpec) -> Result<(Resources, Resources), PoolError> {
    let gross = quota::gross(found, overcommit(spec)?);
    Ok((gross, quota::reserved(gross, spec.reserve.as_ref())?))
}

fn overcommit(spec: &QuotaPoolSpec) -> Result<i128, AmountError> {
    spec.overcommit.as_ref().map_or(Ok(1000), |o| o.cpu.parse("cpu"))
}

fn capacity_in(
    pool: &QuotaPool,
    listed: &PoolCentre,
    centres: &[DataCenter],
    found: Found,
    now: Timestamp,
) -> Result<Capacity, PoolError> {
    let object = centre(&listed.name, centres);
    let report = object.and_then(report);
    let row = report.and_then(|r| r.pools.iter().find(|p| Some(&p.name) == pool.metadata.name.as_ref()));
    let used = row.map(|r| Resources::try_from(&r.used)).transpose()?;
    let name = pool.metadata.name.as_deref().unwrap_or_default();
    let lent = object.map(|c| stage::lent(c, name)).transpose()?.flatten();
    let gross = quota::gross(found.total(), overcommit(&pool.spec)?);
    let gross = lent.map_or(gross, |most| gross.each_min(most));
    let reserved = quota::reserved(gross, pool.spec.reserve.as_ref())?;
    let from_nodes = row.filter(|_| listed.source == CapacitySource::Nodes);
    let cards = from_nodes.map(|r| r.cards.clone()).unwrap_or_default();
    let (number, reported_at, known) = match report.filter(|_| listed.source == CapacitySource::Nodes) {
        None => (0, None, true),
        Some(report) => {
            let limit = duration(&pool.spec.stale_after)?;
            let at = report.reported_at.parse::<Timestamp>();
            let known = at.is_ok_and(|at| is_recent(at, now, limit));
            (report.number, Some(report.reported_at.clone()), known)
        }
    };
    Ok(Capacity {
        gross,
        reserved,
        waiting: found.waiting(),
        phases: found.counted,
        lent,
        used: used.unwrap_or_default(),
        report: number,
        reported_at,
        known: known && object.is_none_or(stage::sells),
        cards,
    })
}

/// `60s`, `90m`, `72h` or `30d` as a duration.
pub(crate) fn duration(text: &str) -> Result<SignedDuration, PoolError> {
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
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
mod tests;

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
            overcommit: 1000,
            reserve: None,
            policy: Policy::default(),
            intake: Intake::Open,
            hold_after: SignedDuration::from_hours(72),
        }
    }
}
