//! Whether a request gets what it asks now, and if not, the one reason why.
//!
//! One reason wins, the first of: `Rejected`, `Misconfigured`, `TargetNotFound`, `TenantSuspended`, `NoMatchingPool`,
//! `ExceedsMaxQuota`, `AwaitingApproval`, `CeilingReached`, `OnHold`, `WaitingForQuota`, `Fragmented`, `CapacityUnknown`.

use std::collections::BTreeMap;

use crds::{Intake, RequestApproval, RequestType, Resources, request_reason as reason};
use jiff::civil::Date;

use crate::approvals::{self, Needed, Outcome, Policy};
use crate::cards;
use crate::ceilings::first_breach;
use crate::market::{self, Asker, Choice, Market};
use crate::needs::Refusal;
use crate::pool::in_words;
use crate::quota::Grant;
use crate::request::{Request, date_at};
use crate::tenants::intake;
use crate::terms;

/// Most changes that one grant keeps count of.
const MOST_CHANGES: usize = 128;

/// A request, and what is to be known of others to judge it.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// The request.
    pub request: &'a Request,
    /// The request whose live grant it asks to alter.
    pub target: Option<&'a Request>,
    /// Decisions about it.
    pub approvals: Vec<&'a RequestApproval>,
    /// Today in the province.
    pub today: Date,
}

/// What was found out about one request.
#[derive(Clone, Debug, Default)]
pub struct Assessment {
    /// Levels that must agree.
    pub needed: Needed,
    /// What the decisions add up to.
    pub outcome: Outcome,
    /// What it asks, whether or not it fits now.
    pub choices: Vec<Choice>,
    /// The grant, where nothing is in the way; of the target, where it alters one.
    pub grant: Option<Grant>,
    /// The last day of that grant.
    pub until: Option<Date>,
    /// What is in the way.
    pub refusal: Option<Refusal>,
}

/// A tenant's standing: whether its place in the tree is valid, or why not.
pub type Standing = BTreeMap<String, Result<(), String>>;

/// Assesses a request that is not granted yet against the ledger as it stands in this cycle.
pub fn assess(case: &Case<'_>, standing: &Standing, market: Market<'_>) -> Assessment {
    let request = case.request;
    if let Some(outcome) = approvals::rejected(request.uid(), &case.approvals) {
        return Assessment {
            refusal: rejection(&outcome),
            outcome,
            ..Assessment::default()
        };
    }
    let asked = match asked(case, standing, market) {
        Ok(choices) => choices,
        Err(refusal) => {
            return Assessment {
                refusal: Some(refusal),
                ..Assessment::default()
            };
        }
    };
    let needed = needed(request, &asked, market);
    let requester = request.object.spec.requested_by.as_deref().unwrap_or_default();
    let outcome = approvals::count(request.uid(), requester, &needed, &case.approvals);
    let settled = settle_on(case, &asked, &outcome, market);
    let mut found = Assessment {
        needed,
        outcome,
        until: until(case),
        ..Assessment::default()
    };
    match settled {
        Ok(choices) => {
            let takes_quota = request.kind() != RequestType::Exception;
            found.grant = takes_quota.then(|| market::grant(&choices));
            found.choices = choices;
        }
        Err(refusal) => {
            found.refusal = Some(refusal);
            found.choices = asked;
        }
    }
    found
}

/// What a request would get if everybody whose word is needed agreed to it as it stands: its choices, whether or not they fit,
/// and what would be in the way.
///
/// # Errors
/// Why nobody is asked at all.
pub fn if_approved(
    case: &Case<'_>,
    standing: &Standing,
    market: Market<'_>,
) -> Result<(Vec<Choice>, Option<Refusal>), Refusal> {
    let choices = asked(case, standing, market)?;
    let refusal = in_the_way(case, &choices, market).err();
    Ok((choices, refusal))
}

/// Pools and parts for what is asked, and why it cannot even be asked.
fn asked(case: &Case<'_>, standing: &Standing, market: Market<'_>) -> Result<Vec<Choice>, Refusal> {
    match sound(case).and_then(|()| choices(case, &BTreeMap::new(), market)) {
        Err(refusal) if [reason::MISCONFIGURED, reason::TARGET_NOT_FOUND].contains(&refusal.reason) => Err(refusal),
        other => suspended(case, &other, standing, market).map_or(other, Err),
    }
}

/// Pools that are open to a tenant.
pub fn open_to<'a>(tenant: &str, market: Market<'a>) -> Vec<&'a str> {
    let entry = market.ledger.tenants.get(tenant);
    entry
        .map(|t| t.ceilings.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

/// What the request says of itself and of its target.
fn sound(case: &Case<'_>) -> Result<(), Refusal> {
    let request = case.request;
    let misconfigured = |text: String| Err(Refusal::new(reason::MISCONFIGURED, text));
    if let Some(until) = request.object.spec.until.as_deref() {
        let (created, date) = (
            request.created().parse().map_or(case.today, date_at),
            until.parse::<Date>(),
        );
        let Ok(date) = date else {
            return misconfigured(format!(
                "until: {until} is no date of the calendar | until：{until} 不是有效日期"
            ));
        };
        let days = (date - created).get_days();
        if request.kind() == RequestType::Emergency && !(0..=terms::EMERGENCY_DAYS).contains(&days) {
            let most = terms::EMERGENCY_DAYS;
            return misconfigured(format!(
                "until: {until} is {days} days after the request, an emergency lasts at most {most}; ask with an earlier date, or with type New | until：距申请 {days} 天，应急最长 {most} 天，请改期或改用 New"
            ));
        }
    }
    if !request.alters() {
        return Ok(());
    }
    let name = request.target().unwrap_or_default();
    let Some(target) = case.target else {
        let text = format!(
            "{name} holds no live grant in this namespace that is older than this request; name a granted request in allocationRef | {name} 无有效配额可变更，请检查 allocationRef"
        );
        return Err(Refusal::new(reason::TARGET_NOT_FOUND, text));
    };
    if request.kind() == RequestType::Renew && target.kind() == RequestType::Emergency {
        return misconfigured(format!(
            "{name} is an emergency grant, which is given back; ask with type New | {name} 为应急配额，到期归还，请改用 New"
        ));
    }
    if target.allocation().is_some_and(|a| a.changes.len() >= MOST_CHANGES) {
        return misconfigured(format!(
            "{name} was altered {MOST_CHANGES} times, the most that is counted; ask with type New and release it | {name} 已变更 {MOST_CHANGES} 次，请改用 New 并释放原配额"
        ));
    }
    Ok(())
}

/// Pools and parts, with the amounts that approvers lowered.
///
/// # Errors
/// Why no choice can ever be right.
pub fn choices(case: &Case<'_>, lowered: &BTreeMap<String, i128>, market: Market<'_>) -> Result<Vec<Choice>, Refusal> {
    let open = open_to(case.request.tenant(), market);
    if case.request.kind() == RequestType::Exception {
        return Ok(Vec::new());
    }
    let nothing = Grant::new();
    let base = case.target.map_or(&nothing, |t| &t.holds);
    if case.request.kind() == RequestType::Renew {
        return Ok(market::unchanged(base));
    }
    let asker = Asker {
        spec: &case.request.object.spec,
        lowered,
        open: &open,
        base,
    };
    market::resolve(asker, market)
}

/// The last day of what is asked.
fn until(case: &Case<'_>) -> Option<Date> {
    let spec = &case.request.object.spec;
    match (case.request.kind(), case.target) {
        (RequestType::Renew, Some(target)) => terms::renewed(spec, target, case.today),
        (RequestType::Change, Some(target)) => target.until(),
        _ => terms::end(spec, case.today),
    }
}

/// Why nothing is granted to this tenant at all.
fn suspended(
    case: &Case<'_>,
    asked: &Result<Vec<Choice>, Refusal>,
    standing: &Standing,
    market: Market<'_>,
) -> Option<Refusal> {
    let tenant = case.request.tenant();
    let why = match standing.get(tenant) {
        Some(Ok(())) => held_back(case, asked, market)?,
        Some(Err(why)) => why.clone(),
        None => format!(
            "tenant {tenant} does not exist yet; the platform team creates it | 租户 {tenant} 尚未建立，请联系平台组"
        ),
    };
    Some(Refusal::new(reason::TENANT_SUSPENDED, why))
}

/// Why the platform team lets this tenant have no more.
fn held_back(case: &Case<'_>, asked: &Result<Vec<Choice>, Refusal>, market: Market<'_>) -> Option<String> {
    let (intake, whose) = intake(case.request.tenant(), market.tenants);
    let raises = asked.as_ref().is_ok_and(|choices| choices.iter().any(Choice::raises));
    let stops = match intake {
        Intake::Open => false,
        Intake::Hold => raises,
        Intake::Drain => raises || case.request.kind() == RequestType::Renew,
    };
    stops.then(|| {
        format!(
            "the platform team set intake {intake:?} for tenant {whose}; what was granted stays, ask the platform team | 平台组已对租户 {whose} 设置 {intake:?}，已授予的不受影响，请联系平台组"
        )
    })
}

fn rejection(outcome: &Outcome) -> Option<Refusal> {
    let (person, comment) = outcome.rejected.as_ref()?;
    let text = format!(
        "rejected by {person}: {comment}; ask again with a new request | 已被 {person} 驳回：{comment}，可另建申请"
    );
    Some(Refusal::new(reason::REJECTED, text))
}

/// Levels that must agree: by the tenant's own policy or the pools', for the full n. Less than there is needs nobody; an
/// emergency needs every level, however small, and so does an exception, of all pools that are open to the tenant.
pub fn needed(request: &Request, choices: &[Choice], market: Market<'_>) -> Needed {
    let own = market.tenants.get(request.tenant()).and_then(|t| t.policy.as_ref());
    if request.kind() == RequestType::Exception {
        let open = open_to(request.tenant(), market);
        let pools = open.into_iter().filter_map(|p| Some(&market.pools.get(p)?.policy));
        return approvals::every_level(own.map_or_else(|| pools.collect(), |policy| vec![policy]));
    }
    let policy = |c: &Choice| -> Option<&Policy> { own.or_else(|| Some(&market.pools.get(&c.pool)?.policy)) };
    let asks = |c: &&Choice| c.raises() || request.kind() == RequestType::Renew;
    let asked = choices.iter().filter(asks).filter_map(|c| Some((policy(c)?, c.n)));
    if request.kind() == RequestType::Emergency {
        return approvals::every_level(asked.map(|(policy, _)| policy));
    }
    approvals::needed(asked)
}

fn settle_on(case: &Case<'_>, asked: &[Choice], outcome: &Outcome, market: Market<'_>) -> Result<Vec<Choice>, Refusal> {
    if let Some(refusal) = rejection(outcome) {
        return Err(refusal);
    }
    if let Some(level) = outcome.missing.first() {
        let total = outcome.given + i32::try_from(outcome.missing.len()).unwrap_or(i32::MAX);
        let text = format!(
            "awaiting approval at level {level} ({} of {total} given) | 等待{level}级审批（已批{}/{total}）",
            outcome.given, outcome.given
        );
        return Err(Refusal::new(reason::AWAITING_APPROVAL, text).waiting_for(amounts(asked)));
    }
    let choices = if outcome.lowered.is_empty() {
        asked.to_vec()
    } else {
        choices(case, &outcome.lowered, market)?
    };
    in_the_way(case, &choices, market).map(|()| choices)
}

/// What is in the way of what everybody agreed to. An exception takes no quota; an emergency may go above ceilings.
fn in_the_way(case: &Case<'_>, choices: &[Choice], market: Market<'_>) -> Result<(), Refusal> {
    let kind = case.request.kind();
    if kind == RequestType::Exception {
        return Ok(());
    }
    if kind != RequestType::Emergency {
        under_ceilings(case.request.tenant(), choices, market)?;
    }
    taken_in(kind, choices, market)?;
    all_fit(choices, market)
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
    let raises: Vec<_> = choices.iter().map(|c| (c.pool.as_str(), c.n.minus(c.base.n))).collect();
    match first_breach(market.subtrees.lineage(tenant), &raises, market) {
        None => Ok(()),
        Some(breach) => Err(Refusal::new(reason::CEILING_REACHED, breach.in_words()).waiting_for(amounts(choices))),
    }
}

/// Whether each pool takes that in now.
fn taken_in(kind: RequestType, choices: &[Choice], market: Market<'_>) -> Result<(), Refusal> {
    let stops = |c: &&Choice| match market.pools.get(&c.pool).map_or(Intake::Open, |p| p.intake) {
        Intake::Open => false,
        Intake::Hold => c.raises(),
        Intake::Drain => c.raises() || kind == RequestType::Renew,
    };
    let Some(choice) = choices.iter().find(stops) else {
        return Ok(());
    };
    let pool = &choice.pool;
    let text = format!(
        "{pool}: the platform team takes nothing in now; it goes on by itself when the pool is open again | {pool}：平台组已暂停准入，恢复后自动继续"
    );
    Err(Refusal::new(reason::ON_HOLD, text).waiting_for(amounts(choices)))
}

/// All pools of a request, or none.
///
/// # Errors
/// `WaitingForQuota`, `Fragmented` or `CapacityUnknown`, naming the pool.
fn all_fit(choices: &[Choice], market: Market<'_>) -> Result<(), Refusal> {
    let Some(choice) = choices.iter().find(|c| !c.fits) else {
        return Ok(());
    };
    let (name, pool) = (&choice.pool, market.pools.get(&choice.pool));
    let unknown = choice.unknown(pool);
    let refusal = match (choice.short(market), unknown) {
        // An unknown centre hides whether it is full: where capacity was never adopted, say that first.
        (Some((centre, added)), None) => {
            let free = market.free(name, centre);
            let (resource, asked) = added.iter().find(|(r, v)| *v > free[r].max(0)).unwrap_or(("cpu", 0));
            let asked = in_words(resource, asked);
            let text = format!(
                "{name}: asked {asked} in {centre}, more than is free now; it waits in the queue, `kubectl xiangyun why` shows its place | {name}：在 {centre} 申请 {asked}，当前余量不足，排队等待"
            );
            Refusal::new(reason::WAITING_FOR_QUOTA, text)
        }
        (None, None) => {
            let text = pool.and_then(|p| cards::scattered(choice, p));
            Refusal::new(reason::FRAGMENTED, text.unwrap_or_default())
        }
        (_, Some(centre)) => {
            let text = format!(
                "{name}: the capacity of {centre} is not known now, nothing is sold against it; it goes on by itself when the centre reports | {name}：{centre} 容量未知，暂停授予，恢复上报后自动继续"
            );
            Refusal::new(reason::CAPACITY_UNKNOWN, text)
        }
    };
    Err(refusal.waiting_for(amounts(choices)))
}
