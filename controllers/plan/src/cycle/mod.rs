//! One admission cycle over all pools and tenants: settle what is proven, give back what ended, grant what fits, in one
//! swap; then write every allocation whose record the swap holds.
//!
//! The caller makes two runs. The first, on caches, says which requests matter ([`CyclePlan::touched`]). Then it reads
//! the ledger, *after that* each of these requests, and runs again; only requests of that second read are opened or
//! settled. APPLY follows the caller's own swap, so that the request was read before the ledger showed the record.

mod adopt;
mod give_back;
mod lost;
mod raise;
mod reclaim;
mod settle;
mod vanished;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{Allocation, LedgerState, RequestApproval};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::admission::Assessment;
use crate::applicant::Standing;
use crate::ledger::{Ledger, Record};
use crate::phase::started;
use crate::pool::Pool;
use crate::quota::Grant;
use crate::reclaim::Survey;
use crate::request::{Mark, Request, mark};
use crate::tenants::TenantFacts;

pub use adopt::moves_capacity;
pub use lost::restore;
pub use raise::Keeper;
pub(crate) use raise::{approved_at, target, targets};
pub use vanished::vanished;

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
    /// Its length as it is stored, in bytes.
    pub ledger_bytes: usize,
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
    /// What is known of how much is used, and what idle grants become.
    pub survey: Arc<Survey>,
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
    /// Requests whose last lowering is settled, by index.
    pub clear: Vec<usize>,
    /// Uids that matter to the above.
    pub touched: BTreeSet<String>,
    /// What was found out about each request for something new, as long as the snapshot's requests or empty.
    pub assessments: Vec<Option<Assessment>>,
    /// Requests by index, in the order in which they are served.
    pub order: Vec<usize>,
    /// By pool: for whom what is freed is kept.
    pub keepers: BTreeMap<String, Keeper>,
    /// Tenants whose new place waits, because what they hold does not fit there: why, `English | 中文`.
    pub overshoot: BTreeMap<String, String>,
}

impl CyclePlan {
    /// What was found out about a request, by index.
    pub fn assessment(&self, request: usize) -> Option<&Assessment> {
        self.assessments.get(request)?.as_ref()
    }
}

/// Runs one cycle. Pure and total.
pub fn cycle(snapshot: &Snapshot) -> CyclePlan {
    let mut plan = CyclePlan::default();
    if snapshot.ledger.state != LedgerState::Open {
        return plan;
    }
    let mut ledger = snapshot.ledger.clone();
    adopt::adopt(snapshot, &mut ledger, &mut plan);
    settle::settle(snapshot, &mut ledger, &mut plan);
    give_back::end(snapshot, &mut plan);
    give_back::lower(snapshot, &mut ledger, &mut plan);
    reclaim::take_back(snapshot, &mut ledger, &mut plan);
    raise::raise(snapshot, &mut ledger, &mut plan);
    started::mark(snapshot, &mut ledger, &plan);
    write::apply(snapshot, &ledger, &mut plan);
    write::confirm(snapshot, &ledger, &mut plan);
    write::unguard(snapshot, &ledger, &mut plan);
    write::clear(snapshot, &ledger, &mut plan);
    // What is written was read before the ledger that this swap makes: it proves that nobody was in between.
    let writes = [plan.apply.len(), plan.unguard.len(), plan.clear.len()];
    if ledger != snapshot.ledger || writes != [0; 3] {
        ledger.sequence += 1;
        ledger.epoch = snapshot.epoch;
        plan.swap = Some(ledger);
    }
    plan
}

/// Requests that a record of the ledger is open for, by index, in their order. Few have one: the others are told apart by
/// their marks, which are at hand.
fn recorded<'a>(snapshot: &'a Snapshot, ledger: &'a Ledger) -> impl Iterator<Item = (usize, &'a Record)> {
    let marks: BTreeSet<Mark> = ledger.records.keys().map(|uid| mark(uid)).collect();
    let all = snapshot.requests.iter().enumerate();
    all.filter(move |(_, request)| marks.contains(&request.mark))
        .filter_map(|(index, request)| Some((index, ledger.records.get(request.uid())?)))
}

/// Whether this request may be opened or settled in this run.
fn may_decide(snapshot: &Snapshot, request: &Request) -> bool {
    request.fresh || snapshot.reading == Reading::Nominate
}

/// The record of a change of what this request holds. What it held since when stays, where it holds something.
fn record(snapshot: &Snapshot, request: &Request, to: Grant, until: Option<Date>) -> Record {
    let since = request.allocation().and_then(|a| a.from.clone());
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
        starts: since.or_else(|| Some(snapshot.now.to_string())),
        until: until.map(|d| d.to_string()),
        change: None,
        phase: None,
    }
}
