//! Where no open pool serves a need: pools of the same kind that could, and how they are asked.

use crds::{NeedKind, ResourceNeed, ResourceRequestSpec, Resources, request_reason as reason};
use plan::admission::Case;
use plan::pool::{Pool, Sort};

use crate::amount::{short, unit, unit_zh};
use crate::floor::Floor;
use crate::lang::both;
use crate::options::{Ask, fits, least_free, resolve};

/// Open pools of the zone with room for the first need that none of them is for, `English | 中文`.
pub fn steered(floor: &Floor, case: &Case<'_>) -> Vec<String> {
    let (spec, tenant) = (&case.request.object().spec, &*case.tenant);
    let unserved = |need: &ResourceNeed| {
        let alone = ResourceRequestSpec {
            resources: Some(need.clone()),
            ..spec.clone()
        };
        let found = resolve(floor, &alone, tenant);
        found.is_err_and(|refusal| refusal.reason == reason::NO_MATCHING_POOL)
    };
    let mut needs = spec.resources.iter().flat_map(one_by_one);
    let Some((kind, ask)) = needs.find(unserved).as_ref().and_then(amount) else {
        return Vec::new();
    };
    let alike = |pool: &&&Pool| pool.zone == spec.zone && pool.sort.kind() == kind;
    let could = tenant.open.iter().filter(alike);
    let could = could.filter(|pool| fits(floor, case, spec, pool, ask).is_some());
    could.map(|pool| towards(floor, pool, ask)).collect()
}

fn one_by_one(need: &ResourceNeed) -> Vec<ResourceNeed> {
    let compute = need.cpu.is_some().then(|| ResourceNeed {
        cpu: need.cpu.clone(),
        memory: need.memory.clone(),
        ..ResourceNeed::default()
    });
    let cards = need.accelerators.iter().flatten().map(|card| ResourceNeed {
        accelerators: Some(vec![card.clone()]),
        ..ResourceNeed::default()
    });
    let storage = need.storage.iter().flatten().map(|storage| ResourceNeed {
        storage: Some(vec![storage.clone()]),
        ..ResourceNeed::default()
    });
    compute.into_iter().chain(cards).chain(storage).collect()
}

/// The kind of a single need, and how much of it.
fn amount(need: &ResourceNeed) -> Option<(NeedKind, Ask)> {
    let mut ask = Ask {
        n: Resources::ZERO,
        block: 1,
    };
    if let Some(card) = need.accelerators.iter().flatten().next() {
        ask.n.accelerators = card.count.into();
        ask.block = card.per_node.unwrap_or(1).max(1).into();
        return Some((NeedKind::Accelerator, ask));
    }
    if let Some(storage) = need.storage.iter().flatten().next() {
        ask.n.storage = storage.size.parse("storage").ok()?;
        return Some((NeedKind::Storage, ask));
    }
    ask.n.cpu = need.cpu.as_ref()?.parse("cpu").ok()?;
    ask.n.memory = need.memory.as_ref()?.parse("memory").ok()?;
    Some((NeedKind::Compute, ask))
}

fn towards(floor: &Floor, pool: &Pool, ask: Ask) -> String {
    let (name, sort) = (&pool.name, &pool.sort);
    let is = match sort {
        Sort::Compute(architecture) => format!("{architecture:?}").to_ascii_lowercase(),
        Sort::Storage(tier) => format!("{tier:?}"),
        Sort::Accelerator { use_, .. } => {
            let model = floor.models.get(&**name).map_or("", String::as_str);
            format!("{use_:?} {model}").trim_end().to_owned()
        }
    };
    let (how, how_zh) = match sort {
        // By name nothing says that the cards belong together.
        Sort::Accelerator { use_, .. } if ask.block > 1 => (
            format!("ask with use {use_:?} and architecture Any"),
            format!("可将 use 改为 {use_:?}、architecture 改为 Any"),
        ),
        _ => (
            "ask it by name, in spec.pools".to_owned(),
            "可在 spec.pools 中指定".to_owned(),
        ),
    };
    let (resource, free) = least_free(floor, pool, ask.n);
    let free = short(resource, free);
    both(
        format!("{name} ({is}) has {free}{} free: {how}", unit(resource)),
        format!("{name}（{is}）可用{free}{}，{how_zh}", unit_zh(resource)),
    )
}
