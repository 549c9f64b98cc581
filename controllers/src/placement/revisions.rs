//! Versions of templates, kept in the hub while a decision names them: an agent can go back to one that the template does
//! not say any more. Their names follow from their content, so that storing one twice stores it once.

use std::collections::BTreeSet;

use crds::{Assignment, DualActivePlacement, PlacedObject, label};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::api::{DeleteParams, DynamicObject, ListParams, ObjectMeta, PostParams};
use kube::{Api, Resource as _, ResourceExt as _};
use plan::placement::decide::{Decision, key};
use plan::placement::kinds::Kinds;
use plan::placement::template;
use serde_json::json;

use super::Controller;
use crate::call::{CallError, call};
use crate::templates::{plain, resource};

/// Longest part of a workload's name in the name of its revision: with kind and fingerprint that stays below 253.
const NAMED: usize = 200;

/// The name of a revision.
fn name(object: &PlacedObject, revision: &str) -> String {
    let short: String = object.name.chars().take(NAMED).collect();
    format!("{}-{short}-{revision}", object.kind.name().to_lowercase())
}

/// Names of all revisions that a decision needs.
pub(super) fn named(assignment: Option<&Assignment>) -> BTreeSet<String> {
    let rollouts = assignment.into_iter().flat_map(|a| &a.rollouts);
    let each = rollouts.flat_map(|r| {
        let object = PlacedObject {
            kind: r.kind.clone(),
            name: r.name.clone(),
        };
        let centres = r.centres.iter().map(|c| &c.revision);
        let all = centres.chain(&r.good).chain([&r.newest]);
        all.map(|revision| name(&object, revision)).collect::<Vec<_>>()
    });
    each.collect()
}

impl Controller {
    /// Stores what the decision names for the first time. Answers whether all of it is there: a template that went on
    /// meanwhile comes with the next pass.
    pub(super) async fn store_revisions(
        &self,
        placement: &DualActivePlacement,
        decision: &Decision,
    ) -> Result<bool, CallError> {
        for object in &decision.store {
            let rollout = decision.assignment.as_ref().and_then(|a| a.rollout(object));
            let newest = rollout.map_or("", |r| r.newest.as_str());
            if !self.store(placement, object, newest).await? {
                tracing::debug!(
                    namespace = placement.namespace(),
                    name = object.name,
                    "the template went on before its revision was stored"
                );
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn store(
        &self,
        placement: &DualActivePlacement,
        object: &PlacedObject,
        newest: &str,
    ) -> Result<bool, CallError> {
        let (namespace, owner) = key(placement);
        // Built-in kinds alone roll.
        let Some(resource) = resource(&Kinds::default(), &object.kind) else {
            return Ok(false);
        };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, &resource);
        let found = match call("read a template", api.get(&object.name)).await {
            Err(error) if error.is_not_found() => return Ok(false),
            found => plain(found?, &resource),
        };
        let facts = template::read(&object.kind, &found);
        if facts.revision != newest {
            return Ok(false);
        }
        let revision = ControllerRevision {
            metadata: ObjectMeta {
                name: Some(name(object, newest)),
                labels: Some([(label::PLACEMENT.to_owned(), owner.clone())].into()),
                owner_references: placement.owner_ref(&()).map(|o| vec![o]),
                ..ObjectMeta::default()
            },
            data: Some(RawExtension(json!(found))),
            revision: facts.generation,
        };
        let api: Api<ControllerRevision> = Api::namespaced(self.client.clone(), &namespace);
        match call("store a revision", api.create(&PostParams::default(), &revision)).await {
            Err(error) if error.is_conflict() => take_over(&api, &owner, &revision).await.map(|()| true),
            done => done.map(|_| true),
        }
    }

    /// Deletes what no decision names any more.
    pub(super) async fn forget_revisions(
        &self,
        placement: &DualActivePlacement,
        kept: &BTreeSet<String>,
    ) -> Result<(), CallError> {
        let (namespace, owner) = key(placement);
        let ever = placement.assignment().is_some_and(|a| !a.rollouts.is_empty());
        if !ever {
            return Ok(());
        }
        let api: Api<ControllerRevision> = Api::namespaced(self.client.clone(), &namespace);
        let stored = call("list revisions", api.list_metadata(&of(&owner))).await?;
        for revision in stored.items.iter().filter(|r| !kept.contains(&r.name_any())) {
            delete(&api, &revision.name_any()).await?;
        }
        Ok(())
    }
}

/// All revisions of a placement.
fn of(owner: &str) -> ListParams {
    ListParams::default().labels(&format!("{}={owner}", label::PLACEMENT))
}

async fn delete(api: &Api<ControllerRevision>, name: &str) -> Result<(), CallError> {
    match call("delete a revision", api.delete(name, &DeleteParams::default())).await {
        Err(error) if error.is_not_found() => Ok(()),
        done => done.map(drop),
    }
}

/// What stands under that name may be of the placement that had the workload before, and would go with it.
async fn take_over(api: &Api<ControllerRevision>, owner: &str, revision: &ControllerRevision) -> Result<(), CallError> {
    let name = revision.name_any();
    let own = call("list revisions", api.list_metadata(&of(owner))).await?;
    if own.items.iter().any(|r| r.name_any() == name) {
        return Ok(());
    }
    delete(api, &name).await?;
    call("store a revision", api.create(&PostParams::default(), revision))
        .await
        .map(drop)
}
