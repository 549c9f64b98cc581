//! What a centre says of itself besides its witness: what it runs, what it has left, and whether a loss is behind it.

use std::sync::Arc;

use crds::{DualActivePlacement, PlacementMode, QuotaPool, Resources, condition, placement_reason};
use jiff::{SignedDuration, Timestamp};

use super::active::active;
use super::facts::{Known, key};

/// A centre that is back stays so for a while at least, so that everybody has looked at what came back with it.
const AT_LEAST: SignedDuration = SignedDuration::from_secs(5);
/// What a placement says while copies are on their way back, or before anybody looked at that.
const ON_THE_WAY: [&str; 4] = [
    placement_reason::REBALANCING,
    placement_reason::APPLYING,
    placement_reason::STARTING,
    placement_reason::CENTRE_UNKNOWN,
];

/// Whether everything that a loss moved is back: no move of it is under way, what all run is divided as before, and what
/// belongs there runs there.
pub fn settled(centre: &str, known: &Known, placements: &[Arc<DualActivePlacement>], now: Timestamp) -> bool {
    let since = known.witness(centre).and_then(|w| w.since.parse::<Timestamp>().ok());
    if since.is_none_or(|since| now.duration_since(since) < AT_LEAST) {
        return false;
    }
    let concerns = |f: &crds::Failover| f.spec.from == centre || f.spec.to == centre;
    if known.all_moves().any(|f| !f.phase().is_over() && concerns(f)) {
        return false;
    }
    placements.iter().all(|placement| match placement.spec.mode {
        PlacementMode::ActiveActive => {
            let there = placement.assignment().is_some_and(|a| a.centre(centre).is_some());
            let said = placement.condition(condition::READY);
            !there || said.is_none_or(|c| !ON_THE_WAY.contains(&c.reason.as_str()))
        }
        PlacementMode::ActiveStandby | PlacementMode::Exclusive => {
            let home = placement.spec.active.as_deref() == Some(centre);
            !home || active(placement, known).centre.as_deref() == Some(centre)
        }
    })
}

/// Placements that it runs.
pub fn serving(centre: &str, known: &Known, placements: &[Arc<DualActivePlacement>]) -> i64 {
    let runs = |placement: &&Arc<DualActivePlacement>| {
        let part = placement.assignment().and_then(|a| a.centre(centre));
        let copies = part.is_some_and(|c| c.jobs || c.copies.iter().any(|w| w.copies > 0));
        match (placement.spec.mode, known.right(key(placement))) {
            (PlacementMode::Exclusive, Some(right)) => copies && right.holder.as_deref() == Some(centre),
            (PlacementMode::ActiveActive | PlacementMode::ActiveStandby | PlacementMode::Exclusive, _) => copies,
        }
    };
    i64::try_from(placements.iter().filter(runs).count()).unwrap_or(i64::MAX)
}

/// What it has left of what it can commit, of processors or memory, whichever is scarcer; `None` where it has neither.
pub fn headroom(centre: &str, pools: &[Arc<QuotaPool>]) -> Option<String> {
    let (mut free, mut all) = (Resources::ZERO, Resources::ZERO);
    for pool in pools {
        let centres = pool.status.as_ref().map(|s| s.centres.as_slice()).unwrap_or_default();
        for row in centres.iter().filter(|c| c.name == centre) {
            // What cannot be read is not known, and not shown.
            free = free.plus(Resources::try_from(&row.figures.free).ok()?);
            all = all.plus(Resources::try_from(&row.figures.committable).ok()?);
        }
    }
    let parts = [(free.cpu, all.cpu), (free.memory, all.memory)];
    let percent = parts.into_iter().filter(|(_, all)| *all > 0);
    let least = percent.map(|(free, all)| free.max(0) * 100 / all).min()?;
    Some(format!("{least}%"))
}

#[cfg(test)]
mod tests {
    use super::super::facts::Stage;
    use super::super::testing::*;
    use super::*;
    use crds::{Failover, FailoverType, QuotaPoolStatus};

    #[test]
    fn a_loss_is_behind_when_everything_is_back() {
        let back = |moves: &[Failover]| known(seen(None), centres(RETURNED, GRANTED, GRANTED), moves);
        let mut all = placement(r#""mode": "ActiveActive""#);
        all.status = serde_json::from_str(
            r#"{"assignment": {"number": 1, "epoch": 1, "centres": [{"name": "a"}]}, "conditions": [{"type": "Ready",
                "status": "False", "reason": "Rebalancing", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}"#,
        )
        .unwrap();
        let rebalancing = [Arc::new(all.clone())];
        assert!(!settled("a", &back(&[]), &rebalancing, at(30)));
        all.status.as_mut().unwrap().conditions[0].reason = "Running".into();
        let running = [Arc::new(all)];
        assert!(settled("a", &back(&[]), &running, at(30)));
        assert!(!settled("a", &back(&[]), &running, at(20)), "too soon");
        let moving = failover("m", FailoverType::Unplanned, "a", "b");
        assert!(!settled("a", &back(&[moving]), &running, at(30)));
        let exclusive = [Arc::new(placement(r#""mode": "Exclusive", "active": "a""#))];
        let held = |by| {
            let right = right(2, Some(by), Stage::Held);
            known(seen(Some(right)), centres(RETURNED, GRANTED, GRANTED), &[])
        };
        assert!(!settled("a", &held("b"), &exclusive, at(30)));
        assert!(settled("a", &held("a"), &exclusive, at(30)));
    }

    #[test]
    fn the_scarcest_resource_is_what_is_left() {
        let mut pool = crate::centre::testing::pools().remove(0);
        let status: QuotaPoolStatus = serde_json::from_str(
            r#"{"centres": [{"name": "a", "committable": {"cpu": "100", "memory": "100Gi"},
                "free": {"cpu": "30", "memory": "9Gi"}}]}"#,
        )
        .unwrap();
        pool.status = Some(status);
        let pools = [Arc::new(pool)];
        assert_eq!(headroom("a", &pools).as_deref(), Some("9%"));
        assert_eq!(headroom("b", &pools), None);
    }
}
