//! One admission cycle over all pools and tenants: settle what is proven, give back what ended, grant what fits, in one
//! swap; then write every allocation whose record the swap holds.
//!
//! The caller makes two runs. The first, on caches, says which requests matter ([`CyclePlan::touched`]). Then it reads
//! the ledger, *after that* each of these requests, and runs again; only requests of that second read are opened or
//! settled. APPLY follows the caller's own swap, so that the request was read before the ledger showed the record.

mod settle;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{Allocation, LedgerState, RequestApproval, RequestType, Resources};
use jiff::Timestamp;

use crate::admission::{Assessment, Standing, assess};
use crate::centre::rows::Reason;
use crate::ledger::{Ledger, Record};
use crate::needs::Market;
use crate::pool::Pool;
use crate::quota::{Grant, to_stored};
use crate::request::{Request, date_at, end_of_term};
use crate::subtree::Subtrees;

/// A tenant as the ledger adopts it.
#[derive(Clone, Debug, Default)]
pub struct TenantFacts {
    /// Generation of its spec.
    pub generation: i64,
    /// Parent.
    pub parent: Option<String>,
    /// Ceilings by pool.
    pub ceilings: BTreeMap<String, Resources>,
}

/// Which of the two runs this is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// On caches: finds what matters, decides nothing that is sent.
    #[default]
    Nominate,
    /// On the ledger and the requests that were read after it.
    Decide,
}

/// Everything a cycle looks at.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Which run.
    pub reading: Reading,
    /// Now, by the operator's wall clock.
    pub now: Timestamp,
    /// Epoch of this operator.
    pub epoch: i64,
    /// The ledger.
    pub ledger: Ledger,
    /// Uid of the ledger object.
    pub ledger_uid: String,
    /// Pools that were understood.
    pub pools: BTreeMap<String, Pool>,
    /// Tenants whose spec was understood and whose place in the tree is valid.
    pub tenants: BTreeMap<String, TenantFacts>,
    /// Names of all tenants, and whether each may be granted anything.
    pub standing: Standing,
    /// Requests.
    pub requests: Vec<Arc<Request>>,
    /// Uids that a direct read found to be gone, or to be another object by now.
    pub gone: BTreeSet<String>,
    /// Decisions of approvers.
    pub approvals: Vec<Arc<RequestApproval>>,
}

/// An allocation to write, with the resourceVersion of the copy it was decided on.
#[derive(Clone, Debug)]
pub struct Apply {
    /// Index into the snapshot's requests.
    pub request: usize,
    /// What to write.
    pub allocation: Allocation,
}

/// What a cycle decided.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CyclePlan {
    /// The ledger to swap in, where anything changes or is to be applied.
    pub swap: Option<Ledger>,
    /// After the swap: allocations to write.
    pub apply: Vec<Apply>,
    /// Allocations that end now, by index; irrevocable, decided on the copy in the snapshot.
    pub end: Vec<usize>,
    /// Requests whose finalizer may go, by index.
    pub unguard: Vec<usize>,
    /// Uids that matter to the above.
    pub touched: BTreeSet<String>,
    /// What was found out about each request for something new, by uid.
    pub assessments: BTreeMap<String, Box<Assessment>>,
    /// Uids in the order in which they are served.
    pub order: Vec<String>,
}

/// Runs one cycle. Pure and total.
pub fn cycle(snapshot: &Snapshot) -> CyclePlan {
    let mut plan = CyclePlan::default();
    if snapshot.ledger.state != LedgerState::Open {
        return plan;
    }
    let mut ledger = snapshot.ledger.clone();
    adopt(snapshot, &mut ledger);
    settle::settle(snapshot, &mut ledger, &mut plan);
    end(snapshot, &mut plan);
    lower(snapshot, &mut ledger, &mut plan);
    raise(snapshot, &mut ledger, &mut plan);
    apply(snapshot, &ledger, &mut plan);
    confirm(snapshot, &ledger, &mut plan);
    unguard(snapshot, &ledger, &mut plan);
    // What is applied or let go was read before the ledger that this swap makes: it proves that nobody was in between.
    if ledger != snapshot.ledger || !plan.apply.is_empty() || !plan.unguard.is_empty() {
        ledger.sequence += 1;
        ledger.epoch = snapshot.epoch;
        plan.swap = Some(ledger);
    }
    plan
}

fn adopt(snapshot: &Snapshot, ledger: &mut Ledger) {
    for (name, facts) in &snapshot.tenants {
        ledger.adopt_tenant(name, facts.generation, facts.parent.as_deref(), &facts.ceilings);
    }
    for pool in snapshot.pools.values() {
        ledger.adopt_pool(pool);
    }
    let pools = snapshot.pools.keys().map(String::as_str).collect();
    let tenants = snapshot.standing.keys().map(String::as_str).collect();
    ledger.forget(&pools, &tenants);
}

/// Whether this request may be opened or settled in this run.
fn may_decide(snapshot: &Snapshot, request: &Request) -> bool {
    request.fresh || snapshot.reading == Reading::Nominate
}

/// END: a Release, the end of the term, or deletion.
fn end(snapshot: &Snapshot, plan: &mut CyclePlan) {
    let today = date_at(snapshot.now);
    let released: BTreeSet<(&str, &str)> = snapshot
        .requests
        .iter()
        .filter(|r| r.object.spec.type_ == RequestType::Release && !r.deleting())
        .filter_map(|r| Some((r.tenant(), r.object.spec.allocation_ref.as_ref()?.name.as_str())))
        .collect();
    for (index, request) in snapshot.requests.iter().enumerate() {
        if request.holds.is_empty() || !request.is_new() || request.ended() {
            continue;
        }
        let expired = request.until().is_some_and(|until| until < today);
        if released.contains(&(request.tenant(), request.name())) || expired || request.deleting() {
            plan.end.push(index);
            plan.touched.insert(request.uid().to_owned());
        }
    }
}

/// OPEN {n → 0} for what ended.
fn lower(snapshot: &Snapshot, ledger: &mut Ledger, plan: &mut CyclePlan) {
    for request in &snapshot.requests {
        let wanted = request.ended() && !request.holds.is_empty() && !ledger.records.contains_key(request.uid());
        if wanted && ledger.has_room_for_record(false) {
            plan.touched.insert(request.uid().to_owned());
            if may_decide(snapshot, request) {
                let record = record(snapshot, request, Grant::new());
                ledger.open(request.uid(), record);
            }
        }
    }
}

fn record(snapshot: &Snapshot, request: &Request, to: Grant) -> Record {
    let ending = to.is_empty();
    let months = request.object.spec.term.as_ref().map(|t| t.months);
    let kept = request.allocation();
    Record {
        // The sequence of the swap makes it unique over the life of the ledger, whose uid makes it unique for ever.
        id: format!(
            "{}-{}-{}",
            snapshot.ledger_uid.split('-').next().unwrap_or_default(),
            snapshot.ledger.sequence + 1,
            request.uid()
        ),
        name: request.name().to_owned(),
        tenant: request.tenant().to_owned(),
        from: request.holds.clone(),
        to,
        starts: if ending {
            kept.and_then(|a| a.from.clone())
        } else {
            Some(snapshot.now.to_string())
        },
        until: if ending {
            kept.and_then(|a| a.until.clone())
        } else {
            months.and_then(|m| end_of_term(snapshot.now, m)).map(|d| d.to_string())
        },
    }
}

/// OPEN upwards, in the order (priority, approvedAt, uid). A request that does not fit blocks nobody behind it.
fn raise(snapshot: &Snapshot, ledger: &mut Ledger, plan: &mut CyclePlan) {
    let mut by_request: BTreeMap<(&str, &str), Vec<&RequestApproval>> = BTreeMap::new();
    for approval in &snapshot.approvals {
        let tenant = approval.metadata.namespace.as_deref().unwrap_or_default();
        by_request
            .entry((tenant, &approval.spec.request_ref.name))
            .or_default()
            .push(approval);
    }
    let look = |request: &Request, ledger: &Ledger, subtrees: &Subtrees| {
        let approvals = by_request.get(&(request.tenant(), request.name()));
        let approvals = approvals.map(Vec::as_slice).unwrap_or_default();
        let pools = &snapshot.pools;
        let market = Market {
            pools,
            ledger,
            subtrees,
        };
        assess(request, approvals, &snapshot.standing, market)
    };
    let mut subtrees = Subtrees::of(ledger);
    let waiting = snapshot
        .requests
        .iter()
        .filter(|r| r.is_new() && !r.deleting() && r.allocation().is_none());
    let mut queue: Vec<(&Request, Box<Assessment>)> = waiting
        .filter(|r| !ledger.records.contains_key(r.uid()))
        .map(|r| (&**r, Box::new(look(r, ledger, &subtrees))))
        .collect();
    queue.sort_by_cached_key(|(request, assessment)| {
        let request: &Request = request;
        (
            Reverse(request.object.spec.priority),
            approved_at(request, assessment),
            request.uid(),
        )
    });
    let before = ledger.records.len();
    for (request, mut assessment) in queue {
        let uid = request.uid().to_owned();
        if assessment.grant.is_some() && ledger.records.len() > before && ledger.has_room_for_record(true) {
            // Others were granted meanwhile: look again.
            *assessment = look(request, ledger, &subtrees);
        }
        if let Some(grant) = assessment
            .grant
            .take_if(|_| request.guarded() && ledger.has_room_for_record(true))
        {
            plan.touched.insert(uid.clone());
            if may_decide(snapshot, request) {
                ledger.open(&uid, record(snapshot, request, grant));
                subtrees.follow(ledger, request.tenant());
            }
        }
        plan.order.push(uid.clone());
        plan.assessments.insert(uid, assessment);
    }
}

/// When the last person who was needed agreed; of a request that needs nobody, when it was made.
fn approved_at(request: &Request, assessment: &Assessment) -> Option<Timestamp> {
    let decided = assessment.outcome.decided_at.as_deref();
    let created = request.object.metadata.creation_timestamp.as_ref();
    decided.map_or_else(|| created.map(|t| t.0), |at| at.parse().ok())
}

/// APPLY for every record that the swapped ledger holds and whose request was read in this cycle.
fn apply(snapshot: &Snapshot, ledger: &Ledger, plan: &mut CyclePlan) {
    for (index, request) in snapshot.requests.iter().enumerate() {
        let Some(record) = ledger.records.get(request.uid()) else {
            continue;
        };
        let written = request.record() == Some(record.id.as_str());
        // An ended allocation never rises, and a request on its way out takes nothing more.
        let forbidden = record.raises() && (request.ended() || request.deleting());
        if written || forbidden {
            continue;
        }
        plan.touched.insert(request.uid().to_owned());
        let allocation = Allocation {
            record: record.id.clone(),
            ledger: snapshot.ledger_uid.clone(),
            epoch: snapshot.epoch,
            from: record.starts.clone(),
            until: record.until.clone(),
            ended: request.allocation().and_then(|a| a.ended.clone()),
            pools: to_stored(&record.to),
        };
        plan.apply.push(Apply {
            request: index,
            allocation,
        });
    }
    plan.apply.retain(|a| {
        snapshot
            .requests
            .get(a.request)
            .is_some_and(|r| may_decide(snapshot, r))
    });
}

/// CONFIRM: a centre that has seen a newer leader waits for it to stand by what an older one wrote. The same allocation is
/// written again under this leader's epoch; nothing is charged or given back by that.
fn confirm(snapshot: &Snapshot, ledger: &Ledger, plan: &mut CyclePlan) {
    for (index, request) in snapshot.requests.iter().enumerate() {
        let Some(allocation) = request.allocation() else {
            continue;
        };
        let in_question = request.rows().iter().any(|r| r.reason == Reason::StaleEpoch.as_str());
        let record = ledger.records.get(request.uid());
        let as_decided = record.is_none_or(|r| r.id == allocation.record);
        if !(in_question && as_decided && allocation.epoch < snapshot.epoch) {
            continue;
        }
        plan.touched.insert(request.uid().to_owned());
        if may_decide(snapshot, request) {
            let allocation = Allocation {
                epoch: snapshot.epoch,
                ..allocation.clone()
            };
            plan.apply.push(Apply {
                request: index,
                allocation,
            });
        }
    }
}

/// A deleted request may go when it holds nothing and no record is open for it, in the ledger that was read.
fn unguard(snapshot: &Snapshot, ledger: &Ledger, plan: &mut CyclePlan) {
    for (index, request) in snapshot.requests.iter().enumerate() {
        if !request.deleting() || !request.guarded() || !request.holds.is_empty() {
            continue;
        }
        let uid = request.uid();
        let free = !snapshot.ledger.records.contains_key(uid) && !ledger.records.contains_key(uid);
        if free {
            plan.unguard.push(index);
            plan.touched.insert(uid.to_owned());
        }
    }
}
