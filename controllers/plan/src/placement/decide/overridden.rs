//! Overrides, tried on the templates before anything is decided.

use std::collections::BTreeSet;

use crds::{Override, PlacedObject, Resources, placement_reason as reason};

use super::{Obstacle, One, Taken, World, key};
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
        let what = format!("{} {}", object.kind.name(), object.name);
        return Some(Err(format!(
            "{what} could not be read; it is tried again | 未能读取 {what}，将自动重试"
        )));
    };
    let mut value = text.as_ref().clone();
    Some(apply(object, &mine, &mut value).map(|()| template::read(&object.kind, &value)))
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
            .and_then(Result::ok)
            .map(|t| t.each.in_pool(card));
        there.unwrap_or_else(|| self.each(object))
    }

    pub(super) fn facts_in(&self, centre: &str, object: &PlacedObject) -> Option<Result<Template, String>> {
        let (namespace, _) = key(self.placement);
        facts(self.world, &namespace, &self.placement.spec.overrides, centre, object)
    }

    /// Tries every override; what an overridden template refers to comes along.
    pub(super) fn overrides_apply(&self, taken: &mut Taken) -> Result<(), Obstacle> {
        let spec = &self.placement.spec;
        let failed = |centre: &str, why: &str| {
            let (en, zh) = why.split_once(" | ").unwrap_or((why, why));
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
                // One that is only unseen stays as it was.
                if !self.templates.contains_key(object) {
                    continue;
                }
                match self.facts_in(&centre.name, object) {
                    None => {}
                    Some(Err(why)) => return Err(failed(&centre.name, &why)),
                    Some(Ok(facts)) => {
                        more.extend(facts.needs);
                        more.extend(facts.likes.into_iter().filter(|o| self.templates.contains_key(o)));
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
