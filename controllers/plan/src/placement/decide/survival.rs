//! Whether each centre could hold all of it alone: all copies of all placements of the tenant's grants in the pool.

use std::collections::{BTreeMap, BTreeSet};

use crds::{DualActivePlacement, PlacedObject, PlacementMode, Resources, TemplateKind};

use super::needs::{pods, unknown_pods};
use super::{One, Selections, Survivable, Templates, World, fit, key, overridden, selected};

/// By namespace and pool.
pub(super) type Asked = BTreeMap<(String, String), Sum>;

/// What everything takes that the placements of a pool select, each object once.
#[derive(Debug, Default)]
pub(super) struct Sum {
    counted: BTreeSet<PlacedObject>,
    /// All copies, wherever they run.
    copies: Resources,
    /// By centre.
    nodes: BTreeMap<String, OnNodes>,
}

/// What the DaemonSets take in a centre.
#[derive(Debug, Default)]
struct OnNodes {
    counted: BTreeSet<PlacedObject>,
    takes: Resources,
    /// One of which nobody knows how many pods it gets.
    unknown: Option<PlacedObject>,
}

/// What all placements ask for.
pub(super) fn asked(world: &World<'_>, templates: &BTreeMap<&str, Templates<'_>>, selections: &Selections) -> Asked {
    let (mut all, none) = (Asked::new(), Templates::new());
    for placement in world.placements {
        let of = key(placement);
        let there = templates.get(of.0.as_str()).unwrap_or(&none);
        let sum = all.entry((of.0.clone(), placement.spec.pool.clone())).or_default();
        for object in selected(selections, &of).into_iter().flatten() {
            sum.add(world, placement, object, there);
        }
    }
    all
}

impl Sum {
    fn add(
        &mut self,
        world: &World<'_>,
        placement: &DualActivePlacement,
        object: &PlacedObject,
        templates: &Templates<'_>,
    ) {
        let Some(template) = templates.get(object).copied() else {
            return;
        };
        let card = world
            .catalogue
            .get(&placement.spec.pool)
            .and_then(|p| p.card.as_deref());
        if object.kind == TemplateKind::DaemonSet {
            let (namespace, overrides) = (key(placement).0, &placement.spec.overrides);
            for centre in placement.spec.centres.iter().map(|c| &c.name) {
                let slot = self.nodes.entry(centre.clone()).or_default();
                if !slot.counted.insert(object.clone()) {
                    continue;
                }
                let there = overridden::facts(world, &namespace, overrides, centre, object).and_then(Result::ok);
                let each = there.as_ref().unwrap_or(template).each.in_pool(card);
                match pods(world, placement, (centre, true), object, Some(template)) {
                    Some(number) => slot.takes = slot.takes.plus(fit::times(each, number)),
                    None => slot.unknown = slot.unknown.take().or_else(|| Some(object.clone())),
                }
            }
        } else if (object.kind.has_copies() || object.kind.is_job()) && self.counted.insert(object.clone()) {
            let each = template.each.in_pool(card);
            self.copies = self.copies.plus(fit::times(each, template.copies));
        }
    }
}

impl One<'_> {
    /// Whether each centre could hold all copies of all placements of the grants alone.
    pub(super) fn survivable(&self, asked: &Asked) -> Option<Survivable> {
        let spec = &self.placement.spec;
        if spec.mode == PlacementMode::Exclusive || spec.centres.len() < 2 {
            return None;
        }
        let none = Sum::default();
        let asked = asked.get(&(key(self.placement).0, spec.pool.clone())).unwrap_or(&none);
        let granted = self.granted();
        let nodes = |centre: &str| asked.nodes.get(centre);
        for centre in &spec.centres {
            let name = &centre.name;
            let kept = granted.centres.get(name).map(|r| r.survival).unwrap_or_default();
            let all = asked.copies.plus(nodes(name).map(|n| n.takes).unwrap_or_default());
            if !all.fits(kept) {
                let message = format!(
                    "all copies need {all}, the grants keep {kept} in {name} for when it is alone | 全部副本需 {all}，{name} 单独承载时仅保障 {kept}"
                );
                return Some((Some(false), message));
            }
        }
        let unknown = |name: &str| nodes(name).and_then(|n| n.unknown.as_ref());
        let unknown = spec.centres.iter().find_map(|c| Some((&c.name, unknown(&c.name)?)));
        if let Some((name, object)) = unknown {
            let (en, zh) = unknown_pods(object, name, &spec.pool);
            return Some((None, format!("{en} | {zh}")));
        }
        let all = asked.copies;
        let message =
            format!("all copies need {all}, and each centre keeps as much | 全部副本需 {all}，各中心均有保障");
        Some((Some(true), message))
    }
}
