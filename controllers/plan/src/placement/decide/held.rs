//! What placements let run, with its sums beside it: nobody adds all of it up once for each of them.

use std::collections::BTreeMap;

use crds::{Assignment, CentreAssignment, DualActivePlacement, PlacedObject, Resources};

use super::{Templates, World, key, needs, overridden};
use crate::placement::fit;

/// By centre: what an assignment lets run.
pub type Held = BTreeMap<String, Resources>;

/// What an assignment of that placement lets run in each centre, by its templates.
pub fn holds(
    world: &World<'_>,
    placement: &DualActivePlacement,
    assignment: &Assignment,
    templates: &Templates<'_>,
) -> Held {
    let card = world
        .catalogue
        .get(&placement.spec.pool)
        .and_then(|p| p.card.as_deref());
    let namespace = key(placement).0;
    let centre = |centre: &CentreAssignment| {
        let each = |object: &PlacedObject| {
            let there = overridden::facts(world, &namespace, &assignment.overrides, &centre.name, object);
            let there = there.and_then(Result::ok).map(|t| t.each.in_pool(card));
            there
                .or_else(|| templates.get(object).map(|t| t.each.in_pool(card)))
                .unwrap_or_default()
        };
        let copies = centre.copies.iter().map(|w| {
            let object = PlacedObject {
                kind: w.kind.clone(),
                name: w.name.clone(),
            };
            fit::times(each(&object), w.copies)
        });
        let place = (centre.name.as_str(), centre.jobs);
        let pods =
            |o: &PlacedObject| needs::pods(world, placement, place, o, templates.get(o).copied()).unwrap_or_default();
        let others = assignment.objects.iter().filter(|o| needs::is_undivided(&o.kind));
        let others = others.map(|o| fit::times(each(o), pods(o)));
        copies.chain(others).fold(Resources::ZERO, Resources::plus)
    };
    assignment.centres.iter().map(|c| (c.name.clone(), centre(c))).collect()
}

/// What each placement lets run.
#[derive(Debug, Default)]
pub struct Holdings {
    each: BTreeMap<(String, String), Held>,
    /// By namespace and pool: whoever shares grants.
    of_grants: BTreeMap<(String, String), Held>,
    /// By pool, over all namespaces.
    of_pool: BTreeMap<String, Held>,
}

impl Holdings {
    /// Takes the place of what was said of the placement before.
    pub fn set(&mut self, placement: &DualActivePlacement, held: Held) {
        let (namespace, name) = key(placement);
        let pool = placement.spec.pool.clone();
        let of_grants = self.of_grants.entry((namespace.clone(), pool.clone())).or_default();
        let of_pool = self.of_pool.entry(pool).or_default();
        let before = self.each.entry((namespace, name)).or_default();
        for sums in [of_grants, of_pool] {
            for (centre, amount) in before.iter() {
                let slot = sums.entry(centre.clone()).or_default();
                *slot = slot.minus(*amount);
            }
            for (centre, amount) in &held {
                let slot = sums.entry(centre.clone()).or_default();
                *slot = slot.plus(*amount);
            }
        }
        *before = held;
    }

    /// What the other placements of the same grants hold.
    pub fn others(&self, placement: &DualActivePlacement) -> Held {
        let (namespace, _) = key(placement);
        let all = self.of_grants.get(&(namespace, placement.spec.pool.clone()));
        let other = |(centre, sum): (&String, &Resources)| (centre.clone(), sum.minus(self.own(placement, centre)));
        all.into_iter().flatten().map(other).collect()
    }

    /// What the placement holds in a centre.
    pub fn own(&self, placement: &DualActivePlacement, centre: &str) -> Resources {
        let own = self.each.get(&key(placement)).and_then(|h| h.get(centre));
        own.copied().unwrap_or_default()
    }

    /// What the other placements of the pool hold in a centre, of whatever tenant.
    pub fn others_of_pool(&self, placement: &DualActivePlacement, centre: &str) -> Resources {
        let all = self.of_pool.get(&placement.spec.pool).and_then(|h| h.get(centre));
        all.copied().unwrap_or_default().minus(self.own(placement, centre))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placement(namespace: &str, name: &str) -> DualActivePlacement {
        let text = r#"{"displayName": "p", "pool": "x86", "mode": "ActiveActive", "select": {"matchLabels": {"a": "b"}},
            "centres": [{"name": "a"}]}"#;
        let mut one = DualActivePlacement::new(name, serde_json::from_str(text).unwrap());
        one.metadata.namespace = Some(namespace.to_owned());
        one
    }

    fn cpu(cpu: i128) -> Held {
        let amount = Resources { cpu, ..Resources::ZERO };
        [("a".to_owned(), amount)].into()
    }

    #[test]
    fn what_was_said_last_counts_once() {
        let [one, two, stranger] = [("dept", "one"), ("dept", "two"), ("city", "one")].map(|(ns, n)| placement(ns, n));
        let mut all = Holdings::default();
        for (placement, amount) in [(&one, 3), (&two, 5), (&stranger, 7), (&one, 4)] {
            all.set(placement, cpu(amount));
        }
        assert_eq!((all.others(&one), all.others(&two)), (cpu(5), cpu(4)));
        assert_eq!(all.others(&stranger), cpu(0));
        assert_eq!(all.own(&one, "a").cpu, 4);
        assert_eq!(
            (
                all.others_of_pool(&one, "a").cpu,
                all.others_of_pool(&stranger, "a").cpu
            ),
            (12, 9)
        );
        assert_eq!(all.others_of_pool(&one, "b"), Resources::ZERO);
        // One of which nothing was said yet has all the others beside it.
        assert_eq!(all.others(&placement("dept", "new")), cpu(9));
    }
}
