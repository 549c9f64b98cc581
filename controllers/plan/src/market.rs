//! From needs to the pools they are taken from.
//!
//! Candidates are the pools of that kind, architecture, zone, use or tier that are open to the tenant; for a change, the pool
//! that the grant draws on already. The one with the most room that fits is taken; where none fits, the one that can commit
//! the most. Ties go by name.

use std::collections::BTreeMap;

use crds::{Architecture, Intake, RequestArchitecture, ResourceRequestSpec, Resources, request_reason as reason};

use crate::cards;
use crate::ledger::Ledger;
use crate::needs::{Need, Refusal, needs};
use crate::pool::{Pool, in_words};
use crate::quota::{Grant, PoolGrant, Slot, SurvivalRule, fits_beyond, parts};
use crate::subtree::Subtrees;
use crate::tenants::TenantFacts;

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
    /// Tenants by name.
    pub tenants: &'a BTreeMap<String, TenantFacts>,
    /// What is kept for those ahead.
    pub kept: &'a Kept,
}

impl Market<'_> {
    /// What is left of the pool in that centre for whoever asks now.
    pub fn free(&self, pool: &str, centre: &str) -> Resources {
        let kept = self.kept.get(pool).and_then(|centres| centres.get(centre));
        self.ledger.free(pool, centre).minus(kept.copied().unwrap_or_default())
    }

    fn committable(&self, pool: &str, centre: &str) -> Option<Resources> {
        self.ledger.centre(pool, centre).map(|c| c.committable)
    }
}

/// Who asks, and what is there already.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// What is asked.
    pub spec: &'a ResourceRequestSpec,
    /// Lower amounts that approvers set.
    pub lowered: &'a BTreeMap<String, i128>,
    /// Pools that are open to the tenant.
    pub open: &'a [&'a str],
    /// The grant that is to be altered; empty for a new one.
    pub base: &'a Grant,
}

/// A pool and the amount that is taken from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Pool.
    pub pool: String,
    /// Amount n, with the CPU and memory that cards bring.
    pub n: Resources,
    /// Its parts over the centres.
    pub grant: PoolGrant,
    /// What the grant that is altered has of it.
    pub base: PoolGrant,
    /// Cards that must lie in one node, 1 where that does not matter.
    pub block: i128,
    /// Whether it fits into what is free now.
    pub fits: bool,
}

impl Choice {
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
        let more = |centre: &String| !self.added(centre).fits(Resources::ZERO);
        !self.n.fits(self.base.n) || self.grant.centres.keys().any(more)
    }

    /// The first centre with too little left.
    pub fn short<'a>(&'a self, market: Market<'_>) -> Option<(&'a str, Resources)> {
        let mut centres = self.grant.centres.iter();
        let full = centres.find(|(c, p)| !fits_beyond(p.charge(), self.held(c), market.free(&self.pool, c)));
        full.map(|(centre, _)| (centre.as_str(), self.added(centre)))
    }

    /// The first centre whose capacity is not known.
    pub fn unknown(&self, pool: Option<&Pool>) -> Option<&str> {
        let mut centres = self.grant.centres.keys().map(String::as_str);
        centres.find(|c| !pool.is_some_and(|p| p.known_in(c)))
    }

    fn fits_now(&self, pool: &Pool, market: Market<'_>) -> bool {
        let takes = pool.intake == Intake::Open && self.unknown(Some(pool)).is_none();
        !self.raises() || takes && self.short(market).is_none() && cards::scattered(self, pool).is_none()
    }

    fn room(&self, market: Market<'_>) -> Resources {
        fold_min(self.grant.centres.keys().map(|c| market.free(&self.pool, c)))
    }

    fn committable(&self, market: Market<'_>) -> Resources {
        let of = |c: &String| market.committable(&self.pool, c).unwrap_or_default();
        fold_min(self.grant.centres.keys().map(of))
    }

    /// Whether it would not even fit into the empty pool. A centre whose capacity is not known says nothing.
    fn exceeds(&self, market: Market<'_>) -> bool {
        let beyond = |(centre, part): (&String, &crate::quota::Part)| {
            let most = market.committable(&self.pool, centre);
            most.is_some_and(|most| !fits_beyond(part.charge(), self.held(centre), most.minus(self.held(centre))))
        };
        let pool = market.pools.get(&self.pool);
        self.grant.centres.iter().any(beyond) || pool.is_some_and(|p| cards::never(self, p).is_some())
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
    let needs = needs(asker.spec, asker.lowered).map_err(|e| misconfigured(e.to_string()))?;
    let rule = SurvivalRule::try_from(&asker.spec.survival).map_err(|s| {
        misconfigured(format!(
            "survival {s:?} is none of Full, None, 1% to 99% | survival 不合法"
        ))
    })?;
    let mut choices: Vec<Choice> = Vec::new();
    for need in &needs {
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
    let preferred: &[Option<Architecture>] = match asker.spec.architecture {
        RequestArchitecture::Any => &[Some(Architecture::Amd64), Some(Architecture::Arm64)],
        RequestArchitecture::Amd64 => &[Some(Architecture::Amd64)],
        RequestArchitecture::Arm64 => &[Some(Architecture::Arm64)],
    };
    let mut offers: Vec<Choice> = Vec::new();
    for architecture in preferred {
        let matching: Vec<&Pool> = asker
            .open
            .iter()
            .filter_map(|name| market.pools.get(*name))
            .filter(|p| need.matches(p, asker.spec.zone, *architecture))
            .collect();
        // What a grant draws on already is not moved to another pool.
        let stays = matching.iter().any(|p| asker.base.contains_key(&p.name));
        let mut here: Vec<_> = matching
            .into_iter()
            .filter(|p| !stays || asker.base.contains_key(&p.name))
            .filter_map(|p| offer(p, need, asker, rule, market))
            .collect();
        here.sort_by(|a, b| {
            let by_room = b.room(market).cmp(&a.room(market));
            by_room.then_with(|| a.pool.cmp(&b.pool))
        });
        if let Some(fitting) = here.iter().find(|c| c.fits || stays) {
            offers = vec![fitting.clone()];
            break;
        }
        let known: Vec<_> = here
            .into_iter()
            .filter(|c| !offers.iter().any(|o| o.pool == c.pool))
            .collect();
        offers.extend(known);
    }
    if offers.is_empty() {
        let what = need.in_words();
        let text = format!(
            "no pool for {what} is open to the tenant in zone {:?}; ask the platform team for a ceiling | {what} 无可用资源池，请联系平台组开通上限",
            asker.spec.zone,
        );
        return Err(Refusal::new(reason::NO_MATCHING_POOL, text));
    }
    offers.sort_by_key(|c| std::cmp::Reverse(c.committable(market)));
    match offers.iter().find(|c| !c.exceeds(market)) {
        Some(possible) => Ok(possible.clone()),
        None => Err(never_fits(need, &offers, market)),
    }
}

/// What the pool would give, whether or not it fits now; nothing where a pool without centres was named.
fn offer(pool: &Pool, need: &Need, asker: Asker<'_>, rule: SurvivalRule, market: Market<'_>) -> Option<Choice> {
    let base = asker.base.get(&pool.name).cloned().unwrap_or_default();
    let slots = slots(pool, asker, rule, &base, market);
    let n = pool.with_cards(need.amounts());
    let grant = PoolGrant {
        n,
        centres: parts(n, rule, &slots, need.block()),
    };
    let mut choice = Choice {
        pool: pool.name.clone(),
        n,
        grant,
        base,
        block: need.block(),
        fits: false,
    };
    choice.fits = choice.fits_now(pool, market);
    (!slots.is_empty()).then_some(choice)
}

/// The centres of a grant: all of the pool, or with survival `None` the one that was named, that it lives in, or that has
/// the most room.
fn slots(pool: &Pool, asker: Asker<'_>, rule: SurvivalRule, base: &PoolGrant, market: Market<'_>) -> Vec<Slot> {
    if rule != SurvivalRule::None {
        return pool.slots.clone();
    }
    let lives = base.centres.keys().next().filter(|_| base.centres.len() == 1);
    if let Some(centre) = asker.spec.centre.as_ref().or(lives) {
        return pool.slots.iter().filter(|s| s.name == *centre).cloned().collect();
    }
    let emptier = |s: &&Slot| (pool.known_in(&s.name), market.free(&pool.name, &s.name), s.primary);
    pool.slots.iter().max_by_key(emptier).cloned().into_iter().collect()
}

fn never_fits(need: &Need, offers: &[Choice], market: Market<'_>) -> Refusal {
    let of_nodes = offers
        .iter()
        .find_map(|offer| cards::never(offer, market.pools.get(&offer.pool)?));
    let largest = offers.first();
    let text = largest.and_then(|offer| {
        let limit = offer.committable(market);
        let (resource, asked) = need.amounts().iter().find(|(r, v)| *v > limit[r])?;
        let (asked, limit) = (in_words(resource, asked), in_words(resource, limit[resource]));
        Some(format!(
            "{}: asked {asked}, largest possible grant {limit}; it will never fit, ask for less or for a lower survival | 申请 {asked}，可授予上限 {limit}，等待也无法满足",
            offer.pool,
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
    choices.iter().map(|c| (c.pool.clone(), c.grant.clone())).collect()
}

/// The choices that leave a grant as it is.
pub fn unchanged(base: &Grant) -> Vec<Choice> {
    let same = |(pool, grant): (&String, &PoolGrant)| Choice {
        pool: pool.clone(),
        n: grant.n,
        grant: grant.clone(),
        base: grant.clone(),
        block: 1,
        fits: true,
    };
    base.iter().map(same).collect()
}
