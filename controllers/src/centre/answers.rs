//! Back: the centre's own row in the status of each grant.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crds::{CentreRow, ResourceRequest};
use jiff::SignedDuration;
use plan::centre::grant::Answer;
use plan::centre::quota::NamespaceUse;
use plan::centre::rows::{self, Force};
use plan::centre::usage::Usage;
use tokio::sync::watch;

use super::apply;
use super::grants::Outcome;
use super::observe::{Caches, Centre};
use super::own_rows::{Due, Key, OwnRows, Rowed};
use super::usage::Known;
use crate::call::CallError;
use crate::clock::Clock;

/// The loop's state.
pub(super) struct Answers {
    pub(super) rows: OwnRows<ResourceRequest>,
    pub(super) caches: Caches,
    pub(super) outcome: watch::Receiver<Arc<Outcome>>,
    pub(super) usage: watch::Receiver<Known>,
    pub(super) clock: Clock,
}

impl Rowed for ResourceRequest {
    type Row = CentreRow;

    fn rows(&self) -> &[CentreRow] {
        self.status.as_ref().map(|s| s.centres.as_slice()).unwrap_or_default()
    }

    fn centre(row: &CentreRow) -> &str {
        &row.name
    }

    fn reported_at(row: &CentreRow) -> &str {
        &row.reported_at
    }

    fn told((tenant, request): &Key, row: &CentreRow) {
        let CentreRow {
            record,
            reason,
            message,
            ..
        } = row;
        tracing::info!(tenant, request, record, reason, why = message, "row written");
    }
}

struct State<'a> {
    outcome: &'a Outcome,
    usage: Option<&'a Usage>,
    centre: &'a Centre,
}

impl rows::Centre for State<'_> {
    fn force(&self, namespace: &str, answer: &Answer) -> Force {
        if let Some(error) = self.outcome.failed.get(namespace) {
            return Force::Failed(error.clone());
        }
        // What is held is refused in its answers, or counted there already.
        let Some(wanted) = self
            .outcome
            .wanted
            .get(namespace)
            .filter(|_| !self.outcome.held.contains(namespace))
        else {
            return Force::Yes;
        };
        match self.centre.quotas.get(namespace) {
            Some(quota) if apply::in_force(quota, wanted, answer) => Force::Yes,
            _ => Force::NotYet,
        }
    }

    fn used(&self, namespace: &str) -> Option<NamespaceUse> {
        self.centre.used(namespace)
    }

    fn usage(&self) -> Option<&Usage> {
        self.usage
    }
}

impl Answers {
    /// Writes every row that is due. Answers when the next one is.
    pub(super) async fn pass(&mut self) -> Result<Option<Duration>, CallError> {
        let outcome = Arc::clone(&self.outcome.borrow_and_update());
        let usage = self.usage.borrow_and_update().clone();
        let centre = self.caches.centre();
        let now = self.clock.now();
        let requests = self.caches.requests.list();
        let key = |r: &ResourceRequest| Some((r.metadata.namespace.clone()?, r.metadata.name.clone()?));
        let requests: BTreeMap<Key, &ResourceRequest> = requests.iter().filter_map(|r| Some((key(r)?, r))).collect();
        self.rows.forget(now);
        let state = State {
            outcome: &outcome,
            usage: usage.as_deref(),
            centre: &centre,
        };
        let mut again: Option<SignedDuration> = None;
        let mut writes = Vec::new();
        for one in &outcome.answers {
            let key = (one.tenant.clone(), one.request.clone());
            let Some(request) = requests.get(&key) else { continue };
            let old = self.rows.of(&key, request);
            let Some(row) = rows::row(self.rows.centre(), one, old, &state, &outcome.catalogue, now) else {
                continue;
            };
            match rows::due(one, old, &row, now) {
                Some(SignedDuration::ZERO) => writes.push(Due {
                    key,
                    uid: request.metadata.uid.clone(),
                    row,
                }),
                Some(wait) => again = Some(again.map_or(wait, |a| a.min(wait))),
                None => {}
            }
        }
        self.rows.send(writes, now).await?;
        Ok(again.and_then(|wait| Duration::try_from(wait).ok()))
    }
}
