//! How many copies each centre should have, whether they fit, and which step comes next.

use super::{
    Bounds, CentreAssignment, Granted, Held, Obstacle, One, Part, PlacedObject, PlacementMode, Resources, Side, Split,
    Standby, Targets, WorkloadCopies, fit, key, reason, split, step,
};
use crate::placement::overrides;
use std::collections::{BTreeMap, BTreeSet};

impl One<'_> {
    pub(super) fn granted(&self) -> Granted {
        let scope = (key(self.placement).0, self.placement.spec.pool.clone());
        self.world.grants.get(&scope).cloned().unwrap_or_default()
    }

    pub(super) fn each(&self, object: &PlacedObject) -> Resources {
        let card = self
            .world
            .catalogue
            .get(&self.placement.spec.pool)
            .and_then(|p| p.card.as_deref());
        self.templates
            .get(object)
            .map(|t| t.each.in_pool(card))
            .unwrap_or_default()
    }

    /// Copies by centre. A centre that is not among them holds nothing.
    pub(super) fn targets(&self, objects: &BTreeSet<PlacedObject>, others: &Held) -> Result<Targets, Obstacle> {
        let spec = &self.placement.spec;
        let active = self.active.centre.as_deref();
        let runs = |name: &str| match spec.mode {
            PlacementMode::ActiveActive => true,
            PlacementMode::ActiveStandby => spec.standby != Standby::None || active == Some(name) || self.stays(name),
            PlacementMode::Exclusive => active == Some(name) || self.stays(name),
        };
        let centres = spec.centres.iter().filter(|c| runs(&c.name));
        let mut targets: Targets = centres.map(|c| (c.name.clone(), BTreeMap::new())).collect();
        for object in objects.iter().filter(|o| self.world.kinds.divides(&o.kind)) {
            let Some(template) = self.templates.get(object) else {
                // Only unseen, not gone: it stays as it was.
                self.as_it_was(object, &mut targets);
                continue;
            };
            let shares = match spec.mode {
                PlacementMode::ActiveActive => {
                    let shares = self.divided(object, template.copies, others)?;
                    self.without_the_lost(object, template.copies, shares)
                }
                _ => self.one_sided(object, template.copies)?,
            };
            for (centre, copies) in shares {
                if let Some(slot) = targets.get_mut(&centre) {
                    slot.insert(object.clone(), copies);
                }
            }
        }
        Ok(targets)
    }

    fn as_it_was(&self, object: &PlacedObject, targets: &mut Targets) {
        for (centre, slot) in targets {
            if let Some(copies) = self.now(centre, object) {
                slot.insert(object.clone(), copies);
            }
        }
    }

    /// Copies that are assigned now.
    pub(super) fn now(&self, centre: &str, object: &PlacedObject) -> Option<i64> {
        self.old?.centre(centre)?.copies_of(object)
    }

    fn divided(&self, object: &PlacedObject, copies: i64, others: &Held) -> Result<Vec<(String, i64)>, Obstacle> {
        let (spec, granted) = (&self.placement.spec, self.granted());
        let free = |centre: &str| {
            let room = granted.centres.get(centre).map(|r| r.in_force).unwrap_or_default();
            let taken = others.get(centre).copied().unwrap_or_default();
            fit::how_many(self.each_in(centre, object), room.minus(taken)).unwrap_or(1)
        };
        let fixed = |centre: &str| overrides::copies(&spec.overrides, centre, object);
        let mut parts: Vec<Part> = spec
            .centres
            .iter()
            .map(|c| Part {
                name: c.name.clone(),
                weight: match spec.split {
                    Split::Weight => i128::from(c.weight),
                    Split::Free => free(&c.name),
                },
                min: fixed(&c.name).unwrap_or_else(|| i64::from(c.min)),
                max: fixed(&c.name).or_else(|| c.max.map(i64::from)),
            })
            .collect();
        if parts.iter().all(|p| p.weight == 0) {
            // No room anywhere: what does not fit is told with its numbers.
            for part in &mut parts {
                part.weight = 1;
            }
        }
        let shares = split::divide(copies, &parts).map_err(|bounds| bounds_conflict(object, copies, bounds))?;
        Ok(parts.into_iter().map(|p| p.name).zip(shares).collect())
    }

    fn one_sided(&self, object: &PlacedObject, copies: i64) -> Result<Vec<(String, i64)>, Obstacle> {
        let (spec, granted) = (&self.placement.spec, self.granted());
        let mut shares = Vec::new();
        for centre in &spec.centres {
            let most = centre.max.map_or(i64::MAX, i64::from);
            let share = if self.active.centre.as_ref() == Some(&centre.name) {
                if most < copies {
                    return Err(bounds_conflict(object, copies, Bounds::TooFew(most)));
                }
                copies
            } else {
                match spec.standby {
                    Standby::Hot => fit::survival(copies, &granted, &centre.name).min(most),
                    Standby::Warm => i64::from(centre.min.clamp(0, 1)).min(copies),
                    Standby::None => 0,
                }
            };
            shares.push((centre.name.clone(), share));
        }
        Ok(shares)
    }

    /// The centre that runs what ends by itself.
    pub(super) fn jobs_in(&self) -> Option<&str> {
        let spec = &self.placement.spec;
        let heaviest = spec
            .centres
            .iter()
            .max_by_key(|c| (c.weight, std::cmp::Reverse(&c.name)));
        let active = self.active.centre.as_deref();
        active.or(heaviest.map(|c| c.name.as_str()))
    }

    /// The next assignment of each centre, and whether something waits to be lowered.
    pub(super) fn step(&self, targets: &Targets) -> (Vec<CentreAssignment>, bool) {
        let mut rebalancing = false;
        let before = self.old.into_iter().flat_map(|a| &a.centres).map(|c| c.name.clone());
        let names: BTreeSet<String> = targets.keys().cloned().chain(before).collect();
        let workloads: BTreeSet<&PlacedObject> = targets.values().flat_map(BTreeMap::keys).collect();
        let mut next: BTreeMap<&String, BTreeMap<&PlacedObject, i64>> = BTreeMap::new();
        for object in workloads {
            let side = |centre: &String| Side {
                now: self.now(centre, object).unwrap_or_default(),
                target: targets
                    .get(centre)
                    .and_then(|t| t.get(object))
                    .copied()
                    .unwrap_or_default(),
                ready: self.ready(centre, object),
            };
            let sides: BTreeMap<String, Side> = names.iter().map(|c| (c.clone(), side(c))).collect();
            let mut copies = if self.by_the_arbiter() {
                // Who runs it is not left to what is ready.
                sides.iter().map(|(c, s)| (c.clone(), s.target)).collect()
            } else {
                step::next(&sides)
            };
            for (centre, side) in sides.iter().filter(|(c, _)| self.is_asked(c)) {
                let slot = copies.entry(centre.clone()).or_default();
                *slot = side.now.max(*slot);
            }
            for centre in &names {
                let now = copies.get(centre).copied().unwrap_or_default();
                rebalancing |= sides.get(centre).is_some_and(|s| s.target != now);
                if now > 0 || targets.contains_key(centre) {
                    next.entry(centre).or_default().insert(object, now);
                }
            }
        }
        let present = names
            .iter()
            .filter(|c| targets.contains_key(*c) || next.contains_key(c));
        let centres = present.map(|centre| CentreAssignment {
            name: centre.clone(),
            copies: next
                .get(centre)
                .into_iter()
                .flatten()
                .map(|(o, copies)| WorkloadCopies {
                    kind: o.kind.clone(),
                    name: o.name.clone(),
                    copies: *copies,
                })
                .collect(),
            jobs: self.jobs_in() == Some(centre.as_str()),
        });
        (centres.collect(), rebalancing)
    }

    /// Ready copies under the present assignment; nothing is known of a centre that is silent or behind.
    fn ready(&self, centre: &str, object: &PlacedObject) -> Option<i64> {
        if self.now(centre, object).is_none() {
            return Some(0);
        }
        let reports = self.world.centres.get(centre).is_some_and(|c| c.reports);
        let fresh = reports && !self.world.failover.is_lost(centre);
        let row = self.rows.iter().find(|r| r.name == centre && fresh)?;
        if self.old.is_some_and(|a| a.number != row.number) {
            return None;
        }
        let workload = row.workload(object)?;
        Some(workload.ready)
    }
}

fn bounds_conflict(object: &PlacedObject, copies: i64, bounds: Bounds) -> Obstacle {
    let message = match bounds {
        Bounds::TooMany(least) => format!(
            "{object} has {copies} copies and the centres want at least {least}; raise replicas or lower min | {object} 副本 {copies}，各中心 min 合计 {least}，请增加副本或降低 min"
        ),
        Bounds::TooFew(most) => format!(
            "{object} has {copies} copies and the centres take at most {most}; lower replicas or raise max | {object} 副本 {copies}，各中心 max 合计 {most}，请减少副本或提高 max"
        ),
    };
    Obstacle {
        reason: reason::BOUNDS_CONFLICT,
        message,
    }
}
