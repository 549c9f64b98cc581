//! Where a placement with one active centre could not go, for want of room: told before a move takes it from where it runs.

use std::collections::BTreeSet;

use crds::{PlacedObject, PlacementMode, ShortCentre, placement_reason as reason};

use super::{Decision, Held, Obstacle, One, World};
use crate::failover::active::Active;

/// Obstacles that are a want of room.
const ROOM: [&str; 2] = [reason::GRANT_TOO_SMALL, reason::LEND_EXCEEDED];

impl<'a> One<'a> {
    /// Centres that could not run all of what is decided beside what the others hold there. `alone` is the same world with
    /// what the grants keep for a loss in force.
    pub(super) fn short(mut self, alone: &'a World<'a>, decision: &Decision, others: &Held) -> Vec<ShortCentre> {
        let one_sided = self.placement.spec.mode != PlacementMode::ActiveActive;
        let (Some(assignment), true) = (&decision.assignment, one_sided) else {
            return Vec::new();
        };
        let objects: BTreeSet<PlacedObject> = assignment.objects.iter().cloned().collect();
        let (world, runs) = (self.world, self.active.centre.take());
        let mut all = Vec::new();
        for centre in self.placement.spec.centres.iter().map(|c| &c.name) {
            if runs.as_ref() == Some(centre) {
                continue;
            }
            self.active = Active {
                centre: Some(centre.clone()),
                ..Active::default()
            };
            self.world = world;
            let Some(now) = self.lacks_room(&objects, others) else {
                continue;
            };
            self.world = alone;
            let kept = self.lacks_room(&objects, others);
            all.push(ShortCentre {
                name: centre.clone(),
                alone: kept.is_some(),
                message: kept.unwrap_or(now).message,
            });
        }
        all
    }

    fn lacks_room(&self, objects: &BTreeSet<PlacedObject>, others: &Held) -> Option<Obstacle> {
        let fits = self
            .targets(objects, others)
            .and_then(|t| self.fits(objects, t, others));
        fits.err().filter(|obstacle| ROOM.contains(&obstacle.reason))
    }
}
