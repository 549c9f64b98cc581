//! What the status of a request says of its use and of its way back.

use crds::{
    PoolAmounts, Reclaim, ReclaimStage, ResourceRequestStatus, Resources, Utilization, condition, find_condition,
    reclaim_reason as reason, set_condition,
};
use jiff::Timestamp;

use super::judge::{Judgement, Verdict, amounts, judge};
use super::stage::{Seen, next};
use super::survey::changed;
use super::words::{Words, say};
use crate::cycle::Snapshot;
use crate::request::Request;

/// `used` moves in steps of so many per cent, so that a pod more or less is no write.
const STEP: i128 = 5;

/// Sets `used`, `utilization`, `reclaim` and the condition Idle of a request that has a grant of its own.
pub fn status(status: &mut ResourceRequestStatus, request: &Request, snapshot: &Snapshot) {
    status.used = requested(request, snapshot, status.used.as_deref());
    let judgement = if request.is_live() {
        judge(snapshot, request)
    } else {
        None
    };
    status.utilization = judgement
        .as_ref()
        .and_then(|j| utilization(j, status.utilization.as_ref(), snapshot.now));
    let before = status.reclaim.take();
    let holds = amounts(&request.holds);
    status.reclaim = way(before.as_ref(), judgement.as_ref(), request, &holds, snapshot);
    let known = find_condition(&status.conditions, condition::IDLE).is_some();
    if judgement.is_none() && status.reclaim.is_none() && !known {
        return;
    }
    let Words { idle, why, text } = say(judgement.as_ref(), status.reclaim.as_ref(), request, &holds);
    set_condition(
        &mut status.conditions,
        condition::IDLE,
        idle,
        why,
        text,
        request.object().metadata.generation,
        snapshot.now,
    );
}

fn way(
    before: Option<&Reclaim>,
    judgement: Option<&Judgement<'_>>,
    request: &Request,
    holds: &[PoolAmounts],
    snapshot: &Snapshot,
) -> Option<Reclaim> {
    let told = before.and_then(|r| r.since.parse().ok());
    let keep = told.and_then(|told| snapshot.survey.keep_of(request, told));
    let ended = request.ended() || request.deleting();
    let nothing = Verdict::Unknown(reason::NO_POLICY, None);
    // What ended is judged by nobody any more; the policy only says how it goes on, and it does not.
    let policy = judgement
        .map(|j| j.policy)
        .or_else(|| snapshot.survey.policy(request))
        .or_else(|| {
            let done = |r: &&Reclaim| ended || matches!(r.stage, ReclaimStage::Shrunk | ReclaimStage::Released);
            before.filter(done).and_then(|_| snapshot.survey.policies.first())
        });
    let Some(policy) = policy else {
        // Without any policy nothing goes on; what was done stays told.
        return before
            .filter(|r| matches!(r.stage, ReclaimStage::Shrunk | ReclaimStage::Released))
            .cloned();
    };
    let verdict = judgement.map_or(&nothing, |j| &j.verdict);
    let to = match verdict {
        Verdict::Idle(to) => amounts(to),
        Verdict::Busy(_) | Verdict::Exempt(_) | Verdict::Unknown(..) => Vec::new(),
    };
    next(
        before,
        Seen {
            now: snapshot.now,
            policy,
            verdict,
            to: &to,
            holds,
            changed: changed(request),
            ended,
            keep,
        },
    )
}

/// The figures; their time moves when one of them does.
fn utilization(judgement: &Judgement<'_>, before: Option<&Utilization>, now: Timestamp) -> Option<Utilization> {
    let (cpu, memory) = judgement.busiest.as_ref()?;
    let new = Utilization {
        cpu_p95: format!("{}%", cpu.percent),
        memory_p95: format!("{}%", memory.percent),
        window: judgement.policy.window.clone(),
        at: before.map_or_else(String::new, |b| b.at.clone()),
    };
    let at = if before == Some(&new) {
        new.at.clone()
    } else {
        now.to_string()
    };
    Some(Utilization { at, ..new })
}

/// vCPU that pods request of those granted, attributed in proportion. A centre that never said anything is left out.
fn requested(request: &Request, snapshot: &Snapshot, before: Option<&str>) -> Option<String> {
    if !request.is_live() {
        return None;
    }
    let (mut used, mut shares) = (0, 0);
    for (pool, grant) in &request.holds {
        for (centre, part) in &grant.centres {
            let row = request.rows().iter().find(|r| r.name == **centre);
            let found = row.and_then(|r| r.used.iter().find(|u| u.pool == **pool));
            let Some(found) = found.and_then(|u| Resources::try_from(&u.amounts).ok()) else {
                continue;
            };
            let held = snapshot
                .survey
                .held(request, pool)
                .and_then(|h| h.shares.get(&**centre));
            used += found.cpu;
            shares += held.copied().unwrap_or(part.share).cpu;
        }
    }
    if shares <= 0 {
        return None;
    }
    let percent = used * 100 / shares;
    let old = before
        .and_then(|b| b.strip_suffix('%'))
        .and_then(|b| b.parse::<i128>().ok());
    let shown = old
        .filter(|old| (percent - old).abs() < STEP)
        .unwrap_or(percent / STEP * STEP);
    Some(format!("{shown}%"))
}

/// What a request of type Keep did: it stopped the clock (`Some(true)`), or there is nothing to keep (`Some(false)`);
/// nothing while that is not decided yet.
pub fn kept(keep: &Request, target: Option<&Request>) -> Option<bool> {
    let Some(reclaim) = target.and_then(Request::reclaim) else {
        return Some(false);
    };
    if reclaim.appeal.as_ref().is_some_and(|a| a.uid == keep.uid()) {
        return Some(true);
    }
    let told = matches!(reclaim.stage, ReclaimStage::Notified | ReclaimStage::Due);
    let times = (keep.created(), reclaim.since.parse::<Timestamp>());
    let after = matches!(times, (Some(created), Ok(since)) if created.as_second() >= since.as_second());
    (!(told && after)).then_some(false)
}
