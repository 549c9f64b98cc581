//! Whether what would run in a member cloud stays within what it lends: over all tenants, since the owner lends once.

use std::collections::BTreeMap;

use crds::{DualActivePlacement, Resources, placement_reason as reason};

use super::{Held, Holdings, Obstacle, One, World};

/// What one member cloud lends of the placement's pool, and what is taken of it.
#[derive(Clone, Copy, Debug)]
struct Lend {
    most: Resources,
    /// By all other placements, of any tenant.
    others: Resources,
}

/// By member cloud; a centre of the province is not among them.
#[derive(Clone, Debug, Default)]
pub(super) struct Lends(BTreeMap<String, Lend>);

impl Lends {
    /// `counted`: what counts among the others already.
    pub(super) fn of(world: &World<'_>, held: &Holdings, placement: &DualActivePlacement, counted: &Held) -> Self {
        let pool = &placement.spec.pool;
        let lend = |(name, centre): (&String, &super::Centre)| {
            let lends = centre.lends.as_ref()?;
            let lend = Lend {
                most: lends.get(pool).copied().unwrap_or_default(),
                others: held
                    .others_of_pool(placement, name)
                    .minus(counted.get(name).copied().unwrap_or_default()),
            };
            Some((name.clone(), lend))
        };
        Self(world.centres.iter().filter_map(lend).collect())
    }
}

impl One<'_> {
    /// Refuses what is more than the member cloud lends. What needs no more than before may stay when it lends less.
    pub(super) fn within_lend(&self, centre: &str, asked: Resources) -> Result<(), Obstacle> {
        let Some(Lend { most, others }) = self.lends.0.get(centre).copied() else {
            return Ok(());
        };
        let left = most.minus(others);
        if asked.fits(left) || asked.fits(self.needed(centre)) {
            return Ok(());
        }
        let pool = &self.placement.spec.pool;
        Err(Obstacle {
            reason: reason::LEND_EXCEEDED,
            message: format!(
                "{centre}: needs {asked}, the member lends {most} of pool {pool}, other placements hold {others} of it; nothing was changed; lower replicas, or ask {centre} to raise spec.member.lend | {centre}：需 {asked}，成员云出借 {most}（资源池 {pool}），其他部署占用 {others}；未作变更，请减少副本或商请提高出借额度"
            ),
        })
    }
}
