//! The centre's own row in the status of objects of the hub. Whose rows they are: grants' and placements'.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};

use crds::object;
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::NamespaceResourceScope;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use plan::centre_health::is_recent;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::metrics::Metrics;
use super::{AT_ONCE, answer};
use crate::call::{CallError, call};

/// How long an own write is believed over a cache that does not show it.
const LAG: SignedDuration = SignedDuration::from_secs(10);

/// Namespace and name.
pub(super) type Key = (String, String);

/// A kind whose status has a row for each centre.
pub(super) trait Rowed:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
    type Row: Clone + Serialize;
    fn rows(&self) -> &[Self::Row];
    fn centre(row: &Self::Row) -> &str;
    fn reported_at(row: &Self::Row) -> &str;
    /// Says in the log that it was written.
    fn told(key: &Key, row: &Self::Row);
}

/// A row that is due.
pub(super) struct Due<R> {
    pub(super) key: Key,
    /// Of the object that it was decided on.
    pub(super) uid: Option<String>,
    pub(super) row: R,
}

/// The rows of one kind.
pub(super) struct OwnRows<K: Rowed> {
    centre: String,
    hub: Client,
    metrics: Metrics,
    /// Own writes that the cache may not show yet.
    written: BTreeMap<Key, (Timestamp, K::Row)>,
}

impl<K: Rowed> OwnRows<K> {
    pub(super) fn new(centre: String, hub: Client, metrics: Metrics) -> Self {
        Self {
            centre,
            hub,
            metrics,
            written: BTreeMap::new(),
        }
    }

    pub(super) fn centre(&self) -> &str {
        &self.centre
    }

    /// Believes no longer what was written too long ago.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.written.retain(|_, (at, _)| is_recent(*at, now, LAG));
    }

    /// The newer of what the cache shows and what was written last.
    pub(super) fn of<'a>(&'a self, key: &Key, object: &'a K) -> Option<&'a K::Row> {
        let cached = object.rows().iter().find(|r| K::centre(r) == self.centre);
        let written = self.written.get(key).map(|(_, row)| row);
        match (cached, written) {
            (Some(cached), Some(written)) if K::reported_at(cached) >= K::reported_at(written) => Some(cached),
            (cached, written) => written.or(cached),
        }
    }

    /// Writes what is due.
    ///
    /// # Errors
    /// The first write that failed; the others were tried, unless the hub is silent.
    pub(super) async fn send(&mut self, rows: Vec<Due<K::Row>>, now: Timestamp) -> Result<(), CallError> {
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
            let gone = outcome.as_ref().is_err_and(CallError::is_outdated);
            self.metrics.write("row", outcome.is_ok() || gone);
            match outcome {
                Ok(()) => {
                    K::told(&key, &row);
                    self.written.insert(key, (now, row));
                }
                Err(error) if !gone => first = first.and(Err(error)),
                Err(_) => {}
            }
        }
        first
    }

    async fn write(&self, due: &Due<K::Row>) -> Result<(), CallError> {
        let (namespace, name) = &due.key;
        let api: Api<K> = Api::namespaced(self.hub.clone(), namespace);
        let body = serde_json::json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
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
