//! Whether the storage that is claimed in a centre fits into what the tenant holds there: of each StorageClass, and in all,
//! as the quota of the namespace bounds it.

use std::collections::{BTreeMap, BTreeSet};

use crds::{Assignment, DualActivePlacement, PlacedObject, Resources, TemplateKind, placement_reason as reason};

use super::{Obstacle, One, Templates, World, key, overridden};
use crate::placement::template::Template;

/// Bytes by StorageClass.
type Classes = BTreeMap<String, i128>;
/// What each object claims. Several placements may need one and the same.
type Claims = BTreeMap<PlacedObject, Classes>;
/// Claims by centre.
pub(super) type ByCentre = BTreeMap<String, Claims>;

/// What the placements claim: by namespace of the centres, and by placement.
#[derive(Debug, Default)]
pub(super) struct Claimed(BTreeMap<String, BTreeMap<(String, String), ByCentre>>);

impl Claimed {
    /// Takes the place of what was said of the placement before.
    pub(super) fn set(
        &mut self,
        world: &World<'_>,
        placement: &DualActivePlacement,
        assignment: &Assignment,
        templates: &Templates<'_>,
    ) {
        let (tenant, name) = key(placement);
        let centre = |centre: &crds::CentreAssignment| {
            let claims = assignment.objects.iter().filter_map(|object| {
                let there = overridden::facts(world, &tenant, &assignment.overrides, &centre.name, object);
                let there = there.and_then(Result::ok);
                let facts = there.as_ref().or_else(|| templates.get(object).copied())?;
                Some((
                    object.clone(),
                    claims(object, facts, centre.copies_of(object), centre.jobs),
                ))
            });
            (centre.name.clone(), claims.filter(|(_, c)| !c.is_empty()).collect())
        };
        let all = assignment.centres.iter().map(centre).collect();
        let namespace = world.catalogue.namespace(&tenant, &placement.spec.pool);
        self.0.entry(namespace).or_default().insert((tenant, name), all);
    }

    /// What the other placements of its namespaces claim.
    pub(super) fn others(&self, world: &World<'_>, placement: &DualActivePlacement) -> ByCentre {
        let own = key(placement);
        let namespace = world.catalogue.namespace(&own.0, &placement.spec.pool);
        let mut all = ByCentre::new();
        let others = self.0.get(&namespace).into_iter().flatten();
        for (centre, claims) in others.filter(|(of, _)| **of != own).flat_map(|(_, c)| c) {
            let slot = all.entry(centre.clone()).or_default();
            slot.extend(claims.iter().map(|(o, c)| (o.clone(), c.clone())));
        }
        all
    }
}

/// What an object claims in a centre, by its copies there.
fn claims(object: &PlacedObject, facts: &Template, copies: Option<i64>, jobs: bool) -> Classes {
    let times = match &object.kind {
        TemplateKind::PersistentVolumeClaim => 1,
        kind if kind.is_job() => i128::from(if jobs { facts.copies } else { 0 }),
        _ => i128::from(copies.unwrap_or_default()),
    };
    let all = facts
        .claims
        .iter()
        .map(|(class, each)| (class, each.saturating_mul(times)));
    all.filter(|(_, n)| *n > 0)
        .map(|(class, n)| (class.clone(), n))
        .collect()
}

fn sum<'a>(all: impl Iterator<Item = &'a Classes>) -> Classes {
    let mut sum = Classes::new();
    for (class, amount) in all.flatten() {
        *sum.entry(class.clone()).or_default() += amount;
    }
    sum
}

impl One<'_> {
    /// Refuses claims for which the quota of the centre has no room. A StorageClass of no pool counts in the sum alone.
    pub(super) fn has_storage(
        &self,
        centre: &str,
        objects: &BTreeSet<PlacedObject>,
        copies: &BTreeMap<PlacedObject, i64>,
    ) -> Result<(), Obstacle> {
        let jobs = self.jobs_in() == Some(centre);
        let mine = objects.iter().filter_map(|object| {
            let there = self.facts_in(centre, object).and_then(|f| f.as_ref().ok());
            let facts = there.or_else(|| self.templates.get(object).copied())?;
            Some((object, claims(object, facts, copies.get(object).copied(), jobs)))
        });
        let mine: BTreeMap<&PlacedObject, Classes> = mine.collect();
        let asked = sum(mine.values());
        if asked.is_empty() {
            return Ok(());
        }
        let others = self.claimed.get(centre).into_iter().flatten();
        let taken = sum(others.filter(|(o, _)| !mine.contains_key(o)).map(|(_, c)| c));
        let given = self.storage_in(centre);
        let of = |all: &Classes, class: &str| all.get(class).copied().unwrap_or_default();
        for class in asked.keys().filter(|class| given.contains_key(*class)) {
            let figures = [&asked, &given, &taken].map(|all| of(all, class));
            self.room_for(
                centre,
                (&format!("StorageClass {class}"), &format!("存储类 {class}")),
                figures,
            )?;
        }
        let figures = [&asked, &given, &taken].map(|all| all.values().sum());
        self.room_for(centre, ("storage in all", "全部存储"), figures)
    }

    /// What the tenant may claim in a centre, by every StorageClass of a pool.
    fn storage_in(&self, centre: &str) -> Classes {
        let (tenant, _) = key(self.placement);
        let namespace = |pool: &str| self.world.catalogue.namespace(&tenant, pool);
        let here = namespace(&self.placement.spec.pool);
        let mut given = Classes::new();
        for (pool, facts) in self.world.catalogue.iter() {
            let Some(class) = &facts.storage_class else { continue };
            let slot = given.entry(class.clone()).or_default();
            // What is granted elsewhere is 0 in this namespace.
            let granted = self.world.grants.get(&(tenant.clone(), pool.to_owned()));
            let room = granted
                .filter(|_| namespace(pool) == here)
                .and_then(|g| g.centres.get(centre));
            *slot += room.map_or(0, |room| room.in_force.storage);
        }
        given
    }

    fn room_for(&self, centre: &str, (what, zh): (&str, &str), figures: [i128; 3]) -> Result<(), Obstacle> {
        let [asked, given, taken] = figures;
        let short = asked - (given - taken);
        if short <= 0 {
            return Ok(());
        }
        let [asked, given, taken, short] = [asked, given, taken, short].map(|n| Resources::amount("storage", n).0);
        let (tenant, _) = key(self.placement);
        let namespace = self.world.catalogue.namespace(&tenant, &self.placement.spec.pool);
        Err(Obstacle {
            reason: reason::GRANT_TOO_SMALL,
            message: format!(
                "{centre}: claims {asked} of {what}, granted there to namespace {namespace} {given}, other placements claim {taken}: short of {short}; nothing was changed; ask for more storage or claim less | {centre}：申领{zh} {asked}，命名空间 {namespace} 已授予 {given}，其他部署占用 {taken}，尚缺 {short}；未作变更，请追加存储申请或减少申领"
            ),
        })
    }
}
