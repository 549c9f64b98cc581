//! The way back: Observed → Notified → Due → (Appealed) → Shrunk → … → Released. One step a pass; unknown moves nothing.

use crds::{Appeal, PoolAmounts, Reclaim, ReclaimAction, ReclaimStage, ReclaimStep, Resources};
use jiff::Timestamp;

use super::judge::Verdict;
use super::policy::Policy;
use super::survey::Keep;
use crate::request::date_at;

/// What is seen of a grant.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Now.
    pub now: Timestamp,
    /// The policy that decides about it.
    pub policy: &'a Policy,
    /// Whether it is idle.
    pub verdict: &'a Verdict,
    /// What it could shrink to, where it is idle.
    pub to: &'a [PoolAmounts],
    /// What it holds.
    pub holds: &'a [PoolAmounts],
    /// When that changed last.
    pub changed: Option<Timestamp>,
    /// Whether it ended.
    pub ended: bool,
    /// Who keeps it, since it was told.
    pub keep: Option<&'a Keep>,
}

/// Where it is next; nothing where it is on no way back.
pub fn next(now: Option<&Reclaim>, seen: Seen<'_>) -> Option<Reclaim> {
    let Some(now) = now else {
        return observed(seen, ReclaimStep::Shrink);
    };
    let since = now.since.parse::<Timestamp>().unwrap_or(seen.now);
    let changed = seen.changed.is_some_and(|at| at > since);
    let busy = matches!(seen.verdict, Verdict::Busy(_) | Verdict::Exempt(_));
    match now.stage {
        ReclaimStage::Observed if seen.ended || changed || busy => None,
        ReclaimStage::Observed => Some(told(now, seen)),
        ReclaimStage::Notified | ReclaimStage::Due => warned(now, seen, changed, busy, since),
        ReclaimStage::Appealed => {
            let until = now.appeal.as_ref().and_then(|a| a.until.parse::<Timestamp>().ok());
            let over = until.is_none_or(|until| seen.now >= until);
            (!(seen.ended || changed || busy || over)).then(|| now.clone())
        }
        ReclaimStage::Shrunk if seen.ended || changed => None,
        ReclaimStage::Shrunk => {
            let step = match seen.policy.action {
                ReclaimAction::Release => ReclaimStep::Release,
                ReclaimAction::Propose | ReclaimAction::Shrink => ReclaimStep::Shrink,
            };
            observed(seen, step).or_else(|| Some(now.clone()))
        }
        ReclaimStage::Released => Some(now.clone()),
    }
}

/// Whether a policy with that action does what a notice says.
pub(super) fn acts(action: ReclaimAction, step: ReclaimStep) -> bool {
    match action {
        ReclaimAction::Propose => false,
        ReclaimAction::Shrink => step == ReclaimStep::Shrink,
        ReclaimAction::Release => true,
    }
}

/// Whether it shrank before and is to be given back whole next. What was on that way stays on it while the policy only
/// proposes.
pub(super) fn gives_back(action: ReclaimAction, now: &Reclaim) -> bool {
    match now.stage {
        ReclaimStage::Shrunk => action == ReclaimAction::Release,
        _ => now.step == ReclaimStep::Release && action != ReclaimAction::Shrink,
    }
}

fn observed(seen: Seen<'_>, step: ReclaimStep) -> Option<Reclaim> {
    let idle = matches!(seen.verdict, Verdict::Idle(_)) && !seen.ended;
    idle.then(|| Reclaim {
        stage: ReclaimStage::Observed,
        since: seen.now.to_string(),
        step,
        to: seen.to.to_vec(),
        ..Reclaim::default()
    })
}

/// From the proposal to the notice, where the policy is to act at all.
fn told(now: &Reclaim, seen: Seen<'_>) -> Reclaim {
    let idle = matches!(seen.verdict, Verdict::Idle(_));
    if !idle || seen.policy.action == ReclaimAction::Propose {
        let to = if idle { seen.to.to_vec() } else { now.to.clone() };
        return Reclaim { to, ..now.clone() };
    }
    let wait = seen.policy.notify + seen.policy.grace;
    let due = seen.now.checked_add(wait).unwrap_or(Timestamp::MAX);
    Reclaim {
        stage: ReclaimStage::Notified,
        since: seen.now.to_string(),
        step: if acts(seen.policy.action, now.step) {
            now.step
        } else {
            ReclaimStep::Shrink
        },
        day: Some(date_at(due).to_string()),
        due: Some(due.to_string()),
        to: seen.to.to_vec(),
        appeal: None,
    }
}

/// From the notice to what it says, or back to the proposal where the policy does that no more. Of the days of grace
/// `since` stays the time of the notice.
fn warned(now: &Reclaim, seen: Seen<'_>, changed: bool, busy: bool, since: Timestamp) -> Option<Reclaim> {
    let enter = |stage| {
        Some(Reclaim {
            stage,
            since: seen.now.to_string(),
            step: now.step,
            to: now.to.clone(),
            ..Reclaim::default()
        })
    };
    if now.stage == ReclaimStage::Due {
        match now.step {
            ReclaimStep::Shrink if !seen.ended && seen.holds == now.to => return enter(ReclaimStage::Shrunk),
            ReclaimStep::Release if seen.ended => return enter(ReclaimStage::Released),
            ReclaimStep::Shrink | ReclaimStep::Release => {}
        }
    }
    if seen.ended || changed || busy {
        return None;
    }
    if !acts(seen.policy.action, now.step) {
        return enter(ReclaimStage::Observed);
    }
    if let Some(keep) = seen.keep {
        return Some(appealed(now, seen, keep));
    }
    let mut next = now.clone();
    if matches!(seen.verdict, Verdict::Idle(_)) {
        next.to = raised(&now.to, seen.to);
        if seen.now >= since.checked_add(seen.policy.notify).unwrap_or(Timestamp::MAX) {
            next.stage = ReclaimStage::Due;
        }
    }
    Some(next)
}

fn appealed(now: &Reclaim, seen: Seen<'_>, keep: &Keep) -> Reclaim {
    let until = seen.now.checked_add(seen.policy.span).unwrap_or(Timestamp::MAX);
    Reclaim {
        stage: ReclaimStage::Appealed,
        since: seen.now.to_string(),
        step: now.step,
        to: now.to.clone(),
        appeal: Some(Appeal {
            uid: keep.uid.clone(),
            request: keep.name.clone(),
            by: keep.by.clone(),
            reason: keep.reason.clone(),
            until: until.to_string(),
        }),
        ..Reclaim::default()
    }
}

/// What was announced, or more where more is needed by now.
fn raised(announced: &[PoolAmounts], needed: &[PoolAmounts]) -> Vec<PoolAmounts> {
    let of = |pool: &PoolAmounts| {
        let other = needed.iter().find(|n| n.pool == pool.pool);
        let read = |p: &PoolAmounts| Resources::try_from(&p.amounts).ok();
        let most = read(pool).zip(other.and_then(read)).map(|(a, b)| a.each_max(b));
        PoolAmounts {
            pool: pool.pool.clone(),
            amounts: most.map_or_else(|| pool.amounts.clone(), Resources::to_amounts),
        }
    };
    announced.iter().map(of).collect()
}
