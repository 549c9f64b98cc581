//! The I/O around [`arbiter::lease`]: one lease object, renewed on condition of its resourceVersion.

use std::time::Duration;

use arbiter::lease::{Candidate, Decision, Observed, Timing};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::quorum::boot;

/// One call may take this long. Renewals that each take so long still keep the lease: one is sent every two seconds, or as
/// soon as the last was answered, and a lease outlives the renewal it came with by four and a half.
const CALL: Duration = Duration::from_millis(2200);

/// A renewal that failed is tried again this soon.
const RETRY: Duration = Duration::from_millis(250);

/// A leadership, as others of the process may go by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leads {
    /// Its epoch; another one is another leadership, with whatever somebody else did in between.
    pub epoch: i64,
    /// Since then, by [`boot`].
    pub since: Duration,
    /// Until then; in the past where this process does not lead.
    pub until: Duration,
}

/// Which lease.
#[derive(Clone)]
pub struct LeaseName {
    /// Client of the cluster that holds it.
    pub client: Client,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Highest epoch known from elsewhere; 0 where receivers compare none.
    pub floor: i64,
    /// Who is told how long it is held.
    pub told: Option<watch::Sender<Leads>>,
    /// Which clock is held by what the server stamps on the lease.
    pub clock: Option<Clock>,
}

/// How a leadership ended.
#[derive(Debug)]
pub enum End<T> {
    /// `stop` came; a lease that was held is given back.
    Stopped,
    /// The lease was lost, or could not be renewed in time.
    Lost,
    /// The work ended by itself; the lease is given back.
    Ended(T),
}

/// An identity that no other process has: host, process and a random part.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "host".to_owned());
    format!("{host}-{}-{}", std::process::id(), uuid::Uuid::new_v4().simple())
}

/// Waits for the lease and calls `work` with the epoch. The work is dropped, at whatever it waits for, as soon as the
/// lease is lost or `stop` comes; only then is the lease given back, so that another replica never writes before us.
pub async fn lead<T>(lease: LeaseName, stop: &CancellationToken, work: impl AsyncFnOnce(i64) -> T) -> End<T> {
    let mut holder = Holder::new(lease);
    let epoch = loop {
        if let Some(epoch) = holder.step().await {
            break epoch;
        }
        tokio::select! {
            () = stop.cancelled() => return End::Stopped,
            () = sleep(holder.timing.renew) => {}
        }
    };
    tracing::info!(
        lease = holder.lease.name,
        epoch,
        identity = holder.candidate.identity(),
        "leading"
    );
    let (lost, released) = (CancellationToken::new(), CancellationToken::new());
    // A task of its own: a long computation in the work must not delay a renewal.
    let keeper = tokio::spawn(holder.keep(lost.clone(), released.clone()));
    let end = tokio::select! {
        biased;
        () = lost.cancelled() => End::Lost,
        () = stop.cancelled() => End::Stopped,
        outcome = work(epoch) => End::Ended(outcome),
    };
    released.cancel();
    if let Err(error) = keeper.await {
        tracing::error!(%error, "the keeper of the lease ended");
    }
    end
}

struct Holder {
    lease: LeaseName,
    api: Api<Lease>,
    candidate: Candidate,
    timing: Timing,
    /// The lease as this process wrote it last, while nothing says that it changed: a renewal is then one call.
    written: Option<Lease>,
}

impl Holder {
    fn new(lease: LeaseName) -> Self {
        let api = Api::namespaced(lease.client.clone(), &lease.namespace);
        let timing = Timing::default();
        let candidate = Candidate::new(identity(), timing, lease.floor);
        Self {
            lease,
            api,
            candidate,
            timing,
            written: None,
        }
    }

    /// The lease as it is now, or as this process wrote it last; `None` where neither is known.
    async fn read(&mut self) -> Option<Option<Lease>> {
        if let Some(written) = self.written.take() {
            return Some(Some(written));
        }
        match timeout(CALL, self.api.get_opt(&self.lease.name)).await {
            Ok(Ok(found)) => Some(found),
            Ok(Err(error)) => {
                tracing::warn!(lease = self.lease.name, %error, "the lease cannot be read");
                None
            }
            Err(_) => None,
        }
    }

    /// Reads the lease and does what the protocol says. Answers the epoch when this process holds it afterwards.
    async fn step(&mut self) -> Option<i64> {
        let from_memory = self.written.is_some();
        let found = self.read().await?;
        let sent = boot();
        let seen = found.as_ref().map(observed);
        let transitions = seen.as_ref().map_or(0, |o| o.transitions);
        let epoch = match self.candidate.observe(seen.clone(), sent) {
            Decision::Wait => return None,
            Decision::Demote => {
                let lease = &self.lease.name;
                tracing::warn!(lease, ?seen, "another holds the lease, or its store was restored");
                self.candidate.lost();
                return None;
            }
            Decision::Acquire { epoch } => epoch,
            Decision::Renew => transitions,
        };
        let holder = Some(self.candidate.identity().to_owned());
        match timeout(CALL, self.write(found, epoch, holder)).await {
            Ok(Ok(written)) => {
                self.candidate.wrote(sent, observed(&written).renewed);
                if let Some((clock, at)) = self.lease.clock.as_ref().zip(stamp(&written)) {
                    clock.stamped(at, sent);
                }
                self.written = Some(written);
                self.tell(epoch);
                Some(epoch)
            }
            // Somebody may have put a label on it: what counts is the holder that the next read finds.
            Ok(Err(kube::Error::Api(status))) if status.code == 409 && !from_memory => {
                self.candidate.lost();
                None
            }
            // It may have landed: the next read tells.
            _ => None,
        }
    }

    fn tell(&self, epoch: i64) {
        let until = self.candidate.leads_until().unwrap_or_default();
        if let Some(told) = &self.lease.told {
            told.send_modify(|leads| {
                let since = if leads.epoch == epoch { leads.since } else { boot() };
                *leads = Leads { epoch, since, until };
            });
        }
    }

    async fn write(&self, found: Option<Lease>, epoch: i64, holder: Option<String>) -> kube::Result<Lease> {
        #[allow(
            clippy::disallowed_methods,
            reason = "for readers, and to know the own lease of an older copy"
        )]
        let now = MicroTime(Timestamp::now());
        let mut lease = found.unwrap_or_default();
        lease.metadata.name = Some(self.lease.name.clone());
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        if spec.holder_identity != holder {
            spec.acquire_time = Some(now.clone());
        }
        spec.holder_identity = holder;
        spec.lease_transitions = i32::try_from(epoch).ok();
        spec.lease_duration_seconds = i32::try_from(self.timing.duration.as_secs()).ok();
        spec.renew_time = Some(now);
        let params = PostParams::default();
        if lease.metadata.resource_version.is_some() {
            self.api.replace(&self.lease.name, &params, &lease).await
        } else {
            self.api.create(&params, &lease).await
        }
    }

    /// Renews until the lease is lost or `released`; gives it back in the second case.
    async fn keep(mut self, lost: CancellationToken, released: CancellationToken) {
        let _cancel_on_exit = lost.drop_guard();
        let over = self.lease.told.clone();
        self.renew(released).await;
        if let Some(told) = over {
            told.send_modify(|leads| leads.until = leads.until.min(boot()));
        }
    }

    async fn renew(&mut self, released: CancellationToken) {
        let mut pause = self.candidate.rests(boot());
        while let Some(until) = self.candidate.leads_until() {
            let left = until.saturating_sub(boot());
            if left.is_zero() {
                break;
            }
            tokio::select! {
                () = released.cancelled() => {
                    self.give_back().await;
                    return;
                }
                () = sleep(left.min(pause)) => {}
            }
            let left = until.saturating_sub(boot());
            // A renewal that does not come back in time must not keep the writers alive past the lease.
            pause = match timeout(left, self.step()).await {
                Ok(Some(_)) => self.candidate.rests(boot()),
                Ok(None) => RETRY,
                Err(_) => break,
            };
        }
        tracing::error!(lease = self.lease.name, "the lease is lost; stopping at once");
    }

    async fn give_back(&self) {
        let Ok(Ok(Some(found))) = timeout(CALL, self.api.get_opt(&self.lease.name)).await else {
            return;
        };
        let observed = observed(&found);
        if observed.holder.as_deref() == Some(self.candidate.identity()) {
            let outcome = timeout(CALL, self.write(Some(found), observed.transitions, None)).await;
            tracing::info!(
                lease = self.lease.name,
                given_back = matches!(outcome, Ok(Ok(_))),
                "lease given back"
            );
        }
    }
}

/// When the server says that the lease was written last.
fn stamp(lease: &Lease) -> Option<Timestamp> {
    let managed = lease.metadata.managed_fields.iter().flatten();
    managed.filter_map(|m| m.time.as_ref()).map(|time| time.0).max()
}

fn observed(lease: &Lease) -> Observed {
    let spec = lease.spec.clone().unwrap_or_default();
    Observed {
        holder: spec.holder_identity.filter(|h| !h.is_empty()),
        version: lease.resource_version().unwrap_or_default(),
        transitions: spec.lease_transitions.unwrap_or_default().into(),
        renewed: spec.renew_time.map_or(0, |at| at.0.as_microsecond()),
    }
}
