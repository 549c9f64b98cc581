//! What would fit now instead: another pool, a weaker survival, fewer cards in one node, or less. And which phase of
//! expansion would make room.

use std::collections::BTreeMap;
use std::rc::Rc;

use crds::{
    AcceleratorNeed, PoolNeed, RequestArchitecture, ResourceNeed, ResourceRequest, ResourceRequestSpec, Resources,
    Survival, Zone,
};
use plan::admission::{Case, if_approved};
use plan::applicant::Applicant;
use plan::market::{self, Asker, Choice};
use plan::needs::Wish;
use plan::pool::{Pool, Sort};
use plan::quota::Grant;
use plan::refusal::Refusal;
use plan::request::Request;

use crate::amount::{short, unit, unit_zh};
use crate::expansion;
use crate::floor::{Floor, Province};
use crate::lang::both;
use crate::steer::steered;

/// At most so many are offered.
const MOST: usize = 3;
/// Weaker survivals, the strongest first. Below a half no even split charges less.
const WEAKER: [i32; 5] = [90, 80, 70, 60, 50];

/// What is asked of one pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// Amount, without what a card brings.
    pub(crate) n: Resources,
    /// Cards that must lie in one node, of which the amount is a multiple; 1 where that does not matter.
    pub(crate) block: i128,
}

/// Up to three alternatives to what does not fit now, and the first phase of expansion with which it would start,
/// `English | 中文`, each checked by the operator's own rules.
pub fn options(floor: &Floor, case: &Case<'_>, choices: &[Choice], province: &Province) -> Vec<String> {
    let mut out = instead(floor, case, choices);
    out.truncate(MOST);
    out.extend(expansion::starts(floor, case, province));
    out
}

fn instead(floor: &Floor, case: &Case<'_>, choices: &[Choice]) -> Vec<String> {
    let spec = &case.request.object().spec;
    let mut out = Vec::new();
    // A grant that is altered stays where it is.
    if case.request.alters() {
        return out;
    }
    if choices.is_empty() {
        return steered(floor, case);
    }
    // With several pools an alternative for one does not help where another is in the way as well.
    let full: Vec<&Choice> = choices.iter().filter(|c| !c.fits).collect();
    let choice = match (full.as_slice(), choices) {
        ([one], _) => one,
        ([], [one]) => one,
        _ => return out,
    };
    let Some(pool) = floor.pools.get(&*choice.pool) else {
        return out;
    };
    let ask = Ask {
        n: essential(pool, choice.grant.n),
        block: choice.block.max(1),
    };
    if fits(floor, case, spec, pool, ask).is_some() {
        return out;
    }
    for other in floor
        .pools
        .values()
        .filter(|p| p.name != pool.name && !choices.iter().any(|c| c.pool == p.name))
    {
        if let Some(likeness) = alike(floor, pool, other, spec.zone)
            && fits(floor, case, spec, other, ask).is_some()
        {
            out.push(another_pool(floor, other, ask.n, &likeness));
        }
    }
    out.extend(weaker(floor, case, pool, ask));
    out.extend(finer(floor, case, pool, ask));
    out.extend(less(floor, case, pool, ask));
    out
}

/// What was asked, without what a card brings.
fn essential(pool: &Pool, n: Resources) -> Resources {
    match pool.sort {
        Sort::Accelerator { .. } => Resources {
            accelerators: n.accelerators,
            ..Resources::ZERO
        },
        Sort::Compute(_) | Sort::Storage(_) => n,
    }
}

/// The choice for that of the pool alone, if the request would be granted now with it and the rest of `spec`, by all that
/// the operator looks at: the standing of the tenant, what it takes in, ceilings, and where free cards lie.
pub(crate) fn fits(
    floor: &Floor,
    case: &Case<'_>,
    spec: &ResourceRequestSpec,
    pool: &Pool,
    ask: Ask,
) -> Option<Choice> {
    let object = ResourceRequest {
        metadata: case.request.object().metadata.clone(),
        spec: asking(spec, pool, ask)?,
        status: None,
    };
    let request = Request::read(object, false).ok()?;
    let mut tenant = Applicant::clone(&case.tenant);
    tenant.open.retain(|open| open.name == pool.name);
    let altered = Case {
        request: &request,
        tenant: Rc::new(tenant),
        ..case.clone()
    };
    let (choices, refusal) = if_approved(&altered, floor.market()).ok()?;
    choices.into_iter().next().filter(|_| refusal.is_none())
}

/// The spec with a need of that pool alone; `None` for more cards than can be asked. Cards that must lie in one node are
/// asked by their use: by name, nothing says that they belong together.
fn asking(spec: &ResourceRequestSpec, pool: &Pool, ask: Ask) -> Option<ResourceRequestSpec> {
    if let Sort::Accelerator { use_, .. } = &pool.sort
        && ask.block > 1
    {
        let cards = AcceleratorNeed {
            use_: *use_,
            count: ask.n.accelerators.try_into().ok()?,
            per_node: Some(ask.block.try_into().ok()?),
        };
        let need = ResourceNeed {
            accelerators: Some(vec![cards]),
            ..ResourceNeed::default()
        };
        return Some(ResourceRequestSpec {
            resources: Some(need),
            pools: None,
            architecture: RequestArchitecture::Any,
            ..spec.clone()
        });
    }
    let need = PoolNeed {
        name: pool.name.to_string(),
        amounts: ask.n.to_amounts(),
    };
    Some(ResourceRequestSpec {
        resources: None,
        pools: Some(vec![need]),
        ..spec.clone()
    })
}

/// The pools that would serve a spec, whether or not it fits now, or why none ever can.
pub(crate) fn resolve(
    floor: &Floor,
    spec: &ResourceRequestSpec,
    tenant: &Applicant<'_>,
) -> Result<Vec<Choice>, Refusal> {
    let asker = Asker {
        wish: &Wish::read(spec),
        lowered: &BTreeMap::new(),
        open: &tenant.open,
        base: &Grant::new(),
    };
    market::resolve(asker, floor.market())
}

/// In what another pool is like the one that is full, if it could serve instead.
fn alike(floor: &Floor, full: &Pool, other: &Pool, zone: Zone) -> Option<String> {
    if other.zone != zone {
        return None;
    }
    match (&full.sort, &other.sort) {
        (Sort::Compute(a), Sort::Compute(b)) if a == b => Some(both("same architecture", "架构相同")),
        (Sort::Compute(_), Sort::Compute(_)) => Some(both("another architecture", "架构不同")),
        (Sort::Accelerator { use_: a, .. }, Sort::Accelerator { use_: b, .. }) => {
            let same_model = floor.models.get(&*full.name) == floor.models.get(&*other.name);
            match (same_model, a == b) {
                (true, _) => Some(both("same model", "型号相同")),
                (false, true) => Some(both("same use, another model", "用途相同，型号不同")),
                (false, false) => None,
            }
        }
        (Sort::Storage(a), Sort::Storage(b)) if a == b => Some(both("same tier", "层级相同")),
        (Sort::Storage(_), Sort::Storage(tier)) => Some(both(
            format_args!("tier {tier:?} instead"),
            format_args!("改用 {tier:?} 层级"),
        )),
        _ => None,
    }
}

fn another_pool(floor: &Floor, other: &Pool, asked: Resources, likeness: &str) -> String {
    let (resource, free) = least_free(floor, other, asked);
    let free = short(resource, free);
    let (en, zh) = likeness.split_once(" | ").unwrap_or((likeness, likeness));
    both(
        format!("{} has {free}{} free, {en}", other.name, unit(resource)),
        format!("{} 可用{free}{}，{zh}", other.name, unit_zh(resource)),
    )
}

/// The first resource that is asked, and what is free of it in the centre that has the least.
pub(crate) fn least_free(floor: &Floor, pool: &Pool, asked: Resources) -> (&'static str, i128) {
    let centres = pool.slots.iter().map(|s| floor.market().free(&pool.name, &s.name));
    let free = centres.reduce(Resources::each_min).unwrap_or_default();
    let (resource, _) = asked.iter().find(|(_, v)| *v > 0).unwrap_or(("cpu", 0));
    (resource, free[resource])
}

/// The strongest survival below the one asked that fits now, and the split it gives.
fn weaker(floor: &Floor, case: &Case<'_>, pool: &Pool, ask: Ask) -> Option<String> {
    let spec = &case.request.object().spec;
    let now = match spec.survival.0.as_str() {
        "Full" => 100,
        other => other.strip_suffix('%')?.parse::<i32>().ok()?,
    };
    let tried = WEAKER.into_iter().filter(|p| *p < now).find_map(|percent| {
        let spec = ResourceRequestSpec {
            survival: Survival(format!("{percent}%")),
            ..spec.clone()
        };
        Some((percent, fits(floor, case, &spec, pool, ask)?))
    });
    let (percent, found) = tried?;
    let (resource, _) = ask.n.iter().find(|(_, v)| *v > 0)?;
    let shares: Vec<String> = found
        .grant
        .centres
        .values()
        .map(|p| short(resource, p.share[resource]))
        .collect();
    let split = shares.join("+");
    Some(both(
        format!("survival \"{percent}%\", split {split}{} now: fits", unit(resource)),
        format!(
            "survival 改为 \"{percent}%\"，按 {split} {}分配，现在可授予",
            unit_zh(resource)
        ),
    ))
}

/// The most cards in one node, fewer than asked, with which all that is asked fits now.
fn finer(floor: &Floor, case: &Case<'_>, pool: &Pool, ask: Ask) -> Option<String> {
    let spec = &case.request.object().spec;
    let mut smaller = (1..ask.block).rev().filter(|block| ask.n.accelerators % block == 0);
    let block = smaller.find(|block| fits(floor, case, spec, pool, Ask { block: *block, ..ask }).is_some())?;
    Some(both(
        format!("ask with perNode {block} now: fits"),
        format!("perNode 改为 {block}，现在可授予"),
    ))
}

/// The most that fits now, where less of one resource is enough.
fn less(floor: &Floor, case: &Case<'_>, pool: &Pool, ask: Ask) -> Option<String> {
    let spec = &case.request.object().spec;
    let step = |r: &str| match r {
        "cpu" => 1000,
        "accelerators" => ask.block,
        _ => 1 << 30,
    };
    let most = |resource: &'static str| {
        // Room grows as the amount shrinks, so halving finds the largest that fits.
        let (mut low, mut high) = (0, ask.n[resource] / step(resource));
        while low < high {
            let middle = low + (high - low + 1) / 2;
            let n = with(ask.n, resource, middle * step(resource));
            if fits(floor, case, spec, pool, Ask { n, ..ask }).is_some() {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        (low > 0).then(|| (resource, low * step(resource)))
    };
    let (resource, most) = ask.n.iter().filter(|(_, v)| *v > 0).find_map(|(r, _)| most(r))?;
    let amount = short(resource, most);
    Some(both(
        format!("ask {amount}{} now: fits", unit(resource)),
        format!("改为申请{amount}{}，现在可授予", unit_zh(resource)),
    ))
}

fn with(mut n: Resources, resource: &str, value: i128) -> Resources {
    n[resource] = value;
    n
}
