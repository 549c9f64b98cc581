//! Whether what is placed may run there at all: its processors and its data.

use std::collections::BTreeSet;

use crds::{Ownership, PlacedObject, placement_reason as reason};

use super::{Decision, Obstacle, One};

/// Data of systems of this MLPS level and above does not leave the government's own centres.
const OWN_CENTRES_ONLY: i32 = 3;

impl One<'_> {
    /// Refuses what would not start on the pool's nodes, and data in a centre where it may not be.
    pub(super) fn suits(&self, objects: &BTreeSet<PlacedObject>) -> Result<(), Obstacle> {
        self.data_allowed()?;
        let pool = &self.placement.spec.pool;
        let Some(nodes) = self.world.catalogue.get(pool).and_then(|p| p.architecture) else {
            return Ok(());
        };
        for object in objects {
            for centre in &self.placement.spec.centres {
                let there = self.facts_in(&centre.name, object).and_then(|f| f.as_ref().ok());
                let Some(facts) = there.or_else(|| self.templates.get(object).copied()) else {
                    continue;
                };
                let Some((allowed, by)) = facts.architectures.as_ref().filter(|(all, _)| !all.contains(nodes)) else {
                    continue;
                };
                let all = allowed.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                let all = if all.is_empty() { "-" } else { &all };
                let message = format!(
                    "{object} runs on {all} only ({by}), pool {pool} has {nodes}; nothing was changed; use a pool of that architecture or another image | {object} 仅支持 {all}（{by}），资源池 {pool} 为 {nodes}；未作变更，请改用对应架构的资源池或镜像"
                );
                return Err(Obstacle {
                    reason: reason::ARCHITECTURE_MISMATCH,
                    message,
                });
            }
        }
        Ok(())
    }

    /// Notes what the status tells of the objects that are placed.
    pub(super) fn describe(&self, decision: &mut Decision) {
        let objects = decision.assignment.iter().flat_map(|a| &a.objects);
        for object in objects {
            let Some(template) = self.templates.get(object) else {
                continue;
            };
            if template.serves {
                decision.services.insert(object.name.clone());
            }
            if template.each.extended.values().any(|amount| *amount > 0) {
                decision.devices.insert(object.clone());
            }
        }
    }

    fn data_allowed(&self) -> Result<(), Obstacle> {
        let level = self.granted().level;
        if level < OWN_CENTRES_ONLY {
            return Ok(());
        }
        let social = |name: &str| {
            self.world
                .centres
                .get(name)
                .is_some_and(|c| c.ownership == Ownership::Social)
        };
        match self.placement.spec.centres.iter().find(|c| social(&c.name)) {
            None => Ok(()),
            Some(centre) => Err(Obstacle {
                reason: reason::DATA_NOT_ALLOWED,
                message: format!(
                    "{0} belongs to a company, and the grants in {1} are for systems of level {level}; from level {OWN_CENTRES_ONLY} on only the government's own centres may hold them; take {0} out | {0} 为社会化算力，{1} 的配额用于等保 {level} 级系统，三级及以上仅限政府自有中心，请移除 {0}",
                    centre.name, self.placement.spec.pool
                ),
            }),
        }
    }
}
