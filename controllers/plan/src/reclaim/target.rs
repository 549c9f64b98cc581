//! What an idle grant shrinks to: by the same rules of splitting as when it was granted, and a lowering everywhere.

use std::collections::BTreeMap;

use crds::{ReclaimStage, ReclaimStep, Resources};
use jiff::Timestamp;

use super::judge::{MEASURED, Use, Verdict, amounts, judge};
use super::policy::Policy;
use crate::by_name::Name;
use crate::cycle::Snapshot;
use crate::quota::{Grant, Part, PoolGrant, Slot, SurvivalRule, parts};
use crate::request::Request;

/// What is given back comes in whole vCPU and GiB.
const WHOLE: Resources = Resources {
    cpu: 1000,
    memory: 1 << 30,
    storage: 1,
    accelerators: 1,
};

/// What is to be done about a grant now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A record lowers it to that.
    Shrink(Grant),
    /// It ends.
    End,
}

/// What is to be done about a grant whose day has come, if it is idle still and nobody keeps it.
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
    let Verdict::Idle(to) = judge(snapshot, request)?.verdict else {
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
            let to = announced_grant(snapshot, request, &announced).filter(|_| fits)?;
            (amounts(&to) == reclaim.to && to != request.holds).then_some(Act::Shrink(to))
        }
    }
}

fn announced_grant(snapshot: &Snapshot, request: &Request, announced: &BTreeMap<&str, Resources>) -> Option<Grant> {
    let split = |(pool, held): (&Name, &PoolGrant)| {
        let n = announced.get(&**pool).copied()?.each_min(held.n);
        if n == held.n {
            return Some((pool.clone(), held.clone()));
        }
        Some((pool.clone(), lowered(snapshot, request, pool, held, n)?))
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
        let grant = lowered(snapshot, request, pool, held, n)?;
        to.insert(Name::clone(pool), grant);
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
        for resource in MEASURED {
            let mine = ceil_div(used[resource] * part.share[resource], all[resource]);
            let n = whole(resource, ceil_div(mine * held.n[resource], part.share[resource]));
            if mine > 0 {
                floors[resource] = floors[resource].max(n);
            }
        }
    }
    floors
}

/// The grant with n instead, in the centres where it is, nowhere more than before.
fn lowered(snapshot: &Snapshot, request: &Request, pool: &str, held: &PoolGrant, n: Resources) -> Option<PoolGrant> {
    let rule = SurvivalRule::try_from(&request.object().spec.survival).ok()?;
    let pool = snapshot.pools.get(pool)?;
    let slots: Vec<Slot> = pool
        .slots
        .iter()
        .filter(|s| held.centres.contains_key(&s.name))
        .cloned()
        .collect();
    if slots.len() != held.centres.len() {
        return None;
    }
    let split = parts(n, rule, &slots, 1);
    let least = |(centre, part): (&Name, &Part)| {
        let new = split.get(centre).copied().unwrap_or_default();
        let part = Part {
            share: new.share.each_min(part.share),
            survival: new.survival.each_min(part.survival),
        };
        (centre.clone(), part)
    };
    Some(PoolGrant {
        n,
        centres: held.centres.iter().map(least).collect(),
    })
}
