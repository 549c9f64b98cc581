//! What has been history for long enough goes, on the copy that was looked at: first the request, then what was decided
//! about it. A decision that a crash left behind goes with the next request of its tenant.

use std::collections::BTreeSet;

use crds::{RequestApproval, ResourceRequest};
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, ResourceExt as _};
use plan::metering::Snapshot;
use plan::retention::{orphaned, outlived};

use super::Controller;
use crate::call::{CallError, call};

/// So many requests in one pass, so that an operator that was given a shorter time does not flood the hub.
const AT_ONCE: usize = 50;

impl Controller {
    /// What is gone by now, or was changed, is left to the next pass.
    pub(super) async fn retire(&self, snapshot: &Snapshot) -> Result<(), CallError> {
        let due = outlived(&snapshot.requests, snapshot.now, self.keep);
        let due = due.into_iter().filter_map(|index| snapshot.requests.get(index));
        let (mut gone, mut tenants) = (BTreeSet::new(), BTreeSet::new());
        for request in due.filter(|r| r.metadata.deletion_timestamp.is_none()).take(AT_ONCE) {
            let tenant = request.namespace().unwrap_or_default();
            let api: Api<ResourceRequest> = Api::namespaced(self.client.clone(), &tenant);
            let on = preconditions(request.uid(), request.resource_version());
            match call("delete an ended request", api.delete(&request.name_any(), &on)).await {
                Err(error) if error.is_conflict() || error.is_not_found() => continue,
                outcome => drop(outcome?),
            }
            tracing::info!(tenant, request = request.name_any(), "ended long ago, deleted");
            gone.extend(request.metadata.uid.as_deref());
            tenants.insert(tenant);
        }
        let present = snapshot.requests.iter().filter_map(|r| r.metadata.uid.as_deref());
        let staying: BTreeSet<&str> = present.filter(|uid| !gone.contains(uid)).collect();
        for tenant in &tenants {
            self.forget_decisions(tenant, &staying, snapshot).await?;
        }
        Ok(())
    }

    async fn forget_decisions(
        &self,
        tenant: &str,
        staying: &BTreeSet<&str>,
        snapshot: &Snapshot,
    ) -> Result<(), CallError> {
        let api: Api<RequestApproval> = Api::namespaced(self.client.clone(), tenant);
        let all = call("list the decisions of a tenant", api.list(&ListParams::default())).await?;
        for approval in orphaned(&all.items, staying, snapshot.now, self.keep) {
            let on = preconditions(approval.uid(), None);
            match call("delete a decision", api.delete(&approval.name_any(), &on)).await {
                Err(error) if error.is_conflict() || error.is_not_found() => {}
                outcome => drop(outcome?),
            }
        }
        Ok(())
    }
}

fn preconditions(uid: Option<String>, resource_version: Option<String>) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions { uid, resource_version }),
        ..DeleteParams::default()
    }
}
