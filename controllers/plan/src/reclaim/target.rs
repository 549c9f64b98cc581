//! What an idle grant shrinks to: by the rule that its parts follow, and a lowering everywhere.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crds::{ReclaimStage, ReclaimStep, Resources};
use jiff::Timestamp;

use super::judge::{MEASURED, Use, Verdict, amounts, judge};
use super::policy::Policy;
use super::stage::acts;
use crate::by_name::Name;
use crate::cycle::Snapshot;
use crate::quota::{Grant, MEMORY_STEP, PoolGrant};
use crate::request::Request;

/// What is given back comes in whole vCPU and GiB.
const WHOLE: Resources = Resources {
    cpu: 1000,
    memory: 1 << 30,
    storage: 1,
    accelerators: 1,
};

/// The finest step of each measured resource in the part of a centre: milli-vCPU, bytes.
const FINEST: [(&str, i128); 2] = [("cpu", 1), ("memory", MEMORY_STEP)];

/// What is to be done about a grant now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A record lowers it to that.
    Shrink(Grant),
    /// It ends.
    End,
}

/// What is to be done about a grant whose day has come, if it is idle still, the policy still acts and nobody keeps it.
pub(crate) fn act(snapshot: &Snapshot, request: &Request) -> Option<Act> {
    let reclaim = request.reclaim()?;
    if reclaim.stage != ReclaimStage::Due || !request.is_live() {
        return None;
    }
    let due: Timestamp = reclaim.due.as_deref()?.parse().ok()?;
    let told: Timestamp = reclaim.since.parse().ok()?;
    if snapshot.now < due || snapshot.survey.keep_of(request, told).is_some() {
        return None;
    }
    let judgement = judge(snapshot, request)?;
    if !acts(judgement.policy.action, reclaim.step) {
        return None;
    }
    let Verdict::Idle(to) = judgement.verdict else {
        return None;
    };
    match reclaim.step {
        ReclaimStep::Release => Some(Act::End),
        // Exactly what was announced; where more is needed by now, the notice is raised first.
        ReclaimStep::Shrink => {
            let announced: BTreeMap<&str, Resources> = reclaim
                .to
                .iter()
                .filter_map(|p| Some((p.pool.as_str(), Resources::try_from(&p.amounts).ok()?)))
                .collect();
            let fits = to
                .iter()
                .all(|(pool, g)| announced.get(&**pool).is_some_and(|n| g.n.fits(*n)));
            let to = announced_grant(request, &announced).filter(|_| fits)?;
            (amounts(&to) == reclaim.to && to != request.holds).then_some(Act::Shrink(to))
        }
    }
}

fn announced_grant(request: &Request, announced: &BTreeMap<&str, Resources>) -> Option<Grant> {
    let split = |(pool, held): (&Name, &PoolGrant)| {
        let n = announced.get(&**pool).copied()?.each_min(held.n);
        Some((Name::clone(pool), lowered(held, n)))
    };
    request.holds.iter().map(split).collect()
}

/// What it could shrink to; nothing where that is all that it holds.
pub(super) fn target(snapshot: &Snapshot, policy: &Policy, request: &Request, uses: &[(&Name, Use)]) -> Option<Grant> {
    let mut to = request.holds.clone();
    for (pool, found) in uses {
        let held = request.holds.get(pool)?;
        let floors = floors(snapshot, request, pool, held);
        let mut n = held.n;
        for resource in MEASURED {
            n[resource] = wanted(policy, *found, resource, held.n[resource])
                .max(floors[resource])
                .min(held.n[resource]);
        }
        if n == held.n {
            continue;
        }
        to.insert(Name::clone(pool), lowered(held, n));
    }
    (to != request.holds).then_some(to)
}

fn ceil_div(a: i128, b: i128) -> i128 {
    if b <= 0 { 0 } else { (a + b - 1) / b }
}

fn whole(resource: &str, amount: i128) -> i128 {
    ceil_div(amount.max(1), WHOLE[resource]) * WHOLE[resource]
}

/// Its part of the 95th percentile with the headroom, or what it keeps in one step if that is more.
fn wanted(policy: &Policy, found: Use, resource: &str, n: i128) -> i128 {
    let used = ceil_div(found.p95[resource] * n, found.shares[resource]);
    let with_headroom = ceil_div(used * policy.headroom, 100);
    whole(resource, with_headroom.max(ceil_div(n * policy.keep, 100)))
}

/// The least n whose shares hold in each centre this grant's part of what pods request there.
fn floors(snapshot: &Snapshot, request: &Request, pool: &str, held: &PoolGrant) -> Resources {
    let mut floors = Resources::ZERO;
    let shares = snapshot.survey.held(request, pool).map(|h| &h.shares);
    for (centre, part) in &held.centres {
        let row = request.rows().iter().find(|r| r.name == **centre);
        let used = row.and_then(|r| r.used.iter().find(|u| u.pool == pool));
        let (Some(used), Some(all)) = (used, shares.and_then(|s| s.get(&**centre))) else {
            continue;
        };
        // What cannot be read may be all of it.
        let used = Resources::try_from(&used.amounts).unwrap_or(*all);
        for (resource, step) in FINEST {
            // In whole steps, so that the share is not rounded to less.
            let mine = ceil_div(ceil_div(used[resource] * part.share[resource], all[resource]), step) * step;
            let n = whole(resource, ceil_div(mine * held.n[resource], part.share[resource]));
            if mine > 0 {
                floors[resource] = floors[resource].max(n);
            }
        }
    }
    floors
}

/// The grant with n instead. Each part falls as n does: a Change may have brought another rule of survival than was asked
/// at first, and the pool other weights since. Nothing is more than before in any centre, and each carries alone what it must.
fn lowered(held: &PoolGrant, n: Resources) -> PoolGrant {
    let mut centres = held.centres.clone();
    for (resource, step) in FINEST {
        let (new, old) = (n[resource], held.n[resource]);
        if new == old {
            continue;
        }
        let all: i128 = held.centres.values().map(|p| p.share[resource]).sum();
        let mut rest = new;
        for (centre, part) in &held.centres {
            let (share, survival) = (part.share[resource], part.survival[resource]);
            let less = (share * new / all.max(1) / step * step).min(share);
            let alone = (ceil_div(survival * new, old * step) * step).min(survival).min(new);
            rest -= less;
            centres.update(centre, |p| (p.share[resource], p.survival[resource]) = (less, alone));
        }
        // What rounding left over goes to the largest part first, by name where they are alike.
        let mut largest: Vec<_> = held.centres.iter().collect();
        largest.sort_by_key(|(_, part)| Reverse(part.share[resource]));
        for (centre, part) in largest {
            centres.update(centre, |p| {
                let more = rest.min(part.share[resource] - p.share[resource]);
                p.share[resource] += more;
                rest -= more;
            });
        }
    }
    PoolGrant { n, centres }
}

#[cfg(test)]
mod tests;
