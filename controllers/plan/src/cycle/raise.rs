//! OPEN upwards: the queue over all pools, in its order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crds::{RequestApproval, RequestType, request_reason as reason};
use jiff::Timestamp;

use super::{CyclePlan, Snapshot, may_decide, record};
use crate::admission::{Assessment, Case, assess};
use crate::ledger::Ledger;
use crate::market::{Kept, Market};
use crate::request::{Request, date_at};
use crate::subtree::Subtrees;

/// What of a pool is kept for the first of its queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeper {
    /// Uid of the request that it is kept for.
    pub uid: String,
    /// What is kept, by centre.
    pub centres: BTreeMap<String, crds::Resources>,
}

impl From<&Keeper> for crds::KeptAmounts {
    fn from(keeper: &Keeper) -> Self {
        let centre = |(name, amounts): (&String, &crds::Resources)| crds::KeptInCentre {
            name: name.clone(),
            amounts: amounts.to_amounts(),
        };
        Self {
            uid: keeper.uid.clone(),
            centres: keeper.centres.iter().map(centre).collect(),
        }
    }
}

/// Grants what fits, in the order (emergency, priority, approvedAt, uid). A request that does not fit blocks nobody behind it,
/// until it has waited for the pool's `holdAfter`: then what it asks is kept for it in each of its pools that is kept for
/// nobody else.
pub(super) fn raise(snapshot: &Snapshot, ledger: &mut Ledger, plan: &mut CyclePlan) {
    let mut kept = Kept::new();
    let mut subtrees = Subtrees::of(ledger);
    let look = |case: &Case<'_>, ledger: &Ledger, subtrees: &Subtrees, kept: &Kept| {
        let market = Market {
            pools: &snapshot.pools,
            ledger,
            subtrees,
            tenants: &snapshot.tenants,
            kept,
        };
        assess(case, &snapshot.standing, market)
    };
    let mut queue: Vec<(Case<'_>, Assessment)> = cases(snapshot, ledger)
        .into_iter()
        .map(|case| {
            let assessment = look(&case, ledger, &subtrees, &kept);
            (case, assessment)
        })
        .collect();
    queue.sort_by_cached_key(|(case, a)| {
        let request = case.request;
        let emergency = request.kind() == RequestType::Emergency;
        let priority = Reverse((emergency, request.object.spec.priority));
        (priority, approved_at(request, a), request.uid().to_owned())
    });
    let before = ledger.records.len();
    for (case, mut assessment) in queue {
        let less = ledger.records.len() > before || !kept.is_empty();
        if assessment.grant.is_some() && less && ledger.has_room_for_record(true) {
            // Others were granted meanwhile, or something is kept for them: look again.
            assessment = look(&case, ledger, &subtrees, &kept);
        }
        if open(snapshot, ledger, plan, &case, &mut assessment) {
            subtrees.follow(ledger, case.request.tenant());
        }
        keep(snapshot, plan, &mut kept, case.request, &assessment);
        let uid = case.request.uid().to_owned();
        plan.order.push(uid.clone());
        plan.assessments.insert(uid, assessment);
    }
}

/// When the request joined the queue, RFC 3339.
pub(crate) fn approved_at(request: &Request, assessment: &Assessment) -> String {
    let decided = assessment.outcome.decided_at.clone();
    decided.unwrap_or_else(|| request.created())
}

/// Every request that is not granted yet, with what is to be known to judge it.
fn cases<'a>(snapshot: &'a Snapshot, ledger: &Ledger) -> Vec<Case<'a>> {
    let mut approvals: BTreeMap<(&str, &str), Vec<&RequestApproval>> = BTreeMap::new();
    for approval in &snapshot.approvals {
        let tenant = approval.metadata.namespace.as_deref().unwrap_or_default();
        let about = (tenant, approval.spec.request_ref.name.as_str());
        approvals.entry(about).or_default().push(approval);
    }
    let grants = snapshot.requests.iter().filter(|r| r.asks_grant());
    let by_name: BTreeMap<(&str, &str), &Request> = grants.map(|r| ((r.tenant(), r.name()), &**r)).collect();
    let case = |request: &'a Request| {
        let named = request.target().and_then(|name| by_name.get(&(request.tenant(), name)));
        let target = named.copied().filter(|t| request.alters() && request.speaks_of(t));
        // Done already, or under way.
        let subject = target.unwrap_or(request);
        let under_way = |r: &crate::ledger::Record| target.is_none() || r.change.as_deref() == Some(request.uid());
        let granted = match (request.kind(), target) {
            (RequestType::Change | RequestType::Renew, Some(t)) => t.was_altered_by(request.uid()),
            (RequestType::Release | RequestType::Keep, _) => true,
            _ => request.allocation().is_some(),
        };
        // What was not read again cannot be opened, and is not looked at.
        let waits = may_decide(snapshot, request)
            && !request.deleting()
            && !granted
            && !ledger.records.get(subject.uid()).is_some_and(under_way);
        waits.then(|| Case {
            request,
            target: target.filter(|t| t.is_live()),
            approvals: approvals
                .get(&(request.tenant(), request.name()))
                .cloned()
                .unwrap_or_default(),
            today: date_at(snapshot.now),
        })
    };
    snapshot.requests.iter().filter_map(|r| case(r)).collect()
}

/// Answers whether a record was opened.
fn open(
    snapshot: &Snapshot,
    ledger: &mut Ledger,
    plan: &mut CyclePlan,
    case: &Case<'_>,
    assessment: &mut Assessment,
) -> bool {
    let subject = case.target.unwrap_or(case.request);
    let raises = assessment.choices.iter().any(crate::market::Choice::raises);
    // One record a request: while another change of the same grant is under way, this one waits.
    let may_open =
        subject.guarded() && !ledger.records.contains_key(subject.uid()) && ledger.has_room_for_record(raises);
    let Some(grant) = assessment.grant.take_if(|_| may_open) else {
        return false;
    };
    plan.touched
        .extend([case.request.uid().to_owned(), subject.uid().to_owned()]);
    let may = may_decide(snapshot, case.request) && may_decide(snapshot, subject);
    if may {
        let mut record = record(snapshot, subject, grant, assessment.until);
        record.change = case.target.map(|_| case.request.uid().to_owned());
        ledger.open(subject.uid(), record);
    }
    may
}

/// A request that has waited long enough keeps what it asks, so that smaller ones do not starve it.
fn keep(snapshot: &Snapshot, plan: &mut CyclePlan, kept: &mut Kept, request: &Request, assessment: &Assessment) {
    let refused = assessment.refusal.as_ref().map(|r| r.reason);
    let since = approved_at(request, assessment).parse::<Timestamp>();
    let (Some(reason::WAITING_FOR_QUOTA), Ok(since)) = (refused, since) else {
        return;
    };
    let waited = snapshot.now.duration_since(since);
    for choice in &assessment.choices {
        let long = snapshot.pools.get(&choice.pool).is_some_and(|p| waited >= p.hold_after);
        if !long || plan.keepers.contains_key(&choice.pool) {
            continue;
        }
        let centres: BTreeMap<_, _> = choice
            .grant
            .centres
            .keys()
            .map(|centre| (centre.clone(), choice.added(centre).each_max(crds::Resources::ZERO)))
            .collect();
        kept.insert(choice.pool.clone(), centres.clone());
        let keeper = Keeper {
            uid: request.uid().to_owned(),
            centres,
        };
        plan.keepers.insert(choice.pool.clone(), keeper);
    }
}
