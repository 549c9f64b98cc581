//! Back: the centre's own row in the status of each placement, when a fact changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crds::{DualActivePlacement, JobRow, PlacementRow};
use jiff::SignedDuration;
use plan::centre::requests::Known;
use plan::placement::centre::Spot;
use plan::placement::decide::key;
use plan::placement::row::{self, Progress, Seen};
use tokio::sync::watch;

use super::{Outcome, unwanted};
use crate::call::CallError;
use crate::centre::own_rows::{Due, Key, OwnRows, Rowed};
use crate::clock::Clock;

/// The loop's state.
pub(in crate::centre) struct Rows {
    pub(in crate::centre) own: OwnRows<DualActivePlacement>,
    pub(in crate::centre) outcome: watch::Receiver<Arc<Outcome>>,
    pub(in crate::centre) requests: watch::Receiver<Arc<Known>>,
    pub(in crate::centre) clock: Clock,
}

impl Rowed for DualActivePlacement {
    type Row = PlacementRow;

    fn rows(&self) -> &[PlacementRow] {
        DualActivePlacement::rows(self)
    }

    fn centre(row: &PlacementRow) -> &str {
        &row.name
    }

    fn reported_at(row: &PlacementRow) -> &str {
        &row.reported_at
    }

    fn told((tenant, placement): &Key, row: &PlacementRow) {
        let PlacementRow { number, reason, .. } = row;
        tracing::debug!(tenant, placement, number, reason, "row written");
    }
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
            ready,
            unready,
            forbidden,
            fences,
        } = outcome.as_ref();
        let requests = Arc::clone(&self.requests.borrow_and_update());
        let now = self.clock.now();
        self.own.forget(now);
        let progress: BTreeMap<Spot, Progress> = standing.iter().map(|(s, live)| (s.clone(), live.progress)).collect();
        let jobs = standing
            .iter()
            .filter_map(|(s, live)| Some((s.clone(), live.job.clone()?)));
        let jobs: BTreeMap<Spot, JobRow> = jobs.collect();
        let left = unwanted(plan, standing);
        let mut next: Option<SignedDuration> = None;
        let mut due = Vec::new();
        for placement in placements {
            let key = key(placement);
            let Some(part) = plan.parts.get(&key) else { continue };
            let old = self.own.of(&key, placement);
            let left = left
                .get(&(part.namespace.clone(), key.1.clone()))
                .copied()
                .unwrap_or_default();
            let seen = Seen {
                states,
                progress: &progress,
                jobs: &jobs,
                ready,
                requests: &requests,
                unready,
                forbidden,
                left,
                fence: fences.get(&placement.spec.pool).copied(),
            };
            let Some(row) = row::row(self.own.centre(), part, old, &seen, now) else {
                continue;
            };
            match row::due(old, &row, now) {
                Some(SignedDuration::ZERO) => due.push(Due {
                    key,
                    uid: placement.metadata.uid.clone(),
                    row,
                }),
                Some(wait) => next = Some(next.map_or(wait, |n| n.min(wait))),
                None => {}
            }
        }
        self.own.send(due, now).await?;
        Ok(next.and_then(|wait| Duration::try_from(wait).ok()))
    }
}
