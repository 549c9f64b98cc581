//! Back: the centre's own row in the status of each grant.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crds::{CentreRow, ResourceRequest, object};
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource as _};
use plan::centre::grant::Answer;
use plan::centre::quota::NamespaceUse;
use plan::centre::rows::{self, Force};
use plan::centre::usage::Usage;
use tokio::sync::watch;

use super::grants::Outcome;
use super::metrics::Metrics;
use super::observe::{Caches, Centre};
use super::usage::Known;
use super::{AT_ONCE, answer, apply};
use crate::call::{CallError, call};
use crate::clock::Clock;

/// How long an own write is believed over a cache that does not show it.
const LAG: SignedDuration = SignedDuration::from_secs(10);

type Key = (String, String);

/// A row that is due.
struct Due {
    key: Key,
    uid: Option<String>,
    row: CentreRow,
}

/// The loop's state.
pub(super) struct Answers {
    pub(super) centre: String,
    pub(super) hub: Client,
    pub(super) caches: Caches,
    pub(super) outcome: watch::Receiver<Arc<Outcome>>,
    pub(super) usage: watch::Receiver<Known>,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    /// Own writes that the cache may not show yet.
    pub(super) written: BTreeMap<Key, (Timestamp, CentreRow)>,
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
        self.written.retain(|_, (at, _)| now.duration_since(*at) < LAG);
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
            let old = self.row_of(&key, request);
            let Some(row) = rows::row(&self.centre, one, old, &state, &outcome.catalogue, now) else {
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
        self.send(writes, now).await?;
        Ok(again.and_then(|wait| Duration::try_from(wait).ok()))
    }

    /// The newer of what the cache shows and what was written last.
    fn row_of<'a>(&'a self, key: &Key, request: &'a ResourceRequest) -> Option<&'a CentreRow> {
        let status = request.status.as_ref();
        let cached = status.and_then(|s| s.centres.iter().find(|r| r.name == self.centre));
        let written = self.written.get(key).map(|(_, row)| row);
        match (cached, written) {
            (Some(cached), Some(written)) if cached.reported_at >= written.reported_at => Some(cached),
            (cached, written) => written.or(cached),
        }
    }

    async fn send(&mut self, rows: Vec<Due>, now: Timestamp) -> Result<(), CallError> {
        // One that got no answer is enough: the others would wait as long, one after another.
        let silent = AtomicBool::new(false);
        let (this, silent) = (&*self, &silent);
        let writes = rows.into_iter().map(|due| async move {
            let outcome = if silent.load(Ordering::Relaxed) {
                Err(CallError::Timeout("write a row"))
            } else {
                this.write(&due).await
            };
            silent.fetch_or(outcome.as_ref().is_err_and(|e| answer(e).is_none()), Ordering::Relaxed);
            (due, outcome)
        });
        let done: Vec<_> = futures::stream::iter(writes).buffer_unordered(AT_ONCE).collect().await;
        let mut first = Ok(());
        for (Due { key, row, .. }, outcome) in done {
            // Gone, or another one by that name: the next pass sees it.
            let gone = outcome.as_ref().is_err_and(|e| e.is_not_found() || e.is_conflict());
            self.metrics.write("row", outcome.is_ok() || gone);
            match outcome {
                Ok(()) => {
                    let (
                        CentreRow {
                            record,
                            reason,
                            message,
                            ..
                        },
                        (tenant, request),
                    ) = (&row, &key);
                    tracing::info!(tenant, request, record, reason, why = message, "row written");
                    self.written.insert(key, (now, row));
                }
                Err(error) if !gone && first.is_ok() => first = Err(error),
                Err(_) => {}
            }
        }
        first
    }

    async fn write(&self, due: &Due) -> Result<(), CallError> {
        let (namespace, name) = &due.key;
        let api: Api<ResourceRequest> = Api::namespaced(self.hub.clone(), namespace);
        let body = serde_json::json!({
            "apiVersion": ResourceRequest::api_version(&()),
            "kind": ResourceRequest::kind(&()),
            "metadata": {"name": name, "namespace": namespace, "uid": due.uid},
            "status": {"centres": [due.row]},
        });
        let manager = format!("{}-{}", object::AGENT, self.centre);
        let params = PatchParams::apply(&manager).force();
        call("write a row", api.patch_status(name, &params, &Patch::Apply(body)))
            .await
            .map(drop)
    }
}
