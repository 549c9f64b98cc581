//! Phases of expansion: which capacity counts because it was accepted, and how far the plan is.

pub mod simulate;
pub mod started;
pub mod status;

use std::collections::BTreeMap;

use crds::{AmountError, CapacitySource, ExpansionPhase, PhaseStage, PoolCapacity, PoolCentre, Resources};

/// What a centre has of a pool, before over-commit and reserve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Without any phase: declared, or nodes that carry no phase's label or that of one that existed before.
    pub base: Resources,
    /// What counts of each accepted phase.
    pub counted: BTreeMap<String, Resources>,
    /// What ready nodes of each phase can allocate, accepted or not; empty where capacity is declared.
    pub nodes: BTreeMap<String, Resources>,
}

impl Found {
    /// All that counts.
    pub fn total(&self) -> Resources {
        self.counted.values().fold(self.base, |sum, part| sum.plus(*part))
    }

    /// Nodes that do not count, because their phase is unknown or not accepted for this pool and centre.
    pub fn waiting(&self) -> BTreeMap<String, Resources> {
        let waits = |(name, _): &(&String, &Resources)| !self.counted.contains_key(*name);
        let nodes = self.nodes.iter().filter(waits);
        nodes.map(|(name, amounts)| (name.clone(), *amounts)).collect()
    }
}

/// Looks at one centre of a pool: its entry in the pool's spec, its row in the centre's report, and all phases. A phase
/// whose amounts cannot be read counts nothing and says so itself.
///
/// # Errors
/// What the pool declares, or the centre reports, cannot be read.
pub fn found(
    pool: &str,
    listed: &PoolCentre,
    row: Option<&PoolCapacity>,
    phases: &[ExpansionPhase],
) -> Result<Found, AmountError> {
    let mut found = Found::default();
    let by_nodes = listed.source == CapacitySource::Nodes;
    let base = if by_nodes {
        row.map(|r| &r.allocatable)
    } else {
        listed.amounts.as_ref()
    };
    found.base = base.map(Resources::try_from).transpose()?.unwrap_or_default();
    for reported in row.filter(|_| by_nodes).iter().flat_map(|r| &r.phases) {
        let amounts = Resources::try_from(&reported.allocatable)?;
        if phases.iter().any(|p| p.spec.existing && name(p) == reported.name) {
            found.base = found.base.plus(amounts);
        } else {
            found.nodes.insert(reported.name.clone(), amounts);
        }
    }
    for phase in phases.iter().filter(|p| moves_capacity(p)) {
        let rows = phase.spec.delivers.iter();
        for delivery in rows.filter(|d| d.pool == pool && d.centre == listed.name) {
            let Ok(accepted) = Resources::try_from(&delivery.amounts) else {
                continue;
            };
            let nodes = found.nodes.get(name(phase)).copied().unwrap_or_default();
            let counts = if by_nodes { accepted.each_min(nodes) } else { accepted };
            found.counted.insert(name(phase).to_owned(), counts);
        }
    }
    Ok(found)
}

/// Name of a phase.
pub fn name(phase: &ExpansionPhase) -> &str {
    phase.metadata.name.as_deref().unwrap_or_default()
}

/// Whether its capacity is added to what pools have by themselves.
fn moves_capacity(phase: &ExpansionPhase) -> bool {
    phase.spec.stage == PhaseStage::Accepted && !phase.spec.existing
}

/// The plan: what was accepted so far, and what the phases foresee in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Sum over accepted phases.
    pub accepted: Resources,
    /// The largest target of any phase, resource by resource.
    pub target: Resources,
}

/// Adds up the phases; an amount that cannot be read counts nothing.
pub fn totals(phases: &[ExpansionPhase]) -> Totals {
    phases.iter().fold(Totals::default(), |sum, phase| {
        let target = phase.spec.target.as_ref().map(Resources::try_from);
        let accepted = (phase.spec.stage == PhaseStage::Accepted).then(|| delivers(phase));
        Totals {
            accepted: sum.accepted.plus(accepted.and_then(Result::ok).unwrap_or_default()),
            target: sum.target.each_max(target.and_then(Result::ok).unwrap_or_default()),
        }
    })
}

/// Sum of what a phase delivers.
///
/// # Errors
/// An amount cannot be read.
pub fn delivers(phase: &ExpansionPhase) -> Result<Resources, AmountError> {
    let rows = phase.spec.delivers.iter();
    rows.map(|d| Resources::try_from(&d.amounts))
        .try_fold(Resources::ZERO, |sum, amounts| Ok(sum.plus(amounts?)))
}

#[cfg(test)]
mod tests;
