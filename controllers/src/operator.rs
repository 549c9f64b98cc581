//! The operator: leadership first, then every controller under it. The process ends when any of them ends.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crds::{QuotaLedger, object};
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use kube::core::DeserializeGuard;
use kube::{Api, Client};
use prometheus::{IntCounterVec, Registry};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::admission::{self, AdmissionMetrics};
use crate::call::call;
use crate::clock::Clock;
use crate::events::Events;
use crate::fail_point::FailPoints;
use crate::lease::{End, LeaseName, lead};
use crate::pass::Passes;
use crate::rows::Rows;
use crate::traffic::Word;
use crate::{data_center, metering, notify, placement, tenant, traffic};

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
    /// Where a drill ends or stops it.
    pub fail_points: FailPoints,
    /// File with the key under which notices to contacts are signed; without one nobody is told.
    pub notify_key: Option<PathBuf>,
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
    let figures = Figures {
        admission: Arc::new(AdmissionMetrics::new(&options.registry)?),
        tenants: tenant::figures(&options.registry)?,
        centres: data_center::Figures::new(&options.registry)?,
        placements: placement::Figures::new(&options.registry)?,
        traffic: traffic::figures(&options.registry)?,
        notices: notify::figures(&options.registry)?,
        passes: Passes::new(&options.registry)?,
    };
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
    };
    let work = async |epoch| {
        gauge.set(epoch);
        let drill = (options.clock, options.fail_points);
        start(client, epoch, drill, figures, options.notify_key, &stop)
            .next()
            .await
    };
    match lead(lease, &stop, work).await {
        End::Stopped | End::Ended(None) => Ok(()),
        End::Lost => Err(Error::LeaseLost),
        End::Ended(Some(error)) => Err(error),
    }
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
    traffic: Rows,
    notices: IntCounterVec,
    passes: Passes,
}

/// The controllers: one line each.
fn start(
    client: Client,
    epoch: i64,
    (clock, fail_points): (Clock, FailPoints),
    figures: Figures,
    notify_key: Option<PathBuf>,
    stop: &CancellationToken,
) -> Controllers {
    let Figures {
        admission: metrics,
        tenants,
        centres,
        placements,
        traffic: weights,
        notices,
        passes,
    } = figures;
    let (events, deliver) = Events::new(client.clone(), object::CONTROLLER);
    let (admits, meters) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (requests, watched) = admission::requests(client.clone(), vec![Arc::clone(&admits), Arc::clone(&meters)]);
    let admission = admission::Options {
        client: client.clone(),
        requests: requests.clone(),
        changed: admits,
        epoch,
        metrics,
        passes: passes.clone(),
        events: events.clone(),
        clock: clock.clone(),
        fail_points: fail_points.clone(),
    };
    let controllers = Controllers::new();
    controllers.push(named("events", deliver));
    controllers.push(named("requests", watched));
    controllers.push(named("admission", admission::run(admission, stop.clone())));
    let common = Common {
        client,
        events,
        clock,
        passes,
        stop: stop.clone(),
    };
    controllers.push(named("tenant", tenant::run(common.clone(), tenants)));
    controllers.push(named("data-center", data_center::run(common.clone(), centres)));
    let (says, word) = Word::channel();
    let placing = placement::run(common.clone(), epoch, placements, word, fail_points);
    controllers.push(named("placement", placing));
    controllers.push(named("traffic", traffic::run(common.clone(), weights, says)));
    controllers.push(named("notify", notify::run(common.clone(), notices, notify_key)));
    controllers.push(named("metering", metering::run(common, requests, meters)));
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
