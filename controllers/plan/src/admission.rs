//! Whether a request gets its grant now, and if not, the one reason why.
//!
//! One reason wins, the first of: `Rejected`, `Misconfigured`, `TenantSuspended`, `NoMatchingPool`, `ExceedsMaxQuota`,
//! `AwaitingApproval`, `CeilingReached`, `WaitingForQuota`, `CapacityUnknown`.

use std::collections::BTreeMap;

use crds::{Resources, request_reason as reason};

use crate::approvals::{self, Needed, Outcome};
use crate::needs::{self, Choice, Market, Refusal};
use crate::pool::{Sort, in_words};
use crate::quota::Grant;
use crate::request::Request;

/// What was found out about one request.
#[derive(Clone, Debug, Default)]
pub struct Assessment {
    /// Levels that must agree.
    pub needed: Needed,
    /// What the decisions add up to.
    pub outcome: Outcome,
    /// The grant, where nothing is in the way.
    pub grant: Option<Grant>,
    /// What is in the way.
    pub refusal: Option<Refusal>,
}

/// A tenant's standing: whether its place in the tree is valid, or why not.
pub type Standing = BTreeMap<String, Result<(), String>>;

/// Assesses a request for something new against the ledger as it stands in this cycle.
pub fn assess(
    request: &Request,
    approvals: &[&crds::RequestApproval],
    standing: &Standing,
    market: Market<'_>,
) -> Assessment {
    if let Some(outcome) = approvals::rejected(request.uid(), approvals) {
        return Assessment {
            refusal: rejection(&outcome),
            outcome,
            ..Assessment::default()
        };
    }
    let spec = &request.object.spec;
    let open: Vec<&str> = market
        .ledger
        .tenants
        .get(request.tenant())
        .map(|t| t.ceilings.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let asked = match needs::resolve(spec, &BTreeMap::new(), &open, market) {
        Err(refusal) if refusal.reason == reason::MISCONFIGURED => Err(refusal),
        other => suspended(request.tenant(), standing).map_or(other, Err),
    };
    let asked = match asked {
        Ok(choices) => choices,
        Err(refusal) => {
            return Assessment {
                refusal: Some(refusal),
                ..Assessment::default()
            };
        }
    };
    let needed = needed(&asked, market);
    let requester = spec.requested_by.as_deref().unwrap_or_default();
    let outcome = approvals::count(request.uid(), requester, &needed, approvals);
    let (grant, refusal) = match settle_on(request, asked, &outcome, &open, market) {
        Ok(choices) => (Some(needs::grant(&choices)), None),
        Err(refusal) => (None, Some(refusal)),
    };
    Assessment {
        needed,
        outcome,
        grant,
        refusal,
    }
}

/// Why nothing is granted to this tenant at all.
fn suspended(tenant: &str, standing: &Standing) -> Option<Refusal> {
    let why = match standing.get(tenant) {
        Some(Ok(())) => return None,
        Some(Err(why)) => why.clone(),
        None => format!(
            "tenant {tenant} does not exist yet; the platform team creates it | 租户 {tenant} 尚未建立，请联系平台组"
        ),
    };
    Some(Refusal::new(reason::TENANT_SUSPENDED, why))
}

fn rejection(outcome: &Outcome) -> Option<Refusal> {
    let (person, comment) = outcome.rejected.as_ref()?;
    let text = format!(
        "rejected by {person}: {comment}; ask again with a new request | 已被 {person} 驳回：{comment}，可另建申请"
    );
    Some(Refusal::new(reason::REJECTED, text))
}

/// Levels that the choices need.
pub fn needed(choices: &[Choice], market: Market<'_>) -> Needed {
    approvals::needed(
        choices
            .iter()
            .filter_map(|c| Some((&market.pools.get(&c.pool)?.policy, c.n))),
    )
}

fn settle_on(
    request: &Request,
    asked: Vec<Choice>,
    outcome: &Outcome,
    open: &[&str],
    market: Market<'_>,
) -> Result<Vec<Choice>, Refusal> {
    if let Some(refusal) = rejection(outcome) {
        return Err(refusal);
    }
    if let Some(level) = outcome.missing.first() {
        let total = outcome.given + i32::try_from(outcome.missing.len()).unwrap_or(i32::MAX);
        let text = format!(
            "awaiting approval at level {level} ({} of {total} given) | 等待{level}级审批（已批{}/{total}）",
            outcome.given, outcome.given
        );
        return Err(Refusal::new(reason::AWAITING_APPROVAL, text).waiting_for(amounts(&asked)));
    }
    let choices = if outcome.lowered.is_empty() {
        asked
    } else {
        needs::resolve(&request.object.spec, &outcome.lowered, open, market)?
    };
    under_ceilings(request.tenant(), &choices, market)?;
    all_fit(&choices, market)?;
    Ok(choices)
}

fn amounts(choices: &[Choice]) -> BTreeMap<String, Resources> {
    choices.iter().map(|c| (c.pool.clone(), c.n)).collect()
}

/// Each ancestor's ceiling is hard. In a pool of cards, CPU and memory come with the card and are checked only where a
/// ceiling names them.
///
/// # Errors
/// `CeilingReached`, naming the ancestor, what is asked and its ceiling.
pub fn under_ceilings(tenant: &str, choices: &[Choice], market: Market<'_>) -> Result<(), Refusal> {
    let with_card = |pool: &str| {
        let pool = market.pools.get(pool);
        pool.is_some_and(|p| matches!(p.sort, Sort::Accelerator { .. }))
    };
    for node in market.subtrees.lineage(tenant) {
        for choice in choices {
            let (row, ancestor) = (node.row(&choice.pool), &node.name);
            let (ceiling, sum) = (row.ceiling, row.held.plus(choice.n));
            if choice.n.fits(ceiling.minus(row.held)) {
                continue;
            }
            let over = choice.n.iter().find(|(r, v)| {
                let comes_along = with_card(&choice.pool) && *r != "accelerators" && ceiling[r] == 0;
                *v > 0 && !comes_along && sum[r] > ceiling[r]
            });
            if let Some((resource, asked)) = over {
                let (asked, limit) = (in_words(resource, asked), in_words(resource, ceiling[resource]));
                let text = format!(
                    "{}: asked {asked}, ceiling of {ancestor} is {limit}; ask {ancestor}'s administrators to release or the platform team to raise it | {}：申请 {asked}，{ancestor} 的上限为 {limit}，请释放配额或联系平台组调整",
                    choice.pool, choice.pool
                );
                return Err(Refusal::new(reason::CEILING_REACHED, text).waiting_for(amounts(choices)));
            }
        }
    }
    Ok(())
}

/// All pools of a request, or none.
///
/// # Errors
/// `WaitingForQuota` or `CapacityUnknown`, naming the pool.
pub fn all_fit(choices: &[Choice], market: Market<'_>) -> Result<(), Refusal> {
    let Some(short) = choices.iter().find(|c| !c.fits) else {
        return Ok(());
    };
    let pool = market.pools.get(&short.pool);
    let mut centres = short.grant.centres.iter();
    let full = centres
        .clone()
        .find(|(c, p)| !p.charge().fits(market.ledger.free(&short.pool, c)));
    let unknown = centres.find(|(c, _)| !pool.is_some_and(|p| p.known_in(c)));
    let refusal = match (full, unknown) {
        // An unknown centre hides whether it is full: where capacity was never adopted, say that first.
        (Some((centre, part)), None) => {
            let free = market.ledger.free(&short.pool, centre);
            let (resource, asked) = part.charge().iter().find(|(r, v)| *v > free[r]).unwrap_or(("cpu", 0));
            let asked = in_words(resource, asked);
            let text = format!(
                "{}: asked {asked} in {centre}, more than is free now; it waits in the queue, `kubectl xiangyun why` shows its place | {}：在 {centre} 申请 {asked}，当前余量不足，排队等待",
                short.pool, short.pool
            );
            Refusal::new(reason::WAITING_FOR_QUOTA, text)
        }
        (_, unknown) => {
            let centre = unknown.map_or("", |(c, _)| c.as_str());
            let text = format!(
                "{}: the capacity of {centre} is not known now, nothing is sold against it; it goes on by itself when the centre reports | {}：{centre} 容量未知，暂停授予，恢复上报后自动继续",
                short.pool, short.pool
            );
            Refusal::new(reason::CAPACITY_UNKNOWN, text)
        }
    };
    Err(refusal.waiting_for(amounts(choices)))
}
