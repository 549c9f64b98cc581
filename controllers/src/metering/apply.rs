//! Writes of reports and of requests that leave, each conditional on the copy it was decided on.

use crds::{ResourceRequest, UsageReport, UsageReportSpec, label};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use plan::metering::{MeteringPlan, Snapshot, Write};
use serde_json::json;

use super::{Controller, Error};
use crate::call::{CallError, call};

/// Writes under way at once.
const WRITES_AT_ONCE: usize = 8;

impl Controller {
    /// A conflict is left to the next pass; a refused write stops nobody else.
    pub(super) async fn apply(&self, snapshot: &Snapshot, plan: &MeteringPlan) -> Result<(), Error> {
        let mut writes: Vec<BoxFuture<'_, Result<(), CallError>>> = Vec::new();
        for write in &plan.writes {
            writes.push(Box::pin(self.report(snapshot, write)));
        }
        let request = |index: &usize| snapshot.requests.get(*index);
        for request in plan.let_go.iter().filter_map(request) {
            writes.push(Box::pin(self.let_go(request)));
        }
        for request in plan.waiting.iter().filter_map(request) {
            writes.push(Box::pin(self.let_go_with_its_namespace(request)));
        }
        let mut stream = futures::stream::iter(writes).buffer_unordered(WRITES_AT_ONCE);
        let mut first = Ok(());
        while let Some(outcome) = stream.next().await {
            match outcome {
                Err(error) if error.is_outdated() => {}
                Err(error) if error.is_refused() => tracing::error!(%error, "a write was refused"),
                Err(error) => first = first.and(Err(error)),
                Ok(()) => {}
            }
        }
        Ok(first?)
    }

    async fn report(&self, snapshot: &Snapshot, write: &Write) -> Result<(), CallError> {
        let api: Api<UsageReport> = Api::namespaced(self.client.clone(), &write.tenant);
        let name = write.month.to_string();
        let made;
        let stored: &UsageReport = if let Some(stored) = write.stored.and_then(|index| snapshot.reports.get(index)) {
            stored
        } else {
            let spec = UsageReportSpec {
                tenant: write.tenant.clone(),
                month: name.clone(),
            };
            let report = UsageReport::new(&name, spec);
            made = call("create a report", api.create(&PostParams::default(), &report)).await?;
            &made
        };
        let metadata = json!({"uid": stored.uid(), "resourceVersion": stored.resource_version()});
        let patch = json!({"metadata": metadata, "status": write.status});
        call(
            "write a report",
            api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)),
        )
        .await?;
        tracing::info!(
            tenant = write.tenant,
            month = name,
            rows = write.status.rows.len(),
            complete = write.status.complete,
            "report written"
        );
        Ok(())
    }

    /// Removes the last finalizer of ours, on the copy whose history was metered.
    async fn let_go(&self, request: &ResourceRequest) -> Result<(), CallError> {
        let others = request.finalizers().iter().filter(|f| *f != label::METERED);
        let others: Vec<&String> = others.collect();
        let metadata =
            json!({"uid": request.uid(), "resourceVersion": request.resource_version(), "finalizers": others});
        let tenant = request.namespace().unwrap_or_default();
        let api: Api<ResourceRequest> = Api::namespaced(self.client.clone(), &tenant);
        let (name, patch) = (request.name_any(), json!({"metadata": metadata}));
        call(
            "let a metered request go",
            api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)),
        )
        .await?;
        tracing::info!(tenant, request = name, "request metered and let go");
        Ok(())
    }

    /// Nothing can be created in a namespace that is being deleted, and its reports go with it: it holds nobody up.
    async fn let_go_with_its_namespace(&self, request: &ResourceRequest) -> Result<(), CallError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let tenant = request.namespace().unwrap_or_default();
        let found = call("read a namespace", api.get_opt(&tenant)).await?;
        if found.is_some_and(|n| n.metadata.deletion_timestamp.is_some()) {
            self.let_go(request).await?;
        }
        Ok(())
    }
}
