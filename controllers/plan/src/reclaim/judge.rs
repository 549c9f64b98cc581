//! Whether a grant is idle.

use crds::{PoolAmounts, RequestType, Resources, reclaim_reason as reason};
use jiff::Timestamp;

use super::policy::Policy;
use super::stage::gives_back;
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
    /// Used so little that it could shrink to that; to all that it holds where only giving it back whole is left.
    Idle(Grant),
    /// Not idle: one of [`crds::reclaim_reason`].
    Busy(&'static str),
    /// Never idle.
    Exempt(Exempt),
    /// Not known: one of [`crds::reclaim_reason`], and the centre that says nothing.
    Unknown(&'static str, Option<String>),
}

/// Why a grant is never idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exempt {
    /// The policy exempts its type.
    Type(RequestType),
    /// It holds cards, whose use is not measured.
    Cards,
    /// It holds no vCPU and memory of pools that the policy is about.
    NotMeasured,
    /// What it holds of them is standby.
    Standby,
}

/// Where a grant uses most of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Most {
    /// The pool.
    pub pool: Name,
    /// Per cent of what is granted there, rounded up.
    pub percent: i128,
}

/// What was found out, and by which policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The busiest pool by vCPU and the one by memory; `None` where that is not known.
    pub busiest: Option<(Most, Most)>,
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
    let of = |busiest, verdict| {
        Some(Judgement {
            policy,
            busiest,
            verdict,
        })
    };
    let exempt = |why| of(None, Verdict::Exempt(why));
    let sort = |pool: &Name| snapshot.pools.get(&**pool).map(|p| &p.sort);
    // The use of cards is not measured, so whoever holds some is never idle.
    let cards = request
        .holds
        .keys()
        .any(|p| matches!(sort(p), Some(Sort::Accelerator { .. })));
    if policy.exempts(request) {
        return exempt(Exempt::Type(request.kind()));
    }
    if cards {
        return exempt(Exempt::Cards);
    }
    let compute = request.holds.iter().filter(|(p, _)| policy.covers_pool(p));
    let compute: Vec<(&Name, &PoolGrant)> = compute
        .filter(|(p, _)| matches!(sort(p), Some(Sort::Compute(_))))
        .collect();
    if compute.is_empty() {
        return exempt(Exempt::NotMeasured);
    }
    let mut uses: Vec<(&Name, Use)> = Vec::new();
    for (pool, grant) in compute {
        match used(survey, policy, request, pool, grant, snapshot.now) {
            Ok(Some(found)) => uses.push((pool, found)),
            Ok(None) => {}
            Err((why, centre)) => return of(None, Verdict::Unknown(why, centre)),
        }
    }
    let (Some(cpu), Some(memory)) = (most(&uses, "cpu"), most(&uses, "memory")) else {
        return exempt(Exempt::Standby);
    };
    let verdict = if cpu.percent >= policy.cpu_below || memory.percent >= policy.memory_below {
        Verdict::Busy(reason::IN_USE)
    } else {
        target(snapshot, policy, request, &uses)
            .or_else(|| whole(policy, request))
            .map_or(Verdict::Busy(reason::NOTHING_TO_RECLAIM), Verdict::Idle)
    };
    of(Some((cpu, memory)), verdict)
}

/// The busiest pool, the first one by name where several are; nothing where no pool is measured.
fn most(uses: &[(&Name, Use)], resource: &str) -> Option<Most> {
    let all = uses.iter().map(|(pool, found)| Most {
        pool: Name::clone(pool),
        percent: found.percent(resource),
    });
    all.reduce(|most, next| if next.percent > most.percent { next } else { most })
}

/// All that it holds, where it cannot shrink any more, is to be given back, and every centre says that nothing is
/// requested there.
fn whole(policy: &Policy, request: &Request) -> Option<Grant> {
    let nothing = |pool: &str, centre: &str| {
        let row = request.rows().iter().find(|r| r.name == centre);
        let used = row.and_then(|r| r.used.iter().find(|u| u.pool == pool));
        used.is_some_and(|u| Resources::try_from(&u.amounts).is_ok_and(Resources::is_zero))
    };
    let last = request.reclaim().is_some_and(|r| gives_back(policy.action, r));
    let mut pools = request.holds.iter();
    (last && pools.all(|(pool, grant)| grant.centres.keys().all(|centre| nothing(pool, centre))))
        .then(|| request.holds.clone())
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
