//! Exclusive placements: who holds them, and whether anything could prove that the holder is silent. Pure.

use crds::{DualActivePlacement, PlacementMode, RightEpoch, condition};
use kube::ResourceExt as _;
use serde::Serialize;

use super::scheme::{FenceHere, active, fences};
use super::{Said, said};

/// One exclusive placement.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fence {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Centre that holds it; `None` before anything is decided.
    pub holder: Option<String>,
    /// Epoch of the right.
    pub epoch: Option<RightEpoch>,
    /// Gates, centre by centre.
    pub gates: Vec<FenceHere>,
    /// Since when a centre is stopped because its right ended.
    pub fenced: Vec<Fenced>,
    /// Whether a loss would be answered, or what is missing; `None` where the operator did not say.
    pub armed: Option<Said>,
}

/// A centre that was stopped because its right ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fenced {
    /// Centre.
    pub centre: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// Those that are exclusive, in the order of their names.
pub fn fences_of(placements: &[DualActivePlacement]) -> Vec<Fence> {
    let exclusive = placements.iter().filter(|p| p.spec.mode == PlacementMode::Exclusive);
    let mut all: Vec<Fence> = exclusive.map(fence).collect();
    all.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    all
}

fn fence(placement: &DualActivePlacement) -> Fence {
    let status = placement.status.clone().unwrap_or_default();
    let fenced = status.centres.iter().filter_map(|row| {
        Some(Fenced {
            centre: row.name.clone(),
            since: row.fenced_since.clone()?,
        })
    });
    Fence {
        namespace: placement.namespace().unwrap_or_default(),
        name: placement.name_any(),
        holder: active(placement).map(str::to_owned),
        epoch: status.epoch,
        gates: fences(placement),
        fenced: fenced.collect(),
        armed: said(&status.conditions, condition::FAILOVER_ARMED),
    }
}
