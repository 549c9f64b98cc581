//! Writes on placements, each conditional on the copy it was decided on: uid and resourceVersion.

use std::collections::BTreeSet;

use crds::{
    DualActivePlacement, DualActivePlacementStatus, condition, find_condition, label, placement_reason as reason,
};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use plan::placement::decide::Decision;
use serde_json::{Value, json};

use super::{Controller, revisions};
use crate::call::{CallError, call};
use crate::fail_point::Step;
use crate::merge::merge_patch;

/// Whether the decision has an object or a centre that the stored one has not.
pub(super) fn grows(placement: &DualActivePlacement, decision: &Decision) -> bool {
    let Some(next) = &decision.assignment else { return false };
    let Some(old) = placement.assignment() else {
        return true;
    };
    next.objects.iter().any(|o| !old.objects.contains(o))
}

/// Whether the decision is another one than the stored one: agents and moves wait for it, while the rest is only shown.
pub(super) fn decides(placement: &DualActivePlacement, decision: &Decision) -> bool {
    decision.assignment.as_ref() != placement.assignment() || !is_guarded(placement) || decision.release
}

fn is_guarded(placement: &DualActivePlacement) -> bool {
    placement.finalizers().iter().any(|f| f == label::PLACED)
}

/// Reasons that nobody has to know at once.
const CALM: [&str; 8] = [
    reason::RUNNING,
    reason::APPLYING,
    reason::STARTING,
    reason::NO_RIGHT,
    reason::REBALANCING,
    reason::ROLLING_OUT,
    reason::ROLLOUT_PAUSED,
    reason::LEAVING,
];

/// Reason and message of the condition Ready.
fn ready(status: &DualActivePlacementStatus) -> Option<(&str, &str)> {
    find_condition(&status.conditions, condition::READY).map(|c| (c.reason.as_str(), c.message.as_str()))
}

/// Whether the status says something new that is not well.
pub(super) fn urgent(placement: &DualActivePlacement, status: &DualActivePlacementStatus) -> bool {
    let why = ready(status).map(|(why, _)| why);
    let before = placement.status.as_ref().and_then(ready).map(|(why, _)| why);
    why != before && !why.is_some_and(|why| CALM.contains(&why))
}

fn precondition(placement: &DualActivePlacement) -> Value {
    json!({"uid": placement.uid(), "resourceVersion": placement.resource_version()})
}

/// The operator's part of a status: the rows are the centres'.
fn own_part(status: &DualActivePlacementStatus) -> Value {
    let mut own = json!(status);
    if let Some(fields) = own.as_object_mut() {
        fields.remove("centres");
    }
    own
}

impl Controller {
    /// Writes what differs. Answers whether the placement has another version now than the one that is known.
    pub(super) async fn write(
        &self,
        placement: &DualActivePlacement,
        decision: &Decision,
        status: &DualActivePlacementStatus,
    ) -> Result<bool, CallError> {
        let written = self.write_what_differs(placement, decision, status).await;
        match written {
            // Somebody else wrote, or it is gone: the watch shows it, and the next pass decides on that.
            Err(error) if error.is_outdated() => Ok(false),
            other => other,
        }
    }

    async fn write_what_differs(
        &self,
        placement: &DualActivePlacement,
        decision: &Decision,
        status: &DualActivePlacementStatus,
    ) -> Result<bool, CallError> {
        let guarded = is_guarded(placement);
        let deleted = placement.metadata.deletion_timestamp.is_some();
        if deleted && decision.release {
            if guarded {
                self.forget_revisions(placement, &BTreeSet::new()).await?;
                return self.guard(placement, false).await;
            }
            return Ok(false);
        }
        if !deleted && !guarded {
            // Before anything is placed; the watch brings it back for the decision itself.
            return self.guard(placement, true).await;
        }
        if placement.status.as_ref() == Some(status) {
            return Ok(false);
        }
        if !self.store_revisions(placement, decision).await? {
            return Ok(false);
        }
        let namespace = placement.namespace().unwrap_or_default();
        let api: Api<DualActivePlacement> = Api::namespaced(self.client.clone(), &namespace);
        let before = placement.status.as_ref().map(own_part).unwrap_or_default();
        let patch = json!({"metadata": precondition(placement), "status": merge_patch(&before, own_part(status))});
        let name = placement.name_any();
        let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
        self.fail_points.reached(Step::PlacementDecided);
        let written = match call("write a placement", api.patch_status(&name, &params, &patch)).await {
            Err(error) if error.is_conflict() => return Ok(true),
            written => written?,
        };
        self.announce(placement, status);
        let before = placement.assignment();
        let (before, now) = (revisions::named(before), revisions::named(status.assignment.as_ref()));
        if !before.is_subset(&now) {
            self.forget_revisions(placement, &now).await?;
        }
        Ok(written.resource_version() != placement.resource_version())
    }

    async fn guard(&self, placement: &DualActivePlacement, on: bool) -> Result<bool, CallError> {
        let mut finalizers = placement.finalizers().to_vec();
        finalizers.retain(|f| f != label::PLACED);
        finalizers.extend(on.then(|| label::PLACED.to_owned()));
        let mut metadata = precondition(placement);
        if let Some(fields) = metadata.as_object_mut() {
            fields.insert("finalizers".to_owned(), json!(finalizers));
        }
        let namespace = placement.namespace().unwrap_or_default();
        let api: Api<DualActivePlacement> = Api::namespaced(self.client.clone(), &namespace);
        let patch = Patch::Merge(json!({"metadata": metadata}));
        let name = placement.name_any();
        let written = call("guard a placement", api.patch(&name, &PatchParams::default(), &patch)).await?;
        tracing::info!(namespace, placement = name, guarded = on, "placement");
        Ok(written.resource_version() != placement.resource_version())
    }

    /// Tells on the placement when its reason changed.
    fn announce(&self, placement: &DualActivePlacement, status: &DualActivePlacementStatus) {
        let Some((why, message)) = ready(status) else { return };
        let before = placement.status.as_ref().and_then(ready);
        let number = status.assignment.as_ref().map(|a| a.number);
        let name = placement.name_any();
        if before.is_some_and(|(was, _)| was == why) {
            tracing::debug!(placement = name, number, why, "placement written");
            return;
        }
        tracing::info!(
            namespace = placement.namespace(),
            placement = name,
            number,
            why,
            message,
            "placement"
        );
        // What is overtaken in a moment stands in the condition.
        if why == reason::APPLYING {
            return;
        }
        self.events.publish(placement, !CALM.contains(&why), why, message);
    }
}
