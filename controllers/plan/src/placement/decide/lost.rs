//! What a lost centre changes: the others carry everything, and nothing is taken from the one that is lost, because
//! whoever cannot hear it does not know whether it runs.

use super::{One, Part, PlacedObject, PlacementMode, fit, split};
use crate::failover::facts::Arbiter;
use crate::placement::overrides;

impl One<'_> {
    /// Whether the arbiter says who runs it.
    pub(super) fn by_the_arbiter(&self) -> bool {
        self.placement.spec.mode == PlacementMode::Exclusive && self.world.failover.arbiter != Arbiter::Absent
    }

    /// Whether a centre keeps the objects although it does not run them: where an exclusive placement ran, an object that
    /// carries a higher epoch refuses late writes; where a placement belongs, it waits for it to come back.
    pub(super) fn stays(&self, centre: &str) -> bool {
        let held = self.old.is_some_and(|a| a.centre(centre).is_some());
        let home = self.placement.spec.active.as_deref() == Some(centre) && self.active.follows.is_some();
        held && (self.by_the_arbiter() || (self.placement.spec.mode == PlacementMode::ActiveStandby && home))
    }

    /// The centre that is lost, where it is one of this placement's and the only one of all.
    fn lost(&self) -> Option<&str> {
        let lost = self.world.failover.lost_alone()?;
        let mut centres = self.placement.spec.centres.iter();
        centres.any(|c| c.name == lost).then_some(lost)
    }

    /// The shares while a centre is lost: its own stays as it is, and the others carry as much of everything as they
    /// keep for that.
    pub(super) fn without_the_lost(
        &self,
        object: &PlacedObject,
        copies: i64,
        shares: Vec<(String, i64)>,
    ) -> Vec<(String, i64)> {
        let Some(lost) = self.lost() else { return shares };
        let (spec, granted) = (&self.placement.spec, self.granted());
        let part = |(name, share): &(String, i64)| {
            let centre = spec.centres.iter().find(|c| c.name == *name);
            let fixed = overrides::copies(&spec.overrides, name, object);
            let most = fixed.or_else(|| centre?.max.map(i64::from)).unwrap_or(i64::MAX);
            Part {
                name: name.clone(),
                weight: centre.map_or(0, |c| i128::from(c.weight)),
                min: *share,
                max: Some(
                    fit::carries(copies, self.each_in(name, object), &granted, name)
                        .min(most)
                        .max(*share),
                ),
            }
        };
        let parts: Vec<Part> = shares.iter().filter(|(name, _)| name != lost).map(part).collect();
        let raised = split::divide(copies, &parts).unwrap_or_else(|_| {
            // They cannot carry everything: each carries what it can.
            parts.iter().map(|p| p.max.unwrap_or(p.min)).collect()
        });
        let stays = self.now(lost, object).unwrap_or_default();
        let others = parts.into_iter().map(|p| p.name).zip(raised);
        others.chain([(lost.to_owned(), stays)]).collect()
    }
}
