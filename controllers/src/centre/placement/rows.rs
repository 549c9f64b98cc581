//! Back: the centre's own row in the status of each placement, when a fact changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crds::{DualActivePlacement, JobRow, PlacementRow};
use jiff::{SignedDuration, Timestamp};
use plan::centre::requests::Known;
use plan::placement::centre::Spot;
use plan::placement::decide::key;
use plan::placement::row::{self, Progress, Seen};
use tokio::sync::watch;

use super::{Live, Outcome, unwanted};
use crate::call::CallError;
use crate::centre::AT_ONCE;
use crate::centre::own_rows::{Due, Key, OwnRows, Rowed};
use crate::clock::Clock;
use crate::pass::Crowd;

/// How long rows that say that all is well wait for one another where there are many, and for the word of a controller that
/// has yet to read what was just written.
const TOGETHER: Duration = Duration::from_secs(1);

/// The loop's state.
pub(in crate::centre) struct Rows {
    pub(in crate::centre) own: OwnRows<DualActivePlacement>,
    pub(in crate::centre) outcome: watch::Receiver<Arc<Outcome>>,
    pub(in crate::centre) requests: watch::Receiver<Arc<Known>>,
    pub(in crate::centre) clock: Clock,
    pub(in crate::centre) crowd: Crowd,
    /// Rows that the last batch left to the next.
    pub(in crate::centre) held: BTreeSet<Key>,
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
            ..
        } = outcome.as_ref();
        let requests = Arc::clone(&self.requests.borrow_and_update());
        let now = self.clock.now();
        self.own.forget(now);
        let progress: BTreeMap<Spot, Progress> = standing.iter().map(|(s, live)| (s.clone(), live.progress)).collect();
        let job = |(spot, live): (&Spot, &Arc<Live>)| Some((spot.clone(), live.job.clone()?));
        let jobs: BTreeMap<Spot, JobRow> = standing.iter().filter_map(job).collect();
        let left = unwanted(plan, standing);
        let mut next: Option<SignedDuration> = None;
        let (mut due, mut calm, mut unheard) = (Vec::new(), Vec::new(), BTreeSet::new());
        for placement in placements {
            let key = key(placement);
            let Some(part) = plan.parts.get(&key) else { continue };
            let old = self.own.of(&key, placement);
            let here = (part.namespace.clone(), key.1.clone());
            let left = left.get(&here).copied().unwrap_or_default();
            let seen = Seen {
                states,
                progress: &progress,
                jobs: &jobs,
                ready,
                requests: &requests,
                unready,
                forbidden,
                fought: &outcome.fought,
                left,
                fence: outcome.fences.get(&placement.spec.pool).copied(),
            };
            let Some(row) = row::row(self.own.centre(), part, old, &seen, now) else {
                continue;
            };
            match row::due(old, &row, now) {
                Some(SignedDuration::ZERO) => {
                    let urgent = row::urgent(old, &row);
                    if !urgent && row::unheard(part, &seen) {
                        unheard.insert(key.clone());
                    }
                    let uid = placement.metadata.uid.clone();
                    if urgent { &mut due } else { &mut calm }.push(Due { key, uid, row });
                }
                Some(wait) => next = Some(next.map_or(wait, |n| n.min(wait))),
                None => {}
            }
        }
        let wait = self.tell((due, calm), unheard, now).await?;
        let next = next.and_then(|wait| Duration::try_from(wait).ok());
        Ok(wait.into_iter().chain(next).min())
    }

    /// Writes what is urgent, and the rest unless it gathers. Answers when that is to be looked at again.
    async fn tell(
        &mut self,
        (mut due, mut calm): (Vec<Due<PlacementRow>>, Vec<Due<PlacementRow>>),
        mut unheard: BTreeSet<Key>,
        now: Timestamp,
    ) -> Result<Option<Duration>, CallError> {
        let many = calm.len() > AT_ONCE;
        let mut wait = self.crowd.waits(many || !unheard.is_empty(), TOGETHER);
        if wait.is_none() {
            // Of many those that were just written come with the next ones, once.
            unheard.retain(|key| many && !self.held.contains(key));
            calm.retain(|due| !unheard.contains(&due.key));
            wait = (!unheard.is_empty()).then_some(TOGETHER);
            self.held = unheard;
            due.append(&mut calm);
        }
        self.own.send(due, now).await?;
        Ok(wait)
    }
}
