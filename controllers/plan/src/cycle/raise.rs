//! OPEN upwards: the queue over all pools, in its order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crds::{RequestApproval, RequestType, request_reason as reason};
use jiff::Timestamp;

use super::{CyclePlan, Snapshot, may_decide, record};
use crate::admission::{Assessment, Case, assess, until};
use crate::applicant::{Applicant, Register};
use crate::by_name::Name;
use crate::ledger::{Ledger, MOST_BYTES};
use crate::market::{self, Choice, Kept, Market};
use crate::request::{Mark, Request, date_at};
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
        let centre = |(name, amounts): (&String, &crds::Resources)| crds::CentreAmounts {
            name: name.clone(),
            amounts: amounts.to_amounts(),
        };
        Self {
            uid: keeper.uid.clone(),
            centres: keeper.centres.iter().map(centre).collect(),
        }
    }
}

/// Where a request stands in the queue: emergencies and priority first, then approval, then uid. The beginning of the uid
/// decides nearly always, and is at hand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn<'a> {
    before: Reverse<(bool, i32)>,
    approved: Option<Timestamp>,
    uid: (Mark, &'a str),
}

/// A request that waits, as its turn sees it.
struct Waiting<'a> {
    turn: Turn<'a>,
    case: &'a Case<'a>,
    fits: bool,
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
            kept,
        };
        let assessment = assess(case, market);
        if snapshot.ledger_bytes < MOST_BYTES {
            return assessment;
        }
        assessment.held_back()
    };
    let cases = cases(snapshot, ledger, &subtrees);
    plan.assessments.resize_with(snapshot.requests.len(), || None);
    let mut queue: Vec<Waiting<'_>> = Vec::with_capacity(cases.len());
    // By pool: the first of those that wait long enough to keep something.
    let mut first: BTreeMap<Name, Turn<'_>> = BTreeMap::new();
    for case in &cases {
        let assessment = look(case, ledger, &subtrees, &kept);
        let (turn, fits) = (turn(case.request, &assessment), assessment.fits);
        for choice in long(snapshot, turn.approved, &assessment) {
            if first.get(&choice.pool).is_none_or(|earliest| turn < *earliest) {
                first.insert(Name::clone(&choice.pool), turn);
            }
        }
        queue.push(Waiting { turn, case, fits });
        if let Some(slot) = plan.assessments.get_mut(case.index) {
            *slot = Some(assessment);
        }
    }
    queue.sort_unstable_by(|a, b| a.turn.cmp(&b.turn));
    plan.order = queue.iter().map(|w| w.case.index).collect();
    let first: BTreeSet<Turn<'_>> = first.into_values().collect();
    let before = ledger.records.len();
    for Waiting { turn, case, fits } in queue {
        // Whoever does not fit, and is no pool's first, changes nothing.
        if !(fits || first.contains(&turn)) {
            continue;
        }
        let Some(mut assessment) = plan.assessments.get_mut(case.index).and_then(Option::take) else {
            continue;
        };
        let less = ledger.records.len() > before || !kept.is_empty();
        if fits && less && ledger.has_room_for_record(true) {
            // Others were granted meanwhile, or something is kept for them: look again.
            assessment = look(case, ledger, &subtrees, &kept);
        }
        if open(snapshot, ledger, plan, case, &mut assessment) {
            subtrees.follow(ledger, case.request.tenant());
        }
        keep(snapshot, plan, &mut kept, case.request, &assessment);
        if let Some(slot) = plan.assessments.get_mut(case.index) {
            *slot = Some(assessment);
        }
    }
}

fn turn<'a>(request: &'a Request, assessment: &Assessment) -> Turn<'a> {
    let emergency = request.kind() == RequestType::Emergency;
    Turn {
        before: Reverse((emergency, request.wish.priority)),
        approved: approved_at(request, assessment),
        uid: (request.mark, request.uid()),
    }
}

/// When the request joined the queue.
pub(crate) fn approved_at(request: &Request, assessment: &Assessment) -> Option<Timestamp> {
    assessment.outcome.decided_at.or_else(|| request.created())
}

/// Tenant and name of a request.
pub(crate) type Named<'a> = (&'a str, &'a str);

/// Decisions by tenant and name of the request that they are about.
type Decisions<'a> = BTreeMap<&'a str, BTreeMap<&'a str, Vec<&'a RequestApproval>>>;

fn decisions(snapshot: &Snapshot) -> Decisions<'_> {
    let mut all = Decisions::new();
    for approval in &snapshot.approvals {
        let tenant = approval.metadata.namespace.as_deref().unwrap_or_default();
        let of_tenant = all.entry(tenant).or_default();
        let about = approval.spec.request_ref.name.as_str();
        of_tenant.entry(about).or_default().push(approval);
    }
    all
}

/// The grants that somebody asks to alter.
pub(crate) fn targets(snapshot: &Snapshot) -> BTreeMap<Named<'_>, &Request> {
    let altering = snapshot.requests.iter().filter(|r| r.alters());
    let named: BTreeSet<Named<'_>> = altering.filter_map(|r| Some((r.tenant(), r.target()?))).collect();
    if named.is_empty() {
        return BTreeMap::new();
    }
    let grants = snapshot.requests.iter().filter(|r| r.asks_grant());
    let found = grants.map(|r| ((r.tenant(), r.name()), &**r));
    found.filter(|(name, _)| named.contains(name)).collect()
}

/// The request whose grant this one asks to alter.
pub(crate) fn target<'a>(request: &Request, targets: &BTreeMap<Named<'_>, &'a Request>) -> Option<&'a Request> {
    let name = request.alters().then(|| request.target())??;
    let named = targets.get(&(request.tenant(), name)).copied();
    named.filter(|t| request.speaks_of(t))
}

/// Every request that is not granted yet, with what is to be known to judge it.
fn cases<'a>(snapshot: &'a Snapshot, ledger: &Ledger, subtrees: &Subtrees) -> Vec<Case<'a>> {
    let (decisions, targets) = (decisions(snapshot), targets(snapshot));
    let register = Register {
        pools: &snapshot.pools,
        tenants: &snapshot.tenants,
        standing: &snapshot.standing,
    };
    let today = date_at(snapshot.now);
    // The cache has the requests tenant by tenant.
    let (mut tenant, mut about) = (None::<Rc<Applicant<'a>>>, None);
    let mut cases = Vec::with_capacity(snapshot.requests.len());
    for (index, request) in snapshot.requests.iter().enumerate() {
        let target = target(request, &targets);
        if !waits(snapshot, ledger, request, target) {
            continue;
        }
        let known = tenant.take().filter(|t| t.name == request.tenant());
        let applicant = known.unwrap_or_else(|| {
            about = decisions.get(request.tenant());
            Rc::new(Applicant::of(request.tenant(), register, ledger, subtrees))
        });
        tenant = Some(Rc::clone(&applicant));
        let about = about.and_then(|decisions| decisions.get(request.name()));
        cases.push(Case {
            index,
            request,
            tenant: applicant,
            target: target.filter(|t| t.is_live()),
            approvals: about.cloned().unwrap_or_default(),
            today,
        });
    }
    cases
}

/// Whether the request is neither done nor under way.
fn waits(snapshot: &Snapshot, ledger: &Ledger, request: &Request, target: Option<&Request>) -> bool {
    let granted = match (request.kind(), target) {
        (RequestType::Change | RequestType::Renew, Some(t)) => t.was_altered_by(request.uid()),
        (RequestType::Release | RequestType::Keep, _) => true,
        _ => request.allocation().is_some(),
    };
    // What was not read again cannot be opened, and is not looked at.
    if granted || request.deleting() || !may_decide(snapshot, request) {
        return false;
    }
    if ledger.records.is_empty() {
        return true;
    }
    let record = ledger.records.get(target.unwrap_or(request).uid());
    !record.is_some_and(|r| target.is_none() || r.change.as_deref() == Some(request.uid()))
}

/// Answers whether a record was opened.
fn open(
    snapshot: &Snapshot,
    ledger: &mut Ledger,
    plan: &mut CyclePlan,
    case: &Case<'_>,
    assessment: &mut Assessment,
) -> bool {
    if !assessment.fits {
        return false;
    }
    let subject = case.target.unwrap_or(case.request);
    let raises = assessment.choices.iter().any(Choice::raises);
    // One record a request: while another change of the same grant is under way, this one waits.
    let may_open =
        subject.guarded() && !ledger.records.contains_key(subject.uid()) && ledger.has_room_for_record(raises);
    if !may_open {
        return false;
    }
    assessment.fits = false;
    plan.touched
        .extend([case.request.uid().to_owned(), subject.uid().to_owned()]);
    let may = may_decide(snapshot, case.request) && may_decide(snapshot, subject);
    if may {
        let to = market::grant(&assessment.choices);
        let mut record = record(snapshot, subject, to, until(case));
        record.change = case.target.map(|_| case.request.uid().to_owned());
        ledger.open(subject.uid(), record);
    }
    may
}

/// The choices of a request that waits for room, in pools where it has waited long enough to keep what it asks.
fn long<'a>(
    snapshot: &'a Snapshot,
    since: Option<Timestamp>,
    assessment: &'a Assessment,
) -> impl Iterator<Item = &'a Choice> {
    // Cards that are free but not together are taken by small requests as well as any others.
    let for_room = [reason::WAITING_FOR_QUOTA, reason::FRAGMENTED];
    let refusal = assessment.refusal.as_ref();
    let since = since.filter(|_| refusal.is_some_and(|r| for_room.contains(&r.reason)));
    let waited = since.map(|since| snapshot.now.duration_since(since));
    let choices = waited.map(|waited| (waited, assessment.choices.iter()));
    choices.into_iter().flat_map(move |(waited, choices)| {
        choices.filter(move |c| snapshot.pools.get(&*c.pool).is_some_and(|p| waited >= p.hold_after))
    })
}

/// A request that has waited long enough keeps what it asks, so that smaller ones do not starve it.
fn keep(snapshot: &Snapshot, plan: &mut CyclePlan, kept: &mut Kept, request: &Request, assessment: &Assessment) {
    for choice in long(snapshot, approved_at(request, assessment), assessment) {
        let pool: &str = &choice.pool;
        if plan.keepers.contains_key(pool) {
            continue;
        }
        let centres: BTreeMap<_, _> = choice
            .grant
            .centres
            .keys()
            .map(|centre| (centre.to_string(), choice.added(centre).each_max(crds::Resources::ZERO)))
            .collect();
        kept.insert(pool.to_owned(), centres.clone());
        let keeper = Keeper {
            uid: request.uid().to_owned(),
            centres,
        };
        plan.keepers.insert(pool.to_owned(), keeper);
    }
}

#[cfg(test)]
#[path = "raise/tests.rs"]
mod tests;
