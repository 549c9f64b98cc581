//! Where no open pool serves a need: pools of the same kind that could, to be asked by name.

use crds::{NeedKind, ResourceNeed, ResourceRequestSpec, Resources, request_reason as reason};
use plan::applicant::Applicant;
use plan::pool::{Pool, Sort};

use crate::amount::{short, unit, unit_zh};
use crate::floor::Floor;
use crate::lang::both;
use crate::options::{fits, least_free, resolve};

/// Open pools of the zone with room for the first need that none of them is for, `English | 中文`.
pub fn steered(floor: &Floor, spec: &ResourceRequestSpec, tenant: &Applicant<'_>) -> Vec<String> {
    let unserved = |need: &ResourceNeed| {
        let alone = ResourceRequestSpec {
            resources: Some(need.clone()),
            ..spec.clone()
        };
        let found = resolve(floor, &alone, tenant);
        found.is_err_and(|refusal| refusal.reason == reason::NO_MATCHING_POOL)
    };
    let mut needs = spec.resources.iter().flat_map(one_by_one);
    let Some((kind, n)) = needs.find(unserved).as_ref().and_then(amount) else {
        return Vec::new();
    };
    let alike = |pool: &&&Pool| pool.zone == spec.zone && pool.sort.kind() == kind;
    let could = tenant.open.iter().filter(alike);
    let could = could.filter(|pool| fits(floor, spec, tenant, &pool.name, n).is_some());
    could.map(|pool| by_name(floor, pool, n)).collect()
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
fn amount(need: &ResourceNeed) -> Option<(NeedKind, Resources)> {
    let mut n = Resources::ZERO;
    if let Some(card) = need.accelerators.iter().flatten().next() {
        n.accelerators = card.count.into();
        return Some((NeedKind::Accelerator, n));
    }
    if let Some(storage) = need.storage.iter().flatten().next() {
        n.storage = storage.size.parse("storage").ok()?;
        return Some((NeedKind::Storage, n));
    }
    n.cpu = need.cpu.as_ref()?.parse("cpu").ok()?;
    n.memory = need.memory.as_ref()?.parse("memory").ok()?;
    Some((NeedKind::Compute, n))
}

fn by_name(floor: &Floor, pool: &Pool, n: Resources) -> String {
    let (name, sort) = (&pool.name, &pool.sort);
    let is = match sort {
        Sort::Compute(architecture) => format!("{architecture:?}").to_ascii_lowercase(),
        Sort::Storage(tier) => format!("{tier:?}"),
        Sort::Accelerator { use_, .. } => {
            let model = floor.models.get(&**name).map_or("", String::as_str);
            format!("{use_:?} {model}").trim_end().to_owned()
        }
    };
    let (resource, free) = least_free(floor, pool, n);
    let free = short(resource, free);
    both(
        format!(
            "{name} ({is}) has {free}{} free: ask it by name, in spec.pools",
            unit(resource)
        ),
        format!("{name}（{is}）可用{free}{}，可在 spec.pools 中指定", unit_zh(resource)),
    )
}
