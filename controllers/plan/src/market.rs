//! From needs to the pools they are taken from.
//!
//! Candidates are the pools of that kind, architecture, zone, use or tier that are open to the tenant; for a change, the pool
//! that the grant draws on already. The one with the most room that fits is taken; where none fits, the one that can commit
//! the most. Ties go by name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crds::{Architecture, Intake, RequestArchitecture, Resources, request_reason as reason};

use crate::by_name::Name;
use crate::cards;
use crate::ledger::{Ledger, PoolEntry};
use crate::needs::{Need, Wish};
use crate::pool::{Pool, in_words};
use crate::quota::{Grant, PoolGrant, Slot, SurvivalRule, fits_beyond, parts};
use crate::refusal::Refusal;
use crate::subtree::Subtrees;

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

/// A choice that could be made, and where.
struct Offer<'a> {
    choice: Choice,
    pool: &'a Pool,
    stall: Stall<'a>,
}

impl Offer<'_> {
    fn room(&self) -> Resources {
        fold_min(self.choice.grant.centres.keys().map(|c| self.stall.free(c)))
    }

    fn committable(&self) -> Resources {
        let of = |c: &Name| self.stall.committable(c).unwrap_or_default();
        fold_min(self.choice.grant.centres.keys().map(of))
    }
}

fn fold_min(values: impl Iterator<Item = Resources>) -> Resources {
    values.reduce(Resources::each_min).unwrap_or_default()
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
    let mut offers: Vec<Offer<'_>> = Vec::new();
    for architecture in preferred {
        let open = asker.open.iter().copied();
        let matching = || open.clone().filter(|p| need.matches(p, asker.wish.zone, *architecture));
        // What a grant draws on already is not moved to another pool.
        let stays = !asker.base.is_empty() && matching().any(|p| asker.base.contains_key(&p.name));
        let here = matching().filter(|p| !stays || asker.base.contains_key(&p.name));
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
    match offers.iter().position(|o| !o.choice.exceeds(o.pool, o.stall)) {
        Some(possible) => {
            let several = offers.len() > 1;
            let mut choice = offers.swap_remove(possible).choice;
            if several {
                choice.because = Because::Largest;
            }
            Ok(choice)
        }
        None => Err(never_fits(need, &offers)),
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

/// What the pool would give, whether or not it fits now; nothing where a pool without centres was named.
fn offer<'a>(
    pool: &'a Pool,
    need: &Need,
    asker: Asker<'_>,
    rule: SurvivalRule,
    market: Market<'a>,
) -> Option<Offer<'a>> {
    let base = asker.base.get(&pool.name).cloned().unwrap_or_default();
    let stall = market.stall(&pool.name);
    let slots = slots(pool, asker, rule, &base, stall);
    let n = pool.with_cards(need.amounts());
    let grant = PoolGrant {
        n,
        centres: parts(n, rule, &slots, need.block()),
    };
    let mut choice = Choice {
        pool: Name::clone(&pool.name),
        because: Because::Only,
        grant,
        base,
        block: need.block(),
        fits: false,
    };
    choice.fits = choice.fits_now(pool, stall);
    (!slots.is_empty()).then_some(Offer { choice, pool, stall })
}

/// The centres of a grant: all of the pool, or with survival `None` the one that was named, that it lives in, or that has
/// the most room.
fn slots<'a>(
    pool: &'a Pool,
    asker: Asker<'_>,
    rule: SurvivalRule,
    base: &PoolGrant,
    stall: Stall<'_>,
) -> Cow<'a, [Slot]> {
    if rule != SurvivalRule::None {
        return Cow::Borrowed(&pool.slots);
    }
    let lives = base.centres.keys().next().filter(|_| base.centres.len() == 1);
    if let Some(centre) = asker.wish.centre.as_deref().or(lives.map(|name| &**name)) {
        return pool.slots.iter().filter(|s| &*s.name == centre).cloned().collect();
    }
    let emptier = |s: &&Slot| (pool.known_in(&s.name), stall.free(&s.name), s.primary);
    pool.slots.iter().max_by_key(emptier).cloned().into_iter().collect()
}

fn never_fits(need: &Need, offers: &[Offer<'_>]) -> Refusal {
    let of_nodes = offers.iter().find_map(|offer| cards::never(&offer.choice, offer.pool));
    let largest = offers.first();
    let text = largest.and_then(|offer| {
        let limit = offer.committable();
        let (resource, asked) = need.amounts().iter().find(|(r, v)| *v > limit[r])?;
        let (asked, limit) = (in_words(resource, asked), in_words(resource, limit[resource]));
        Some(format!(
            "{}: asked {asked}, largest possible grant {limit}; it will never fit, ask for less or for a lower survival | 申请 {asked}，可授予上限 {limit}，等待也无法满足",
            offer.pool.name,
        ))
    });
    let fallback = || {
        let what = need.in_words();
        format!("{what}: larger than any pool; it will never fit | 超过可授予上限，等待也无法满足")
    };
    Refusal::new(reason::EXCEEDS_MAX_QUOTA, text.or(of_nodes).unwrap_or_else(fallback))
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
