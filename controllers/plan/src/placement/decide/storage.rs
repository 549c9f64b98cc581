//! Whether the storage that is claimed in a centre fits into what the tenant holds there: of each StorageClass, and in all,
//! as the quota of the namespace bounds it.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use crds::{Assignment, DualActivePlacement, PlacedObject, Resources, TemplateKind, placement_reason as reason};

use super::needs::unchanged;
use super::{Obstacle, One, Templates, World, key, overridden};
use crate::placement::template::Template;

/// Bytes by StorageClass.
type Classes = BTreeMap<String, i128>;
/// Namespace and name of a placement.
type Name = (String, String);
/// A namespace there, and its centre.
type There = (String, String);

/// What the placements claim, with its sums beside it: nobody adds all of it up once for each of them.
#[derive(Debug, Default)]
pub(super) struct Claimed {
    books: BTreeMap<There, Book>,
    /// In which of them each placement has what.
    own: BTreeMap<Name, Vec<(There, PlacedObject)>>,
}

/// What is claimed in one namespace of one centre.
#[derive(Debug, Default)]
struct Book {
    /// By object what it claims, by each of the placements that need it.
    objects: BTreeMap<PlacedObject, BTreeMap<Name, Classes>>,
    /// Of all objects; one that several placements need counts once.
    sum: Classes,
}

impl Book {
    /// Takes the place of what that placement said of the object before.
    fn set(&mut self, object: &PlacedObject, placement: &Name, claims: Option<Classes>) {
        let claimants = self.objects.entry(object.clone()).or_default();
        count(&mut self.sum, claimants.values().next_back(), -1);
        match claims {
            Some(claims) => drop(claimants.insert(placement.clone(), claims)),
            None => drop(claimants.remove(placement)),
        }
        count(&mut self.sum, claimants.values().next_back(), 1);
        if claimants.is_empty() {
            self.objects.remove(object);
        }
    }
}

fn count(sum: &mut Classes, claims: Option<&Classes>, times: i128) {
    for (class, bytes) in claims.into_iter().flatten() {
        *sum.entry(class.clone()).or_default() += bytes * times;
    }
}

impl Claimed {
    /// Takes the place of what was said of the placement before.
    pub(super) fn set(
        &mut self,
        world: &World<'_>,
        placement: &DualActivePlacement,
        assignment: &Assignment,
        templates: &Templates<'_>,
    ) {
        let name = key(placement);
        for (book, object) in self.own.remove(&name).unwrap_or_default() {
            self.books.entry(book).or_default().set(&object, &name, None);
        }
        let namespace = world.catalogue.namespace(&name.0, &placement.spec.pool);
        for centre in &assignment.centres {
            let book = (namespace.clone(), centre.name.clone());
            for object in &assignment.objects {
                let there = overridden::facts(world, &name.0, &assignment.overrides, &centre.name, object);
                let there = there.and_then(Result::ok);
                let Some(facts) = there.as_ref().or_else(|| templates.get(object).copied()) else {
                    continue;
                };
                let claims = claims(object, facts, centre.copies_of(object), centre.jobs);
                if !claims.is_empty() {
                    self.books
                        .entry(book.clone())
                        .or_default()
                        .set(object, &name, Some(claims));
                    let own = self.own.entry(name.clone()).or_default();
                    own.push((book.clone(), object.clone()));
                }
            }
        }
    }

    /// What the others claim there besides these objects, which one placement is to have.
    fn taken(&self, there: &There, placement: &Name, mine: &BTreeMap<&PlacedObject, Classes>) -> Classes {
        let Some(book) = self.books.get(there) else {
            return Classes::new();
        };
        let mut sum = book.sum.clone();
        for claimants in mine.keys().filter_map(|object| book.objects.get(object)) {
            count(&mut sum, claimants.values().next_back(), -1);
        }
        // What it had and is to have no more counts only where another one needs it too.
        let had = self.own.get(placement).into_iter().flatten();
        for (_, object) in had.filter(|(book, object)| book == there && !mine.contains_key(object)) {
            let claimants = book.objects.get(object);
            count(&mut sum, claimants.and_then(|c| c.values().next_back()), -1);
            let others = claimants.and_then(|c| c.iter().rfind(|(name, _)| *name != placement));
            count(&mut sum, others.map(|(_, claims)| claims), 1);
        }
        sum
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
    all.for_each(|claims| count(&mut sum, Some(claims), 1));
    sum
}

impl One<'_> {
    /// Refuses claims for which the quota of the centre has no room. A StorageClass of no pool counts in the sum alone.
    /// `Some`: there is none, but they are no more than before.
    pub(super) fn has_storage(
        &self,
        centre: &str,
        objects: &BTreeSet<PlacedObject>,
        copies: &BTreeMap<PlacedObject, i64>,
    ) -> Result<Option<Obstacle>, Obstacle> {
        let jobs = self.jobs_in() == Some(centre);
        let mine = objects.iter().filter_map(|object| {
            let facts = self.storage_facts(centre, object)?;
            Some((object, claims(object, facts, copies.get(object).copied(), jobs)))
        });
        let mine: BTreeMap<&PlacedObject, Classes> = mine.collect();
        let asked = sum(mine.values());
        if asked.is_empty() {
            return Ok(None);
        }
        let placement = key(self.placement);
        let namespace = self.world.catalogue.namespace(&placement.0, &self.placement.spec.pool);
        let taken = self.claimed.taken(&(namespace, centre.to_owned()), &placement, &mine);
        let given = self.storage_in(centre);
        let before = LazyCell::new(|| self.old.map(|old| self.claimed_by(old, centre)).unwrap_or_default());
        let less = asked.values().sum::<i128>() <= self.needed(centre).storage;
        let of = |all: &Classes, class: &str| all.get(class).copied().unwrap_or_default();
        let mut told = None;
        for class in asked.keys().filter(|class| given.contains_key(*class)) {
            let what = (&*format!("StorageClass {class}"), &*format!("存储类 {class}"));
            let figures = [&asked, &given, &taken].map(|all| of(all, class));
            let no_more = || less && of(&asked, class) <= of(&before, class);
            told = told.or(self.room_for(centre, what, figures, no_more)?);
        }
        let figures = [&asked, &given, &taken].map(|all| all.values().sum());
        let all = self.room_for(centre, ("storage in all", "全部存储"), figures, || less)?;
        Ok(told.or(all))
    }

    fn storage_facts(&self, centre: &str, object: &PlacedObject) -> Option<&Template> {
        let there = self.facts_in(centre, object).and_then(|f| f.as_ref().ok());
        there.or_else(|| self.templates.get(object).copied())
    }

    /// What the part of a centre claims, by the templates as they are now.
    fn claimed_by(&self, assignment: &Assignment, centre: &str) -> Classes {
        let Some(part) = assignment.centre(centre) else {
            return Classes::new();
        };
        let all = assignment.objects.iter().filter_map(|object| {
            let facts = self.storage_facts(centre, object)?;
            Some(claims(object, facts, part.copies_of(object), part.jobs))
        });
        sum(all.collect::<Vec<_>>().iter())
    }

    /// Bytes of all of it.
    pub(super) fn storage_of(&self, assignment: &Assignment, centre: &str) -> i128 {
        self.claimed_by(assignment, centre).values().sum()
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

    fn room_for(
        &self,
        centre: &str,
        (what, what_zh): (&str, &str),
        [asked, given, taken]: [i128; 3],
        no_more: impl Fn() -> bool,
    ) -> Result<Option<Obstacle>, Obstacle> {
        let short = asked - (given - taken);
        if short <= 0 {
            return Ok(None);
        }
        let no_more = no_more();
        let (en, zh) = unchanged(no_more);
        let [asked, given, taken, short] = [asked, given, taken, short].map(|n| Resources::amount("storage", n).0);
        let (tenant, _) = key(self.placement);
        let namespace = self.world.catalogue.namespace(&tenant, &self.placement.spec.pool);
        let obstacle = Obstacle {
            reason: reason::GRANT_TOO_SMALL,
            message: format!(
                "{centre}: claims {asked} of {what}, granted there to namespace {namespace} {given}, other placements claim {taken}: short of {short}; {en}; ask for more storage or claim less | {centre}：申领{what_zh} {asked}，命名空间 {namespace} 已授予 {given}，其他部署占用 {taken}，尚缺 {short}；{zh}，请追加存储申请或减少申领"
            ),
        };
        if no_more { Ok(Some(obstacle)) } else { Err(obstacle) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::placement::template::object;

    fn classes(bytes: i128) -> Classes {
        [("hot".to_owned(), bytes), ("cold".to_owned(), 2 * bytes)].into()
    }

    fn volume(number: usize) -> PlacedObject {
        object(TemplateKind::PersistentVolumeClaim, format!("v{number}"))
    }

    proptest! {
        /// The sum that is kept is what one finds who adds up all that the others claim, each object once.
        #[test]
        fn what_is_taken_is_what_the_others_claim(
            said in vec((0usize..4, 0usize..5, prop::option::of(1i128..100)), 0..40),
            me in 0usize..4,
            mine in prop::collection::btree_set(0usize..5, 0..4),
        ) {
            let there = ("ns".to_owned(), "a".to_owned());
            let name = |number: usize| ("dept".to_owned(), format!("p{number}"));
            let (mut all, mut claimed) = (BTreeMap::new(), Claimed::default());
            for (placement, number, bytes) in said {
                let object = volume(number);
                claimed.books.entry(there.clone()).or_default().set(&object, &name(placement), bytes.map(classes));
                let own = claimed.own.entry(name(placement)).or_default();
                own.retain(|(_, o)| *o != object);
                match bytes {
                    Some(bytes) => {
                        own.push((there.clone(), object.clone()));
                        all.insert((object, placement), bytes);
                    }
                    None => drop(all.remove(&(object, placement))),
                }
            }
            let mine: BTreeSet<PlacedObject> = mine.into_iter().map(volume).collect();
            let mut others = BTreeMap::new();
            for ((object, placement), bytes) in &all {
                if *placement != me && !mine.contains(object) {
                    others.insert(object, *bytes);
                }
            }
            let mine = mine.iter().map(|o| (o, classes(1))).collect();
            let taken = claimed.taken(&there, &name(me), &mine);
            let expected: i128 = others.values().sum();
            prop_assert_eq!(taken.get("hot").copied().unwrap_or_default(), expected);
            prop_assert_eq!(taken.get("cold").copied().unwrap_or_default(), 2 * expected);
        }
    }
}
