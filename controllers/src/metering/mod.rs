//! Metering: the reports of each tenant's months, from the histories of its requests.
//!
//! observe (caches) → [`plan::metering::plan`] → apply: reports, then requests that may leave, then those that
//! [`plan::retention`] says have been history for long enough. The rules are in docs/concepts.md, "Metering".

mod apply;
mod retention;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crds::{QuotaPool, UsageReport};
use futures::future::select_all;
use jiff::SignedDuration;
use kube::Client;
use kube::runtime::watcher::Config;
use plan::metering::{KnownPools, MeteringError, Snapshot, without_closed_rows};
use tokio::sync::Notify;

use crate::admission::Requests;
use crate::cache::{Cache, NotReady, Reader};
use crate::call::CallError;
use crate::clock::Clock;
use crate::operator::Common;
use crate::pass::{Rhythm, drive};

/// Nobody waits for a report: changes of a second share a pass.
const RHYTHM: Rhythm = Rhythm {
    gather: Duration::from_secs(1),
    resync: Duration::from_secs(60),
    retry: Duration::from_millis(500),
    rest: Duration::from_secs(1),
};

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// A call to the hub.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Something cannot be metered; the others were.
    #[error("{tenant}: {source}")]
    Unclear {
        /// Tenant, or the pool whose prices cannot be read.
        tenant: String,
        /// Why.
        source: MeteringError,
    },
    /// Objects that do not parse: what they held is not known.
    #[error("{0} requests or pools cannot be read; nothing is metered until they can")]
    Unreadable(usize),
}

struct Controller {
    client: Client,
    clock: Clock,
    requests: Requests,
    pools: Cache<QuotaPool>,
    /// With those that were deleted while this process ran.
    known: Mutex<KnownPools>,
    reports: Cache<UsageReport>,
    keep: Option<SignedDuration>,
}

/// Runs until it is stopped. `requests` tells `changed` of what is new; what ended more than
/// `retention_days` ago is deleted, unless they are 0.
///
/// # Errors
/// A cache that never filled.
pub async fn run(
    common: Common,
    requests: Requests,
    changed: Arc<Notify>,
    retention_days: u16,
) -> Result<(), NotReady> {
    let Common {
        client,
        clock,
        passes,
        stop,
        ..
    } = common;
    let (pools, p) = Cache::start(client.clone(), Config::default(), Arc::clone(&changed));
    // Reports are never deleted: the closed ones would fill the memory year by year.
    let reader: Reader<UsageReport, UsageReport> = Reader {
        read: |report| Ok(without_closed_rows(report)),
        news: |_, _| true,
    };
    let (reports, u) = Cache::read(client.clone(), Config::default(), vec![Arc::clone(&changed)], reader);
    let controller = Controller {
        client,
        clock,
        requests,
        pools,
        known: Mutex::default(),
        reports,
        keep: (retention_days > 0).then(|| SignedDuration::from_hours(24 * i64::from(retention_days))),
    };
    controller.ready().await?;
    tokio::select! {
        () = drive("metering", RHYTHM, &passes, changed, stop, async || controller.pass().await) => Ok(()),
        _ = select_all([p, u]) => Ok(()),
    }
}

impl Controller {
    async fn ready(&self) -> Result<(), NotReady> {
        self.requests.ready().await?;
        self.pools.ready().await?;
        self.reports.ready().await
    }

    fn known_pools(&self) -> Vec<QuotaPool> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.with(self.pools.list())
    }

    /// One tenant that cannot be metered does not stop the others; the first error is answered at the end.
    async fn pass(&self) -> Result<Option<Duration>, Error> {
        let unreadable = self.requests.unreadable().len() + self.reports.unreadable().len();
        if unreadable > 0 {
            return Err(Error::Unreadable(unreadable));
        }
        let requests = self.requests.shared();
        let snapshot = Snapshot {
            now: self.clock.now(),
            requests: requests.iter().map(|r| Arc::clone(r.object())).collect(),
            pools: self.known_pools(),
            reports: self.reports.shared(),
        };
        let plan = plan::metering::plan(&snapshot);
        let mut first = self.apply(&snapshot, &plan).await.map(|()| None);
        if let Err(error) = self.retire(&snapshot).await {
            first = first.and(Err(error.into()));
        }
        for (tenant, source) in plan.unclear {
            tracing::error!(tenant, error = %source, "cannot be metered");
            first = first.and(Err(Error::Unclear { tenant, source }));
        }
        first
    }
}
