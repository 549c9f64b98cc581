//! Idle grants: the statuses of the policies, and the figures. What becomes of a grant is in its own status; what is taken
//! back goes through the ledger like any lowering.

use std::time::Duration;

use crds::{
    ReclaimPolicy, ReclaimPolicyStatus, ResourceRequest, ResourceRequestStatus, condition, find_condition,
    reclaim_reason as reason,
};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use plan::cycle::Snapshot;
use plan::reclaim::{Policy, figures, next_due, policy_status, stages};
use serde_json::json;

use super::observe::Caches;
use super::{Error, Options, Write};
use crate::call::call;
use crate::events::Events;

/// A pass is not asked for sooner than this.
const SOON: Duration = Duration::from_millis(500);

/// When the next notice, grace or appeal is over.
pub(super) fn next(snapshot: &Snapshot) -> Option<Duration> {
    Duration::try_from(next_due(snapshot)?).ok().map(|wait| wait.max(SOON))
}

/// Statuses of the policies that differ, and the figures.
pub(super) async fn publish(options: &Options, caches: &Caches, snapshot: &Snapshot) -> Result<(), Error> {
    options.metrics.idle(&figures(snapshot), &stages(snapshot));
    options
        .metrics
        .unreadable::<ReclaimPolicy>(caches.policies.unreadable().len());
    let mut writes: Vec<Write<'_>> = Vec::new();
    for policy in caches.policies.list() {
        let wanted = policy_status(&policy, Policy::read(&policy).map(drop), snapshot);
        if policy.status.as_ref() != Some(&wanted) {
            writes.push(Box::pin(write(options, policy, wanted)));
        }
    }
    super::all(writes, &options.metrics, "published").await?;
    Ok(())
}

async fn write(options: &Options, policy: ReclaimPolicy, wanted: ReclaimPolicyStatus) -> Result<(), Error> {
    let api: Api<ReclaimPolicy> = Api::all(options.client.clone());
    let metadata = json!({"uid": policy.uid(), "resourceVersion": policy.resource_version()});
    let patch = json!({"metadata": metadata, "status": wanted});
    call(
        "write a reclaim policy's status",
        api.patch_status(&policy.name_any(), &PatchParams::default(), &Patch::Merge(patch)),
    )
    .await?;
    Ok(())
}

/// Tells on the request what its condition Idle says, where that is another stage than before.
pub(super) fn announce(events: &Events, request: &ResourceRequest, wanted: &ResourceRequestStatus) {
    let idle = |status: &ResourceRequestStatus| find_condition(&status.conditions, condition::IDLE).cloned();
    let before = request.status.as_ref().and_then(idle).map(|c| c.reason);
    let Some(now) = idle(wanted).filter(|now| before.as_ref() != Some(&now.reason)) else {
        return;
    };
    // That nothing is known yet, or nothing is to be said, is no event.
    let of_interest = wanted.reclaim.is_some() || request.status.as_ref().is_some_and(|s| s.reclaim.is_some());
    if of_interest {
        tracing::info!(
            request = request.name_any(),
            tenant = request.namespace(),
            reason = now.reason,
            "idle"
        );
        let warning = [reason::NOTIFIED, reason::DUE, reason::SHRUNK, reason::RECLAIMED].contains(&now.reason.as_str());
        events.publish(request, warning, &now.reason, &now.message);
    }
}
