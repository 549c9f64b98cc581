//! From what a department needs to the pools it is taken from.
//!
//! Candidates are the pools of that kind, architecture, zone, use or tier that are open to the tenant. The one with the
//! most room that fits is taken; where none fits, the one that can commit the most. Ties go by name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crds::{
    AcceleratorUse, AmountError, Architecture, RequestArchitecture, ResourceRequestSpec, Resources, StorageTier, Zone,
    request_reason as reason,
};

use crate::ledger::Ledger;
use crate::pool::{Pool, Sort, in_words};
use crate::quota::{Grant, PoolGrant, Slot, SurvivalRule, parts};
use crate::subtree::Subtrees;

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

/// What a decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct Market<'a> {
    /// Pools by name.
    pub pools: &'a BTreeMap<String, Pool>,
    /// The ledger as it stands in this cycle.
    pub ledger: &'a Ledger,
    /// Its tenants with what their subtrees hold.
    pub subtrees: &'a Subtrees,
}

/// One thing that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Need {
    Named(String, Resources),
    Compute(Resources),
    Cards(AcceleratorUse, Resources),
    Storage(StorageTier, Resources),
}

impl Need {
    fn amounts(&self) -> Resources {
        match self {
            Self::Named(_, n) | Self::Compute(n) | Self::Cards(_, n) | Self::Storage(_, n) => *n,
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Named(pool, n) => format!("pool {pool} ({n})"),
            Self::Compute(n) => n.to_string(),
            Self::Cards(use_, n) => format!("{use_:?} {n}"),
            Self::Storage(tier, n) => format!("{tier:?} {n}"),
        }
    }

    fn matches(&self, pool: &Pool, zone: Zone, architecture: Option<Architecture>) -> bool {
        let of_sort = match (self, &pool.sort) {
            (Self::Named(name, _), _) => return pool.name == *name,
            (Self::Compute(_), Sort::Compute(_)) => true,
            (Self::Cards(wanted, _), Sort::Accelerator { use_, .. }) => use_ == wanted,
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
fn needs(spec: &ResourceRequestSpec, lowered: &BTreeMap<String, i128>) -> Result<Vec<Need>, AmountError> {
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
    if let (Some(Need::Named(_, n) | Need::Compute(n) | Need::Cards(_, n) | Need::Storage(_, n)), None) =
        (asking.next(), asking.next())
    {
        n[resource] = n[resource].min(lowest).max(0);
    }
}

/// A pool and the amount that is taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Pool.
    pub pool: String,
    /// Amount n, with the CPU and memory that cards bring.
    pub n: Resources,
    /// Its parts over the centres.
    pub grant: PoolGrant,
    /// Whether it fits into what is free now.
    pub fits: bool,
}

/// Chooses a pool for each need. `open` are the pools that are open to the tenant.
///
/// # Errors
/// The reason why no choice can ever be right: `Misconfigured`, `NoMatchingPool`, `ExceedsMaxQuota`.
pub fn resolve(
    spec: &ResourceRequestSpec,
    lowered: &BTreeMap<String, i128>,
    open: &[&str],
    market: Market<'_>,
) -> Result<Vec<Choice>, Refusal> {
    let misconfigured = |text: String| Refusal::new(reason::MISCONFIGURED, text);
    let needs = needs(spec, lowered).map_err(|e| misconfigured(e.to_string()))?;
    let rule = SurvivalRule::try_from(&spec.survival).map_err(|s| {
        misconfigured(format!(
            "survival {s:?} is none of Full, None, 1% to 99% | survival 不合法"
        ))
    })?;
    let mut choices: Vec<Choice> = Vec::new();
    for need in &needs {
        let choice = choose(need, spec, rule, open, market)?;
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

fn choose(
    need: &Need,
    spec: &ResourceRequestSpec,
    rule: SurvivalRule,
    open: &[&str],
    market: Market<'_>,
) -> Result<Choice, Refusal> {
    let preferred: &[Option<Architecture>] = match spec.architecture {
        RequestArchitecture::Any => &[Some(Architecture::Amd64), Some(Architecture::Arm64)],
        RequestArchitecture::Amd64 => &[Some(Architecture::Amd64)],
        RequestArchitecture::Arm64 => &[Some(Architecture::Arm64)],
    };
    let mut offers: Vec<Choice> = Vec::new();
    for architecture in preferred {
        let matching = open
            .iter()
            .filter_map(|name| market.pools.get(*name))
            .filter(|p| need.matches(p, spec.zone, *architecture));
        let mut here: Vec<_> = matching.filter_map(|p| offer(p, need, spec, rule, market)).collect();
        here.sort_by(|a, b| room(b, market).cmp(&room(a, market)).then_with(|| a.pool.cmp(&b.pool)));
        if let Some(fitting) = here.iter().position(|c| c.fits) {
            return Ok(here.swap_remove(fitting));
        }
        offers.extend(
            here.into_iter()
                .filter(|c| !offers.iter().any(|o| o.pool == c.pool))
                .collect::<Vec<_>>(),
        );
    }
    if offers.is_empty() {
        let text = format!(
            "no pool for {} is open to the tenant in zone {:?}; ask the platform team for a ceiling | {} 无可用资源池，请联系平台组开通上限",
            need.in_words(),
            spec.zone,
            need.in_words()
        );
        return Err(Refusal::new(reason::NO_MATCHING_POOL, text));
    }
    offers.sort_by_key(|c| std::cmp::Reverse(committable(c, market)));
    match offers.iter().find(|c| !exceeds(c, market)) {
        Some(possible) => Ok(possible.clone()),
        None => Err(never_fits(need, &offers, market)),
    }
}

/// What the pool would give, whether or not it fits now; nothing where a pool without centres was named.
fn offer(
    pool: &Pool,
    need: &Need,
    spec: &ResourceRequestSpec,
    rule: SurvivalRule,
    market: Market<'_>,
) -> Option<Choice> {
    let n = pool.with_cards(need.amounts());
    let slots: Cow<'_, [Slot]> = match (rule, &spec.centre) {
        (SurvivalRule::None, Some(centre)) => pool.slots.iter().filter(|s| s.name == *centre).cloned().collect(),
        (SurvivalRule::None, None) => {
            let free = |s: &&Slot| {
                (
                    pool.known_in(&s.name),
                    market.ledger.free(&pool.name, &s.name),
                    s.primary,
                )
            };
            pool.slots.iter().max_by_key(free).cloned().into_iter().collect()
        }
        _ => Cow::Borrowed(&pool.slots),
    };
    let grant = PoolGrant {
        n,
        centres: parts(n, rule, &slots),
    };
    let fits = !slots.is_empty()
        && grant
            .centres
            .iter()
            .all(|(c, p)| pool.known_in(c) && p.charge().fits(market.ledger.free(&pool.name, c)));
    (!slots.is_empty()).then(|| Choice {
        pool: pool.name.clone(),
        n,
        grant,
        fits,
    })
}

fn room(choice: &Choice, market: Market<'_>) -> Resources {
    fold_min(choice.grant.centres.keys().map(|c| market.ledger.free(&choice.pool, c)))
}

fn committable(choice: &Choice, market: Market<'_>) -> Resources {
    fold_min(choice.grant.centres.keys().map(|c| {
        market
            .ledger
            .centre(&choice.pool, c)
            .map_or(Resources::ZERO, |e| e.committable)
    }))
}

fn fold_min(values: impl Iterator<Item = Resources>) -> Resources {
    values.reduce(Resources::each_min).unwrap_or_default()
}

/// Whether it would not even fit into the empty pool. A centre whose capacity is not known says nothing.
fn exceeds(choice: &Choice, market: Market<'_>) -> bool {
    choice.grant.centres.iter().any(|(centre, part)| {
        market
            .ledger
            .centre(&choice.pool, centre)
            .is_some_and(|e| !part.charge().fits(e.committable))
    })
}

fn never_fits(need: &Need, offers: &[Choice], market: Market<'_>) -> Refusal {
    let largest = offers.first();
    let text = largest.and_then(|offer| {
        let limit = committable(offer, market);
        let (resource, asked) = need.amounts().iter().find(|(r, v)| *v > limit[r])?;
        Some(format!(
            "{}: asked {}, largest possible grant {}; it will never fit, ask for less or for a lower survival | 申请 {}，可授予上限 {}，等待也无法满足",
            offer.pool,
            in_words(resource, asked),
            in_words(resource, limit[resource]),
            in_words(resource, asked),
            in_words(resource, limit[resource]),
        ))
    });
    let fallback = || {
        format!(
            "{}: larger than any pool; it will never fit | 超过可授予上限，等待也无法满足",
            need.in_words()
        )
    };
    Refusal::new(reason::EXCEEDS_MAX_QUOTA, text.unwrap_or_else(fallback))
}

/// The grant that the choices make up.
pub fn grant(choices: &[Choice]) -> Grant {
    choices.iter().map(|c| (c.pool.clone(), c.grant.clone())).collect()
}
