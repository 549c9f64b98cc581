//! The operator: leadership first, then every controller under it. The process ends when any of them ends.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use kube::Client;
use prometheus::Registry;
use tokio_util::sync::CancellationToken;

use crate::admission::{self, AdmissionMetrics};
use crate::events::Events;
use crate::lease::{LeaseName, acquire};
use crate::{data_center, tenant};

/// What the operator needs.
pub struct Options {
    /// Client of the hub.
    pub client: Client,
    /// Namespace of its lease.
    pub namespace: String,
    /// Where metrics are registered.
    pub registry: Registry,
    /// Set when it leads, or stands by with a working connection.
    pub ready: Arc<AtomicBool>,
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
    let lease = LeaseName {
        client: options.client.clone(),
        namespace: options.namespace,
        name: crds::object::CONTROLLER.to_owned(),
    };
    let gauge = prometheus::IntGauge::new("xiangyun_leader_epoch", "Epoch of this replica's leadership; 0 while it stands by")?;
    options.registry.register(Box::new(gauge.clone()))?;
    let metrics = Arc::new(AdmissionMetrics::new(&options.registry)?);
    options.ready.store(true, Ordering::Relaxed);
    // The lease is given back only after the controllers stopped, so that no write of ours follows another's first.
    let released = CancellationToken::new();
    let leadership = tokio::select! {
        leadership = acquire(lease, released.clone()) => leadership,
        () = stop.cancelled() => None,
    };
    let Some(leadership) = leadership else { return Ok(()) };
    gauge.set(leadership.epoch);
    let writers = stop.child_token();
    let mut controllers = start(options.client, leadership.epoch, metrics, &writers);
    let outcome = tokio::select! {
        () = stop.cancelled() => Ok(()),
        () = leadership.lost.cancelled() => Err(Error::LeaseLost),
        Some(ended) = controllers.next() => Err(ended),
    };
    writers.cancel();
    if outcome.is_ok() {
        while controllers.next().await.is_some() {}
        released.cancel();
        leadership.lost.cancelled().await;
    }
    outcome
}

/// Every controller, in one task: they wait for the network most of the time, and their passes borrow what they own.
type Controllers = FuturesUnordered<LocalBoxFuture<'static, Error>>;

/// The controllers: one line each.
fn start(client: Client, epoch: i64, metrics: Arc<AdmissionMetrics>, stop: &CancellationToken) -> Controllers {
    let events = Events::new(client.clone(), crds::object::CONTROLLER);
    let admission = admission::Options { client: client.clone(), epoch, metrics, events: events.clone() };
    let controllers = Controllers::new();
    controllers.push(named("admission", admission::run(admission, stop.clone())));
    controllers.push(named("tenant", tenant::run(client.clone(), events.clone(), stop.clone())));
    controllers.push(named("data-center", data_center::run(client, events, stop.clone())));
    controllers
}

fn named<E: Display>(
    name: &'static str,
    controller: impl Future<Output = Result<(), E>> + 'static,
) -> LocalBoxFuture<'static, Error> {
    controller
        .map(move |outcome| Error::Ended(name, outcome.map_or_else(|e| e.to_string(), |()| "without an error".to_owned())))
        .boxed_local()
}
