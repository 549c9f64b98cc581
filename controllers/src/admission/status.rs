//! Statuses of requests and approvals, written where they differ from what is there.

use std::collections::BTreeMap;

use crds::{RequestApproval, ResourceRequest, ResourceRequestStatus, approval_reason, condition, set_condition};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use plan::cycle::{CyclePlan, Snapshot};
use plan::request::Request;
use plan::request_status;
use serde_json::json;

use super::apply::{announce, own_part};
use super::{Options, Write, reclaim};
use crate::call::call;

/// Writes for every request whose status differs. A request that this pass granted, or that a record is open for, gets
/// its status with its allocation.
pub(super) fn requests<'a>(options: &'a Options, snapshot: &'a Snapshot, plan: &'a CyclePlan) -> Vec<Write<'a>> {
    let mut writes: Vec<Write<'a>> = Vec::new();
    for (index, request) in snapshot.requests.iter().enumerate() {
        let undecided = snapshot
            .ledger
            .records
            .get(request.uid())
            .is_some_and(|r| request.record() != Some(r.id.as_str()));
        let touched_now = plan.touched.contains(request.uid());
        let assessment = plan.assessment(index);
        // It fits and waits for its turn in the ledger: its status comes with its allocation.
        let comes_next = assessment.is_some_and(|a| a.fits) && request.guarded();
        let leaves_now = request.deleting() && request.holds.is_empty();
        if undecided || touched_now || comes_next || leaves_now {
            continue;
        }
        let wanted = request_status::status(request, assessment, snapshot);
        if request.object().status.as_ref() == Some(&wanted) {
            continue;
        }
        writes.push(Box::pin(async move {
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
                announce(&options.events, request.object(), &wanted);
            }
            Ok(())
        }));
    }
    writes
}

/// Requests by tenant and name.
fn named(snapshot: &Snapshot) -> BTreeMap<(&str, &str), (usize, &Request)> {
    let requests = snapshot.requests.iter().enumerate();
    requests
        .map(|(index, r)| ((r.tenant(), r.name()), (index, &**r)))
        .collect()
}

/// Whether each approval counts. Once its request is granted the answer stays.
pub(super) fn approvals<'a>(client: &'a Client, snapshot: &'a Snapshot, plan: &'a CyclePlan) -> Vec<Write<'a>> {
    let mut writes: Vec<Write<'a>> = Vec::new();
    let named = named(snapshot);
    for approval in &snapshot.approvals {
        let target = (
            approval.metadata.namespace.as_deref().unwrap_or_default(),
            approval.spec.request_ref.name.as_str(),
        );
        let Some((counts, reason)) = verdict(approval, named.get(&target).copied(), plan) else {
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
            let api: Api<RequestApproval> = Api::namespaced(client.clone(), &approval.namespace().unwrap_or_default());
            let metadata = json!({"uid": approval.uid(), "resourceVersion": approval.resource_version()});
            let patch = json!({"metadata": metadata, "status": status});
            let name = approval.name_any();
            call(
                "write an approval's status",
                api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)),
            )
            .await?;
            tracing::info!(tenant = approval.namespace(), approval = name, reason, "approval");
            Ok(())
        }));
    }
    writes
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
        None if target.allocation().is_some() && approval.status.is_none() => {
            Some((false, approval_reason::ALREADY_DECIDED))
        }
        None => None,
    }
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
        approval_reason::AMOUNTS_INVALID => "the amounts cannot be read | 数量不合法",
        _ => "the request was already decided at that level | 该级已有决定",
    }
}
