//! The centre agent: what the hub granted becomes plain objects of this centre, and what the centre has is reported.
//!
//! Loops over the same caches: [`grants`] applies (and needs only the centre), [`answers`] writes the rows of the grants,
//! [`report`] the capacity, [`usage`] asks the centre's Prometheus; [`placement`] applies templates, and has a loop of its own
//! for their rows. A hub that cannot be reached stops what is written there and nothing else.

mod answers;
mod apply;
mod epoch;
mod grants;
mod hub;
mod metrics;
mod node;
mod objects;
mod observe;
mod own_rows;
mod placement;
mod pod;
mod promql;
mod report;
mod stage;
mod usage;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crds::object;
use futures::FutureExt as _;
use futures::future::select_all;
use kube::Client;
use kube::core::Status;
use plan::centre::stage::{Stage, Write};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::call::CallError;
use crate::clock::Clock;
use crate::fail_point::FailPoints;
use crate::lease::{End, LeaseName, lead};
use crate::pass::{Passes, Rhythm, drive};
use crate::quorum;
use metrics::Metrics;
use observe::{Caches, Signals};
use own_rows::OwnRows;

/// Calls under way at once; more only queue in the API server.
const AT_ONCE: usize = 8;
/// Changes wait this long for others; a loop that failed tries again within five seconds.
const RHYTHM: Rhythm = Rhythm {
    gather: Duration::from_millis(20),
    resync: Duration::from_secs(5),
    retry: Duration::from_millis(200),
};

/// What an agent needs.
pub struct Options {
    /// Name of the centre, which is the name of its `DataCenter`.
    pub centre: String,
    /// Client of the hub; its configuration has no retries.
    pub hub: Client,
    /// Client of the centre's own cluster; its configuration has no retries.
    pub cluster: Client,
    /// How to reach the arbiter.
    pub arbiter: Option<quorum::Config>,
    /// Where the gates of the nodes ask.
    pub permits: Option<SocketAddr>,
    /// Where its metrics are registered.
    pub registry: prometheus::Registry,
    /// Set once the first complete lists are there.
    pub ready: Arc<AtomicBool>,
    /// Its wall clock.
    pub clock: Clock,
    /// Where a drill ends or stops it.
    pub fail_points: FailPoints,
}

/// Why the agent ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A metric is registered twice.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A watch ended, which none does by itself.
    #[error("a watch ended; the process has to start again")]
    WatchEnded,
}

/// What an API server answered; `None` where it did not answer.
fn answer(error: &CallError) -> Option<&Status> {
    match error {
        CallError::Answered { source, .. } => match source.as_ref() {
            kube::Error::Api(status) => Some(status),
            _ => None,
        },
        CallError::Timeout(_) => None,
    }
}

/// Runs until `stop`.
///
/// # Errors
/// Metrics that exist already, or a watch that ended.
pub async fn run(mut options: Options, stop: CancellationToken) -> Result<(), Error> {
    let (told, known) = watch::channel(None);
    options.cluster = stage::guarded(options.cluster, known.clone());
    let metrics = Metrics::new(&options.registry)?;
    let passes = Passes::new(&options.registry)?;
    let signals = Signals::default();
    let (caches, tasks) = Caches::start(&options.hub, &options.cluster, &options.centre, &signals);
    let centre = options.centre.clone();
    let follow = stage::follow(caches.own.clone(), &centre, Arc::clone(&signals.own), told);
    let agent = Arc::new(Agent {
        options,
        caches,
        signals,
        metrics,
        passes,
    });
    tokio::select! {
        () = serve(agent, known, stop) => Ok(()),
        () = follow => Err(Error::WatchEnded),
        _ = select_all(tasks) => Err(Error::WatchEnded),
    }
}

/// Works under each stage in turn: before the hub told the stage, nothing is done.
async fn serve(agent: Arc<Agent>, known: watch::Receiver<stage::Known>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => return,
        () = agent.caches.ready() => {}
    }
    agent.options.ready.store(true, Ordering::Relaxed);
    tracing::info!(centre = agent.options.centre, "first lists complete");
    // Large futures, boxed so that no caller has to carry them.
    let turns = stage::turns(known, &stop, async |stage, over| {
        Box::pin(turn(&agent, stage, over)).await;
    });
    Box::pin(turns).await;
}

/// Works whenever this replica holds the centre's lease; in between it stands by with warm caches. Where even a lease may
/// not be written every replica works: all that they write are reports and rows in the hub, the same ones.
async fn turn(agent: &Arc<Agent>, stage: Stage, stop: CancellationToken) {
    let work = async |_| Box::pin(work(Arc::clone(agent), stage, stop.clone())).await;
    if stage.withholds(Write::Lease).is_some() {
        return work(0).await;
    }
    let lease = LeaseName {
        client: agent.options.cluster.clone(),
        namespace: object::SYSTEM.to_owned(),
        name: object::AGENT.to_owned(),
        floor: 0,
    };
    while let End::Lost = lead(lease.clone(), &stop, work).await {}
}

/// What lives as long as the process.
struct Agent {
    options: Options,
    caches: Caches,
    signals: Signals,
    metrics: Metrics,
    passes: Passes,
}

/// The loops, until `stop`. Their state is new each time: what another replica did meanwhile is read again.
async fn work(agent: Arc<Agent>, stage: Stage, stop: CancellationToken) {
    let changed = || Arc::new(Notify::new());
    let (grants_changed, rows_changed, report_changed) = (changed(), changed(), changed());
    let placed_changed = changed();
    let (outcome, outcomes) = watch::channel(Arc::new(grants::Outcome::default()));
    let placed_outcome = watch::channel(Arc::new(placement::Outcome::default()));
    let placements = placed_outcome.1.clone();
    let mut grants = agent.grants(stage, placements.clone(), (outcome, Arc::clone(&rows_changed)));
    let (known, usage) = watch::channel(None);
    let mut answers = agent.answers(outcomes, usage);
    let usage_changed = changed();
    let mut usage = agent.usage(known, Arc::clone(&rows_changed));
    let mut reports = agent.reports(stage);
    let all = [&grants_changed, &report_changed, &placed_changed];
    let all: Vec<_> = all.into_iter().map(Arc::clone).collect();
    let placed = vec![Arc::clone(&placed_changed)];
    let one = vec![Arc::clone(&report_changed)];
    let signals = agent.signals.clone();
    tokio::join!(
        drive(
            "grants",
            RHYTHM,
            &agent.passes,
            Arc::clone(&grants_changed),
            stop.clone(),
            async move || grants.pass().boxed().await
        ),
        drive(
            "rows",
            RHYTHM,
            &agent.passes,
            rows_changed,
            stop.clone(),
            async move || answers.pass().boxed().await
        ),
        drive(
            "report",
            RHYTHM,
            &agent.passes,
            report_changed,
            stop.clone(),
            async move || reports.pass().boxed().await
        ),
        drive(
            "usage",
            RHYTHM,
            &agent.passes,
            Arc::clone(&usage_changed),
            stop.clone(),
            async move || usage.pass().boxed().await
        ),
        place(&agent, stage, placed_changed, placed_outcome, &stop),
        // A confirmed placement carries its namespace.
        carry(placements, stage, Arc::clone(&grants_changed), stop.clone()),
        tell(signals.policies, vec![usage_changed], stop.clone()),
        tell(signals.hub, all.clone(), stop.clone()),
        tell(signals.centre, all, stop.clone()),
        tell(signals.placements, placed, stop.clone()),
        tell(signals.nodes, one, stop.clone()),
    );
}

/// What became of the placements, from the loop that decides to those that go by it.
type Placed = (
    watch::Sender<Arc<placement::Outcome>>,
    watch::Receiver<Arc<placement::Outcome>>,
);

/// The two loops of placements.
async fn place(
    agent: &Agent,
    stage: Stage,
    changed: Arc<Notify>,
    (outcome, outcomes): Placed,
    stop: &CancellationToken,
) {
    let decided = Arc::new(Notify::new());
    let mut placements = agent.placements(stage, &changed, (outcome, Arc::clone(&decided)));
    let mut rows = agent.placement_rows(outcomes);
    tokio::join!(
        drive(
            "placements",
            RHYTHM,
            &agent.passes,
            changed,
            stop.clone(),
            async move || placements.pass().boxed_local().await
        ),
        drive(
            "placement-rows",
            RHYTHM,
            &agent.passes,
            decided,
            stop.clone(),
            async move || rows.pass().boxed_local().await
        ),
    );
}

impl Agent {
    fn grants(
        &self,
        stage: Stage,
        placed: watch::Receiver<Arc<placement::Outcome>>,
        (outcome, decided): (watch::Sender<Arc<grants::Outcome>>, Arc<Notify>),
    ) -> grants::Grants {
        grants::Grants {
            stage,
            placed,
            centre: self.options.centre.clone(),
            hub: self.options.hub.clone(),
            caches: self.caches.clone(),
            writer: apply::Writer {
                cluster: self.options.cluster.clone(),
                metrics: self.metrics.clone(),
            },
            outcome,
            decided,
            floors: None,
            last: BTreeMap::new(),
            gone: BTreeSet::new(),
            failures: 0,
        }
    }

    fn answers(
        &self,
        outcome: watch::Receiver<Arc<grants::Outcome>>,
        usage: watch::Receiver<usage::Known>,
    ) -> answers::Answers {
        answers::Answers {
            rows: self.own_rows(),
            caches: self.caches.clone(),
            outcome,
            usage,
            clock: self.options.clock.clone(),
        }
    }

    fn own_rows<K: own_rows::Rowed>(&self) -> OwnRows<K> {
        OwnRows::new(
            self.options.centre.clone(),
            self.options.hub.clone(),
            self.metrics.clone(),
        )
    }

    fn usage(&self, known: watch::Sender<usage::Known>, decided: Arc<Notify>) -> usage::Measurements {
        usage::Measurements {
            centre: self.options.centre.clone(),
            caches: self.caches.clone(),
            known,
            decided,
            metrics: self.metrics.clone(),
            source: None,
            asked: usage::Asks::default(),
        }
    }

    fn placements(
        &self,
        stage: Stage,
        changed: &Arc<Notify>,
        decided: (watch::Sender<Arc<placement::Outcome>>, Arc<Notify>),
    ) -> placement::Placements {
        let clients = (self.options.hub.clone(), self.options.cluster.clone());
        let centre = self.options.centre.clone();
        placement::Placements::new(
            (centre, stage),
            clients,
            (
                self.caches.clone(),
                self.metrics.clone(),
                self.options.fail_points.clone(),
            ),
            changed,
            decided,
        )
    }

    fn placement_rows(&self, outcome: watch::Receiver<Arc<placement::Outcome>>) -> placement::Rows {
        placement::Rows {
            own: self.own_rows(),
            outcome,
            clock: self.options.clock.clone(),
        }
    }

    fn reports(&self, stage: Stage) -> report::Reports {
        report::Reports {
            stage,
            centre: self.options.centre.clone(),
            hub: self.options.hub.clone(),
            cluster: self.options.cluster.clone(),
            caches: self.caches.clone(),
            clock: self.options.clock.clone(),
            metrics: self.metrics.clone(),
            last: None,
            stored: None,
            unreadable: Vec::new(),
        }
    }
}

/// In a member cloud, tells the loop of grants that placements were looked at.
async fn carry(
    mut placed: watch::Receiver<Arc<placement::Outcome>>,
    stage: Stage,
    grants: Arc<Notify>,
    stop: CancellationToken,
) {
    if stage.records_all() {
        return;
    }
    let each = async {
        while placed.changed().await.is_ok() {
            grants.notify_one();
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = each => {}
    }
}

/// Passes a signal on to every loop that it concerns.
async fn tell(signal: Arc<Notify>, loops: Vec<Arc<Notify>>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = signal.notified() => loops.iter().for_each(|l| l.notify_one()),
        }
    }
}
