//! Whether a grant is idle.

use crds::{PoolAmounts, Resources, reclaim_reason as reason};
use jiff::Timestamp;

use super::policy::Policy;
use super::survey::{Held, Survey, oldest};
use super::target::target;
use crate::by_name::Name;
use crate::centre_health::is_recent;
use crate::cycle::Snapshot;
use crate::pool::Sort;
use crate::quota::{Grant, PoolGrant};
use crate::request::Request;

/// Resources of a pod whose use is measured.
pub(super) const MEASURED: [&str; 2] = ["cpu", "memory"];

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Used so little that it could shrink to that.
    Idle(Grant),
    /// Not idle: one of [`crds::reclaim_reason`].
    Busy(&'static str),
    /// Not known: one of [`crds::reclaim_reason`], and the centre that says nothing.
    Unknown(&'static str, Option<String>),
}

/// What was found out, and by which policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Per cent of the granted vCPU and memory, rounded up, of the busiest pool; `None` where that is not known.
    pub percent: Option<(i128, i128)>,
    /// Whether it is idle.
    pub verdict: Verdict,
}

/// What was used of one pool, and the shares that it is compared with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Use {
    /// At the 95th percentile, over all the tenant's grants in the centres of this one.
    pub(super) p95: Resources,
    /// What these grants may use there.
    pub(super) shares: Resources,
}

impl Use {
    /// Per cent of what was granted, rounded up: never more idle than it is. What was not granted is not used either.
    fn percent(self, resource: &str) -> i128 {
        match self.shares[resource] {
            0 => 0,
            shares => (self.p95[resource] * 100 + shares - 1) / shares,
        }
    }
}

/// Judges a live grant; nothing where no policy covers it.
pub fn judge<'a>(snapshot: &'a Snapshot, request: &Request) -> Option<Judgement<'a>> {
    let survey = &*snapshot.survey;
    let policy = survey.policy(request)?;
    let of = |percent, verdict| {
        Some(Judgement {
            policy,
            percent,
            verdict,
        })
    };
    let sort = |pool: &Name| snapshot.pools.get(&**pool).map(|p| &p.sort);
    // The use of cards is not measured, so whoever holds some is never idle.
    let cards = request
        .holds
        .keys()
        .any(|p| matches!(sort(p), Some(Sort::Accelerator { .. })));
    if policy.exempts(request) || cards {
        return of(None, Verdict::Busy(reason::EXEMPT));
    }
    let compute = request.holds.iter().filter(|(p, _)| policy.covers_pool(p));
    let compute: Vec<(&Name, &PoolGrant)> = compute
        .filter(|(p, _)| matches!(sort(p), Some(Sort::Compute(_))))
        .collect();
    let mut uses: Vec<(&Name, Use)> = Vec::new();
    for (pool, grant) in compute {
        match used(survey, policy, request, pool, grant, snapshot.now) {
            Ok(Some(found)) => uses.push((pool, found)),
            Ok(None) => {}
            Err((why, centre)) => return of(None, Verdict::Unknown(why, centre)),
        }
    }
    if uses.is_empty() {
        return of(None, Verdict::Busy(reason::EXEMPT));
    }
    let most = |resource: &str| uses.iter().map(|(_, u)| u.percent(resource)).max().unwrap_or(0);
    let (cpu, memory) = (most("cpu"), most("memory"));
    let verdict = if cpu >= policy.cpu_below || memory >= policy.memory_below {
        Verdict::Busy(reason::IN_USE)
    } else {
        target(snapshot, policy, request, &uses).map_or(Verdict::Busy(reason::NOTHING_TO_RECLAIM), Verdict::Idle)
    };
    of(Some((cpu, memory)), verdict)
}

/// What a tenant used of a pool where this grant is in force; nothing where all of that is standby.
type Found = Result<Option<Use>, (&'static str, Option<String>)>;

fn used(survey: &Survey, policy: &Policy, request: &Request, pool: &str, grant: &PoolGrant, now: Timestamp) -> Found {
    let none = Held::default();
    let held = survey.held(request, pool).unwrap_or(&none);
    let mut sum = Use::default();
    let mut seen = false;
    for (centre, part) in &grant.centres {
        let facts = survey.centres.get(&**centre);
        // Survival is held for the day on which the other centre is lost: only shares are meant to be used.
        if part.share.is_zero() || facts.is_some_and(|f| f.standby) {
            continue;
        }
        let no_metrics = || (reason::NO_METRICS, Some(centre.to_string()));
        let facts = facts.filter(|f| f.source).ok_or_else(no_metrics)?;
        let recent = facts.reported.is_some_and(|at| is_recent(at, now, oldest(policy.span)));
        let row = request.rows().iter().find(|r| r.name == **centre);
        let found = row.filter(|_| recent).and_then(|r| {
            let mine = r
                .utilization
                .iter()
                .find(|u| u.pool == pool && u.window == policy.window)?;
            Resources::try_from(&mine.p95).ok()
        });
        sum.p95 = sum.p95.plus(found.ok_or_else(no_metrics)?);
        sum.shares = sum.shares.plus(held.shares.get(&**centre).copied().unwrap_or_default());
        seen = true;
    }
    if !seen {
        return Ok(None);
    }
    // A grant that is younger, or that was changed, was not there to be used all the time; nor were its siblings.
    let covered = held.changed.is_some_and(|at| now.duration_since(at) >= policy.span);
    if covered {
        Ok(Some(sum))
    } else {
        Err((reason::WINDOW_NOT_COVERED, None))
    }
}

/// The amounts of a grant, as a notice says them.
pub(super) fn amounts(grant: &Grant) -> Vec<PoolAmounts> {
    let row = |(pool, grant): (&Name, &PoolGrant)| PoolAmounts {
        pool: pool.to_string(),
        amounts: grant.n.to_amounts(),
    };
    grant.iter().map(row).collect()
}
