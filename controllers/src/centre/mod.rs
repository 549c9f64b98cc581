//! The centre agent: what the hub granted becomes plain objects of this centre, and what the centre has is reported.
//!
//! Loops over the same caches: [`grants`] applies (and needs only the centre), [`answers`] writes the rows of the grants,
//! [`report`] the capacity, [`usage`] and [`requests`] ask the centre's Prometheus; [`placement`] applies templates, and has a
//! loop of its own for their rows. A hub that cannot be reached stops what is written there and nothing else.

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
mod requests;
mod right;
mod stage;
mod usage;
mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crds::object;
use futures::FutureExt as _;
use futures::future::select_all;
use kube::Client;
use kube::core::Status;
use plan::centre::stage::{Stage, Write};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::call::CallError;
use crate::clock::Clock;
use crate::fail_point::FailPoints;
use crate::lease::{End, Leads, LeaseName, lead};
use crate::pass::{Passes, Rhythm};
use metrics::Metrics;
use observe::{Caches, Signals};
use right::Rights;
use work::{Agent, work};

pub use right::{Options as RightOptions, RecordUnknown, read_record};

/// Calls under way at once; more only queue in the API server.
const AT_ONCE: usize = 8;
/// Changes wait this long for others; a loop that failed tries again within five seconds.
const RHYTHM: Rhythm = Rhythm {
    gather: Duration::from_millis(20),
    resync: Duration::from_secs(5),
    retry: Duration::from_millis(200),
    rest: Duration::from_secs(1),
};
/// Of what stands in the centre: a pass waits for API servers most of the time, and what was decided meanwhile waits for it.
const APPLYING: Rhythm = Rhythm {
    rest: Duration::from_millis(100),
    ..RHYTHM
};

/// What an agent needs.
pub struct Options {
    /// Name of the centre, which is the name of its `DataCenter`.
    pub centre: String,
    /// Client of the hub; its configuration has no retries.
    pub hub: Client,
    /// Client of the centre's own cluster; its configuration has no retries.
    pub cluster: Client,
    /// How to reach the arbiter; without it exclusive placements run as decided, and never move.
    pub rights: Option<right::Options>,
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
    /// The thread that beats for the centre did not begin, or ended.
    #[error("the thread of the rights: {0}; the process has to start again")]
    Rights(String),
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
    let (leads, leading) = watch::channel(Leads::default());
    let metrics = Metrics::new(&options.registry)?;
    let passes = Passes::new(&options.registry)?;
    let signals = Signals::default();
    let (caches, tasks) = Caches::start(&options.hub, &options.cluster, &signals);
    let centre = options.centre.clone();
    let follow = stage::follow(caches.centres.clone(), &centre, Arc::clone(&signals.own), told);
    let placements = Arc::clone(&signals.placements);
    let (rights, ended) = match options.rights.clone() {
        Some(given) => {
            let started = Rights::start(&centre, given, leading, placements);
            let (rights, ended) = started.map_err(|error| Error::Rights(error.to_string()))?;
            (Some(rights), ended.left_future())
        }
        None => (None, std::future::pending().right_future()),
    };
    let agent = Arc::new(Agent {
        options,
        caches,
        signals,
        metrics,
        passes,
        rights,
    });
    tokio::select! {
        () = serve(agent, known, leads, stop) => Ok(()),
        _ = ended => Err(Error::Rights("it ended".to_owned())),
        () = follow => Err(Error::WatchEnded),
        _ = select_all(tasks) => Err(Error::WatchEnded),
    }
}

/// Works under each stage in turn: before the hub told the stage, nothing is done.
async fn serve(
    agent: Arc<Agent>,
    known: watch::Receiver<stage::Known>,
    leads: watch::Sender<Leads>,
    stop: CancellationToken,
) {
    tokio::select! {
        () = stop.cancelled() => return,
        () = agent.caches.ready() => {}
    }
    agent.options.ready.store(true, Ordering::Relaxed);
    tracing::info!(centre = agent.options.centre, "first lists complete");
    // Large futures, boxed so that no caller has to carry them.
    let turns = stage::turns(known, &stop, async |stage, over| {
        Box::pin(turn(&agent, stage, &leads, over)).await;
    });
    Box::pin(turns).await;
}

/// Works whenever this replica holds the centre's lease; in between it stands by with warm caches. Where even a lease may
/// not be written every replica works: all that they write are reports and rows in the hub, the same ones.
async fn turn(agent: &Arc<Agent>, stage: Stage, leads: &watch::Sender<Leads>, stop: CancellationToken) {
    let work = async |_| Box::pin(work(Arc::clone(agent), stage, stop.clone())).await;
    if stage.withholds(Write::Lease).is_some() {
        return work(0).await;
    }
    let lease = LeaseName {
        client: agent.options.cluster.clone(),
        namespace: object::SYSTEM.to_owned(),
        name: object::AGENT.to_owned(),
        floor: 0,
        told: Some(leads.clone()),
        clock: None,
    };
    while let End::Lost = lead(lease.clone(), &stop, work).await {}
}
