//! Objects that change hands: another placement selects what one has. Whoever has it keeps it until the decision of the
//! other one has it too, so that it is handed over and never made anew; meanwhile its room counts once.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use crds::{
    Assignment, CentreAssignment, DualActivePlacement, PlacedObject, Resources, TemplateKind, condition,
    placement_reason as reason,
};

use super::{Decision, Held, One, Selections, Templates, World, holds, key, selected};
use crate::placement::select;
use crate::placement::template::pod_of;

/// Who has an object without selecting it, and who selects it.
#[derive(Clone, Debug, Default)]
struct Hands<'a> {
    givers: Vec<&'a DualActivePlacement>,
    takers: Vec<&'a DualActivePlacement>,
}

/// By namespace and object. Few: nothing else is looked at twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Handed<'a>(BTreeMap<String, BTreeMap<PlacedObject, Hands<'a>>>);

/// What is decided of a placement so far.
type Decisions = BTreeMap<(String, String), Decision>;

fn has(assignment: Option<&Assignment>, object: &PlacedObject) -> bool {
    assignment.is_some_and(|a| a.leaving.is_none() && a.objects.contains(object))
}

/// Whether nothing was said of it, or only that two claim the same: what it will be is not known yet.
fn is_unheard(placement: &DualActivePlacement) -> bool {
    let said = placement.condition(condition::READY);
    said.is_none_or(|c| c.reason == reason::CLAIMED_TWICE)
}

impl<'a> Handed<'a> {
    pub(super) fn of(world: &World<'a>, selections: &Selections) -> Self {
        let mut takers: BTreeMap<(&str, &PlacedObject), Vec<&str>> = BTreeMap::new();
        for (namespace, all) in selections {
            for (name, objects) in all {
                for object in objects {
                    takers.entry((namespace, object)).or_default().push(name);
                }
            }
        }
        // Seldom is anything handed over.
        let by_key = LazyCell::new(|| -> BTreeMap<(String, String), &'a DualActivePlacement> {
            world.placements.iter().map(|p| (key(p), &**p)).collect()
        });
        let mut out: BTreeMap<String, BTreeMap<PlacedObject, Hands<'a>>> = BTreeMap::new();
        for giver in world.placements {
            let of = key(giver);
            let (namespace, own) = (&of.0, selected(selections, &of));
            let objects = giver.assignment().map(|a| a.objects.as_slice()).unwrap_or_default();
            for object in objects.iter().filter(|o| own.is_none_or(|own| !own.contains(*o))) {
                let Some(names) = takers.get(&(namespace.as_str(), object)) else {
                    continue;
                };
                let there = out.entry(namespace.clone()).or_default();
                let hands = there.entry(object.clone()).or_default();
                hands.givers.push(giver);
                if hands.takers.is_empty() {
                    let of = |name: &&str| by_key.get(&(namespace.clone(), (*name).to_owned())).copied();
                    hands.takers = names.iter().filter_map(of).collect();
                }
            }
        }
        Self(out)
    }

    /// What is counted among the others of a placement although it counts already: what it takes itself or has yet to give,
    /// and of everything else what two have at once.
    pub(super) fn counted_twice(
        &self,
        world: &World<'_>,
        placement: &DualActivePlacement,
        decisions: &Decisions,
        templates: &Templates<'_>,
    ) -> Held {
        let mut sum = Held::new();
        let (namespace, name) = key(placement);
        let is_own = |p: &DualActivePlacement| key(p).1 == name;
        let all = self.0.get(&namespace).into_iter().flatten();
        for (object, hands) in all.filter(|(object, _)| object.kind.is_custom() || pod_of(&object.kind).is_some()) {
            let latest = |p: &'a DualActivePlacement| {
                let decided = decisions.get(&key(p)).and_then(|d| d.assignment.as_ref());
                decided.or_else(|| p.assignment())
            };
            // What several select goes to none of them.
            let takes = hands.takers.len() == 1 && hands.takers.iter().any(|p| is_own(p));
            let waits = !hands.takers.iter().any(|p| has(p.assignment(), object));
            let gives = waits && hands.givers.iter().any(|p| is_own(p));
            let others = hands.givers.iter().chain(&hands.takers).copied();
            let others = others.filter(|p| !is_own(p) && p.spec.pool == placement.spec.pool);
            let holders = others.filter_map(|p| Some((p, latest(p)?)));
            let holders = holders.filter(|(_, a)| a.objects.contains(object));
            for (holder, assignment) in holders.skip(usize::from(!takes && !gives)) {
                for (centre, amount) in holds(world, holder, &only(assignment, object), templates) {
                    let slot = sum.entry(centre).or_default();
                    *slot = slot.plus(amount);
                }
            }
        }
        sum
    }
}

/// The decision as far as it concerns one object.
fn only(assignment: &Assignment, object: &PlacedObject) -> Assignment {
    with(assignment, |o| o == object)
}

fn with(assignment: &Assignment, stays: impl Fn(&PlacedObject) -> bool) -> Assignment {
    let is = |kind: &TemplateKind, name: &str| {
        stays(&PlacedObject {
            kind: kind.clone(),
            name: name.to_owned(),
        })
    };
    let mut next = assignment.clone();
    next.objects.retain(&stays);
    for CentreAssignment { copies, .. } in &mut next.centres {
        copies.retain(|w| is(&w.kind, &w.name));
    }
    next.rollouts.retain(|r| is(&r.kind, &r.name));
    next.checked.retain(|c| is(&c.kind, &c.name));
    next
}

/// `all` without what counts already.
pub(super) fn once(mut all: Held, twice: &Held) -> Held {
    for (centre, amount) in twice {
        if let Some(slot) = all.get_mut(centre) {
            *slot = slot.minus(*amount);
        }
    }
    all
}

impl One<'_> {
    fn hands(&self, object: &PlacedObject) -> Option<&Hands<'_>> {
        let (namespace, name) = key(self.placement);
        let hands = self.handed.0.get(&namespace)?.get(object)?;
        hands.givers.iter().any(|p| key(p).1 == name).then_some(hands)
    }

    /// Whether the object is selected by others alone, and none of them has it yet.
    pub(super) fn is_given(&self, object: &PlacedObject) -> bool {
        let hands = self.hands(object);
        hands.is_some_and(|hands| !hands.takers.iter().any(|p| has(p.assignment(), object)))
    }

    /// Who takes over what this one has, as soon as it is looked at again: one that is being deleted waits for that alone.
    pub(super) fn taker_to_hear(&self) -> Option<String> {
        let objects = self.old.iter().flat_map(|a| &a.objects).filter(|o| self.is_given(o));
        // What several select goes to none of them.
        let mut takers = objects.filter_map(|o| match self.hands(o)?.takers.as_slice() {
            [taker] => Some(*taker),
            _ => None,
        });
        takers.find(|p| is_unheard(p)).map(|p| key(p).1)
    }

    /// What was decided before, without what others have taken over, and without what only that referred to, where they
    /// have it too.
    pub(super) fn without_handed(&self) -> Option<Assignment> {
        let old = self.old?;
        let mut takers: Vec<&DualActivePlacement> = Vec::new();
        for object in &old.objects {
            let all = self.hands(object).into_iter().flat_map(|hands| &hands.takers);
            takers.extend(all.filter(|p| has(p.assignment(), object)));
        }
        if takers.is_empty() {
            return Some(old.clone());
        }
        let taken = |o: &PlacedObject| takers.iter().any(|p| has(p.assignment(), o));
        let referred = |o: &PlacedObject| TemplateKind::REFERRED.contains(&o.kind);
        let stays = |o: &PlacedObject| self.own.contains(o) || !taken(o);
        let workloads: Vec<_> = old.objects.iter().filter(|o| !referred(o) && stays(o)).collect();
        let needed = workloads.iter().filter_map(|o| self.templates.get(o));
        let needed: BTreeSet<PlacedObject> = needed.flat_map(|t| select::closure(t, self.templates)).collect();
        // Nobody knows what an unseen one refers to.
        let unseen = workloads.iter().any(|o| !self.templates.contains_key(o));
        let stays = |o: &PlacedObject| stays(o) || (referred(o) && (unseen || needed.contains(o)));
        let mut next = self.numbered(with(old, stays));
        // Templates may have grown since: what was found to fit never becomes more.
        for (centre, needs) in &mut next.needs {
            let now = Resources::try_from(&*needs).unwrap_or_default();
            *needs = now.each_min(self.needed(centre)).to_amounts();
        }
        Some(next)
    }
}
