//! The sum of the centres, in the status of the templates of workloads and Jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crds::{DualActivePlacement, PlacedObject};
use futures::StreamExt as _;
use jiff::Timestamp;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use plan::placement::decide::{Centre, Decision, key};
use plan::placement::job;
use plan::placement::kinds::Kinds;
use plan::placement::template::{Key, Template};
use plan::placement::write_back::{View, status};
use serde_json::{Value, json};

use super::{AT_ONCE, Controller, LOOK, SHOWN_AT_ONCE};
use crate::call::{CallError, call};
use crate::pass::Rhythm;
use crate::templates::resource;

impl Controller {
    /// Writes what a template does not say yet.
    pub(super) async fn write_back(
        &self,
        placements: impl Iterator<Item = &Arc<DualActivePlacement>>,
        decisions: &BTreeMap<(String, String), Decision>,
        templates: &BTreeMap<Key, Arc<Template>>,
        (centres, lost): (&BTreeMap<String, Centre>, &BTreeSet<&str>),
        now: Timestamp,
    ) -> Result<Option<Duration>, CallError> {
        let mut due = Vec::new();
        for placement in placements {
            let Some(stored) = &placement.status else { continue };
            let (Some(assignment), Some(decision)) = (&stored.assignment, decisions.get(&key(placement))) else {
                continue;
            };
            // Only what the stored decision says, and only once it is what the spec asks for.
            let same = decision.assignment.as_ref() == Some(assignment);
            let settled = same && decision.follows && !decision.rebalancing;
            let shows = |o: &&PlacedObject| o.kind.rolls() || o.kind.is_job();
            for object in assignment.objects.iter().filter(shows) {
                let (namespace, _) = key(placement);
                let Some(template) = templates.get(&(namespace.clone(), object.clone())) else {
                    continue;
                };
                let rows = &stored.centres;
                let next = if object.kind.is_job() {
                    job::status(object, template, assignment, rows, now)
                } else {
                    let view = View { rows, centres, lost };
                    status(object, template, assignment, &view, settled, now)
                };
                if let Some(status) = next {
                    due.push((namespace, object, template, status));
                }
            }
        }
        let more = due.len() > SHOWN_AT_ONCE;
        due.truncate(SHOWN_AT_ONCE);
        let writes = due
            .into_iter()
            .map(|(ns, object, template, status)| self.show(ns, object, template, status));
        let outcomes: Vec<_> = futures::stream::iter(writes).buffer_unordered(AT_ONCE).collect().await;
        let failed = outcomes.into_iter().find_map(Result::err);
        let next = if more { Rhythm::default().gather } else { LOOK };
        failed.map_or(Ok(Some(next)), Err)
    }

    async fn show(
        &self,
        namespace: String,
        object: &PlacedObject,
        template: &Template,
        status: Value,
    ) -> Result<(), CallError> {
        // Only built-in kinds have a status that is shown.
        let Some(resource) = resource(&Kinds::default(), &object.kind) else {
            return Ok(());
        };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, &resource);
        let metadata = json!({"uid": template.uid, "resourceVersion": template.version});
        let patch = Patch::Merge(json!({"metadata": metadata, "status": status}));
        match call(
            "show a template's status",
            api.patch_status(&object.name, &PatchParams::default(), &patch),
        )
        .await
        {
            Err(error) if error.is_outdated() => Ok(()),
            other => other.map(drop),
        }
    }
}
