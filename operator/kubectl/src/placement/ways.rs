//! What helps a placement that is held, with numbers where they can be known.

use std::collections::BTreeSet;
use std::sync::Arc;

use crds::{
    DualActivePlacement, PlacedObject, PlacementMode, Resources, Split, condition, find_condition,
    placement_reason as reason,
};
use jiff::Timestamp;
use plan::placement::decide::key;
use plan::placement::select;

use super::named;
use super::room::{Room, more};
use super::scene::{Scene, scope};
use super::seen::Seen;
use super::versions;
use crate::amount::{short, unit};
use crate::floor::Floor;
use crate::lang::both;
use crate::print::ago;

/// Names in one line before the rest is only counted.
const NAMED: usize = 4;

/// What the answers are made from.
pub(super) struct Around<'a> {
    pub(super) seen: &'a Seen,
    /// `None` where the user may not read all that counts.
    pub(super) scene: Option<&'a Scene>,
    pub(super) floor: &'a Floor,
    pub(super) rooms: &'a [Room],
    pub(super) now: Timestamp,
}

/// The ways out of that reason, the best first, `English | 中文`.
pub(super) fn ways(placement: &DualActivePlacement, why: &str, around: &Around<'_>) -> Vec<String> {
    match (why, around.scene) {
        (reason::GRANT_TOO_SMALL, Some(scene)) => grant_too_small(placement, scene, around),
        (reason::CLAIMED_TWICE, Some(scene)) => claimed_twice(placement, scene),
        (reason::TEMPLATE_MISSING, Some(scene)) => template_missing(placement, scene),
        (reason::NOTHING_SELECTED, Some(scene)) => nothing_selected(placement, scene),
        (reason::BOUNDS_CONFLICT, _) => bounds_conflict(placement),
        (reason::CENTRE_UNKNOWN, _) => silent(placement, around),
        (reason::OBJECT_EXISTS, _) => object_exists(placement),
        (reason::DRIFTED, _) => drifted(),
        (reason::NAMESPACE_MISSING | reason::POOL_MISSING, Some(scene)) => granted_pools(placement, scene),
        (_, scene) => versions::ways(placement, why, scene.map(|s| &s.catalogue)),
    }
}

/// `a, b and 3 more`, and the same in Chinese.
fn names(all: &[String]) -> (String, String) {
    let first = all.iter().take(NAMED).cloned().collect::<Vec<_>>();
    match all.len().saturating_sub(NAMED) {
        0 => (first.join(", "), first.join("、")),
        more => (
            format!("{} and {more} more", first.join(", ")),
            format!("{} 等 {} 个", first.join("、"), all.len()),
        ),
    }
}

/// `4 cpu, 8Gi mem`.
pub(super) fn spelled(amounts: Resources) -> String {
    let some = amounts.iter().filter(|(_, v)| *v != 0);
    let words: Vec<_> = some
        .map(|(r, v)| match r {
            "accelerators" => format!("{} cards", short(r, v)),
            _ => format!("{}{}", short(r, v), unit(r)),
        })
        .collect();
    if words.is_empty() {
        "0".to_owned()
    } else {
        words.join(", ")
    }
}

fn grant_too_small(placement: &DualActivePlacement, scene: &Scene, around: &Around<'_>) -> Vec<String> {
    let name = &placement.spec.pool;
    let mut out = Vec::new();
    let pool = around.floor.pools.get(name);
    let free = |centre: &str| around.floor.market().free(name, centre);
    if let Some((amount, has_room)) = pool.and_then(|pool| more(scene, placement, pool, free)) {
        // CPU and memory come with the cards, and nobody asks for them.
        let amount = match amount.accelerators {
            0 => spelled(amount),
            cards => format!("{cards} cards"),
        };
        let (en, zh) = if has_room {
            ("the pool has room for it", "资源池余量充足")
        } else {
            ("the pool has no room for it now", "资源池当前余量不足")
        };
        out.push(both(
            format!("a request for {amount} more of {name}, survival Full: {en}"),
            format!("追加申请 {name} {amount}（survival: Full）：{zh}"),
        ));
    }
    out.extend(lower(placement, scene, around.rooms));
    out.extend(by_room(placement, scene));
    out
}

/// The most replicas of one workload with which everything fits, the others as they are.
fn lower(placement: &DualActivePlacement, scene: &Scene, rooms: &[Room]) -> Option<String> {
    rooms.iter().find_map(|room| {
        let object = PlacedObject {
            kind: room.kind.clone(),
            name: room.name.clone(),
        };
        let key = (key(placement).0, object);
        let wanted = scene.templates.get(&key)?.copies;
        let fits = |copies: i64| {
            let mut tried = scene.clone();
            tried
                .templates
                .entry(key.clone())
                .and_modify(|t| Arc::make_mut(t).copies = copies);
            tried.of(placement).follows
        };
        let (mut low, mut high) = (0, wanted - 1);
        while low < high {
            let middle = low + (high - low + 1) / 2;
            if fits(middle) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        let what = named(&room.kind, &room.name);
        (low > 0 && fits(low)).then(|| {
            both(
                format!("replicas of {what}: {low} instead of {wanted}: fits"),
                format!("{what} 副本由 {wanted} 改为 {low}，即可容纳"),
            )
        })
    })
}

/// Dividing by what is free instead of by weight, where that alone is enough.
fn by_room(placement: &DualActivePlacement, scene: &Scene) -> Option<String> {
    if placement.spec.mode != PlacementMode::ActiveActive || placement.spec.split == Split::Free {
        return None;
    }
    let tried = scene.with(placement, |p| p.spec.split = Split::Free);
    tried.of(placement).follows.then(|| {
        both(
            "split: Free, which divides by what is free: fits",
            "split 改为 Free，按余量分配，即可容纳",
        )
    })
}

fn claimed_twice(placement: &DualActivePlacement, scene: &Scene) -> Vec<String> {
    let (namespace, name) = key(placement);
    let claims = scene.placements.iter().filter(|p| key(p).0 == namespace);
    let selections = claims.map(|p| (key(p).1, scene.selected(p))).collect();
    let own = scene.selected(placement);
    let twice = select::claimed_twice(&selections);
    let rivals: BTreeSet<&String> = twice
        .iter()
        .filter(|(object, _)| own.contains(object))
        .flat_map(|(_, claimants)| claimants)
        .filter(|c| **c != name)
        .collect();
    let holds = |p: &str, object: &PlacedObject| {
        let found = scene
            .placements
            .iter()
            .find(|one| key(one) == (namespace.clone(), p.to_owned()));
        let assignment = found.and_then(|p| p.assignment());
        assignment.is_some_and(|a| a.objects.contains(object))
    };
    let mut out = Vec::new();
    for rival in rivals {
        let shared: Vec<_> = twice
            .iter()
            .filter(|(o, all)| own.contains(o) && all.contains(rival))
            .collect();
        let (en, zh) = names(&shared.iter().map(|(o, _)| named(&o.kind, &o.name)).collect::<Vec<_>>());
        for (from, to) in [(rival.as_str(), name.as_str()), (name.as_str(), rival.as_str())] {
            let has = shared.iter().filter(|(o, _)| holds(from, o)).count();
            let (has_en, has_zh) = match has {
                0 => (String::new(), String::new()),
                n => (
                    format!("; dap/{from} runs {n} of them now"),
                    format!("；目前由 dap/{from} 运行 {n} 个"),
                ),
            };
            out.push(both(
                format!("narrow select of dap/{from}: dap/{to} gets {en}{has_en}"),
                format!("缩小 dap/{from} 的 select：{zh} 归 dap/{to}{has_zh}"),
            ));
        }
    }
    out
}

fn template_missing(placement: &DualActivePlacement, scene: &Scene) -> Vec<String> {
    let namespace = key(placement).0;
    let (own, templates) = (scene.selected(placement), scene.templates_of(&namespace));
    let assignment = placement.assignment();
    let standing = assignment.iter().flat_map(|a| a.objects.iter().cloned()).collect();
    let taken = select::taken(&placement.spec.select, &own, &templates, &standing);
    let missing = taken.missing.into_iter().map(|object| {
        let what = named(&object.kind, &object.name);
        let needs = own
            .iter()
            .filter(|o| templates.get(o).is_some_and(|t| t.needs.contains(&object)));
        let needs: Vec<String> = needs.map(|o| named(&o.kind, &o.name)).collect();
        let (en, zh) = if needs.is_empty() {
            ("select.refs names it".to_owned(), "select.refs 引用了它".to_owned())
        } else {
            let (en, zh) = names(&needs);
            (format!("pods of {en} refer to it"), format!("{zh} 的容器组引用了它"))
        };
        both(
            format!("apply {what} in {namespace} of the hub: {en}"),
            format!("在省级控制面 {namespace} 提交 {what}：{zh}"),
        )
    });
    missing.collect()
}

fn nothing_selected(placement: &DualActivePlacement, scene: &Scene) -> Vec<String> {
    let namespace = key(placement).0;
    let templates = scene.templates_of(&namespace);
    let there = templates
        .iter()
        .filter(|(o, t)| t.placeable && !crds::TemplateKind::REFERRED.contains(&o.kind));
    let there: Vec<String> = there.map(|(o, _)| named(&o.kind, &o.name)).collect();
    if there.is_empty() {
        return vec![both(
            format!("apply templates in {namespace} of the hub: there are none"),
            format!("在省级控制面 {namespace} 提交模板：目前没有"),
        )];
    }
    let (en, zh) = names(&there);
    let labels = placement.spec.select.match_labels.iter();
    let labels: Vec<_> = labels.map(|(k, v)| format!("{k}={v}")).collect();
    let labels = labels.join(",");
    vec![both(
        format!("correct select ({labels}), or label one of what is there: {en}"),
        format!("修改 select（{labels}），或为已有模板加标签：{zh}"),
    )]
}

fn bounds_conflict(placement: &DualActivePlacement) -> Vec<String> {
    let centres = &placement.spec.centres;
    let least: i64 = centres.iter().map(|c| i64::from(c.min)).sum();
    let most = centres.iter().map(|c| c.max.map(i64::from)).sum::<Option<i64>>();
    let (en, zh) = match most {
        Some(most) => (format!("{least} to {most}"), format!("为 {least} 至 {most}")),
        None => (format!("{least} or more"), format!("不少于 {least}")),
    };
    vec![both(
        format!("replicas of each workload: {en}, as min and max of the centres add up; or other bounds"),
        format!("各工作负载副本数应{zh}（各中心 min、max 合计），或修改上下限"),
    )]
}

/// Centres of the decision that do not report, and since when.
fn silent(placement: &DualActivePlacement, around: &Around<'_>) -> Vec<String> {
    let assignment = placement.assignment();
    let mut out = Vec::new();
    for centre in assignment.iter().flat_map(|a| &a.centres) {
        let all = around.seen.province.centres.iter().flatten();
        let found = all.into_iter().find(|c| c.metadata.name.as_ref() == Some(&centre.name));
        let status = found.and_then(|c| c.status.as_ref());
        let ready = status.and_then(|s| find_condition(&s.conditions, condition::READY));
        let Some(ready) = ready.filter(|c| c.status != "True") else {
            continue;
        };
        let report = status.and_then(|s| s.report.as_ref());
        let age = report.and_then(|r| r.reported_at.parse::<Timestamp>().ok());
        let age = age.map(|at| ago(around.now.duration_since(at).as_secs().max(0)));
        let (name, why, since) = (&centre.name, &ready.reason, &ready.last_transition_time.0);
        let (en, zh) = match age {
            Some(age) => (format!(", last report {age} ago"), format!("，最近上报 {age} 前")),
            None => (String::new(), String::new()),
        };
        out.push(both(
            format!("{name}: {why} since {since}{en}; it goes on by itself when the agent there reports again"),
            format!("{name}：{why}，自 {since}{zh}；该中心代理恢复上报后自动继续"),
        ));
    }
    out
}

fn object_exists(placement: &DualActivePlacement) -> Vec<String> {
    let centres = placement.rows().iter().filter(|r| r.reason == reason::OBJECT_EXISTS);
    let centres: Vec<String> = centres.map(|r| r.name.clone()).collect();
    let (en, zh) = names(&centres);
    vec![
        both(
            "rename the template in the hub, and what refers to it: both stand then",
            "在省级控制面为模板及其引用改名：两者并存",
        ),
        both(
            format!("remove or rename the object in {en}: the template's takes its place"),
            format!("在 {zh} 移除或改名该对象：由模板对象取代"),
        ),
        both(
            "existing: AdoptIfEqual takes it over where it is the same, TakeOver changes it to the template",
            "existing 设为 AdoptIfEqual（内容一致时接管）或 TakeOver（接管并改为模板内容）",
        ),
    ]
}

fn drifted() -> Vec<String> {
    vec![
        both("drift: Correct puts it right by itself", "drift 设为 Correct，自动纠正"),
        both(
            "put the change into the template in the hub: both centres get it",
            "将该修改写入省级控制面的模板，各中心一并生效",
        ),
    ]
}

/// Pools that the tenant has grants in and that reach all centres of the placement.
fn granted_pools(placement: &DualActivePlacement, scene: &Scene) -> Vec<String> {
    let (tenant, pool) = scope(placement);
    let reaches = |pool: &str| {
        let facts = scene.catalogue.get(pool).filter(|p| p.is_compute());
        facts.is_some_and(|p| placement.spec.centres.iter().all(|c| p.centres.contains(&c.name)))
    };
    let own = scene.grants.keys().filter(|(of, _)| *of == tenant);
    let usable: Vec<String> = own.map(|(_, p)| p.clone()).filter(|p| reaches(p)).collect();
    if usable.contains(&pool) {
        return Vec::new();
    }
    let mut out = Vec::new();
    if reaches(&pool) {
        out.push(both(
            format!("a request in pool {pool}: {tenant} has no grant there"),
            format!("申请 {pool} 配额：{tenant} 在该池没有配额"),
        ));
    }
    if !usable.is_empty() {
        let (en, zh) = names(&usable);
        out.push(both(
            format!("another placement on a pool where {tenant} has a grant: {en}"),
            format!("改在已有配额的资源池另建部署：{zh}"),
        ));
    }
    out
}
