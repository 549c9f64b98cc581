//! Versions on their way through the centres, workload by workload.

use std::collections::BTreeSet;

use crds::{CentreAssignment, PlacedObject, PlacementRow, WorkloadRollout};

use super::{Decision, One};
use crate::placement::rollout::{self, Look, Phase};

impl One<'_> {
    /// The rollouts of the next decision; nothing where the placement has no order.
    pub(super) fn roll(
        &self,
        objects: &BTreeSet<PlacedObject>,
        centres: &[CentreAssignment],
        decision: &mut Decision,
    ) -> Vec<WorkloadRollout> {
        let Some(wanted) = &self.placement.spec.rollout else {
            return Vec::new();
        };
        let role = |name: &str| self.world.centres.get(name).map(|c| c.role);
        let mut order: Vec<&str> = centres.iter().map(|c| c.name.as_str()).collect();
        order.sort_by_key(|name| (rollout::rank(wanted.order, role(name)), *name));
        let heard = |r: &&PlacementRow| self.world.centres.get(&r.name).is_some_and(|c| c.reports);
        let rows: Vec<&PlacementRow> = self.rows.iter().filter(heard).collect();
        let mut rollouts = Vec::new();
        for object in objects.iter().filter(|o| o.kind.rolls()) {
            let old = self.old.and_then(|a| a.rollout(object));
            let Some(template) = self.templates.get(object) else {
                // Only unseen: it stays as it was.
                rollouts.extend(old.cloned());
                continue;
            };
            let (next, phase) = rollout::next(&Look {
                rollout: wanted,
                object,
                newest: &template.revision,
                centres: &order,
                old,
                rows: &rows,
                now: self.world.now,
            });
            if old.is_none_or(|old| old.newest != next.newest) {
                decision.store.insert(object.clone());
            }
            note(&mut decision.rolling, object, phase);
            rollouts.push(next);
        }
        rollouts
    }
}

/// Keeps what is most worth telling.
fn note(told: &mut Option<(PlacedObject, Phase)>, object: &PlacedObject, phase: Phase) {
    let weight = |phase: &Phase| match phase {
        Phase::Done => 0,
        Phase::Paused => 1,
        Phase::Going(..) => 2,
        Phase::Blind(_) => 3,
        Phase::Returned => 4,
        Phase::Stopped(..) => 5,
    };
    let before = told.as_ref().map_or(0, |(_, phase)| weight(phase));
    if weight(&phase) > before {
        *told = Some((object.clone(), phase));
    }
}
