//! What has been history for long enough goes, on the copy that was looked at: first the request, then what was decided
//! about it. A decision that a crash left behind goes with the next request of its tenant.

use std::collections::BTreeSet;
use std::fmt::Debug;

use crds::{RequestApproval, ResourceRequest};
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Resource, ResourceExt as _};
use plan::metering::Snapshot;
use plan::retention::{orphaned, outlived};
use serde::de::DeserializeOwned;

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
            if !delete("delete an ended request", &api, request).await? {
                continue;
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
            delete("delete a decision", &api, approval).await?;
        }
        Ok(())
    }
}

/// Deletes just that copy; false where it is gone by now, or was changed.
async fn delete<K>(what: &'static str, api: &Api<K>, object: &K) -> Result<bool, CallError>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let only = Preconditions {
        uid: object.uid(),
        resource_version: object.resource_version(),
    };
    let params = DeleteParams::default().preconditions(only);
    match call(what, api.delete(&object.name_any(), &params)).await {
        Err(error) if error.is_outdated() => Ok(false),
        outcome => outcome.map(|_| true),
    }
}
