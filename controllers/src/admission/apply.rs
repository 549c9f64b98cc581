//! Writes on requests, each conditional on the copy it was decided on: uid and resourceVersion.

use std::sync::{Arc, Mutex, PoisonError};

use crds::{ResourceRequest, condition, request_reason as reason};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use plan::admission::Assessment;
use plan::cycle::{Apply, CyclePlan, Snapshot};
use plan::phase::started;
use plan::request::Request;
use plan::request_status;
use serde_json::{Value, json};

use super::book::{Own, without_ours};
use super::{Error, Options, reclaim};
use crate::call::call;
use crate::events::Events;
use crate::fail_point::Step;
use crate::merge::merge_patch;

fn requests(client: Client, request: &Request) -> Api<ResourceRequest> {
    Api::namespaced(client, request.tenant())
}

fn precondition(request: &Request) -> Value {
    json!({"uid": request.uid(), "resourceVersion": request.version()})
}

/// The patch that makes a status of an older one, without the agents' rows, which are not ours to write.
pub(super) fn own_part(old: Option<&crds::ResourceRequestStatus>, new: &crds::ResourceRequestStatus) -> Value {
    let mut patch = merge_patch(&json!(old), json!(new));
    if let Some(fields) = patch.as_object_mut() {
        fields.remove("centres");
    }
    patch
}

/// Reason of the event on a request that starts because a phase of expansion was accepted.
const CAPACITY_ADDED: &str = "CapacityAdded";

/// APPLY: the allocation and its conditions in one write. What the server answers goes to `own`.
pub(super) async fn allocation(
    options: &Options,
    snapshot: &Snapshot,
    plan: &CyclePlan,
    apply: &Apply,
    own: &Mutex<Own>,
) -> Result<(), Error> {
    let Some(request) = snapshot.requests.get(apply.request) else {
        return Ok(());
    };
    let mut object = ResourceRequest::clone(request.object());
    object.status.get_or_insert_default().allocation = Some(apply.allocation.clone());
    let granted = Request::read(object, true)?;
    let mut status = request_status::status(&granted, plan.assessment(apply.request), snapshot);
    let starts = starts(snapshot, plan, request);
    if let Some((_, phase)) = starts {
        started::explain(&mut status, phase);
    }
    let patch =
        json!({"metadata": precondition(request), "status": own_part(request.object().status.as_ref(), &status)});
    let api = requests(options.client.clone(), request);
    options.fail_points.reached(Step::BeforeApply);
    let written = call(
        "write an allocation",
        api.patch_status(request.name(), &PatchParams::default(), &Patch::Merge(patch)),
    )
    .await?;
    let record = &apply.allocation.record;
    tracing::info!(
        tenant = request.tenant(),
        request = request.name(),
        record,
        "allocation written"
    );
    options.fail_points.reached(Step::AfterApply);
    if let Some((asked, phase)) = starts {
        tell(&options.events, asked, phase);
    }
    announce(
        &options.events,
        request.object(),
        &status,
        plan.assessment(apply.request),
    );
    reclaim::announce(&options.events, request.object(), &status);
    let written = Arc::new(Request::own_answer(written)?);
    let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
    own.insert(written.uid().to_owned(), written);
    Ok(())
}

/// The request that starts with what is written, and the phase that made room for it; nothing where this was written before
/// and is only confirmed.
fn starts<'a>(snapshot: &'a Snapshot, plan: &'a CyclePlan, request: &Request) -> Option<(&'a Request, &'a str)> {
    let record = plan.swap.as_ref()?.records.get(request.uid())?;
    if request.record() == Some(record.id.as_str()) {
        return None;
    }
    started::started(snapshot, request.uid(), record)
}

/// Tells a request that it starts because a phase was accepted.
pub(super) fn tell(events: &Events, request: &Request, phase: &str) {
    events.publish(&**request.object(), false, CAPACITY_ADDED, &started::words(phase));
}

/// Tells on the request what it was quoted, that it is charged and in force, and what its condition Ready says now.
pub(super) fn announce(
    events: &Events,
    request: &ResourceRequest,
    status: &crds::ResourceRequestStatus,
    assessment: Option<&Assessment>,
) {
    let before = request
        .status
        .as_ref()
        .map(|s| s.conditions.as_slice())
        .unwrap_or_default();
    if let (None, Some(words)) = (
        crds::find_condition(before, condition::READY),
        assessment.and_then(request_status::quoted),
    ) {
        events.publish(request, false, "Quoted", &words);
    }
    for kind in [condition::QUOTA_RESERVED, condition::PROVISIONED] {
        let came = |c: &&crds::Condition| c.status == "True";
        let was = crds::find_condition(before, kind).filter(came);
        if let (None, Some(now)) = (was, crds::find_condition(&status.conditions, kind).filter(came)) {
            events.publish(request, false, kind, &now.message);
        }
    }
    if let Some(ready) = crds::find_condition(&status.conditions, condition::READY) {
        let warning = [
            reason::REJECTED,
            reason::MISCONFIGURED,
            reason::EXCEEDS_MAX_QUOTA,
            reason::CENTRE_CONFLICT,
        ];
        events.publish(
            request,
            warning.contains(&ready.reason.as_str()),
            &ready.reason,
            &ready.message,
        );
    }
}

/// END: irrevocable, on the copy it was decided on.
pub(super) async fn end(options: &Options, request: &Request, now: Timestamp) -> Result<(), Error> {
    let patch = json!({"metadata": precondition(request), "status": {"allocation": {"ended": now.to_string()}}});
    let api = requests(options.client.clone(), request);
    options.fail_points.reached(Step::BeforeEnd);
    call(
        "end a grant",
        api.patch_status(request.name(), &PatchParams::default(), &Patch::Merge(patch)),
    )
    .await?;
    tracing::info!(tenant = request.tenant(), request = request.name(), "grant ended");
    options.fail_points.reached(Step::AfterEnd);
    Ok(())
}

/// CLEAR: the last lowering is settled.
pub(super) async fn clear(options: &Options, request: &Request) -> Result<(), Error> {
    let patch = json!({"metadata": precondition(request), "status": {"allocation": {"before": null}}});
    let api = requests(options.client.clone(), request);
    options.fail_points.reached(Step::BeforeClear);
    call(
        "clear a lowering",
        api.patch_status(request.name(), &PatchParams::default(), &Patch::Merge(patch)),
    )
    .await?;
    tracing::info!(tenant = request.tenant(), request = request.name(), "lowering settled");
    options.fail_points.reached(Step::AfterClear);
    Ok(())
}

/// Lets a deleted request go.
pub(super) async fn unguard(options: &Options, request: &Request) -> Result<(), Error> {
    let mut metadata = precondition(request);
    if let Some(fields) = metadata.as_object_mut() {
        fields.insert("finalizers".to_owned(), json!(without_ours(request)));
    }
    let patch = json!({"metadata": metadata});
    let api = requests(options.client.clone(), request);
    options.fail_points.reached(Step::BeforeUnguard);
    call(
        "let a request go",
        api.patch(request.name(), &PatchParams::default(), &Patch::Merge(patch)),
    )
    .await?;
    tracing::info!(tenant = request.tenant(), request = request.name(), "request let go");
    options.fail_points.reached(Step::AfterUnguard);
    Ok(())
}
