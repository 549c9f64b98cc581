//! Back: the centre's own row in the status of each placement, when a fact changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crds::{DualActivePlacement, PlacementRow, object};
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource as _};
use plan::placement::centre::Spot;
use plan::placement::decide::key;
use plan::placement::row::{self, Progress};
use tokio::sync::watch;

use super::{AT_ONCE, Outcome, unwanted};
use crate::call::{CallError, call};
use crate::centre::answer;
use crate::centre::metrics::Metrics;
use crate::clock::Clock;

/// How long an own write is believed over a cache that does not show it.
const LAG: SignedDuration = SignedDuration::from_secs(10);

/// A row that is due: of which placement, and what it says.
type Due<'a> = ((String, String), &'a Arc<DualActivePlacement>, PlacementRow);

/// The loop's state.
pub(in crate::centre) struct Rows {
    pub(in crate::centre) centre: String,
    pub(in crate::centre) hub: Client,
    pub(in crate::centre) outcome: watch::Receiver<Arc<Outcome>>,
    pub(in crate::centre) clock: Clock,
    pub(in crate::centre) metrics: Metrics,
    /// Own writes that the cache may not show yet.
    pub(in crate::centre) written: BTreeMap<(String, String), (Timestamp, PlacementRow)>,
}

impl Rows {
    /// Writes every row that is due. Answers when the next one is.
    pub(in crate::centre) async fn pass(&mut self) -> Result<Option<Duration>, CallError> {
        let outcome = Arc::clone(&self.outcome.borrow_and_update());
        let Outcome {
            placements,
            plan,
            states,
            standing,
        } = outcome.as_ref();
        let now = self.clock.now();
        self.written.retain(|_, (at, _)| now.duration_since(*at) < LAG);
        let progress: BTreeMap<Spot, Progress> = standing.iter().map(|(s, live)| (s.clone(), live.progress)).collect();
        let left = unwanted(plan, standing);
        let mut next: Option<SignedDuration> = None;
        let mut due = Vec::new();
        for placement in placements {
            let key = key(placement);
            let Some(part) = plan.parts.get(&key) else { continue };
            let old = self.row_of(&key, placement);
            let left = left
                .get(&(part.namespace.clone(), key.1.clone()))
                .copied()
                .unwrap_or_default();
            let Some(row) = row::row(&self.centre, part, old, states, &progress, left, now) else {
                continue;
            };
            match row::due(old, &row, now) {
                Some(SignedDuration::ZERO) => due.push((key, placement, row)),
                Some(wait) => next = Some(next.map_or(wait, |n| n.min(wait))),
                None => {}
            }
        }
        self.send(due, now).await?;
        Ok(next.and_then(|wait| Duration::try_from(wait).ok()))
    }

    async fn send(&mut self, due: Vec<Due<'_>>, now: Timestamp) -> Result<(), CallError> {
        // One that got no answer is enough: the others would wait as long, one after another.
        let silent = AtomicBool::new(false);
        let (this, silent) = (&*self, &silent);
        let writes = due.into_iter().map(|(key, placement, row)| async move {
            let outcome = if silent.load(Ordering::Relaxed) {
                Err(CallError::Timeout("write a row"))
            } else {
                this.write(&key, placement, &row).await
            };
            silent.fetch_or(outcome.as_ref().is_err_and(|e| answer(e).is_none()), Ordering::Relaxed);
            (key, row, outcome)
        });
        let outcomes: Vec<_> = futures::stream::iter(writes).buffer_unordered(AT_ONCE).collect().await;
        let mut first = Ok(());
        for (key, row, outcome) in outcomes {
            // Gone, or another one by that name: the next pass sees it.
            let gone = outcome.as_ref().is_err_and(|e| e.is_not_found() || e.is_conflict());
            self.metrics.write("row", outcome.is_ok() || gone);
            match outcome {
                Ok(()) => {
                    tracing::debug!(
                        tenant = key.0,
                        placement = key.1,
                        number = row.number,
                        reason = row.reason,
                        "row written"
                    );
                    self.written.insert(key, (now, row));
                }
                Err(error) if !gone => first = first.and(Err(error)),
                Err(_) => {}
            }
        }
        first
    }

    /// The newer of what the cache shows and what was written last.
    fn row_of<'a>(&'a self, key: &(String, String), placement: &'a DualActivePlacement) -> Option<&'a PlacementRow> {
        let status = placement.status.as_ref();
        let cached = status.and_then(|s| s.centres.iter().find(|r| r.name == self.centre));
        let written = self.written.get(key).map(|(_, row)| row);
        match (cached, written) {
            (Some(cached), Some(written)) if cached.reported_at >= written.reported_at => Some(cached),
            (cached, written) => written.or(cached),
        }
    }

    async fn write(
        &self,
        (namespace, name): &(String, String),
        placement: &DualActivePlacement,
        row: &PlacementRow,
    ) -> Result<(), CallError> {
        let api: Api<DualActivePlacement> = Api::namespaced(self.hub.clone(), namespace);
        let body = serde_json::json!({
            "apiVersion": DualActivePlacement::api_version(&()),
            "kind": DualActivePlacement::kind(&()),
            "metadata": {"name": name, "namespace": namespace, "uid": placement.metadata.uid},
            "status": {"centres": [row]},
        });
        let manager = format!("{}-{}", object::AGENT, self.centre);
        let params = PatchParams::apply(&manager).force();
        call("write a row", api.patch_status(name, &params, &Patch::Apply(body)))
            .await
            .map(drop)
    }
}
