//! Whether what is placed may run there at all: its processors, its devices, its nodes and its data.

use std::collections::BTreeSet;

use crds::{Ownership, PlacedObject, label, placement_reason as reason};

use super::{Decision, Obstacle, One, key};
use crate::centre::catalogue::PoolFacts;
use crate::placement::template::Template;

/// Data of systems of this MLPS level and above does not leave the government's own centres.
const OWN_CENTRES_ONLY: i32 = 3;

impl One<'_> {
    /// Refuses what would not start on the pool's nodes, and data in a centre where it may not be.
    pub(super) fn suits(&self, objects: &BTreeSet<PlacedObject>) -> Result<(), Obstacle> {
        self.data_allowed()?;
        let name = self.placement.spec.pool.as_str();
        let Some(pool) = self.world.catalogue.get(name) else {
            return Ok(());
        };
        for object in objects {
            for centre in &self.placement.spec.centres {
                let there = self.facts_in(&centre.name, object).and_then(|f| f.as_ref().ok());
                let Some(facts) = there.or_else(|| self.templates.get(object).copied()) else {
                    continue;
                };
                processors(object, facts, (name, pool))?;
                devices(object, facts, (name, pool))?;
                nodes(object, facts, name)?;
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
        let (tenant, _) = key(self.placement);
        let own = self.world.tenants.get(&tenant).copied().unwrap_or_default();
        let grants = self.world.grants.iter().filter(|((of, _), _)| *of == tenant);
        let level = grants.map(|(_, granted)| granted.level).fold(own, i32::max);
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
                    "{0} belongs to a company, and {tenant} has systems of level {level}; from level {OWN_CENTRES_ONLY} on only the government's own centres may hold them; take {0} out | {0} 为社会化算力，{tenant} 有等保 {level} 级系统，三级及以上仅限政府自有中心，请移除 {0}",
                    centre.name
                ),
            }),
        }
    }
}

/// Name and facts of a pool.
type Named<'a> = (&'a str, &'a PoolFacts);

fn processors(object: &PlacedObject, facts: &Template, (pool, has): Named<'_>) -> Result<(), Obstacle> {
    let Some(nodes) = has.architecture else {
        return Ok(());
    };
    let Some((allowed, by)) = facts.architectures.as_ref().filter(|(all, _)| !all.contains(nodes)) else {
        return Ok(());
    };
    let all = allowed.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let all = if all.is_empty() { "-" } else { &all };
    let message = format!(
        "{object} runs on {all} only ({by}), pool {pool} has {nodes}; nothing was changed; use a pool of that architecture or another image | {object} 仅支持 {all}（{by}），资源池 {pool} 为 {nodes}；未作变更，请改用对应架构的资源池或镜像"
    );
    Err(Obstacle {
        reason: reason::ARCHITECTURE_MISMATCH,
        message,
    })
}

/// Devices that no node of the pool has: the pod would wait for ever.
fn devices(object: &PlacedObject, facts: &Template, (pool, has): Named<'_>) -> Result<(), Obstacle> {
    let mut foreign = facts.each.extended.iter();
    let foreign = foreign.find(|(name, amount)| **amount > 0 && has.card.as_ref() != Some(*name));
    let Some((device, amount)) = foreign else {
        return Ok(());
    };
    let (card, zh) = has.card.as_ref().map_or_else(
        || ("no cards".to_owned(), "无加速卡".to_owned()),
        |card| (format!("{card} only"), format!("仅有 {card}")),
    );
    Err(mismatch(format!(
        "{object} asks for {amount} {device} in each pod, pool {pool} has {card}; nothing was changed; use a pool with that device, or leave it out | {object} 每个容器组需 {amount} 个 {device}，资源池 {pool} {zh}；未作变更，请改用有该设备的资源池或去除"
    )))
}

/// What the admission policy of the pool's namespaces refuses for certain.
fn nodes(object: &PlacedObject, facts: &Template, pool: &str) -> Result<(), Obstacle> {
    if let Some(other) = facts.pool.as_ref().filter(|other| *other != pool) {
        let label = label::POOL;
        return Err(mismatch(format!(
            "{object} selects nodes of pool {other} ({label}), its placement runs on pool {pool}; nothing was changed; leave the selector out | {object} 的节点选择为资源池 {other}，部署所用为 {pool}；未作变更，请去除该选择"
        )));
    }
    let Some(node) = &facts.node else { return Ok(()) };
    Err(mismatch(format!(
        "{object} names the node {node} (spec.nodeName), which goes around pool {pool}; nothing was changed; leave it out | {object} 指定了节点 {node}（spec.nodeName），绕过资源池 {pool}；未作变更，请省略"
    )))
}

const fn mismatch(message: String) -> Obstacle {
    Obstacle {
        reason: reason::POOL_MISMATCH,
        message,
    }
}
