//! The operator's decision about placements, made again from what the user may read, as things are and as they could be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{
    Assignment, DataCenter, DualActivePlacement, PlacedObject, Resources, WitnessState, condition, condition_is_true,
    placement_reason as reason,
};
use jiff::Timestamp;
use plan::centre::catalogue::Catalogue;
use plan::failover::facts::{self, Arbiter, Known};
use plan::placement::decide::{Centre, Decision, Held, Holdings, Obstacle, World, decide, holds, key};
use plan::placement::fit::{self, Granted, Scope};
use plan::placement::kinds::{Blind, Kinds};
use plan::placement::layers::usable;
use plan::placement::select::{self, Templates};
use plan::placement::template::{Key, Template, read};

use serde_json::Value;

use super::seen::Seen;

/// All that a decision is made from.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Placements.
    pub placements: Vec<Arc<DualActivePlacement>>,
    /// Templates.
    pub templates: BTreeMap<Key, Arc<Template>>,
    /// Grants by tenant and pool.
    pub grants: BTreeMap<Scope, Granted>,
    /// Pools.
    pub catalogue: Catalogue,
    tenants: BTreeMap<String, i32>,
    centres: BTreeMap<String, Centre>,
    texts: BTreeMap<Key, Arc<Value>>,
    kinds: Kinds,
    blind: Blind,
    moved: Known,
    now: Timestamp,
}

impl Scene {
    /// From what was read; `None` where the user may not read all that counts.
    pub fn new(seen: &Seen) -> Option<Self> {
        let (pools, centres) = (seen.province.pools.as_ref()?, seen.province.centres.as_ref()?);
        let templates = seen.templates.as_ref()?.iter();
        Some(Self {
            placements: seen.placements.iter().cloned().map(Arc::new).collect(),
            templates: templates
                .map(|(key, value)| (key.clone(), Arc::new(read(&key.1.kind, value))))
                .collect(),
            grants: grants(seen)?,
            catalogue: Catalogue::read(pools),
            // Whether a namespace is a tenant's, and of which level, is the operator's word, which stands in the condition.
            tenants: seen.placements.iter().map(|p| (key(p).0, 0)).collect(),
            centres: centres.iter().filter_map(heard).collect(),
            texts: seen
                .templates
                .iter()
                .flatten()
                .map(|(key, value)| (key.clone(), Arc::new(value.clone())))
                .collect(),
            kinds: seen.kinds.clone(),
            blind: seen.blind.clone(),
            moved: moved(centres),
            now: seen.now,
        })
    }

    fn world<'a>(&'a self, gone: &'a BTreeSet<Key>) -> World<'a> {
        World {
            placements: &self.placements,
            templates: &self.templates,
            grants: &self.grants,
            catalogue: &self.catalogue,
            tenants: &self.tenants,
            centres: &self.centres,
            kinds: &self.kinds,
            blind: &self.blind,
            texts: &self.texts,
            failover: &self.moved,
            now: self.now,
            gone,
            ledger: "",
            epoch: 0,
        }
    }

    /// Decides for every placement. The lists are complete: what is not in them is gone.
    pub fn decide(&self) -> BTreeMap<(String, String), Decision> {
        let decisions = decide(&self.world(&BTreeSet::new()));
        let gone: BTreeSet<Key> = decisions.values().flat_map(|d| d.confirm.iter().cloned()).collect();
        if gone.is_empty() {
            decisions
        } else {
            decide(&self.world(&gone))
        }
    }

    /// The decision about one.
    pub fn of(&self, placement: &DualActivePlacement) -> Decision {
        self.decide().remove(&key(placement)).unwrap_or_default()
    }

    /// The same with that placement changed.
    #[must_use]
    pub fn with(&self, placement: &DualActivePlacement, change: impl Fn(&mut DualActivePlacement)) -> Self {
        let mut scene = self.clone();
        for one in scene.placements.iter_mut().filter(|p| key(p) == key(placement)) {
            change(Arc::make_mut(one));
        }
        scene
    }

    /// What the placement's spec and templates come to, without a step in between: as if nothing of it ran yet.
    ///
    /// # Errors
    /// What stands in the way. A grant that is too small does not.
    pub fn target(&self, placement: &DualActivePlacement) -> Result<Assignment, Obstacle> {
        let fresh = self.with(placement, |p| {
            if let Some(assignment) = p.status.as_mut().and_then(|s| s.assignment.as_mut()) {
                assignment.centres.clear();
                assignment.needs.clear();
            }
        });
        let mut decision = fresh.of(placement);
        if decision
            .obstacle
            .as_ref()
            .is_some_and(|o| o.reason == reason::GRANT_TOO_SMALL)
        {
            decision = fresh.ample(placement).of(placement);
        }
        match (decision.follows, decision.assignment, decision.obstacle) {
            (true, Some(assignment), _) => Ok(assignment),
            (_, _, Some(obstacle)) => Err(obstacle),
            (_, assignment, None) => Ok(assignment.unwrap_or_default()),
        }
    }

    /// As if its grants were large enough in every centre of the pool.
    fn ample(mut self, placement: &DualActivePlacement) -> Self {
        let centres = self.catalogue.get(&placement.spec.pool).map(|p| p.centres.clone());
        let granted = self.grants.entry(scope(placement)).or_default();
        for centre in centres.into_iter().flatten() {
            granted.centres.entry(centre).or_default().in_force = Resources::BOUNDLESS;
        }
        self
    }

    /// The templates of a namespace.
    pub fn templates_of(&self, namespace: &str) -> Templates<'_> {
        let own = self.templates.iter().filter(|((of, _), _)| of == namespace);
        own.map(|((_, object), template)| (object, &**template)).collect()
    }

    /// What the placement selects itself.
    pub fn selected(&self, placement: &DualActivePlacement) -> BTreeSet<PlacedObject> {
        let templates = self.templates_of(&key(placement).0);
        select::selected(&placement.spec.select, &templates, &select::ByLabel::of(&templates))
    }

    /// Whether the hub has a template of it.
    pub fn has(&self, placement: &DualActivePlacement, object: &PlacedObject) -> bool {
        self.templates.contains_key(&(key(placement).0, object.clone()))
    }

    /// What one copy of it takes in the placement's pool.
    pub fn each(&self, placement: &DualActivePlacement, object: &PlacedObject) -> Resources {
        let pool = self.catalogue.get(&placement.spec.pool);
        let template = self.templates.get(&(key(placement).0, object.clone()));
        template.map_or(Resources::ZERO, |t| {
            t.each.in_pool(pool.and_then(|p| p.card.as_deref()))
        })
    }

    /// What that assignment of the placement lets run in each centre.
    pub fn holds(&self, placement: &DualActivePlacement, assignment: &Assignment) -> Held {
        let templates = self.templates_of(&key(placement).0);
        holds(&self.world(&BTreeSet::new()), placement, assignment, &templates)
    }

    /// What other placements hold of the same grants, by centre.
    pub fn others(&self, placement: &DualActivePlacement) -> Held {
        let mut held = Holdings::default();
        for one in &self.placements {
            if let Some(assignment) = one.assignment() {
                held.set(one, self.holds(one, assignment));
            }
        }
        held.others(placement)
    }
}

/// What the centres' statuses say of losses. Nobody reads the arbiter from here: where there is one, a placement runs where
/// it was decided to.
fn moved(centres: &[DataCenter]) -> Known {
    let centre = |c: &DataCenter| {
        let (name, Centre { role, reports, .. }) = heard(c)?;
        let witness = c.status.as_ref().and_then(|s| s.witness.clone());
        let facts = facts::Centre { role, witness, reports };
        Some((name, facts))
    };
    let centres: BTreeMap<_, _> = centres.iter().filter_map(centre).collect();
    let arbiter = if centres.values().any(|c| c.witness.is_some()) {
        Arbiter::Silent
    } else {
        Arbiter::Absent
    };
    Known::new(arbiter, centres, &[])
}

/// Grants by tenant and pool; `None` where requests may not be read.
pub(crate) fn grants(seen: &Seen) -> Option<BTreeMap<Scope, Granted>> {
    let reads: Vec<fit::Read> = seen.requests.as_ref()?.iter().map(fit::read).collect();
    let away = moved(seen.province.centres.as_deref().unwrap_or_default()).away();
    Some(fit::sum_while(&reads, &away))
}

/// Whose grants the placement uses.
pub(crate) fn scope(placement: &DualActivePlacement) -> Scope {
    (key(placement).0, placement.spec.pool.clone())
}

/// A centre, and whether the operator hears of it: its clock judges, not the reader's.
fn heard(centre: &DataCenter) -> Option<(String, Centre)> {
    let status = centre.status.as_ref();
    let facts = Centre {
        reports: status.is_some_and(|s| {
            // Its last report may be younger than its loss.
            let lost = s.witness.as_ref().is_some_and(|w| w.state == WitnessState::Lost);
            !lost && condition_is_true(&s.conditions, condition::READY)
        }),
        role: centre.spec.role,
        ownership: centre.spec.ownership,
        lends: plan::centre::stage::all_lent(centre),
        nodes: status
            .and_then(|s| s.report.as_ref())
            .into_iter()
            .flat_map(|r| &r.pools)
            .map(|p| (p.name.clone(), usable(p)))
            .collect(),
    };
    Some((centre.metadata.name.clone()?, facts))
}
