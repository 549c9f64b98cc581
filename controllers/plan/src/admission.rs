//! Whether a request gets what it asks now, and if not, the one reason why.
//!
//! One reason wins, the first of: `Rejected`, `Misconfigured`, `TargetNotFound`, `TenantSuspended`, `NoMatchingPool`,
//! `ExceedsMaxQuota`, `AwaitingApproval`, `CeilingReached`, `OnHold`, `WaitingForQuota`, `Fragmented`, `CapacityUnknown`.

mod sound;

use std::collections::BTreeMap;
use std::rc::Rc;

use crds::{Intake, RequestApproval, RequestType, Resources, request_reason as reason};
use jiff::civil::Date;

use crate::applicant::Applicant;
use crate::approvals::{self, Needed, Outcome, Policy};
use crate::by_name::Name;
use crate::cards;
use crate::ceilings::first_breach;
use crate::market::{self, Asker, Choice, Market};
use crate::pool::Pool;
use crate::quota::Grant;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::terms;

/// A request, and what is to be known of others to judge it.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// Number of the request among those that are looked at.
    pub index: usize,
    /// The request.
    pub request: &'a Request,
    /// Its tenant.
    pub tenant: Rc<Applicant<'a>>,
    /// The request whose live grant it asks to alter.
    pub target: Option<&'a Request>,
    /// Decisions about it.
    pub approvals: Vec<&'a RequestApproval>,
    /// Today in the province.
    pub today: Date,
}

impl Case<'_> {
    /// A pool that was chosen; it is open to the tenant, but for a grant that is only renewed.
    fn pool<'p>(&'p self, name: &Name, market: Market<'p>) -> Option<&'p Pool> {
        let open = self.tenant.open.iter().find(|p| p.name == *name);
        open.copied().or_else(|| market.pools.get(&**name))
    }
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
    /// Whether it takes quota and nothing is in the way: it gets its choices as soon as there is room for a record.
    pub fits: bool,
    /// What is in the way.
    pub refusal: Option<Refusal>,
}

impl Assessment {
    /// The same while the ledger is as large as it may be: what would add to it waits.
    pub(crate) fn held_back(mut self) -> Self {
        if self.fits && self.choices.iter().any(Choice::raises) {
            self.fits = false;
            self.refusal = Some(Refusal::ledger_full());
        }
        self
    }
}

/// Assesses a request that is not granted yet against the ledger as it stands in this cycle.
pub fn assess(case: &Case<'_>, market: Market<'_>) -> Assessment {
    let request = case.request;
    let decided = !case.approvals.is_empty();
    if let Some(outcome) = decided
        .then(|| approvals::rejected(request.uid(), &case.approvals))
        .flatten()
    {
        return Assessment {
            refusal: rejection(&outcome),
            outcome,
            ..Assessment::default()
        };
    }
    let asked = match asked(case, market) {
        Ok(choices) => choices,
        Err(refusal) => {
            return Assessment {
                refusal: Some(refusal),
                ..Assessment::default()
            };
        }
    };
    let (needed, outcome) = decisions(case, &asked, market);
    let (choices, refusal) = settle_on(case, asked, &outcome, market);
    Assessment {
        needed,
        outcome,
        choices,
        fits: refusal.is_none() && request.kind() != RequestType::Exception,
        refusal,
    }
}

/// Levels that must agree, and what the decisions add up to. A lower amount may come from another pool than what was asked:
/// the levels of that pool must agree as well.
fn decisions(case: &Case<'_>, asked: &[Choice], market: Market<'_>) -> (Needed, Outcome) {
    let mut levels = needed(case, asked, market);
    if case.approvals.is_empty() {
        let outcome = approvals::none(&levels);
        return (levels, outcome);
    }
    let (request, spec) = (case.request, &case.request.object().spec);
    let requester = spec.requested_by.as_deref().unwrap_or_default();
    let held: Vec<Resources> = asked.iter().map(|c| c.base.n).collect();
    // Whoever is asked in addition may lower more. Levels and names only become more, of those that the pools have.
    loop {
        let outcome = approvals::count(request.uid(), requester, &request.wish, &held, &levels, &case.approvals);
        let before = levels.clone();
        if outcome.rejected.is_none() && !outcome.lowered.is_empty() {
            let less = choices(case, &outcome.lowered, market).unwrap_or_default();
            levels.join(&needed(case, &less, market));
        }
        if levels == before {
            return (levels, outcome);
        }
    }
}

/// What a request would get if everybody whose word is needed agreed to it as it stands: its choices, whether or not they fit,
/// and what would be in the way.
///
/// # Errors
/// Why nobody is asked at all.
pub fn if_approved(case: &Case<'_>, market: Market<'_>) -> Result<(Vec<Choice>, Option<Refusal>), Refusal> {
    let choices = asked(case, market)?;
    let refusal = in_the_way(case, &choices, market).err();
    Ok((choices, refusal))
}

/// Pools and parts for what is asked, and why it cannot even be asked.
fn asked(case: &Case<'_>, market: Market<'_>) -> Result<Vec<Choice>, Refusal> {
    match sound::sound(case).and_then(|()| choices(case, &BTreeMap::new(), market)) {
        Err(refusal) if [reason::MISCONFIGURED, reason::TARGET_NOT_FOUND].contains(&refusal.reason) => Err(refusal),
        other => suspended(case, &other).map_or(other, Err),
    }
}

/// Pools and parts, with the amounts that approvers lowered.
///
/// # Errors
/// Why no choice can ever be right.
pub fn choices(case: &Case<'_>, lowered: &BTreeMap<String, i128>, market: Market<'_>) -> Result<Vec<Choice>, Refusal> {
    if case.request.kind() == RequestType::Exception {
        return somebody_agrees(case).map(|()| Vec::new());
    }
    let nothing = Grant::new();
    let base = case.target.map_or(&nothing, |t| &t.holds);
    if case.request.kind() == RequestType::Renew {
        return Ok(market::unchanged(base));
    }
    let asker = Asker {
        wish: &case.request.wish,
        lowered,
        open: &case.tenant.open,
        base,
    };
    market::resolve(asker, market)
}

/// Somebody must be there to agree to an exception: by the tenant's own policy, or by those of the pools that are open to it.
/// What was agreed to once stays.
fn somebody_agrees(case: &Case<'_>) -> Result<(), Refusal> {
    let own = case.tenant.policy.is_some_and(Policy::has_levels);
    let status = case.request.object().status.as_ref();
    if own || !case.tenant.open.is_empty() || status.is_some_and(|s| s.approved_at.is_some()) {
        return Ok(());
    }
    let text = format!(
        "no pool is open to tenant {tenant}, so nobody is named who could agree to an exception; ask the platform team for a ceiling in a pool, or for approval levels of the tenant | 租户 {tenant} 无可用资源池，无人可审批自行建设例外，请联系平台组开通资源池上限或设置租户审批级别",
        tenant = case.tenant.name,
    );
    Err(Refusal::new(reason::NO_MATCHING_POOL, text))
}

/// The last day of what is asked.
pub fn until(case: &Case<'_>) -> Option<Date> {
    let spec = &case.request.object().spec;
    match (case.request.kind(), case.target) {
        (RequestType::Renew, Some(target)) => terms::renewed(spec, target, case.today),
        (RequestType::Change, Some(target)) => target.until(),
        _ => terms::end(spec, case.today),
    }
}

/// Why nothing is granted to this tenant at all.
fn suspended(case: &Case<'_>, asked: &Result<Vec<Choice>, Refusal>) -> Option<Refusal> {
    let tenant = case.tenant.name;
    let why = match case.tenant.standing {
        Some(Ok(())) => held_back(case, asked)?,
        Some(Err(why)) => why.clone(),
        None => format!(
            "tenant {tenant} does not exist yet; the platform team creates it | 租户 {tenant} 尚未建立，请联系平台组"
        ),
    };
    Some(Refusal::new(reason::TENANT_SUSPENDED, why))
}

/// Why the platform team lets this tenant have no more.
fn held_back(case: &Case<'_>, asked: &Result<Vec<Choice>, Refusal>) -> Option<String> {
    let (intake, whose) = case.tenant.intake;
    if intake == Intake::Open {
        return None;
    }
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
/// emergency needs every level, however small, and so does an exception, of all pools that are open to the tenant: a policy
/// of the tenant's own that names nobody does not free it from theirs.
pub fn needed(case: &Case<'_>, choices: &[Choice], market: Market<'_>) -> Needed {
    let kind = case.request.kind();
    let everybody = [RequestType::Emergency, RequestType::Exception].contains(&kind);
    let own = case.tenant.policy.filter(|policy| !everybody || policy.has_levels());
    if kind == RequestType::Exception {
        let pools = case.tenant.open.iter().map(|p| &p.policy);
        return approvals::every_level(own.map_or_else(|| pools.collect(), |policy| vec![policy]));
    }
    let policy = |c: &Choice| -> Option<&Policy> { own.or_else(|| Some(&case.pool(&c.pool, market)?.policy)) };
    let asks = |c: &&Choice| c.raises() || kind == RequestType::Renew;
    let asked = choices
        .iter()
        .filter(asks)
        .filter_map(|c| Some((policy(c)?, c.grant.n)));
    if kind == RequestType::Emergency {
        return approvals::every_level(asked.map(|(policy, _)| policy));
    }
    approvals::needed(asked)
}

/// What is to be granted, with the amounts that approvers lowered, and what is in the way.
fn settle_on(
    case: &Case<'_>,
    asked: Vec<Choice>,
    outcome: &Outcome,
    market: Market<'_>,
) -> (Vec<Choice>, Option<Refusal>) {
    if let Some(refusal) = rejection(outcome) {
        return (asked, Some(refusal));
    }
    if let Some(level) = outcome.missing.first() {
        let total = outcome.given + i32::try_from(outcome.missing.len()).unwrap_or(i32::MAX);
        return (asked, Some(Refusal::missing(*level, outcome.given, total)));
    }
    let choices = if outcome.lowered.is_empty() {
        asked
    } else {
        match choices(case, &outcome.lowered, market) {
            Ok(lowered) => lowered,
            Err(refusal) => return (asked, Some(refusal)),
        }
    };
    let refusal = in_the_way(case, &choices, market).err();
    (choices, refusal)
}

/// What is in the way of what everybody agreed to. An exception takes no quota; an emergency may go above ceilings.
fn in_the_way(case: &Case<'_>, choices: &[Choice], market: Market<'_>) -> Result<(), Refusal> {
    let kind = case.request.kind();
    if kind == RequestType::Exception {
        return Ok(());
    }
    if kind != RequestType::Emergency {
        under_ceilings(&case.tenant, choices, market)?;
    }
    taken_in(case, choices, market)?;
    all_fit(case, choices, market)
}

/// Each ancestor's ceiling is hard. In a pool of cards, CPU and memory come with the card and are checked only where a
/// ceiling names them.
///
/// # Errors
/// `CeilingReached`, naming the ancestor, what is asked and its ceiling.
pub fn under_ceilings(tenant: &Applicant<'_>, choices: &[Choice], market: Market<'_>) -> Result<(), Refusal> {
    let lineage = tenant.places.iter().filter_map(|place| market.subtrees.at(*place));
    let raises = choices.iter().map(|c| (&c.pool, c.grant.n.minus(c.base.n)));
    first_breach(lineage, &raises, market).map_or(Ok(()), |breach| Err(Refusal::ceiling(breach)))
}

/// Whether each pool takes that in now.
fn taken_in(case: &Case<'_>, choices: &[Choice], market: Market<'_>) -> Result<(), Refusal> {
    let stops = |c: &&Choice| match case.pool(&c.pool, market).map_or(Intake::Open, |p| p.intake) {
        Intake::Open => false,
        Intake::Hold => c.raises(),
        Intake::Drain => c.raises() || case.request.kind() == RequestType::Renew,
    };
    let choice = choices.iter().find(stops);
    choice.map_or(Ok(()), |choice| Err(Refusal::closed(Name::clone(&choice.pool))))
}

/// All pools of a request, or none.
///
/// # Errors
/// `WaitingForQuota`, `Fragmented` or `CapacityUnknown`, naming the pool.
fn all_fit(case: &Case<'_>, choices: &[Choice], market: Market<'_>) -> Result<(), Refusal> {
    let Some(choice) = choices.iter().find(|c| !c.fits) else {
        return Ok(());
    };
    let (name, pool) = (&choice.pool, case.pool(&choice.pool, market));
    Err(match (choice.short(market), choice.unknown(pool)) {
        // An unknown centre hides whether it is full: where capacity was never adopted, say that first.
        (Some((centre, added)), None) => {
            let free = market.free(name, centre);
            let over = added.iter().filter(|(r, v)| *v > free[r].max(0));
            // Cards first: nobody asked for what a card brings.
            let first = over.min_by_key(|(r, _)| *r != "accelerators");
            let (resource, asked) = first.unwrap_or(("cpu", 0));
            Refusal::full(Name::clone(name), Name::clone(centre), resource, asked)
        }
        (None, None) => {
            let text = pool.and_then(|p| cards::scattered(choice, p));
            Refusal::new(reason::FRAGMENTED, text.unwrap_or_default())
        }
        (_, Some(centre)) => Refusal::unknown(Name::clone(name), Name::clone(centre)),
    })
}

#[cfg(test)]
#[path = "admission/tests.rs"]
mod tests;
