//! What a department needs, read into numbers, and why it does not get it.

use std::collections::BTreeMap;

use crds::{AcceleratorUse, AmountError, Architecture, ResourceRequestSpec, Resources, StorageTier, Zone};

use crate::pool::{Pool, Sort};

/// Why a request does not get its grant now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of [`crds::request_reason`].
    pub reason: &'static str,
    /// `English | 中文`; durable facts only, no figure that changes while it waits.
    pub message: String,
    /// Pools it waits for, with what it asks of each.
    pub pools: BTreeMap<String, Resources>,
}

impl Refusal {
    /// A refusal that waits for no pool.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            pools: BTreeMap::new(),
        }
    }

    /// The same, naming the pools it waits for.
    #[must_use]
    pub fn waiting_for(mut self, pools: BTreeMap<String, Resources>) -> Self {
        self.pools = pools;
        self
    }
}

/// One thing that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// From a pool by name.
    Named(String, Resources),
    /// vCPU and memory.
    Compute(Resources),
    /// Cards for a use, and how many of them must lie in one node.
    Cards(AcceleratorUse, Resources, i128),
    /// Bytes of a tier.
    Storage(StorageTier, Resources),
}

impl Need {
    pub(crate) fn amounts(&self) -> Resources {
        match self {
            Self::Named(_, n) | Self::Compute(n) | Self::Cards(_, n, _) | Self::Storage(_, n) => *n,
        }
    }

    /// Cards that must lie in one node; 1 where that does not matter.
    pub(crate) fn block(&self) -> i128 {
        if let Self::Cards(_, _, block) = self { *block } else { 1 }
    }

    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Named(pool, n) => format!("pool {pool} ({n})"),
            Self::Compute(n) => n.to_string(),
            Self::Cards(use_, n, _) => format!("{use_:?} {n}"),
            Self::Storage(tier, n) => format!("{tier:?} {n}"),
        }
    }

    pub(crate) fn matches(&self, pool: &Pool, zone: Zone, architecture: Option<Architecture>) -> bool {
        let of_sort = match (self, &pool.sort) {
            (Self::Named(name, _), _) => return pool.name == *name,
            (Self::Compute(_), Sort::Compute(_)) => true,
            (Self::Cards(wanted, ..), Sort::Accelerator { use_, .. }) => use_ == wanted,
            (Self::Storage(wanted, _), Sort::Storage(tier)) => tier == wanted,
            _ => false,
        };
        let fits_architecture = match (architecture, pool.architecture()) {
            (Some(wanted), Some(has)) => wanted == has,
            _ => true,
        };
        of_sort && pool.zone == zone && fits_architecture
    }
}

/// Reads what is asked, with the amounts that approvers lowered.
pub(crate) fn needs(spec: &ResourceRequestSpec, lowered: &BTreeMap<String, i128>) -> Result<Vec<Need>, AmountError> {
    let mut out = Vec::new();
    if let Some(pools) = &spec.pools {
        for pool in pools {
            out.push(Need::Named(pool.name.clone(), (&pool.amounts).try_into()?));
        }
    }
    if let Some(need) = &spec.resources {
        if let (Some(cpu), Some(memory)) = (&need.cpu, &need.memory) {
            let (cpu, memory) = (cpu.parse("cpu")?, memory.parse("memory")?);
            out.push(Need::Compute(Resources {
                cpu,
                memory,
                ..Resources::ZERO
            }));
        }
        for card in need.accelerators.iter().flatten() {
            out.push(Need::Cards(
                card.use_,
                Resources {
                    accelerators: card.count.into(),
                    ..Resources::ZERO
                },
                card.per_node.unwrap_or(1).max(1).into(),
            ));
        }
        for storage in need.storage.iter().flatten() {
            let bytes = storage.size.parse("storage")?;
            out.push(Need::Storage(
                storage.tier,
                Resources {
                    storage: bytes,
                    ..Resources::ZERO
                },
            ));
        }
    }
    for (resource, lowest) in lowered {
        lower(&mut out, resource, *lowest);
    }
    Ok(out)
}

/// Lowers one resource where exactly one need asks for it; an approver's amount never raises.
fn lower(needs: &mut [Need], resource: &str, lowest: i128) {
    let mut asking = needs.iter_mut().filter(|n| n.amounts()[resource] > 0);
    if let (Some(Need::Named(_, n) | Need::Compute(n) | Need::Cards(_, n, _) | Need::Storage(_, n)), None) =
        (asking.next(), asking.next())
    {
        n[resource] = n[resource].min(lowest).max(0);
    }
}
