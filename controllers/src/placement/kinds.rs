//! Custom kinds in the hub: what becomes of each PlaceableKind is written on it.

use std::sync::Arc;

use crds::{DualActivePlacement, PlaceableKind, condition, find_condition};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use plan::placement::kinds::{Blind, Kinds, Placeable, count, read, status};
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::Controller;
use crate::cache::{Cache, Reader};
use crate::call::{CallError, call};

/// Every PlaceableKind, its expressions read once. What only its status says is no news.
pub(crate) fn watch(client: Client, changed: Arc<Notify>) -> (Cache<PlaceableKind, Placeable>, JoinHandle<()>) {
    let reader = Reader {
        read: |kind: PlaceableKind| Ok(read(&kind)),
        news: |a: &Placeable, b| a.revision != b.revision,
    };
    Cache::read(client, kube::runtime::watcher::Config::default(), vec![changed], reader)
}

impl Controller {
    /// Writes what a kind does not say yet.
    pub(super) async fn tell(
        &self,
        all: &[Arc<Placeable>],
        (kinds, blind): (&Kinds, &Blind),
        placements: &[Arc<DualActivePlacement>],
        now: Timestamp,
    ) -> Result<(), CallError> {
        let assignments = placements.iter().filter_map(|p| p.assignment());
        let placed = count(assignments.flat_map(|a| &a.objects));
        for one in all {
            let next = status(one, kinds, blind, &placed, now);
            if one.status.as_ref() == Some(&next) {
                continue;
            }
            let ready = find_condition(&next.conditions, condition::READY);
            let why = ready.map_or("", |c| c.reason.as_str());
            let api: Api<PlaceableKind> = Api::all(self.client.clone());
            let patch = Patch::Merge(json!({"metadata": {"uid": one.revision.0}, "status": next}));
            let params = PatchParams::default();
            let written = api.patch_status(&one.name, &params, &patch);
            match call("write a placeable kind", written).await {
                // It is gone, or another one of that name.
                Err(error) if error.is_outdated() => {}
                other => drop(other?),
            }
            tracing::info!(kind = one.name, why, placed = next.placed, "placeable kind");
        }
        Ok(())
    }
}
