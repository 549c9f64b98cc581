//! Statuses of requests and approvals, written where they differ from what is there.

use std::collections::BTreeMap;

use crds::{
    Decision, RequestApproval, ResourceRequest, ResourceRequestStatus, approval_reason, condition, request_reason,
    set_condition,
};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use plan::admission::Assessment;
use plan::cycle::{CyclePlan, Snapshot};
use plan::request::Request;
use plan::request_status;
use serde_json::json;

use super::apply::{announce, own_part};
use super::{Error, Options, Write, reclaim};
use crate::call::call;
use crate::events::Events;

/// Writes for every request that is `told` and whose status differs. A request that this pass granted, or that a record is open for, gets
/// its status with its allocation.
pub(super) fn requests<'a>(
    options: &'a Options,
    snapshot: &'a Snapshot,
    plan: &'a CyclePlan,
    told: fn(&Request) -> bool,
) -> impl Iterator<Item = Write<'a>> {
    let requests = snapshot.requests.iter().enumerate();
    requests.filter(move |(_, r)| told(r)).filter_map(|(index, request)| {
        let wanted = wanted(index, request, snapshot, plan)?;
        Some(Box::pin(write(options, request, wanted, plan.assessment(index))) as Write<'a>)
    })
}

/// Its status, where this pass is to write it.
fn wanted(index: usize, request: &Request, snapshot: &Snapshot, plan: &CyclePlan) -> Option<ResourceRequestStatus> {
    let record = snapshot.ledger.records.get(request.uid());
    let undecided = record.is_some_and(|r| request.record() != Some(r.id.as_str()));
    let touched_now = plan.touched.contains(request.uid());
    let assessment = plan.assessment(index);
    // It fits and waits for its turn in the ledger: its status comes with its allocation.
    let comes_next = assessment.is_some_and(|a| a.fits) && request.guarded();
    let leaves_now = request.deleting() && request.holds.is_empty();
    if undecided || touched_now || comes_next || leaves_now {
        return None;
    }
    let wanted = request_status::status(request, assessment, snapshot);
    (request.object().status.as_ref() != Some(&wanted)).then_some(wanted)
}

async fn write(
    options: &Options,
    request: &Request,
    wanted: ResourceRequestStatus,
    assessment: Option<&Assessment>,
) -> Result<(), Error> {
    let api: Api<ResourceRequest> = Api::namespaced(options.client.clone(), request.tenant());
    let metadata = json!({"uid": request.uid(), "resourceVersion": request.version()});
    let patch = json!({"metadata": metadata, "status": own_part(request.object().status.as_ref(), &wanted)});
    call(
        "write a request's status",
        api.patch_status(request.name(), &PatchParams::default(), &Patch::Merge(patch)),
    )
    .await?;
    let why = |status: &ResourceRequestStatus| {
        crds::find_condition(&status.conditions, condition::READY).map(|c| c.reason.clone())
    };
    let (before, after) = (request.object().status.as_ref().and_then(why), why(&wanted));
    tracing::info!(
        tenant = request.tenant(),
        request = request.name(),
        phase = wanted.phase,
        reason = after,
        "request"
    );
    reclaim::announce(&options.events, request.object(), &wanted);
    // Of the end of a term it is said again when it comes nearer.
    let ending = |status: &ResourceRequestStatus| {
        crds::find_condition(&status.conditions, condition::EXPIRING).map(|c| c.message.clone())
    };
    if before != after || request.object().status.as_ref().and_then(ending) != ending(&wanted) {
        announce(&options.events, request.object(), &wanted, assessment);
    }
    Ok(())
}

/// Requests by tenant and name.
fn named(snapshot: &Snapshot) -> BTreeMap<(&str, &str), (usize, &Request)> {
    let requests = snapshot.requests.iter().enumerate();
    requests
        .map(|(index, r)| ((r.tenant(), r.name()), (index, &**r)))
        .collect()
}

/// Whether each approval counts. Once its request is granted the answer stays.
pub(super) fn approvals<'a>(options: &'a Options, snapshot: &'a Snapshot, plan: &'a CyclePlan) -> Vec<Write<'a>> {
    let mut writes: Vec<Write<'a>> = Vec::new();
    let named = named(snapshot);
    for approval in &snapshot.approvals {
        let target = (
            approval.metadata.namespace.as_deref().unwrap_or_default(),
            approval.spec.request_ref.name.as_str(),
        );
        let target = named.get(&target).copied();
        let Some((counts, reason)) = verdict(approval, target, plan) else {
            continue;
        };
        let mut status = approval.status.clone().unwrap_or_default();
        let words = if counts { "counted | 已计入" } else { words(reason) };
        let generation = approval.metadata.generation;
        set_condition(
            &mut status.conditions,
            condition::COUNTED,
            Some(counts),
            reason,
            words,
            generation,
            snapshot.now,
        );
        if approval.status.as_ref() == Some(&status) {
            continue;
        }
        writes.push(Box::pin(async move {
            let api: Api<RequestApproval> =
                Api::namespaced(options.client.clone(), &approval.namespace().unwrap_or_default());
            let metadata = json!({"uid": approval.uid(), "resourceVersion": approval.resource_version()});
            let patch = json!({"metadata": metadata, "status": status});
            let name = approval.name_any();
            call(
                "write an approval's status",
                api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)),
            )
            .await?;
            tracing::info!(tenant = approval.namespace(), approval = name, reason, "approval");
            if let (true, Some((_, request))) = (counts, target) {
                decided(&options.events, request, approval);
            }
            Ok(())
        }));
    }
    writes
}

/// Tells on the request who agreed at which level; that somebody rejected it is what its condition Ready says.
fn decided(events: &Events, request: &Request, approval: &RequestApproval) {
    let spec = &approval.spec;
    let reason = match (spec.decision, spec.level) {
        (Decision::Rejected, _) => return,
        (Decision::Approved, 1) => "Level1Approved",
        (Decision::Approved, _) => "Level2Approved",
    };
    let who = &spec.approver.username;
    let words = format!(
        "{who} agreed at level {level} | {who} 已同意（{level}级）",
        level = spec.level
    );
    events.publish(&**request.object(), false, reason, &words);
}

/// Counted or not, with the reason; nothing while its request is not being assessed and the answer is known.
fn verdict(
    approval: &RequestApproval,
    target: Option<(usize, &Request)>,
    plan: &CyclePlan,
) -> Option<(bool, &'static str)> {
    let wanted = &approval.spec.request_ref;
    let Some((index, target)) = target else {
        return Some((false, approval_reason::REQUEST_NOT_FOUND));
    };
    if target.uid() != wanted.uid {
        return Some((false, approval_reason::UID_MISMATCH));
    }
    let assessed = plan
        .assessment(index)
        .and_then(|a| a.outcome.counted.get(&approval.name_any()));
    match assessed {
        Some(Ok(())) => Some((true, approval_reason::COUNTED)),
        Some(Err(reason)) => Some((false, reason)),
        // Granted already: what counted before was written before; what comes now is too late.
        None if (target.allocation().is_some() || completed(target)) && approval.status.is_none() => {
            Some((false, approval_reason::ALREADY_DECIDED))
        }
        None => None,
    }
}

/// Whether it did to another one's grant what it asked: it never has one of its own.
fn completed(request: &Request) -> bool {
    let ready = crds::find_condition(request.conditions(), condition::READY);
    ready.is_some_and(|c| c.reason == request_reason::COMPLETED)
}

fn words(reason: &str) -> &'static str {
    match reason {
        approval_reason::SELF_APPROVAL => "requester and approver are the same person | 申请人与审批人相同",
        approval_reason::SAME_PERSON => {
            "the same person decided at the other level; a second person is needed | 同一人已在另一级审批，需另一人"
        }
        approval_reason::SAME_ORGANISATION => {
            "the approver of the other level is of the same organisation; a person of another one is needed | 两级审批人属同一单位，需另一单位人员"
        }
        approval_reason::NOT_ENTITLED => {
            "the approver is in no group of that level, or that level is not needed | 审批人不在该级用户组，或无需该级审批"
        }
        approval_reason::REQUEST_NOT_FOUND => "there is no such request in this namespace | 本命名空间无此申请",
        approval_reason::UID_MISMATCH => {
            "another request of that name was meant; approve again | 同名申请已更换，请重新审批"
        }
        approval_reason::AMOUNTS_INVALID => {
            "an amount is zero, above what was asked, below what the grant to change holds already, no multiple of perNode, or of a resource that is asked not at all or more than once, so that it is not clear what to lower; approve again with other amounts, or reject it and have it asked in two requests | 核减数量须大于零、不超过申请量、不低于待变更配额的现有量、为 perNode 的整数倍，且该资源在申请中仅出现一次；请重新填写审批意见，或驳回后分开申请"
        }
        _ => {
            "the request was decided already, as a whole or at that level; another amount is a new request | 该申请或该级已有决定，如需调整请另建申请"
        }
    }
}

#[cfg(test)]
mod tests;
