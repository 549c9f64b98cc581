//! What the operator decides for every placement at once: selection, claims, division, fit, and the next step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{
    Assignment, CentreAssignment, DualActivePlacement, PlacedObject, PlacementMode, PlacementRow, Resources, Split,
    Standby, TemplateKind, WorkloadCopies, placement_reason as reason,
};

use super::fit::{self, Granted};
use super::kinds;
use super::select::{self, ByLabel, Taken, Templates};
use super::split::{self, Bounds, Part};
use super::step::{self, Side};
use super::template::Key;
use crate::failover::active::{Active, active};

mod handed;
mod held;
mod left;
mod lend;
mod lost;
mod needs;
mod numbers;
mod overridden;
mod rolling;
mod short;
mod size;
mod storage;
mod suits;
mod survival;
mod targets;
#[cfg(test)]
mod tests;
mod world;

pub use held::{Held, Holdings, holds};
pub use world::{Centre, Decision, Obstacle, Survivable, World};

/// Decides for every placement; in the order of age, so that the newer one waits where both do not fit.
pub fn decide(world: &World<'_>) -> BTreeMap<(String, String), Decision> {
    let templates = by_namespace(world);
    let selections = selections(world, &templates);
    let mut order: Vec<&DualActivePlacement> = world.placements.iter().map(Arc::as_ref).collect();
    let age = |p: &DualActivePlacement| p.metadata.creation_timestamp.clone().map(|t| t.0);
    order.sort_by_key(|p| (age(p), key(p)));
    let (empty, unclaimed) = (Templates::new(), BTreeMap::new());
    let in_namespace = |key: &(String, String)| templates.get(key.0.as_str()).unwrap_or(&empty);
    let (mut held, mut claimed) = (Holdings::default(), storage::Claimed::default());
    for placement in &order {
        if let Some(assignment) = placement.assignment() {
            let templates = in_namespace(&key(placement));
            held.set(placement, holds(world, placement, assignment, templates));
            claimed.set(world, placement, assignment, templates);
        }
    }
    let twice: BTreeMap<&String, _> = selections
        .iter()
        .map(|(ns, s)| (ns, select::claimed_twice(s)))
        .collect();
    let handed = handed::Handed::of(world, &selections);
    let asked = survival::asked(world, &templates, &selections);
    let kept = fit::while_alone(world.grants);
    let alone = World {
        grants: &kept,
        ..*world
    };
    let mut decisions = BTreeMap::new();
    for placement in order {
        let key = key(placement);
        let templates = in_namespace(&key);
        let counted = handed.counted_twice(world, placement, &decisions, templates);
        let one = One {
            world,
            placement,
            old: placement.assignment(),
            rows: placement.rows(),
            templates,
            there: overridden::tried(world, &key.0, &placement.spec.overrides, templates),
            twice: twice.get(&key.0).unwrap_or(&unclaimed),
            own: selected(&selections, &key).cloned().unwrap_or_default(),
            lends: lend::Lends::of(world, &held, placement, &counted),
            handed: &handed,
            claimed: &claimed,
            active: active(placement, world.failover),
        };
        let others = handed::once(held.others(placement), &counted);
        let mut decision = one.decide(&others);
        decision.survivable = one.survivable(&asked);
        one.describe(&mut decision);
        decision.short = one.short(&alone, &decision, &others);
        if let Some(assignment) = &decision.assignment {
            held.set(placement, holds(world, placement, assignment, templates));
            claimed.set(world, placement, assignment, templates);
        }
        decisions.insert(key, decision);
    }
    decisions
}

/// Namespace and name.
pub fn key(placement: &DualActivePlacement) -> (String, String) {
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    (of(&placement.metadata.namespace), of(&placement.metadata.name))
}

fn by_namespace<'a>(world: &World<'a>) -> BTreeMap<&'a str, Templates<'a>> {
    let mut all: BTreeMap<&str, Templates<'_>> = BTreeMap::new();
    for ((namespace, object), template) in world.templates {
        all.entry(namespace).or_default().insert(object, template);
    }
    all
}

type Selections = BTreeMap<String, BTreeMap<String, BTreeSet<PlacedObject>>>;

fn selections(world: &World<'_>, templates: &BTreeMap<&str, Templates<'_>>) -> Selections {
    let by_label: BTreeMap<&str, ByLabel<'_>> = templates.iter().map(|(ns, t)| (*ns, ByLabel::of(t))).collect();
    let mut all = Selections::new();
    for placement in world
        .placements
        .iter()
        .filter(|p| p.metadata.deletion_timestamp.is_none())
    {
        let (namespace, name) = key(placement);
        let there = templates.get(namespace.as_str()).zip(by_label.get(namespace.as_str()));
        let own = there.map(|(t, labels)| select::selected(&placement.spec.select, t, labels));
        all.entry(namespace).or_default().insert(name, own.unwrap_or_default());
    }
    all
}

fn selected<'a>(
    selections: &'a Selections,
    (namespace, name): &(String, String),
) -> Option<&'a BTreeSet<PlacedObject>> {
    selections.get(namespace)?.get(name)
}

/// One placement and what concerns it.
struct One<'a> {
    world: &'a World<'a>,
    placement: &'a DualActivePlacement,
    old: Option<&'a Assignment>,
    rows: &'a [PlacementRow],
    templates: &'a Templates<'a>,
    there: overridden::There,
    twice: &'a BTreeMap<PlacedObject, Vec<String>>,
    own: BTreeSet<PlacedObject>,
    lends: lend::Lends,
    handed: &'a handed::Handed<'a>,
    /// Storage that all placements claim.
    claimed: &'a storage::Claimed,
    active: Active,
}

/// By centre: copies of each workload.
type Targets = BTreeMap<String, BTreeMap<PlacedObject, i64>>;

impl One<'_> {
    fn decide(&self, others: &Held) -> Decision {
        if self.placement.metadata.deletion_timestamp.is_some() {
            return self.leave();
        }
        let mut decision = Decision {
            assignment: self.confirmed(self.without_handed()),
            ..Decision::default()
        };
        if let Err(obstacle) = self.place_exists() {
            decision.obstacle = Some(obstacle);
            return decision;
        }
        let (mut taken, confirm) = self.taken();
        decision.confirm = confirm;
        if let Err(obstacle) = self
            .overrides_apply(&mut taken)
            .and_then(|()| self.suits(&taken.objects))
            .and_then(|()| self.can_be_stored(&taken.objects))
        {
            decision.obstacle = Some(obstacle);
            return decision;
        }
        decision.obstacle = self.unclear(&taken);
        if taken.objects.is_empty() {
            return decision;
        }
        let (targets, note) = match self
            .targets(&taken.objects, others)
            .and_then(|t| self.fits(&taken.objects, t, others))
        {
            Ok(found) => found,
            Err(obstacle) => {
                decision.obstacle = Some(obstacle);
                return decision;
            }
        };
        decision.note = note;
        let (centres, rebalancing) = self.step(&targets);
        decision.rebalancing = rebalancing;
        decision.follows = true;
        let rollouts = self.roll(&taken.objects, &centres, &mut decision);
        let next = Assignment {
            checked: self.checked(&taken.objects),
            objects: taken.objects.into_iter().collect(),
            centres,
            overrides: self.placement.spec.overrides.clone(),
            rollouts,
            home: self.placement.spec.active.clone(),
            active: self.active.centre.clone(),
            failover: self.active.follows.clone(),
            ..Assignment::default()
        };
        decision.assignment = self.confirmed(Some(self.numbered(next)));
        decision
    }

    fn place_exists(&self) -> Result<(), Obstacle> {
        let (tenant, _) = key(self.placement);
        let pool = &self.placement.spec.pool;
        if !self.world.tenants.contains_key(&tenant) {
            let message =
                format!("{tenant} is no tenant; placements stand in a tenant's namespace | {tenant} 不是租户命名空间");
            return Err(Obstacle {
                reason: reason::TENANT_MISSING,
                message,
            });
        }
        let Some(facts) = self.world.catalogue.get(pool).filter(|p| p.is_compute()) else {
            let message = format!(
                "pods cannot run on pool {pool}: it does not exist, or it is storage | 资源池 {pool} 不存在或不是计算池"
            );
            return Err(Obstacle {
                reason: reason::POOL_MISSING,
                message,
            });
        };
        match self
            .placement
            .spec
            .centres
            .iter()
            .find(|c| !facts.centres.contains(&c.name))
        {
            Some(centre) => {
                let message = format!(
                    "pool {pool} is not in centre {0} | 资源池 {pool} 不在中心 {0}",
                    centre.name
                );
                Err(Obstacle {
                    reason: reason::POOL_MISSING,
                    message,
                })
            }
            None => Ok(()),
        }
    }

    /// What is taken, and what has to be asked before it counts as gone.
    fn taken(&self) -> (Taken, BTreeSet<Key>) {
        let standing: BTreeSet<PlacedObject> = self.old.iter().flat_map(|a| a.objects.iter().cloned()).collect();
        let mine = |object: &&PlacedObject| !self.twice.contains_key(*object) || standing.contains(*object);
        let given = standing.iter().filter(|o| self.is_given(o));
        let own = self.own.iter().filter(mine).chain(given).cloned().collect();
        let mut taken = select::taken(&self.placement.spec.select, &own, self.templates, &standing);
        let namespace = key(self.placement).0;
        let vanished = standing
            .iter()
            .filter(|o| !self.templates.contains_key(o) && !taken.objects.contains(o));
        let mut unsure: Vec<PlacedObject> = vanished
            .filter(|o| !self.world.gone.contains(&(namespace.clone(), (*o).clone())))
            .cloned()
            .collect();
        taken.objects.extend(unsure.iter().cloned());
        if !unsure.is_empty() {
            // What they need cannot be read, and must not go before them.
            let referred = |o: &&PlacedObject| TemplateKind::REFERRED.contains(&o.kind);
            taken.objects.extend(standing.iter().filter(referred).cloned());
        }
        // Where the whole kind is unseen there is nobody to ask; such an object stays.
        unsure.retain(|o| self.lacks(&o.kind).is_none());
        (taken, unsure.into_iter().map(|o| (namespace.clone(), o)).collect())
    }

    fn lacks(&self, kind: &TemplateKind) -> Option<kinds::Why> {
        kinds::lacking_in_hub(self.world.kinds, self.world.blind, kind)
    }

    /// A custom kind that it names or holds and that the hub does not show.
    fn unseen_kind(&self) -> Option<Obstacle> {
        let held = self.old.iter().flat_map(|a| a.objects.iter().map(|o| &o.kind));
        let named = self.placement.spec.select.refs.iter().map(|r| &r.kind);
        let (reason, message) = named.chain(held).find_map(|kind| self.lacks(kind))?;
        Some(Obstacle { reason, message })
    }

    /// What stands in the way of a part of it, while the rest goes on.
    fn unclear(&self, taken: &Taken) -> Option<Obstacle> {
        let (_, name) = key(self.placement);
        let claimed = self.own.iter().find_map(|o| Some((o, self.twice.get(o)?)));
        if let Some((object, claimants)) = claimed {
            let rival = claimants.iter().find(|c| **c != name).cloned().unwrap_or_default();
            let message = format!(
                "{object} is also claimed by dap/{rival}; whoever had it keeps it; narrow select of one of them | {object} 同时被 dap/{rival} 选取，先得者保留，请缩小其一的选取范围"
            );
            return Some(Obstacle {
                reason: reason::CLAIMED_TWICE,
                message,
            });
        }
        if let Some(unseen) = self.unseen_kind() {
            return Some(unseen);
        }
        if let Some(object) = taken.missing.first() {
            let message = format!(
                "{} missing in the hub namespace, first {object}; what needs it waits, what runs stays; apply it | 命名空间中缺少 {} 个对象，首个为 {object}，请先提交",
                taken.missing.len(),
                taken.missing.len()
            );
            return Some(Obstacle {
                reason: reason::TEMPLATE_MISSING,
                message,
            });
        }
        taken.objects.is_empty().then(|| Obstacle {
            reason: reason::NOTHING_SELECTED,
            message: "0 templates are selected; what runs stays; correct select, or delete the placement | 未选中任何模板，已有对象不变，请修改 select 或删除本部署".to_owned(),
        })
    }
}
