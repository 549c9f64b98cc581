//! When the side that a move left lets go of its copies: not while users may still be led to them.

use crds::{FailoverPhase, FailoverStep, PlacementMode};
use jiff::{SignedDuration, Timestamp};

use super::{One, key};

impl One<'_> {
    /// Whether users may still come to a centre that a move left: until the move is verified, and then for as long as
    /// resolvers may remember where the name led. Whoever is lost cannot be come to.
    pub(super) fn is_asked(&self, centre: &str) -> bool {
        let standby = self.placement.spec.mode == PlacementMode::ActiveStandby;
        let Some(traffic) = self.placement.spec.traffic.as_ref().filter(|_| standby) else {
            return false;
        };
        let (namespace, name) = key(self.placement);
        let moves = self.world.failover.moves((&namespace, &name)).iter();
        let mut followed = moves.filter(|f| f.metadata.uid.is_some() && f.metadata.uid == self.active.follows);
        let Some(left) = followed.find(|f| f.spec.from == centre) else {
            return false;
        };
        let returned = self.active.centre.as_deref() == Some(centre);
        if returned || self.world.failover.is_lost(centre) || left.phase() == FailoverPhase::Aborted {
            return false;
        }
        if !left.phase().is_over() {
            return true;
        }
        let verified = left
            .reached(FailoverStep::Verified)
            .and_then(|at| at.parse::<Timestamp>().ok());
        let remembered = SignedDuration::from_secs(i64::from(traffic.ttl_seconds));
        verified.is_some_and(|at| self.world.now.duration_since(at) < remembered)
    }
}
