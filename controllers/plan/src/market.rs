//! From needs to the pools they are taken from.
//!
//! Candidates are the pools of that kind, architecture, zone, use or tier that are open to the tenant; for a change, the pool
//! that the grant draws on already. The one with the most room that fits is taken; where none fits, the one that can commit
//! the most. Ties go by name.

mod largest;
mod offer;

use std::collections::BTreeMap;

use crds::{Architecture, Intake, RequestArchitecture, Resources, request_reason as reason};

use crate::by_name::Name;
use crate::cards;
use crate::ledger::{Ledger, PoolEntry};
use crate::needs::{Need, Wish};
use crate::pool::Pool;
use crate::quota::{Grant, PoolGrant, SurvivalRule, fits_beyond};
use crate::refusal::Refusal;
use crate::subtree::Subtrees;

use offer::{Offer, never_fits, offer};

pub(crate) use largest::{homes, largest, shared, whole};

/// What the first of a queue keeps for itself, by pool and centre.
pub type Kept = BTreeMap<String, BTreeMap<String, Resources>>;

/// What a decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct Market<'a> {
    /// Pools by name.
    pub pools: &'a BTreeMap<String, Pool>,
    /// The ledger as it stands in this cycle.
    pub ledger: &'a Ledger,
    /// Its tenants with what their subtrees hold.
    pub subtrees: &'a Subtrees,
    /// What is kept for those ahead.
    pub kept: &'a Kept,
}

impl<'a> Market<'a> {
    /// What is left of the pool in that centre for whoever asks now.
    pub fn free(self, pool: &str, centre: &str) -> Resources {
        self.stall(pool).free(centre)
    }

    fn stall(self, pool: &str) -> Stall<'a> {
        Stall {
            entry: self.ledger.pools.get(pool),
            kept: self.kept.get(pool),
        }
    }
}

/// A pool as the ledger has it.
#[derive(Clone, Copy)]
struct Stall<'a> {
    entry: Option<&'a PoolEntry>,
    kept: Option<&'a BTreeMap<String, Resources>>,
}

impl Stall<'_> {
    fn free(self, centre: &str) -> Resources {
        let left = self.entry.and_then(|e| e.centres.get(centre));
        let left = left.map_or(Resources::ZERO, |c| c.committable.minus(c.charged));
        let kept = self.kept.and_then(|centres| centres.get(centre));
        kept.map_or(left, |kept| left.minus(*kept))
    }

    fn committable(self, centre: &str) -> Option<Resources> {
        Some(self.entry?.centres.get(centre)?.committable)
    }
}

/// Who asks, and what is there already.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// What is asked.
    pub wish: &'a Wish,
    /// Lower amounts that approvers set.
    pub lowered: &'a BTreeMap<String, i128>,
    /// Pools that are open to the tenant.
    pub open: &'a [&'a Pool],
    /// The grant that is to be altered; empty for a new one.
    pub base: &'a Grant,
}

/// Why a need is served from this pool and not from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Because {
    /// It was named, holds the grant already, or is the only one that is open for the need.
    #[default]
    Only,
    /// It fits there, and there is more room than in the others of its sort that it fits into.
    MostRoom,
    /// It fits there, and amd64 goes before arm64.
    Amd64First,
    /// It fits there, and in no pool of amd64.
    Amd64Full,
    /// It fits nowhere now, and this one can commit the most.
    Largest,
}

/// A pool and the amount that is taken from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Pool.
    pub pool: Name,
    /// Why this one.
    pub because: Because,
    /// Amount n, with the CPU and memory that cards bring, and its parts over the centres.
    pub grant: PoolGrant,
    /// What the grant that is altered has of it.
    pub base: PoolGrant,
    /// Cards that must lie in one node, 1 where that does not matter.
    pub block: i128,
    /// Whether it fits into what is free now.
    pub fits: bool,
}

impl Choice {
    /// Why this pool, `English | 中文`; nothing where there was no other.
    pub fn reason(&self) -> Option<String> {
        let (why, zh) = match self.because {
            Because::Only => return None,
            Because::MostRoom => (
                "of the pools of its sort that have room for it this one has the most",
                "余量满足的同类资源池中余量最大",
            ),
            Because::Amd64First => (
                "architecture is Any, amd64 goes before arm64, and it has room",
                "架构不限时优先 amd64，且余量满足",
            ),
            Because::Amd64Full => (
                "architecture is Any, and no pool of amd64 has room for it now",
                "架构不限，amd64 资源池当前余量不足",
            ),
            Because::Largest => (
                "no pool has room for it now, and of those that could serve it this one can commit the most",
                "当前均余量不足，取可承诺量最大者",
            ),
        };
        Some(format!("{}: {why} | {}：{zh}", self.pool, self.pool))
    }

    /// What is charged already in that centre.
    fn held(&self, centre: &str) -> Resources {
        self.base.centres.get(centre).map_or(Resources::ZERO, |p| p.charge())
    }

    /// What it adds to the charge of that centre; negative where it falls.
    pub fn added(&self, centre: &str) -> Resources {
        let part = self.grant.centres.get(centre).copied().unwrap_or_default();
        part.charge().minus(self.held(centre))
    }

    /// Whether it asks for more than there is already, anywhere.
    pub fn raises(&self) -> bool {
        let more = |centre: &Name| !self.added(centre).fits(Resources::ZERO);
        !self.grant.n.fits(self.base.n) || self.grant.centres.keys().any(more)
    }

    /// The first centre with too little left.
    pub fn short(&self, market: Market<'_>) -> Option<(&Name, Resources)> {
        self.short_at(market.stall(&self.pool))
    }

    fn short_at(&self, stall: Stall<'_>) -> Option<(&Name, Resources)> {
        let mut centres = self.grant.centres.iter();
        let full = centres.find(|(c, p)| !fits_beyond(p.charge(), self.held(c), stall.free(c)));
        full.map(|(centre, _)| (centre, self.added(centre)))
    }

    /// The first centre whose capacity is not known.
    pub fn unknown(&self, pool: Option<&Pool>) -> Option<&Name> {
        let mut centres = self.grant.centres.keys();
        centres.find(|c| !pool.is_some_and(|p| p.known_in(c)))
    }

    fn fits_now(&self, pool: &Pool, stall: Stall<'_>) -> bool {
        let takes = pool.intake == Intake::Open && self.unknown(Some(pool)).is_none();
        !self.raises() || takes && self.short_at(stall).is_none() && cards::scattered(self, pool).is_none()
    }

    /// Whether it would not even fit into the empty pool. A centre whose capacity is not known says nothing.
    fn exceeds(&self, pool: &Pool, stall: Stall<'_>) -> bool {
        let beyond = |(centre, part): (&Name, &crate::quota::Part)| {
            let most = stall.committable(centre);
            most.is_some_and(|most| !fits_beyond(part.charge(), self.held(centre), most.minus(self.held(centre))))
        };
        self.grant.centres.iter().any(beyond) || cards::never(self, pool).is_some()
    }
}

/// Chooses a pool for each need.
///
/// # Errors
/// The reason why no choice can ever be right: `Misconfigured`, `NoMatchingPool`, `ExceedsMaxQuota`.
pub fn resolve(asker: Asker<'_>, market: Market<'_>) -> Result<Vec<Choice>, Refusal> {
    let misconfigured = |text: String| Refusal::new(reason::MISCONFIGURED, text);
    let (needs, rule) = asker.wish.with(asker.lowered).map_err(misconfigured)?;
    let mut choices: Vec<Choice> = Vec::with_capacity(needs.len());
    for need in &*needs {
        let choice = choose(need, asker, rule, market)?;
        if choices.iter().any(|c| c.pool == choice.pool) {
            let text = format!(
                "pool {} is asked twice; ask once with the sum | 同一资源池重复申请，请合并",
                choice.pool
            );
            return Err(misconfigured(text));
        }
        choices.push(choice);
    }
    Ok(choices)
}

fn choose(need: &Need, asker: Asker<'_>, rule: SurvivalRule, market: Market<'_>) -> Result<Choice, Refusal> {
    let preferred: &[Option<Architecture>] = match asker.wish.architecture {
        RequestArchitecture::Any => &[Some(Architecture::Amd64), Some(Architecture::Arm64)],
        RequestArchitecture::Amd64 => &[Some(Architecture::Amd64)],
        RequestArchitecture::Arm64 => &[Some(Architecture::Arm64)],
    };
    let serves = |p: &Pool, architecture| need.matches(p, asker.wish.zone, architecture);
    let drawn = |p: &Pool| asker.base.contains_key(&p.name);
    // What a grant draws on already is not moved to another pool, nor to one of another architecture.
    let could = |p: &Pool| preferred.iter().any(|a| serves(p, *a));
    let stays = asker.open.iter().any(|p| drawn(p) && could(p));
    let mut offers: Vec<Offer<'_>> = Vec::new();
    for architecture in preferred {
        let open = asker.open.iter().copied();
        let here = open.filter(|p| serves(p, *architecture) && (!stays || drawn(p)));
        // One is what there mostly is.
        let mut found: Vec<Offer<'_>> = Vec::with_capacity(1);
        found.extend(here.filter_map(|p| offer(p, need, asker, rule, market)));
        found.sort_by(|a, b| {
            let by_room = b.room().cmp(&a.room());
            by_room.then_with(|| a.choice.pool.cmp(&b.choice.pool))
        });
        if let Some(fitting) = found.iter().position(|o| o.choice.fits || stays) {
            let several = found.len() > 1;
            found.swap(0, fitting);
            found.truncate(1);
            if let Some(chosen) = found.first_mut().filter(|_| !stays) {
                chosen.choice.because = because(chosen.pool, several, !offers.is_empty(), need, asker);
            }
            offers = found;
            break;
        }
        found.retain(|o| !offers.iter().any(|known| known.choice.pool == o.choice.pool));
        if offers.is_empty() {
            offers = found;
        } else {
            offers.append(&mut found);
        }
    }
    if offers.is_empty() {
        let what = need.in_words();
        let text = format!(
            "no pool for {what} is open to the tenant in zone {:?}; ask the platform team for a ceiling | {what} 无可用资源池，请联系平台组开通上限",
            asker.wish.zone,
        );
        return Err(Refusal::new(reason::NO_MATCHING_POOL, text));
    }
    offers.sort_by_key(|o| std::cmp::Reverse(o.committable()));
    match offers.iter().position(|o| !o.exceeds()) {
        Some(possible) => {
            let several = offers.len() > 1;
            let mut choice = offers.swap_remove(possible).choice;
            if several {
                choice.because = Because::Largest;
            }
            Ok(choice)
        }
        None => Err(never_fits(need, asker, rule, &offers)),
    }
}

/// Why a pool that fits was taken: one of `several` of its architecture, or after one of amd64 was `full`.
fn because(pool: &Pool, several: bool, full: bool, need: &Need, asker: Asker<'_>) -> Because {
    let arm = |p: &&Pool| {
        p.architecture() == Some(Architecture::Arm64) && need.matches(p, asker.wish.zone, Some(Architecture::Arm64))
    };
    let any = asker.wish.architecture == RequestArchitecture::Any;
    let first = any && pool.architecture() == Some(Architecture::Amd64) && asker.open.iter().any(arm);
    match (full, several) {
        (true, _) => Because::Amd64Full,
        (false, true) => Because::MostRoom,
        (false, false) if first => Because::Amd64First,
        (false, false) => Because::Only,
    }
}

/// The grant that the choices make up.
pub fn grant(choices: &[Choice]) -> Grant {
    choices
        .iter()
        .map(|c| (Name::clone(&c.pool), c.grant.clone()))
        .collect()
}

/// The choices that leave a grant as it is.
pub fn unchanged(base: &Grant) -> Vec<Choice> {
    let same = |(pool, grant): (&Name, &PoolGrant)| Choice {
        pool: Name::clone(pool),
        because: Because::Only,
        grant: grant.clone(),
        base: grant.clone(),
        block: 1,
        fits: true,
    };
    base.iter().map(same).collect()
}

#[cfg(test)]
mod tests;
