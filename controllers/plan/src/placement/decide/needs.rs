//! What the part of one centre needs, and whether there is room for it.

use std::collections::{BTreeMap, BTreeSet};

use crds::{DualActivePlacement, PlacedObject, PlacementMode, Resources, TemplateKind, placement_reason as reason};

use super::{Held, Obstacle, One, Targets, World};
use crate::placement::fit;
use crate::placement::template::Template;

/// Whether pods of that kind count although their number is not divided.
pub(super) fn is_undivided(kind: &TemplateKind) -> bool {
    kind.is_job() || *kind == TemplateKind::DaemonSet
}

/// Pods of such an object in a centre: of a job, where `jobs` run, those of one run; of a DaemonSet one for each of its nodes.
/// `None`: nobody knows how many.
pub(super) fn pods(
    world: &World<'_>,
    placement: &DualActivePlacement,
    (centre, jobs): (&str, bool),
    object: &PlacedObject,
    template: Option<&Template>,
) -> Option<i64> {
    let exclusive = placement.spec.mode == PlacementMode::Exclusive;
    if object.kind != TemplateKind::DaemonSet {
        return Some(template.filter(|_| jobs).map_or(0, |t| t.copies));
    }
    if exclusive && !jobs {
        return Some(0);
    }
    // Once the centre's own controller has taken it up, that knows its selectors and tolerations; where it may not run yet it
    // matches no node.
    let row = placement.row(centre).and_then(|r| r.workload(object));
    let row = row.filter(|w| !w.revision.is_empty() && (w.wanted > 0 || !exclusive));
    let nodes = || world.centres.get(centre)?.nodes.get(&placement.spec.pool).copied();
    row.map(|w| w.wanted).or_else(nodes)
}

/// What becomes of what has no room, where it is no more than before and where it is.
pub(super) const fn unchanged(no_more: bool) -> (&'static str, &'static str) {
    if no_more {
        ("what runs stays and may become less", "已有的保留，只可减少")
    } else {
        ("nothing was changed", "未作变更")
    }
}

/// That nobody knows how many pods of it a centre has, in both languages.
pub(super) fn unknown_pods(object: &PlacedObject, centre: &str, pool: &str) -> (String, String) {
    (
        format!(
            "{object}: how many pods it gets in {centre} is not known, {centre} has not reported its nodes of pool {pool}"
        ),
        format!("{object}：{centre} 未上报资源池 {pool} 的节点数，容器组数未知"),
    )
}

impl One<'_> {
    fn pods_in(&self, centre: &str, object: &PlacedObject) -> Option<i64> {
        let jobs = self.jobs_in() == Some(centre);
        let template = self.templates.get(object).copied();
        pods(self.world, self.placement, (centre, jobs), object, template)
    }

    fn take<'a>(&self, centre: &str, objects: impl Iterator<Item = &'a PlacedObject>) -> Resources {
        let each = objects.map(|o| fit::times(self.each_in(centre, o), self.pods_in(centre, o).unwrap_or_default()));
        each.fold(Resources::ZERO, Resources::plus)
    }

    /// What it was found to need in a centre when that was decided last.
    pub(super) fn needed(&self, centre: &str) -> Resources {
        let found = self.old.and_then(|a| a.needs.get(centre));
        let found = found.and_then(|amounts| Resources::try_from(amounts).ok());
        found.unwrap_or_default()
    }

    /// The targets, if each centre has room for them, and what is to be told nevertheless. What needs no more than before is
    /// allowed, whatever is granted or lent meanwhile: it comes nearer.
    pub(super) fn fits(
        &self,
        objects: &BTreeSet<PlacedObject>,
        targets: Targets,
        others: &Held,
    ) -> Result<(Targets, Option<Obstacle>), Obstacle> {
        let granted = self.granted();
        let (mut beyond, mut unknown) = (None, None);
        for (centre, copies) in targets.iter().filter(|(c, _)| !self.world.failover.is_lost(c)) {
            let given = granted.centres.get(centre).map(|r| r.in_force).unwrap_or_default();
            let taken = others.get(centre).copied().unwrap_or_default();
            let asked = self.asked_in(centre, objects, copies);
            let told = self.within_grant(centre, asked, (given, taken))?;
            self.within_lend(centre, asked)?;
            beyond = beyond.or(told).or(self.has_storage(centre, objects, copies)?);
            unknown = unknown.or_else(|| self.not_counted(centre, objects));
        }
        Ok((targets, beyond.or(unknown)))
    }

    fn asked_in(
        &self,
        centre: &str,
        objects: &BTreeSet<PlacedObject>,
        copies: &BTreeMap<PlacedObject, i64>,
    ) -> Resources {
        let workloads = copies
            .iter()
            .map(|(o, copies)| fit::times(self.each_in(centre, o), *copies));
        let others = self.take(centre, objects.iter().filter(|o| is_undivided(&o.kind)));
        workloads.fold(others, Resources::plus)
    }

    /// `Some`: more than is granted, but no more than before.
    fn within_grant(
        &self,
        centre: &str,
        asked: Resources,
        (given, taken): (Resources, Resources),
    ) -> Result<Option<Obstacle>, Obstacle> {
        let room = given.minus(taken);
        if asked.fits(room) {
            return Ok(None);
        }
        let short = asked
            .minus(room)
            .zip(asked, |short, asked| if asked > 0 { short.max(0) } else { 0 });
        let no_more = asked.fits(self.needed(centre));
        let (en, zh) = unchanged(no_more);
        let pool = &self.placement.spec.pool;
        let obstacle = Obstacle {
            reason: reason::GRANT_TOO_SMALL,
            message: format!(
                "{centre}: needs {asked} of pool {pool}, granted there {given}, other placements hold {taken}: short of {short}; {en}; ask for more or lower replicas | {centre}：需 {asked}，已授予 {given}，其他部署占用 {taken}，尚缺 {short}；{zh}，请追加申请或减少副本"
            ),
        };
        if no_more { Ok(Some(obstacle)) } else { Err(obstacle) }
    }

    /// A DaemonSet that is left out of the sums of a centre, because nobody knows how many pods it gets there.
    fn not_counted(&self, centre: &str, objects: &BTreeSet<PlacedObject>) -> Option<Obstacle> {
        let mut undivided = objects.iter().filter(|o| is_undivided(&o.kind));
        let object = undivided.find(|o| self.pods_in(centre, o).is_none())?;
        let (en, zh) = unknown_pods(object, centre, &self.placement.spec.pool);
        Some(Obstacle {
            reason: reason::NODES_UNKNOWN,
            message: format!(
                "{en}; it is placed and not counted against the grant until then; look at the agent of {centre} | {zh}；照常部署，上报前不计入配额核对，请检查 {centre} 的代理"
            ),
        })
    }
}
