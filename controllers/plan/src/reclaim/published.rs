//! What is told of all idle grants together: the policies' statuses and the figures of the board.

use std::collections::BTreeMap;

use crds::{
    ReclaimPolicy, ReclaimPolicyStatus, ReclaimStage, Resources, condition, find_condition, reclaim_reason as reason,
    set_condition,
};
use jiff::{SignedDuration, Timestamp};

use super::policy::PolicyError;
use crate::cycle::Snapshot;
use crate::request::Request;

/// Idle grants of a pool, and what they could give back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Grants that are idle.
    pub idle: usize,
    /// What they hold beyond what they could shrink to, counted once and not once a centre.
    pub reclaimable: Resources,
}

/// By pool. Empty pools are not shown, so that the board says zero only where a policy looks.
pub fn figures(snapshot: &Snapshot) -> BTreeMap<String, Figures> {
    let mut all: BTreeMap<String, Figures> = BTreeMap::new();
    let covered = snapshot
        .requests
        .iter()
        .filter(|r| r.is_live() && snapshot.survey.policy(r).is_some());
    for request in covered {
        let idle = request
            .reclaim()
            .filter(|r| !matches!(r.stage, ReclaimStage::Shrunk | ReclaimStage::Released));
        for (pool, grant) in &request.holds {
            let figures = all.entry(pool.to_string()).or_default();
            let to = idle.and_then(|r| r.to.iter().find(|p| p.pool == **pool));
            let Some(to) = to.and_then(|p| Resources::try_from(&p.amounts).ok()) else {
                continue;
            };
            let less = grant.n.minus(to).each_max(Resources::ZERO);
            if !less.is_zero() {
                figures.idle += 1;
                figures.reclaimable = figures.reclaimable.plus(less);
            }
        }
    }
    all
}

/// Grants of each stage.
pub fn stages(snapshot: &Snapshot) -> BTreeMap<ReclaimStage, usize> {
    let mut all = BTreeMap::new();
    for request in &snapshot.requests {
        if let Some(reclaim) = request.reclaim().filter(|_| request.is_live()) {
            *all.entry(reclaim.stage).or_default() += 1;
        }
    }
    all
}

/// How long until a notice, a grace or an appeal is over; nothing where none runs.
pub fn next_due(snapshot: &Snapshot) -> Option<SignedDuration> {
    let moments = snapshot
        .requests
        .iter()
        .filter(|r| r.is_live())
        .flat_map(|request| moments(snapshot, request));
    let later = moments.filter(|at| *at > snapshot.now);
    later.min().map(|at| at.duration_since(snapshot.now))
}

fn moments(snapshot: &Snapshot, request: &Request) -> Vec<Timestamp> {
    let Some(reclaim) = request.reclaim() else {
        return Vec::new();
    };
    let read = |text: Option<&str>| text.and_then(|t| t.parse::<Timestamp>().ok());
    let until = read(reclaim.appeal.as_ref().map(|a| a.until.as_str()));
    let notify = snapshot.survey.policy(request).map(|p| p.notify);
    let due = read(reclaim.due.as_deref());
    let grace = due
        .and(read(Some(&reclaim.since)))
        .zip(notify)
        .and_then(|(at, notify)| at.checked_add(notify).ok());
    until.into_iter().chain(due).chain(grace).collect()
}

/// The status of a policy: how many grants it decides about.
pub fn policy_status(
    policy: &ReclaimPolicy,
    read: Result<(), PolicyError>,
    snapshot: &Snapshot,
) -> ReclaimPolicyStatus {
    let mut status = policy.status.clone().unwrap_or_default();
    let name = policy.metadata.name.as_deref().unwrap_or_default();
    (status.covers, status.idle, status.unknown) = (0, 0, 0);
    for request in snapshot.requests.iter().filter(|r| r.is_live()) {
        if snapshot.survey.policy(request).is_none_or(|p| p.name != name) {
            continue;
        }
        status.covers += 1;
        match find_condition(request.conditions(), condition::IDLE).map(|c| c.status.as_str()) {
            Some("True") => status.idle += 1,
            Some("False") => {}
            _ => status.unknown += 1,
        }
    }
    let (ready, why, words) = match read {
        Err(error) => (false, reason::MISCONFIGURED, error.to_string()),
        Ok(()) if status.covers == 0 => (
            true,
            reason::COVERS_NOTHING,
            "it decides about no grant now; see its pools and tenants, and policies that go before it | 目前无适用配额，请检查 pools、tenants 及优先的策略".to_owned(),
        ),
        Ok(()) => (true, reason::IN_FORCE, "in force | 已生效".to_owned()),
    };
    status.observed_generation = policy.metadata.generation;
    set_condition(
        &mut status.conditions,
        condition::READY,
        Some(ready),
        why,
        words,
        policy.metadata.generation,
        snapshot.now,
    );
    status
}
