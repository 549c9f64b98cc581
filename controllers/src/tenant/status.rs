//! The condition of a tenant. `status.charged` belongs to admission and is left alone.

use crds::{Tenant, condition, set_condition, tenant_reason as reason};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::{Controller, Outcome};
use crate::call::{CallError, call};

pub(super) async fn write(c: &Controller, tenant: &Tenant, outcome: &Outcome, now: Timestamp) -> Result<(), CallError> {
    let old = tenant.status.clone().unwrap_or_default();
    let mut conditions = old.conditions.clone();
    let generation = tenant.metadata.generation;
    let ready = outcome.reason == reason::ESTABLISHED;
    set_condition(
        &mut conditions,
        condition::READY,
        Some(ready),
        outcome.reason,
        &outcome.message,
        generation,
        now,
    );
    if conditions == old.conditions && old.observed_generation == generation {
        return Ok(());
    }
    let name = tenant.name_any();
    let api: Api<Tenant> = Api::all(c.client.clone());
    let metadata = json!({"uid": tenant.uid(), "resourceVersion": tenant.resource_version()});
    let patch = json!({"metadata": metadata, "status": {"conditions": conditions, "observedGeneration": generation}});
    match call(
        "write a tenant's status",
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)),
    )
    .await
    {
        Err(error) if error.is_outdated() => return Ok(()),
        other => other?,
    };
    tracing::info!(tenant = name, reason = outcome.reason, "tenant");
    c.events.publish(tenant, !ready, outcome.reason, &outcome.message);
    Ok(())
}
