//! Admission: grants from all pools in one serial cycle, through the ledger.
//!
//! observe (caches) → [`plan::cycle`] nominates → read the ledger, then the requests that matter → [`plan::cycle`]
//! decides → swap → write allocations → publish statuses. The rules are in docs/decisions/0003-ledger-protocol.md.

mod apply;
mod book;
mod metrics;
mod observe;
mod phases;
mod publish;
mod reclaim;
mod status;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crds::{LedgerState, QuotaLedger};
use futures::StreamExt as _;
use futures::future::{BoxFuture, select_all};
use kube::Client;
use plan::cycle::{CyclePlan, Reading, Snapshot, cycle, moves_capacity, vanished};
use plan::phase::started::untold;
use plan::request::Request;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use metrics::AdmissionMetrics;
pub use observe::{Requests, requests};

use crate::call::CallError;
use crate::clock::Clock;
use crate::events::Events;
use crate::fail_point::{FailPoints, Step};
use crate::pass::{Passes, Rhythm, drive};
use book::{Book, Own};
use observe::Caches;
use phases::Unblocks;

/// At most five swaps a second.
const SWAP_INTERVAL: Duration = Duration::from_millis(200);
/// How often the ledger is compared with what the requests hold.
const RECOUNT_INTERVAL: Duration = Duration::from_secs(600);
/// The same where something vanished with what it held, at most this often.
const MISSED_INTERVAL: Duration = Duration::from_secs(10);
/// While grants follow one another, figures and statuses of those that wait may be this old.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(2);
/// Where the server is the bottleneck, they take one part in so many of its time, and are never older than this.
const PUBLISH_SHARE: u32 = 20;
const PUBLISH_LONGEST: Duration = Duration::from_secs(10);
/// Writes under way at once; more only queue in the API server.
const WRITES_AT_ONCE: usize = 16;

/// What the controller needs.
#[derive(Clone)]
pub struct Options {
    /// Client of the hub.
    pub client: Client,
    /// All requests.
    pub requests: Requests,
    /// Told of each change; the requests tell it too.
    pub changed: Arc<Notify>,
    /// Epoch of this leadership.
    pub epoch: i64,
    /// Where its figures go.
    pub metrics: Arc<AdmissionMetrics>,
    /// Where its passes are counted.
    pub passes: Passes,
    /// Where what happened is told.
    pub events: Events,
    /// The wall clock.
    pub clock: Clock,
    /// Where a drill ends or stops this process.
    pub fail_points: FailPoints,
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to the hub.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A cache never filled.
    #[error(transparent)]
    NotReady(#[from] crate::cache::NotReady),
    /// The stored ledger cannot be read.
    #[error("the ledger cannot be read: {0}")]
    Ledger(#[from] crds::AmountError),
    /// Somebody with a newer epoch wrote the ledger: this process leads no more.
    #[error("the ledger carries epoch {found}, newer than ours {ours}")]
    Superseded {
        /// In the ledger.
        found: i64,
        /// Ours.
        ours: i64,
    },
    /// A request does not parse, so what it holds is not known and nothing is recounted.
    #[error("{0} requests cannot be read; the ledger is not recounted until they can")]
    Unreadable(usize),
}

impl Error {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Call(error) if error.is_conflict())
    }

    fn is_not_found(&self) -> bool {
        matches!(self, Self::Call(error) if error.is_not_found())
    }
}

/// Runs until `stop`, or until a cache's task ends.
///
/// # Errors
/// A cache that never filled.
pub async fn run(options: Options, stop: CancellationToken) -> Result<(), Error> {
    let changed = Arc::clone(&options.changed);
    let (caches, tasks) = Caches::start(&options.client, options.requests.clone(), &changed);
    caches.ready().await?;
    let mut controller = Controller {
        book: Book::new(options.client.clone(), options.epoch, options.fail_points.clone()),
        own: Mutex::default(),
        caches,
        options,
        unblocks: Unblocks::default(),
        next_swap: Instant::now(),
        recounted: None,
        missed: false,
        next_publish: Instant::now(),
        seen: Vec::new(),
    };
    let passes = controller.options.passes.clone();
    // Whoever is superseded leads no more; to try again would be to hope that the newer one is gone.
    let (ended, mut superseded) = (stop.child_token(), None);
    let pass = async || match controller.pass().await {
        Err(Error::Superseded { found, ours }) => {
            superseded = Some(Error::Superseded { found, ours });
            ended.cancel();
            Ok(None)
        }
        outcome => outcome,
    };
    tokio::select! {
        () = drive("admission", Rhythm::default(), &passes, changed, ended.clone(), pass) => {}
        _ = select_all(tasks) => {}
    }
    superseded.map_or(Ok(()), Err)
}

/// A write that is about to be sent.
type Write<'a> = BoxFuture<'a, Result<(), Error>>;

struct Controller {
    options: Options,
    caches: Caches,
    book: Book,
    unblocks: Unblocks,
    /// Of the last decision.
    own: Mutex<Own>,
    next_swap: Instant,
    /// When this leader counted the ledger last.
    recounted: Option<Instant>,
    /// Whether something vanished since.
    missed: bool,
    next_publish: Instant,
    /// The requests of the last pass.
    seen: Vec<Arc<Request>>,
}

impl Controller {
    /// One pass. Answers when it wants to be called again.
    async fn pass(&mut self) -> Result<Option<Duration>, Error> {
        if self.until_recount().is_zero() || !self.caches.ledger_open() {
            self.recount().await?;
        }
        let snapshot = self.caches.snapshot(self.options.epoch, self.options.clock.now())?;
        let Some(snapshot) = snapshot.filter(|s| s.ledger.state == LedgerState::Open) else {
            // The watch has not delivered the ledger that the recount wrote.
            return Ok(Some(SWAP_INTERVAL));
        };
        let before = std::mem::replace(&mut self.seen, snapshot.requests.clone());
        if vanished(&before, &snapshot.requests, &snapshot.ledger) {
            tracing::warn!("a request that held something is gone and was not released; the ledger is recounted");
            self.missed = true;
        }
        let nominated = cycle(&snapshot);
        let acts = nominated.swap.is_some() || !nominated.end.is_empty() || !nominated.unguard.is_empty();
        let wait = self.next_swap.saturating_duration_since(Instant::now());
        let mut again = None;
        // First, because once a request is granted its decisions are not counted again.
        let counted = status::approvals(&self.options, &snapshot, &nominated);
        all(counted, &self.options.metrics, "status").await?;
        if acts && wait.is_zero() {
            self.next_swap = Instant::now() + SWAP_INTERVAL;
            if self.decide(snapshot.clone(), &nominated).await? {
                again = Some(self.next_swap.saturating_duration_since(Instant::now()));
                if Instant::now() < self.next_publish {
                    return Ok(again);
                }
            }
        } else if acts {
            again = Some(wait);
        }
        let begin = Instant::now();
        self.publish(&snapshot, &nominated).await?;
        let pause = begin.elapsed().saturating_mul(PUBLISH_SHARE);
        self.next_publish = Instant::now() + pause.clamp(PUBLISH_INTERVAL, PUBLISH_LONGEST);
        let recount = self.until_recount();
        let next = again.or_else(|| reclaim::next(&snapshot));
        Ok(Some(next.map_or(recount, |next| next.min(recount))))
    }

    fn until_recount(&self) -> Duration {
        let interval = if self.missed { MISSED_INTERVAL } else { RECOUNT_INTERVAL };
        let last = self.recounted;
        last.map_or(Duration::ZERO, |last| interval.saturating_sub(last.elapsed()))
    }

    async fn recount(&mut self) -> Result<(), Error> {
        let options = &self.options;
        let counted = self.book.recount(options).await;
        let open = self.caches.ledger_open();
        if counted.is_err() && !open {
            self.tell_why_all_wait().await?;
        }
        match counted {
            // What this leader counted itself stays true, whatever became unreadable since; the others go on.
            Err(error @ Error::Unreadable(_)) if self.recounted.is_some() && open => {
                tracing::warn!(%error, "the ledger stays as it is");
            }
            Err(error) => return Err(error),
            Ok(differences) => {
                tracing::info!(
                    epoch = options.epoch,
                    differences = differences.len(),
                    "ledger recounted"
                );
            }
        }
        self.recounted = Some(Instant::now());
        self.missed = false;
        Ok(())
    }

    /// Where a new ledger cannot be counted, whoever waits learns why; of what was granted nothing changes.
    async fn tell_why_all_wait(&self) -> Result<(), Error> {
        let options = &self.options;
        if let Some(snapshot) = self.caches.snapshot(options.epoch, options.clock.now())? {
            let nothing = CyclePlan::default();
            let waits = |r: &Request| r.asks_grant() && r.allocation().is_none();
            let waiting = status::requests(options, &snapshot, &nothing, waits);
            all(waiting, &options.metrics, "status").await?;
        }
        Ok(())
    }

    /// READ the ledger; after it the requests that matter and, where capacity would move, what it is made of.
    async fn read(&mut self, snapshot: &mut Snapshot, nominated: &CyclePlan) -> Result<QuotaLedger, Error> {
        let (object, ledger) = self.book.read().await?;
        snapshot.reading = Reading::Decide;
        snapshot.ledger = ledger;
        snapshot.ledger_uid = object.metadata.uid.clone().unwrap_or_default();
        let own = std::mem::take(self.own.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.book.refresh(snapshot, &nominated.touched, own).await?;
        // Reading took its time: a report that grew too old meanwhile sells nothing.
        snapshot.now = self.options.clock.now();
        snapshot.pools = self.caches.pools_at(snapshot.now);
        // A cache may be older than what the ledger has adopted.
        if moves_capacity(snapshot) {
            (snapshot.now, snapshot.pools) = self.book.pools(&self.options.clock).await?;
        }
        Ok(object)
    }

    /// READ; decide; swap; write. Answers whether any allocation was written: their records make room for others as soon as
    /// they are settled.
    async fn decide(&mut self, mut snapshot: Snapshot, nominated: &CyclePlan) -> Result<bool, Error> {
        let object = self.read(&mut snapshot, nominated).await?;
        let decided = cycle(&snapshot);
        if let Some(next) = &decided.swap {
            self.options.fail_points.reached(Step::BeforeSwap);
            if let Err(error) = self.book.swap(&object, next).await {
                self.options
                    .metrics
                    .swap(if error.is_conflict() { "conflict" } else { "failed" });
                // After a conflict or a timeout no decision outlives its swap.
                return if error.is_conflict() { Ok(false) } else { Err(error) };
            }
            self.options.metrics.swap("done");
            tracing::info!(
                sequence = next.sequence,
                records = next.records.len(),
                allocations = decided.apply.len(),
                "ledger swapped"
            );
            self.options.fail_points.reached(Step::AfterSwap);
            for (request, phase) in untold(&snapshot, &decided) {
                apply::tell(&self.options.events, request, phase);
            }
        }
        let options = &self.options;
        let writes = decided
            .apply
            .iter()
            .map(|grant| -> Write<'_> { Box::pin(apply::allocation(options, &snapshot, &decided, grant, &self.own)) });
        let written = all(writes, &self.options.metrics, "allocation").await?;
        let fresh = |index: &usize| snapshot.requests.get(*index).filter(|r| r.fresh);
        let mut writes: Vec<Write<'_>> = Vec::new();
        for request in decided.end.iter().filter_map(fresh) {
            writes.push(Box::pin(apply::end(options, request, snapshot.now)));
        }
        for request in decided.unguard.iter().filter_map(fresh) {
            writes.push(Box::pin(apply::unguard(options, request)));
        }
        for request in decided.clear.iter().filter_map(fresh) {
            writes.push(Box::pin(apply::clear(options, request)));
        }
        all(writes, &self.options.metrics, "end").await?;
        Ok(written > 0)
    }

    async fn publish(&mut self, snapshot: &Snapshot, plan: &CyclePlan) -> Result<(), Error> {
        self.options.metrics.observe(snapshot);
        let client = &self.options.client;
        all(
            status::requests(&self.options, snapshot, plan, |_| true),
            &self.options.metrics,
            "status",
        )
        .await?;
        publish::all(client, &self.caches, snapshot, plan, &self.options.metrics).await?;
        reclaim::publish(&self.options, &self.caches, snapshot).await?;
        phases::publish(&self.options, &self.caches, &mut self.unblocks, snapshot, plan).await
    }
}

/// Sends writes side by side; each is made when it is its turn, because ten thousand of them at once would be a fifth of
/// this process's memory. A conflict or an object that is gone is left to the next pass; a refused write is logged and
/// stops nobody else; the first other error, which speaks of the server, is answered after all were tried. Answers how many
/// were done.
async fn all<'a>(
    writes: impl IntoIterator<Item = Write<'a>>,
    metrics: &AdmissionMetrics,
    kind: &'static str,
) -> Result<usize, Error> {
    let mut stream = futures::stream::iter(writes).buffer_unordered(WRITES_AT_ONCE);
    let (mut done, mut first) = (0, Ok(()));
    while let Some(outcome) = stream.next().await {
        match outcome {
            Ok(()) => {
                done += 1;
                metrics.write(kind, "done");
            }
            Err(error) if error.is_conflict() || error.is_not_found() => metrics.write(kind, "conflict"),
            Err(Error::Call(error)) if error.is_refused() => {
                metrics.write(kind, "refused");
                tracing::error!(kind, %error, "a write was refused");
            }
            Err(error) => {
                metrics.write(kind, "failed");
                if first.is_ok() {
                    first = Err(error);
                }
            }
        }
    }
    first.map(|()| done)
}
