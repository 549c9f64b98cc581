//! Making moves, and taking each one step further.

use std::sync::Arc;
use std::time::Duration;

use crds::{DualActivePlacement, Failover, FailoverPhase};
use futures::StreamExt as _;
use jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use plan::failover::approvals::Outcome;
use plan::failover::begin::begin;
use plan::failover::facts::{Known, key};
use plan::failover::guard::guarded;
use plan::failover::machine::{Observed, next};
use plan::failover::status::is_new;

use super::{AT_ONCE, Controller, Placements, Said, named, owned, placement_of, turns};
use crate::call::{CallError, call};
use crate::fail_point::Step;

impl Controller {
    /// Makes the moves that must exist. What was made counts at once: the watch shows it a moment later.
    pub(super) async fn make(
        &self,
        known: Known,
        placements: &[Arc<DualActivePlacement>],
        now: Timestamp,
    ) -> Result<Known, CallError> {
        let due = begin(placements, &known, now);
        if due.is_empty() {
            return Ok(known);
        }
        let made = due.into_iter().map(|failover| async move {
            let (namespace, name) = owned(named(&failover));
            let api: Api<Failover> = Api::namespaced(self.client.clone(), &namespace);
            match call("make a failover", api.create(&PostParams::default(), &failover)).await {
                Ok(made) => {
                    let incident = made.spec.incident.clone();
                    tracing::info!(namespace, failover = name, incident, "failover made");
                    Ok(Some(Arc::new(made)))
                }
                // It is there already, and the watch is behind.
                Err(error) if error.is_conflict() => Ok(None),
                // Its namespace goes, say: the others are not to blame.
                Err(error) if error.is_refused() => {
                    tracing::warn!(namespace, failover = name, %error, "failover not made");
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        });
        let made: Vec<_> = futures::stream::iter(made).buffer_unordered(AT_ONCE).collect().await;
        let mut all: Vec<Arc<Failover>> = known.all_moves().cloned().collect();
        for one in made {
            all.extend(one?);
        }
        Ok(Known::new(known.arbiter, known.centres, &all))
    }

    /// Takes every move that is not over one step further; answers when one wants to be looked at again.
    pub(super) async fn step(
        &self,
        known: &Known,
        placements: &Placements,
        said: &Said,
        now: Timestamp,
    ) -> Result<Option<Duration>, CallError> {
        let turns = turns(known, placements);
        let steps = turns
            .into_iter()
            .map(|(failover, slot)| self.step_one(known, placements, said, (failover, slot), now));
        let outcomes: Vec<_> = futures::stream::iter(steps).buffer_unordered(AT_ONCE).collect().await;
        let mut again = None;
        let mut first = Ok(());
        for outcome in outcomes {
            match outcome {
                Ok(due) => again = again.into_iter().chain(due).min(),
                Err(error) => first = first.and(Err(error)),
            }
        }
        first.map(|()| again)
    }

    async fn step_one(
        &self,
        known: &Known,
        placements: &Placements,
        said: &Said,
        (failover, slot): (&Failover, bool),
        now: Timestamp,
    ) -> Result<Option<Duration>, CallError> {
        let placement = placement_of(failover, placements).map(Arc::as_ref);
        let silence = Outcome::default();
        let guard = placement.and_then(|p| guarded(known.moves(key(p)), now));
        let seen = Observed {
            placement,
            known,
            words: said.get(&owned(named(failover))).unwrap_or(&silence),
            guarded: guard.as_deref(),
            slot,
            now,
        };
        let next = next(failover, &seen);
        let queued = !slot && next.status.phase == FailoverPhase::Pending;
        if queued && is_new(failover, now) {
            // A thousand moves would be written once more only to say that they wait for a moment.
            return Ok(None);
        }
        // Stored first: whoever goes on after a crash must know what may have been ordered.
        let stored = self.write(failover, placement, &next.status).await?;
        if stored && !next.orders.is_empty() {
            self.fail_points.reached(Step::MoveStored);
            self.order(known, failover, next.orders).await;
            self.fail_points.reached(Step::MoveOrdered);
        }
        Ok(next.again.and_then(|again| again.try_into().ok()))
    }
}

/// The incident in words, in front of a message.
pub(super) fn of_incident(failover: &Failover, message: &str) -> String {
    let name = failover.name_any();
    match &failover.spec.incident {
        Some(incident) => format!("[{incident}] fo/{name}: {message}"),
        None => format!("fo/{name}: {message}"),
    }
}
