//! What the loss of a centre means for placements: what is left, what the other centres may raise to, and whether all
//! copies fit there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{DualActivePlacement, PlacedObject, PlacementMode, condition};
use plan::placement::decide::{Decision, key};
use plan::placement::fit::{Granted, survival};
use serde::Serialize;

use crate::failover::scheme::active;
use crate::lang::both;
use crate::placement::condition_of;
use crate::placement::scene::{Scene, grants, scope};
use crate::placement::seen::Seen;
use crate::print::{Style, lines};

/// A placement that runs in the centre that is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hit {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Who runs at the same time.
    pub mode: String,
    /// Copies now, by centre.
    pub now: BTreeMap<String, i64>,
    /// Copies that should run in all.
    pub wanted: i64,
    /// Copies in the centres that are left.
    pub left: i64,
    /// Copies that those may raise to, as the grants keep them; `None` where requests may not be read.
    pub raised_to: Option<i64>,
    /// Whether all of it fits there; `None` where nobody can tell.
    pub fits: Option<bool>,
    /// Why not, `English | 中文`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The placements that the loss touches, and what could not be looked at.
pub fn hits(lost: &str, seen: &Seen) -> (Vec<Hit>, Vec<String>) {
    let grants = grants(seen);
    let then = Scene::new(seen).map(|scene| without(scene, lost).decide());
    let touched = |p: &&DualActivePlacement| p.assignment().is_some_and(|a| a.centre(lost).is_some());
    let placements: Vec<&DualActivePlacement> = seen.placements.iter().filter(touched).collect();
    let mut notes = Vec::new();
    if !placements.is_empty() && then.is_none() {
        notes.push(both(
            "templates: you may not read all of their kinds, so FITS is what the operator says of each centre alone",
            "模板：无权查看全部类型，“可容纳”取自控制器对单中心承载的判断",
        ));
    }
    notes.extend(placements.iter().filter(|p| stays(p, lost)).map(|p| {
        let (namespace, name) = key(p);
        both(
            format!(
                "dap/{name} of {namespace} is Exclusive: it does not move before it is proven that {lost} is silent"
            ),
            format!("{namespace} 的 dap/{name} 为独占部署：确认 {lost} 已停止前不会迁移"),
        )
    }));
    let hits = placements.into_iter().map(|p| {
        let granted = grants
            .as_ref()
            .map(|all| all.get(&scope(p)).cloned().unwrap_or_default());
        hit(p, lost, granted.as_ref(), then.as_ref().and_then(|d| d.get(&key(p))))
    });
    (hits.collect(), notes)
}

/// The centre that runs it, where one does: a move changes the decision and never the spec.
fn runs(placement: &DualActivePlacement) -> Option<&str> {
    active(placement).or(placement.spec.active.as_deref())
}

/// Whether it is lost and nothing moves it by itself.
fn stays(placement: &DualActivePlacement, lost: &str) -> bool {
    placement.spec.mode == PlacementMode::Exclusive && runs(placement) == Some(lost)
}

fn hit(placement: &DualActivePlacement, lost: &str, granted: Option<&Granted>, then: Option<&Decision>) -> Hit {
    let (namespace, name) = key(placement);
    let now = now(placement);
    let (mut wanted, mut left, mut raised) = (0, 0, granted.map(|_| 0));
    for sides in now.values() {
        let all = whole(placement, sides);
        let rest: i64 = sides
            .iter()
            .filter(|(centre, _)| centre.as_str() != lost)
            .map(|(_, n)| n)
            .sum();
        wanted += all;
        left += rest;
        raised = raised
            .zip(granted)
            .map(|(sum, granted)| sum + raises(placement, (all, rest), lost, granted));
    }
    let mut by_centre = BTreeMap::new();
    for (centre, copies) in now.values().flatten() {
        *by_centre.entry(centre.clone()).or_default() += copies;
    }
    let (fits, message) = fits(placement, raised.map(|n| n >= wanted), then);
    Hit {
        mode: format!("{:?}", placement.spec.mode),
        now: by_centre,
        wanted,
        left,
        raised_to: raised,
        fits,
        message,
        name,
        namespace,
    }
}

/// Copies of each workload by centre, as decided.
fn now(placement: &DualActivePlacement) -> BTreeMap<PlacedObject, BTreeMap<String, i64>> {
    let mut all: BTreeMap<PlacedObject, BTreeMap<String, i64>> = BTreeMap::new();
    for centre in placement.assignment().iter().flat_map(|a| &a.centres) {
        for w in &centre.copies {
            let object = PlacedObject {
                kind: w.kind.clone(),
                name: w.name.clone(),
            };
            all.entry(object).or_default().insert(centre.name.clone(), w.copies);
        }
    }
    all
}

/// Copies that should run in all: where one centre runs it, those of the others only stand by.
fn whole(placement: &DualActivePlacement, sides: &BTreeMap<String, i64>) -> i64 {
    let active = runs(placement).and_then(|a| sides.get(a)).copied();
    active.unwrap_or_else(|| sides.values().sum())
}

/// What the other centres may raise a workload to: what the grants keep there for this case.
fn raises(placement: &DualActivePlacement, (all, rest): (i64, i64), lost: &str, granted: &Granted) -> i64 {
    let spec = &placement.spec;
    if runs(placement).is_some_and(|active| active != lost) {
        return all;
    }
    let others = spec.centres.iter().filter(|c| c.name != lost);
    let kept = others.map(|c| survival(all, granted, &c.name).min(c.max.map_or(i64::MAX, i64::from)));
    kept.fold(0, i64::saturating_add).min(all).max(rest.min(all))
}

/// Whether everything fits afterwards: by a decision as of then, or by what the operator says of each centre alone.
fn fits(
    placement: &DualActivePlacement,
    raised: Option<bool>,
    then: Option<&Decision>,
) -> (Option<bool>, Option<String>) {
    if let Some(decision) = then {
        let obstacle = decision.obstacle.as_ref().filter(|_| !decision.follows);
        let fits = obstacle.is_none() && raised != Some(false);
        return (Some(fits), obstacle.map(|o| o.message.clone()));
    }
    let survivable = condition_of(placement, condition::SURVIVABLE);
    match (survivable, raised) {
        (_, Some(false)) | (None, Some(true)) => (raised, survivable.map(|c| c.message.clone())),
        (Some(c), _) if c.status == "True" => (Some(true), None),
        (Some(c), _) => ((c.status == "False").then_some(false), Some(c.message.clone())),
        (None, None) => (None, None),
    }
}

/// The scene after the loss: the centre is gone, and the grants let in elsewhere what they keep for that.
fn without(mut scene: Scene, lost: &str) -> Scene {
    for granted in scene.grants.values_mut() {
        granted.centres.remove(lost);
        for room in granted.centres.values_mut() {
            room.in_force = room.survival;
        }
    }
    for placement in &mut scene.placements {
        let placement = Arc::make_mut(placement);
        let before = runs(placement).map(str::to_owned);
        let spec = &mut placement.spec;
        spec.centres.retain(|c| c.name != lost);
        let next = spec
            .centres
            .iter()
            .max_by_key(|c| (c.weight, std::cmp::Reverse(&c.name)))
            .map(|c| c.name.clone());
        let then = if before.as_deref() == Some(lost) { next } else { before };
        let moves = |active: &mut Option<String>| {
            if active.as_deref() == Some(lost) {
                active.clone_from(&then);
            }
        };
        moves(&mut spec.active);
        if let Some(status) = &mut placement.status {
            status.centres.retain(|r| r.name != lost);
            if let Some(assignment) = &mut status.assignment {
                assignment.centres.retain(|c| c.name != lost);
                // Were they otherwise than the spec, the decision would take it for an edit.
                moves(&mut assignment.active);
                moves(&mut assignment.home);
            }
        }
    }
    scene
}

/// In words.
pub fn print(hits: &[Hit], style: Style) -> String {
    let row = |hit: &Hit| {
        let now: Vec<_> = hit.now.iter().map(|(centre, n)| format!("{centre} {n}")).collect();
        let fits = match hit.fits {
            Some(true) => style.say("yes", "是"),
            Some(false) => style.say("no", "否"),
            None => "-",
        };
        vec![
            hit.namespace.clone(),
            hit.name.clone(),
            now.join(", "),
            hit.wanted.to_string(),
            hit.left.to_string(),
            hit.raised_to.map_or_else(|| "-".to_owned(), |n| n.to_string()),
            fits.to_owned(),
        ]
    };
    let names = [
        ("NAMESPACE", "命名空间"),
        ("PLACEMENT", "双活部署"),
        ("NOW", "当前副本"),
        ("WANTED", "应有"),
        ("LEFT", "剩余"),
        ("RAISED-TO", "可增至"),
        ("FITS", "可容纳"),
    ];
    let table = style.table(&names, &hits.iter().map(row).collect::<Vec<_>>());
    let said = hits.iter().filter_map(|hit| {
        let message = style.lang.half(hit.message.as_deref()?);
        Some(format!("dap/{} -n {}: {message}", hit.name, hit.namespace))
    });
    let said: BTreeSet<String> = said.collect();
    table + &lines(said)
}
