//! Overrides, tried on the templates before anything is decided.

use std::collections::{BTreeMap, BTreeSet};

use crds::{CheckedTemplate, Override, PlacedObject, Resources, placement_reason as reason};

use super::{Obstacle, One, Taken, Templates, World};
use crate::placement::asks;
use crate::placement::message::halves;
use crate::placement::overrides::{apply, concerning};
use crate::placement::template::{self, Template};

/// What a template is in a centre where an override concerns it; `None` where none does.
pub(super) fn facts(
    world: &World<'_>,
    namespace: &str,
    overrides: &[Override],
    centre: &str,
    object: &PlacedObject,
) -> Option<Result<Template, String>> {
    let mine = concerning(overrides, centre, object);
    if mine.is_empty() {
        return None;
    }
    let Some(text) = world.texts.get(&(namespace.to_owned(), object.clone())) else {
        return Some(Err(format!(
            "{object} could not be read; it is tried again | 未能读取 {object}，将自动重试"
        )));
    };
    let mut value = text.as_ref().clone();
    Some(apply(object, &mine, &mut value).map(|()| template::read(&object.kind, &value)))
}

/// By centre and object: what a template is there, or why its overrides do not apply.
pub(super) type There = BTreeMap<(String, PlacedObject), Result<Template, String>>;

/// Every template of the namespace that an override concerns, tried once.
pub(super) fn tried(world: &World<'_>, namespace: &str, overrides: &[Override], templates: &Templates<'_>) -> There {
    let concerned = overrides.iter().flat_map(|one| {
        let objects = templates.keys().filter(|o| one.concerns(&one.centre, &o.kind, &o.name));
        objects.map(|o| (one.centre.clone(), (*o).clone()))
    });
    let concerned: BTreeSet<(String, PlacedObject)> = concerned.collect();
    let found = concerned.into_iter().filter_map(|(centre, object)| {
        let facts = facts(world, namespace, overrides, &centre, &object)?;
        Some(((centre, object), facts))
    });
    found.collect()
}

impl One<'_> {
    /// What one copy takes in that centre.
    pub(super) fn each_in(&self, centre: &str, object: &PlacedObject) -> Resources {
        let card = self
            .world
            .catalogue
            .get(&self.placement.spec.pool)
            .and_then(|p| p.card.as_deref());
        let there = self
            .facts_in(centre, object)
            .and_then(|facts| facts.as_ref().ok())
            .map(|t| t.each.in_pool(card));
        there.unwrap_or_else(|| self.each(object))
    }

    pub(super) fn facts_in(&self, centre: &str, object: &PlacedObject) -> Option<&Result<Template, String>> {
        self.there.get(&(centre.to_owned(), object.clone()))
    }

    /// What the templates ask for in the centres; of one that is only unseen what was found before.
    pub(super) fn checked(&self, objects: &BTreeSet<PlacedObject>) -> Vec<CheckedTemplate> {
        let overrides = self.placement.spec.overrides.iter();
        let centres: BTreeSet<&str> = overrides.map(|o| o.centre.as_str()).collect();
        let each = objects.iter().filter_map(|object| {
            let Some(facts) = self.templates.get(object) else {
                let before = self.old.map(|a| a.asks_of(object)).unwrap_or_default();
                return asks::entry(object, before.to_owned());
            };
            let there = centres
                .iter()
                .filter_map(|centre| Some((*centre, self.facts_in(centre, object)?.as_ref().ok())));
            asks::entry(object, asks::found(object, facts, there))
        });
        each.collect()
    }

    /// Tries every override; what an overridden template refers to comes along.
    pub(super) fn overrides_apply(&self, taken: &mut Taken) -> Result<(), Obstacle> {
        let spec = &self.placement.spec;
        let failed = |centre: &str, why: &str| {
            let (en, zh) = halves(why);
            Obstacle {
                reason: reason::OVERRIDE_FAILED,
                message: format!(
                    "{centre}: {en}; nothing was changed anywhere; correct overrides | {centre}：{zh}；各中心均未变更，请修改 overrides"
                ),
            }
        };
        for one in &spec.overrides {
            let target = &one.target;
            if !taken
                .objects
                .iter()
                .any(|o| one.concerns(&one.centre, &o.kind, &o.name))
            {
                let (kind, name) = (target.kind.name(), target.name.as_deref().unwrap_or("*"));
                let why = format!(
                    "there is no {kind} {name} among the {} objects | 所含对象中没有 {kind} {name}",
                    taken.objects.len()
                );
                return Err(failed(&one.centre, &why));
            }
        }
        let mut more: BTreeSet<PlacedObject> = BTreeSet::new();
        for centre in &spec.centres {
            for object in &taken.objects {
                match self.facts_in(&centre.name, object) {
                    // Also one that is only unseen: it stays as it was.
                    None => {}
                    Some(Err(why)) => return Err(failed(&centre.name, why)),
                    Some(Ok(facts)) => {
                        let liked = facts.likes.iter().filter(|o| self.templates.contains_key(o));
                        more.extend(facts.needs.iter().chain(liked).cloned());
                    }
                }
            }
        }
        let (there, lacks): (BTreeSet<_>, BTreeSet<_>) = more
            .into_iter()
            .partition(|o| self.templates.contains_key(o) || taken.objects.contains(o));
        taken.objects.extend(there);
        taken.missing.extend(lacks);
        Ok(())
    }
}
