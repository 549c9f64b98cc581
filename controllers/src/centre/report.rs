//! Up: what the centre has, in the status of its `DataCenter`.

use std::time::Duration;

use crds::{CentreReport, DataCenter};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use plan::centre::catalogue::Catalogue;
use plan::centre::stage::Stage;
use plan::centre::{capacity, cards};
use tokio::time::Instant;

use super::metrics::Metrics;
use super::observe::Caches;
use crate::call::{CallError, call};
use crate::clock::Clock;

/// A report is renewed after this long even when nothing changed: after a minute nothing is sold against it.
const RENEW: Duration = Duration::from_secs(20);
/// Reports are never closer than this.
const APART: Duration = Duration::from_secs(1);

/// The loop's state.
pub(super) struct Reports {
    pub(super) centre: String,
    pub(super) stage: Stage,
    pub(super) hub: Client,
    pub(super) cluster: Client,
    pub(super) caches: Caches,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    /// The last report that was written, and when.
    pub(super) last: Option<(Instant, CentreReport)>,
    /// The object as it was stored last; `None` where that is not known.
    pub(super) stored: Option<DataCenter>,
    /// Nodes that were left out, so that each is logged once.
    pub(super) unreadable: Vec<String>,
}

impl Reports {
    /// Reports when a fact changed or the last report is old. Answers when it wants to be called again.
    pub(super) async fn pass(&mut self) -> Result<Option<Duration>, CallError> {
        let mut report = self.facts();
        if let Some((at, last)) = &self.last {
            report.kubernetes_version.clone_from(&last.kubernetes_version);
            let same = CentreReport {
                number: 0,
                reported_at: String::new(),
                ..last.clone()
            } == report;
            let wait = (if same { RENEW } else { APART }).saturating_sub(at.elapsed());
            if !wait.is_zero() {
                return Ok(Some(wait));
            }
        }
        let outcome = match self.send(report.clone()).await {
            // Somebody else wrote the status, such as the operator its conditions.
            Err(error) if error.is_conflict() => self.send(report).await,
            outcome => outcome,
        };
        self.metrics.report(self.clock.now(), outcome.is_ok());
        outcome.map(|()| Some(RENEW))
    }

    /// What is reported, without its number, time and the version of the API server.
    fn facts(&mut self) -> CentreReport {
        let catalogue = Catalogue::read(&self.caches.pools.list());
        let nodes: Vec<_> = self
            .caches
            .nodes
            .list()
            .iter()
            .map(super::node::SlimNode::facts)
            .collect();
        let centre = self.caches.centre();
        let used: Vec<_> = centre.quotas.keys().filter_map(|ns| centre.used(ns)).collect();
        let pods: Vec<_> = self.caches.pods.list().iter().map(super::pod::SlimPod::facts).collect();
        let mut found = capacity::sum(&self.centre, &catalogue, &nodes, &used);
        let mut layout = cards::layout(&catalogue, &nodes, &pods);
        for pool in &mut found.pools {
            pool.cards = layout.remove(&pool.name).unwrap_or_default();
        }
        for (node, error) in &found.unreadable {
            if !self.unreadable.contains(node) {
                tracing::warn!(node, %error, "node left out of the capacity");
            }
        }
        self.unreadable = found.unreadable.into_iter().map(|(node, _)| node).collect();
        CentreReport {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            stage: self.stage.reported(),
            nodes: found.nodes,
            ready_nodes: found.ready_nodes,
            pools: found.pools,
            ..CentreReport::default()
        }
    }

    /// Writes on the copy that was read or written last, so that a report that was given up cannot land over a newer one.
    async fn send(&mut self, mut report: CentreReport) -> Result<(), CallError> {
        let api: Api<DataCenter> = Api::all(self.hub.clone());
        // Taken: after a failure it is not known what is stored, and it is read again.
        let stored = match self.stored.take() {
            Some(stored) => stored,
            None => call("read the last report", api.get(&self.centre)).await?,
        };
        let version = call("read the version", self.cluster.apiserver_version()).await?;
        report.kubernetes_version = version.git_version;
        report.number = stored
            .status
            .and_then(|s| s.report)
            .map_or(0, |r| r.number)
            .saturating_add(1);
        report.reported_at = self.clock.now().to_string();
        let patch = Patch::Merge(serde_json::json!({
            "metadata": {"resourceVersion": stored.metadata.resource_version},
            "status": {"report": report},
        }));
        self.stored = Some(
            call(
                "report",
                api.patch_status(&self.centre, &PatchParams::default(), &patch),
            )
            .await?,
        );
        tracing::debug!(
            number = report.number,
            nodes = report.nodes,
            ready = report.ready_nodes,
            "reported"
        );
        self.last = Some((Instant::now(), report));
        Ok(())
    }
}
