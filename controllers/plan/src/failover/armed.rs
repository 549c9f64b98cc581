//! Whether the loss of its centre would be answered, and the first thing that is missing.

use crds::{CentreRole, DualActivePlacement, FailoverMode, PlacementMode, WitnessState, placement_reason as reason};
use jiff::Timestamp;

use super::active::active;
use super::facts::{Arbiter, Known, key};
use super::guard::guarded;

/// Observers that a verdict needs.
const OBSERVERS: usize = 2;

/// Reason and message of the condition `FailoverArmed`; it is true with [`reason::ARMED`] alone. `missing` says what
/// a centre lacks to hold everything alone.
pub fn armed(
    placement: &DualActivePlacement,
    known: &Known,
    missing: Option<&str>,
    now: Timestamp,
) -> (&'static str, String) {
    let runs = active(placement, known).centre;
    if !has_target(placement, known, runs.as_deref()) {
        return (
            reason::NO_TARGET,
            "no other centre of the placement could take it; name a second one in spec.centres | 无其他可用中心，请在 spec.centres 中增加".to_owned(),
        );
    }
    if known.arbiter == Arbiter::Absent {
        return (
            reason::NO_ARBITER,
            "no arbiter is configured, so nobody could say that a centre is lost; start the operator with --arbiter-config | 未配置仲裁，无法判定中心失联，请以 --arbiter-config 启动控制器".to_owned(),
        );
    }
    if known.arbiter == Arbiter::Silent {
        return (
            reason::NO_ARBITER,
            "the arbiter cannot be read, so nothing is decided; look at its endpoints | 无法读取仲裁，不作决策，请检查其地址".to_owned(),
        );
    }
    if let Some(message) = unwitnessed(placement, known, runs.as_deref()) {
        return (reason::WITNESS_LOST, message);
    }
    if let Some(message) = unfenced(placement, runs.as_deref()) {
        return (reason::FENCE_UNAVAILABLE, message);
    }
    if let Some(message) = missing {
        return (reason::RESERVE_MISSING, message.to_owned());
    }
    let policy = placement.spec.failover.clone().unwrap_or_default();
    let by_itself = placement.spec.mode == PlacementMode::ActiveActive;
    if policy.mode == FailoverMode::Manual && !by_itself {
        return (
            reason::MANUAL_ONLY,
            "failover.mode is Manual: a move waits for one approval | failover.mode 为 Manual，切换须经人工批准"
                .to_owned(),
        );
    }
    let moves = known.moves(key(placement));
    if let Some(moving) = known.moving(key(placement)) {
        let name = moving.metadata.name.as_deref().unwrap_or_default();
        return (
            reason::MOVING,
            format!("fo/{name} is under way, the next move comes after it | fo/{name} 进行中，其后方可再次切换"),
        );
    }
    if let Some(why) = guarded(moves, now).filter(|_| !by_itself) {
        return (reason::MOVING, why);
    }
    (
        reason::ARMED,
        format!(
            "a loss would be answered within {} | 失联将自动切换，声明 RTO {}",
            policy.rto, policy.rto
        ),
    )
}

/// Whether another centre, that is not lost, could run it.
fn has_target(placement: &DualActivePlacement, known: &Known, runs: Option<&str>) -> bool {
    let there = placement.spec.centres.iter().filter(|c| !known.is_lost(&c.name));
    let others = there.filter(|c| runs != Some(c.name.as_str())).count();
    match placement.spec.mode {
        PlacementMode::ActiveActive => others >= 2,
        PlacementMode::ActiveStandby | PlacementMode::Exclusive => others >= 1,
    }
}

/// Whose verdict would be missing.
fn unwitnessed(placement: &DualActivePlacement, known: &Known, runs: Option<&str>) -> Option<String> {
    // An observer needs no API server of its own.
    let hears = |state: Option<WitnessState>| {
        let observes = [WitnessState::Granted, WitnessState::Returned, WitnessState::Degraded];
        state.is_some_and(|state| observes.contains(&state))
    };
    let witnesses = known.places().filter(|(_, c)| c.role == CentreRole::DisasterRecovery);
    let silent = witnesses.map(|(name, _)| name).find(|name| !hears(known.state(name)));
    if let Some(name) = silent {
        return Some(format!(
            "the witness {name} is not heard, so nobody could outvote a cut; bring it back | 见证中心 {name} 失联，无法判定，请恢复"
        ));
    }
    let mine = placement.spec.centres.iter().map(|c| c.name.as_str());
    let concerned = mine.filter(|c| runs.is_none_or(|runs| runs == *c));
    for centre in concerned {
        let observers = known
            .places()
            .filter(|(name, _)| *name != centre && hears(known.state(name)));
        let observers = observers.count();
        if observers < OBSERVERS {
            return Some(format!(
                "{observers} of {OBSERVERS} observers of {centre} are heard; bring the others back | {centre} 的观察方仅 {observers}/{OBSERVERS} 可达，请恢复"
            ));
        }
    }
    None
}

/// What could not be proven of an exclusive placement.
fn unfenced(placement: &DualActivePlacement, runs: Option<&str>) -> Option<String> {
    if placement.spec.mode != PlacementMode::Exclusive {
        return None;
    }
    let runs = runs?;
    match placement.row(runs).and_then(|r| r.fence) {
        Some(fence) if fence.nodes > 0 && fence.ready >= fence.nodes => None,
        Some(fence) => Some(format!(
            "{} of {} nodes in {runs} have a gate that is ready; without it a loss waits for two people; look at xiangyun-gate there | {runs} 的闸门就绪 {}/{} 个节点，否则失联后须双人确认，请检查 xiangyun-gate",
            fence.ready, fence.nodes, fence.ready, fence.nodes
        )),
        None => Some(format!(
            "{runs} reports no gate; without it a loss waits for two people; start xiangyun-gate there | {runs} 未上报闸门，失联后须双人确认，请部署 xiangyun-gate"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::Stage;
    use super::super::testing::*;
    use super::*;
    use crds::{Failover, FailoverType, FenceRow, PlacementRow};

    fn why(
        placement: &DualActivePlacement,
        arbiter: Arbiter,
        lost: [WitnessState; 3],
        moves: &[Failover],
    ) -> &'static str {
        let [a, b, c] = lost;
        armed(placement, &known(arbiter, centres(a, b, c), moves), None, at(0)).0
    }

    const ALL: [WitnessState; 3] = [GRANTED, GRANTED, GRANTED];

    fn standby(rest: &str) -> DualActivePlacement {
        placement(&format!(r#""mode": "ActiveStandby", "active": "a" {rest}"#))
    }

    #[test]
    fn the_first_missing_piece_is_named() {
        let one = standby("");
        assert_eq!(why(&one, Arbiter::Absent, ALL, &[]), "NoArbiter");
        assert_eq!(why(&one, Arbiter::Silent, ALL, &[]), "NoArbiter");
        assert_eq!(why(&one, seen(None), ALL, &[]), "Armed");
        assert_eq!(why(&one, seen(None), [GRANTED, GRANTED, LOST], &[]), "WitnessLost");
        assert_eq!(why(&one, seen(None), [GRANTED, LOST, GRANTED], &[]), "NoTarget");
        let down = [GRANTED, WitnessState::AgentDown, GRANTED];
        assert_eq!(why(&one, seen(None), down, &[]), "WitnessLost");
        let mut single = standby("");
        single.spec.centres.truncate(1);
        assert_eq!(why(&single, seen(None), ALL, &[]), "NoTarget");
        let manual = standby(r#", "failover": {"mode": "Manual"}"#);
        assert_eq!(why(&manual, seen(None), ALL, &[]), "ManualOnly");
        let moving = failover("m", FailoverType::Planned, "a", "b");
        assert_eq!(why(&one, seen(None), ALL, &[moving]), "Moving");
    }

    #[test]
    fn what_all_run_needs_no_people() {
        let one = placement(r#""mode": "ActiveActive", "failover": {"mode": "Manual"}"#);
        assert_eq!(why(&one, seen(None), ALL, &[]), "Armed");
        let all = known(seen(None), centres(GRANTED, GRANTED, GRANTED), &[]);
        assert_eq!(
            armed(&one, &all, Some("short"), at(0)),
            ("ReserveMissing", "short".into())
        );
    }

    #[test]
    fn an_exclusive_one_needs_a_gate_on_every_node() {
        let mut one = placement(r#""mode": "Exclusive", "active": "a""#);
        let arbiter = || seen(Some(right(1, Some("a"), Stage::Held)));
        assert_eq!(why(&one, arbiter(), ALL, &[]), "FenceUnavailable");
        let mut row = PlacementRow {
            name: "a".into(),
            ..PlacementRow::default()
        };
        for (fence, armed) in [
            ((3, 2), "FenceUnavailable"),
            ((0, 0), "FenceUnavailable"),
            ((3, 3), "Armed"),
        ] {
            row.fence = Some(FenceRow {
                nodes: fence.0,
                ready: fence.1,
            });
            one.status.get_or_insert_default().centres = vec![row.clone()];
            assert_eq!(why(&one, arbiter(), ALL, &[]), armed);
        }
    }
}
