//! Stops what may no longer run, and knows when it is silent. Nothing is ever deleted: an object stays at 0 copies and a
//! raised epoch, so that whatever lands late finds it and is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arbiter::row::Epoch;
use arbiter::timing::{Timing, shrunk};
use crds::{TemplateKind, label, object};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::pods::ExclusivePod;
use crate::call::{CallError, call};

/// Kinds of objects that have pods and can be told to have none. Others stop by what is applied of their templates.
const KINDS: [TemplateKind; 4] = [
    TemplateKind::Deployment,
    TemplateKind::StatefulSet,
    TemplateKind::Job,
    TemplateKind::CronJob,
];
/// After a look that failed, or that found something to stop.
const AGAIN: Duration = Duration::from_millis(500);
/// A permit that is written late ends this much later than it should: the life of a gate's ticket.
const LATE_MS: u64 = 2_000;

/// What was stopped, and what was seen to end.
pub(super) struct Fencing {
    cluster: Client,
    gated: bool,
    /// Within this after the last answer to a gate its permits have run out.
    permits: Duration,
    /// Scopes of which every object was seen at 0 copies and at least at this epoch.
    stopped: BTreeMap<String, Epoch>,
    /// Pods by uid: their scope, and whether their kubelet said that they were terminated.
    seen: BTreeMap<String, (String, bool)>,
    /// Scopes of which a pod was seen terminated.
    ended: BTreeSet<String>,
    /// Scopes of which a pod vanished before: nobody knows whether it runs.
    vanished: BTreeSet<String>,
    next: Instant,
}

impl Fencing {
    pub(super) fn new(cluster: Client, gated: bool, timing: &Timing) -> Self {
        let ms = timing.permit_ms + LATE_MS;
        // On this clock, which may run fast.
        let slack = ms - shrunk(ms, timing.rate_ppm);
        Self {
            cluster,
            gated,
            permits: Duration::from_millis(ms + slack),
            stopped: BTreeMap::new(),
            seen: BTreeMap::new(),
            ended: BTreeSet::new(),
            vanished: BTreeSet::new(),
            next: Instant::now(),
        }
    }

    /// This process leads from now on: what it knew before counts for nothing.
    pub(super) fn begin(&mut self) {
        self.stopped.clear();
        self.seen.clear();
        self.ended.clear();
        self.vanished.clear();
    }

    /// The scope runs: what was seen to end is of the past.
    pub(super) fn runs(&mut self, scope: &str) {
        self.stopped.remove(scope);
        self.ended.remove(scope);
    }

    /// Looks at the pods.
    pub(super) fn see(&mut self, pods: &[Arc<ExclusivePod>]) {
        let mut before = std::mem::take(&mut self.seen);
        for pod in pods {
            let Some(scope) = pod.scope() else { continue };
            let known = before.remove(pod.uid()).is_some_and(|(_, terminated)| terminated);
            let terminated = known || pod.is_terminated();
            if terminated {
                self.ended.insert(scope.clone());
            }
            self.seen.insert(pod.uid().to_owned(), (scope, terminated));
        }
        let vanished = before.into_values().filter(|(_, terminated)| !terminated);
        self.vanished.extend(vanished.map(|(scope, _)| scope));
    }

    /// Stops every object of these scopes. Their epochs are the lowest at which they might run again.
    pub(super) async fn stop(&mut self, without: &BTreeMap<String, Epoch>) {
        self.stopped.retain(|scope, _| without.contains_key(scope));
        let open = |(scope, floor): &(&String, &Epoch)| self.stopped.get(*scope) != Some(*floor);
        if !without.iter().any(|scope| open(&scope)) || Instant::now() < self.next {
            return;
        }
        match self.look(without).await {
            Ok(standing) => {
                let done = without.iter().filter(|(scope, _)| !standing.contains(*scope));
                self.stopped.extend(done.map(|(scope, floor)| (scope.clone(), *floor)));
                if !standing.is_empty() {
                    self.next = Instant::now() + AGAIN;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "not stopped yet");
                self.next = Instant::now() + AGAIN;
            }
        }
    }

    /// Looks at all exclusive objects and stops those of these scopes. Answers the scopes of which one stood.
    async fn look(&self, without: &BTreeMap<String, Epoch>) -> Result<BTreeSet<String>, CallError> {
        let mut standing = BTreeSet::new();
        for kind in KINDS {
            let Some(resource) = kind.address().map(|a| a.resource()) else {
                continue;
            };
            let all: Api<DynamicObject> = Api::all_with(self.cluster.clone(), &resource);
            let exclusive = ListParams::default().labels(label::EXCLUSIVE);
            for found in call("look for exclusive objects", all.list(&exclusive)).await? {
                let (namespace, name) = (found.namespace().unwrap_or_default(), found.name_any());
                let placement = found.labels().get(label::EXCLUSIVE);
                let scope = format!("{namespace}/{}", placement.map_or("", String::as_str));
                let Some(patch) = without.get(&scope).and_then(|floor| stopping(&kind, &found, *floor)) else {
                    continue;
                };
                standing.insert(scope.clone());
                let api: Api<DynamicObject> = Api::namespaced_with(self.cluster.clone(), &namespace, &resource);
                let params = PatchParams {
                    field_manager: Some(object::AGENT.to_owned()),
                    ..PatchParams::default()
                };
                call(
                    "stop an exclusive object",
                    api.patch(&name, &params, &Patch::Merge(patch)),
                )
                .await?;
                tracing::info!(scope, kind = kind.label(), name, "stopped: the right has ended");
            }
        }
        Ok(standing)
    }

    /// Whether nothing of the scope communicates from here any more: all of it was stopped at that epoch, and either each
    /// kubelet said so, or the last permits, answered at `since`, have run out behind gates that stand.
    pub(super) fn is_silent(
        &self,
        scope: &str,
        floor: Epoch,
        since: Duration,
        (pods, gates): (&[Arc<ExclusivePod>], &BTreeSet<String>),
    ) -> bool {
        if self.stopped.get(scope) != Some(&floor) {
            return false;
        }
        let mut own = pods.iter().filter(|pod| pod.scope().as_deref() == Some(scope));
        if self.gated {
            let shut = crate::quorum::boot() >= since + self.permits;
            return shut && own.all(|pod| pod.is_terminated() || gates.contains(pod.node()));
        }
        // Without a gate a pod that nobody saw end may run on, wherever it is.
        !self.vanished.contains(scope) && self.ended.contains(scope) && own.all(|pod| pod.is_terminated())
    }
}

/// What stops the object, where it is not stopped yet.
fn stopping(kind: &TemplateKind, found: &DynamicObject, floor: Epoch) -> Option<Value> {
    let at = found
        .annotations()
        .get(label::RIGHT)
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let spec = |pointer: &str| found.data.pointer(pointer).cloned().unwrap_or_default();
    let (field, runs, stopped) = match kind {
        TemplateKind::Job | TemplateKind::CronJob => ("suspend", spec("/spec/suspend") != json!(true), json!(true)),
        _ => ("replicas", spec("/spec/replicas") != json!(0), json!(0)),
    };
    let over = *kind == TemplateKind::Job && spec("/status/completionTime") != Value::Null;
    if (!runs || over) && at >= floor {
        return None;
    }
    let mut patch = json!({"metadata": {"resourceVersion": found.resource_version(),
        "annotations": {label::RIGHT: floor.max(at).to_string()}}});
    if let (Some(fields), true) = (patch.as_object_mut(), runs && !over) {
        fields.insert("spec".to_owned(), json!({field: stopped}));
    }
    Some(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: &TemplateKind, right: &str, spec: &Value) -> DynamicObject {
        let resource = kind.address().unwrap().resource();
        let mut found = DynamicObject::new("exam", &resource).data(json!({"spec": spec}));
        found
            .annotations_mut()
            .insert(label::RIGHT.to_owned(), right.to_owned());
        found.metadata.resource_version = Some("7".to_owned());
        found
    }

    #[test]
    fn what_runs_is_stopped_and_what_stands_still_only_raised() {
        let floor = Epoch {
            incarnation: 1,
            counter: 8,
        };
        let web = TemplateKind::Deployment;
        let patch = stopping(&web, &found(&web, "1.7", &json!({"replicas": 2})), floor).unwrap();
        assert_eq!(patch["spec"], json!({"replicas": 0}));
        assert_eq!(patch["metadata"]["annotations"][label::RIGHT], "1.8");
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        let patch = stopping(&web, &found(&web, "1.7", &json!({"replicas": 0})), floor).unwrap();
        assert!(patch.get("spec").is_none());
        assert_eq!(
            stopping(&web, &found(&web, "1.8", &json!({"replicas": 0})), floor),
            None
        );
        let job = TemplateKind::Job;
        let patch = stopping(&job, &found(&job, "1.9", &json!({})), floor).unwrap();
        assert_eq!(patch["spec"], json!({"suspend": true}));
        assert_eq!(patch["metadata"]["annotations"][label::RIGHT], "1.9");
    }
}
