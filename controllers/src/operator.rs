//! The operator: leadership first, then every controller under it. The process ends when any of them ends.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arbiter::timing::Timing;
use crds::{QuotaLedger, object};
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use kube::core::DeserializeGuard;
use kube::{Api, Client};
use prometheus::{IntCounterVec, PullingGauge, Registry};
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::admission::{self, AdmissionMetrics};
use crate::call::call;
use crate::clock::Clock;
use crate::events::Events;
use crate::fail_point::FailPoints;
use crate::lease::{End, LeaseName, lead};
use crate::pass::Passes;
use crate::quorum::Deciding;
use crate::rows::Rows;
use crate::traffic::Word;
use crate::{data_center, failover, metering, notify, placement, quorum, tenant, traffic};

/// What the operator needs.
pub struct Options {
    /// Client of the hub.
    pub client: Client,
    /// Namespace of its lease.
    pub namespace: String,
    /// Where metrics are registered.
    pub registry: Registry,
    /// Set once the hub answered.
    pub ready: Arc<AtomicBool>,
    /// Its wall clock.
    pub clock: Clock,
    /// How to reach the arbiter, and the name of the place from where; without one nothing fails over.
    pub arbiter: Option<(quorum::Config, String)>,
    /// Where a drill ends or stops it.
    pub fail_points: FailPoints,
    /// File with the key under which notices to contacts are signed; without one nobody is told.
    pub notify_key: Option<PathBuf>,
    /// Days for which requests that have ended are kept; 0 for ever.
    pub retention_days: u16,
}

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lease was lost: another replica leads.
    #[error("the lease is lost; another replica leads")]
    LeaseLost,
    /// A controller ended, which none does by itself.
    #[error("controller {0} ended: {1}")]
    Ended(&'static str, String),
    /// The machine gives no thread to the arbiter.
    #[error("the arbiter's thread: {0}")]
    Thread(#[from] std::io::Error),
    /// A metric is registered twice.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Runs until `stop`.
///
/// # Errors
/// See [`Error`]: whoever started the process starts it again.
pub async fn run(options: Options, stop: CancellationToken) -> Result<(), Error> {
    let gauge = prometheus::IntGauge::new(
        "xiangyun_leader_epoch",
        "Epoch of this replica's leadership; 0 while it stands by",
    )?;
    options.registry.register(Box::new(gauge.clone()))?;
    options.registry.register(Box::new(clock_ahead(&options.clock)?))?;
    let figures = Figures {
        admission: Arc::new(AdmissionMetrics::new(&options.registry)?),
        tenants: tenant::figures(&options.registry)?,
        centres: data_center::Figures::new(&options.registry)?,
        placements: placement::Figures::new(&options.registry)?,
        moves: failover::Figures::new(&options.registry)?,
        traffic: traffic::figures(&options.registry)?,
        notices: notify::figures(&options.registry)?,
        passes: Passes::new(&options.registry)?,
    };
    let mut arbiter = Arbiter::start(options.arbiter, &options.clock)?;
    let Some(floor) = stored_epoch(&options.client, &stop).await else {
        return Ok(());
    };
    options.ready.store(true, Ordering::Relaxed);
    let client = options.client;
    let lease = LeaseName {
        client: client.clone(),
        namespace: options.namespace,
        name: object::CONTROLLER.to_owned(),
        floor,
        told: None,
        clock: Some(options.clock.clone()),
    };
    let (deciding, timing) = (arbiter.deciding.clone(), arbiter.timing);
    let work = async |epoch| {
        gauge.set(epoch);
        if let Some(deciding) = &deciding {
            deciding.lead(true);
        }
        let leader = Leader {
            client,
            epoch,
            clock: options.clock,
            fail_points: options.fail_points,
            arbiter: (deciding, timing),
            notify_key: options.notify_key,
            retention_days: options.retention_days,
        };
        start(leader, figures, &stop).next().await
    };
    tokio::select! {
        end = lead(lease, &stop, work) => match end {
            End::Stopped | End::Ended(None) => Ok(()),
            End::Lost => Err(Error::LeaseLost),
            End::Ended(Some(error)) => Err(error),
        },
        () = arbiter.ended() => Err(Error::Ended("arbiter", "its thread is over".to_owned())),
    }
}

fn clock_ahead(clock: &Clock) -> Result<PullingGauge, prometheus::Error> {
    let clock = clock.clone();
    PullingGauge::new(
        "xiangyun_clock_ahead_seconds",
        "How far this machine's clock is ahead of the hub's, which then counts; 0 while the two agree, and while this replica stands by",
        Box::new(move || clock.ahead().as_secs_f64()),
    )
}

/// The arbiter's thread, where one is configured.
struct Arbiter {
    deciding: Option<Deciding>,
    timing: Timing,
    over: Option<oneshot::Receiver<()>>,
}

impl Arbiter {
    fn start(configured: Option<(quorum::Config, String)>, clock: &Clock) -> Result<Self, Error> {
        let Some((config, place)) = configured else {
            return Ok(Self {
                deciding: None,
                timing: Timing::default(),
                over: None,
            });
        };
        let timing = config.timing;
        let (deciding, over) = Deciding::start(&place, config, clock.clone())?;
        Ok(Self {
            deciding: Some(deciding),
            timing,
            over: Some(over),
        })
    }

    /// Its end, which does not come by itself.
    async fn ended(&mut self) {
        match &mut self.over {
            Some(over) => drop(over.await),
            None => std::future::pending().await,
        }
    }
}

/// Who leads, and with what.
struct Leader {
    client: Client,
    epoch: i64,
    clock: Clock,
    fail_points: FailPoints,
    arbiter: (Option<Deciding>, Timing),
    notify_key: Option<PathBuf>,
    retention_days: u16,
}

/// The epoch in the ledger, once the hub answers; `None` when `stop` came first.
async fn stored_epoch(client: &Client, stop: &CancellationToken) -> Option<i64> {
    let api: Api<DeserializeGuard<QuotaLedger>> = Api::all(client.clone());
    loop {
        match call("read the ledger", api.get_opt(object::PROVINCE)).await {
            Ok(found) => return Some(found.and_then(|l| l.0.ok()).map_or(0, |l| l.spec.epoch)),
            Err(error) => tracing::warn!(%error, "the hub does not answer yet"),
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = sleep(Duration::from_secs(2)) => {}
        }
    }
}

/// Every controller, in one task: they wait for the network most of the time, and their passes borrow what they own.
type Controllers = FuturesUnordered<LocalBoxFuture<'static, Error>>;

/// What every controller of the hub is given.
#[derive(Clone)]
pub struct Common {
    /// Client of the hub.
    pub client: Client,
    /// Where what happened is told.
    pub events: Events,
    /// The wall clock.
    pub clock: Clock,
    /// Where its passes are counted.
    pub passes: Passes,
    /// Ends it.
    pub stop: CancellationToken,
}

/// What is shown of the controllers.
struct Figures {
    admission: Arc<AdmissionMetrics>,
    tenants: Rows,
    centres: data_center::Figures,
    placements: placement::Figures,
    moves: failover::Figures,
    traffic: Rows,
    notices: IntCounterVec,
    passes: Passes,
}

/// The controllers: one line each.
fn start(leader: Leader, figures: Figures, stop: &CancellationToken) -> Controllers {
    let (client, fail_points) = (leader.client, leader.fail_points);
    let (deciding, timing) = leader.arbiter;
    let (events, deliver) = Events::new(client.clone(), object::CONTROLLER);
    let (admits, meters) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (requests, watched) = admission::requests(client.clone(), vec![Arc::clone(&admits), Arc::clone(&meters)]);
    let admission = admission::Options {
        client: client.clone(),
        requests: requests.clone(),
        changed: admits,
        epoch: leader.epoch,
        metrics: figures.admission,
        passes: figures.passes.clone(),
        events: events.clone(),
        clock: leader.clock.clone(),
        fail_points: fail_points.clone(),
    };
    let mut controllers = Controllers::new();
    controllers.extend([named("events", deliver), named("requests", watched)]);
    controllers.push(named("admission", admission::run(admission, stop.clone())));
    let common = Common {
        client,
        events,
        clock: leader.clock,
        passes: figures.passes,
        stop: stop.clone(),
    };
    controllers.push(named("tenant", tenant::run(common.clone(), figures.tenants)));
    controllers.push(named("data-center", data_center::run(common.clone(), figures.centres)));
    let (placing, moving) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (sight, seen) = failover::watch(&common.client, deciding, &placing, &moving);
    controllers.push(named("moves", seen));
    let move_all = failover::run(
        common.clone(),
        sight.clone(),
        moving,
        figures.moves,
        (timing, fail_points.clone()),
    );
    controllers.push(named("failover", move_all));
    let (says, word) = Word::channel();
    let place_all = placement::run(
        common.clone(),
        leader.epoch,
        (sight, placing),
        (figures.placements, word),
        fail_points,
    );
    controllers.push(named("placement", place_all));
    controllers.push(named("traffic", traffic::run(common.clone(), figures.traffic, says)));
    controllers.push(named(
        "notify",
        notify::run(common.clone(), figures.notices, leader.notify_key),
    ));
    controllers.push(named(
        "metering",
        metering::run(common, requests, meters, leader.retention_days),
    ));
    controllers
}

fn named<E: Display>(
    name: &'static str,
    controller: impl Future<Output = Result<(), E>> + 'static,
) -> LocalBoxFuture<'static, Error> {
    controller
        .map(move |outcome| {
            Error::Ended(
                name,
                outcome.map_or_else(|e| e.to_string(), |()| "without an error".to_owned()),
            )
        })
        .boxed_local()
}
