//! Objects as they stand in a centre, for whoever has access there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{Assignment, DualActivePlacement, DualActivePlacementStatus, Ownership, PlacedObject, TemplateKind};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Api;
use kube::api::{DynamicObject, ListParams};
use plan::centre::catalogue::Catalogue;
use plan::centre::epoch::Floors;
use plan::centre::stage::Stage;
use plan::placement::centre::{Snapshot, Spot, Want, plan};
use plan::placement::confirm::Contents;
use plan::placement::decide::key;
use plan::placement::object::{compared, desired};
use plan::placement::template::read;
use plan::placement::{drift, row};
use serde_json::Value;

use super::diff::Difference;
use super::named;
use super::seen::{Seen, resource};
use crate::connect::{Hub, if_allowed};
use crate::failure::Failure;
use crate::lang::both;

/// What was read in a centre.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Each object that was looked for; `None` where there is none of that name.
    pub objects: BTreeMap<PlacedObject, Option<Value>>,
    /// Kinds that the user may not read there.
    pub hidden: BTreeSet<TemplateKind>,
    /// Workloads whose copies an autoscaler there sets, whoever made it.
    pub autoscaled: BTreeSet<PlacedObject>,
}

/// Reads what that centre should hold.
///
/// # Errors
/// The centre is not reachable.
pub async fn look(
    centre: &Hub,
    name: &str,
    placement: &DualActivePlacement,
    seen: &Seen,
    target: &Assignment,
) -> Result<Live, Failure> {
    let mut live = Live::default();
    let wanted = wants(placement, seen, target, name);
    let namespaces: BTreeSet<&String> = wanted.keys().map(|(namespace, _)| namespace).collect();
    for namespace in namespaces {
        let api: Api<HorizontalPodAutoscaler> = Api::namespaced(centre.client.clone(), namespace);
        let found = if_allowed(api.list(&ListParams::default())).await?;
        for scaler in found.into_iter().flatten() {
            let value = serde_json::to_value(scaler).map_err(|e| Failure::Refused(e.to_string()))?;
            live.autoscaled
                .extend(read(&TemplateKind::HorizontalPodAutoscaler, &value).scales);
        }
    }
    for (namespace, object) in wanted.into_keys() {
        if live.hidden.contains(&object.kind) {
            continue;
        }
        let Some(resource) = resource(&seen.kinds, &object.kind) else {
            live.hidden.insert(object.kind);
            continue;
        };
        let api: Api<DynamicObject> = Api::namespaced_with(centre.client.clone(), &namespace, &resource);
        match if_allowed(api.get_opt(&object.name)).await? {
            None => drop(live.hidden.insert(object.kind)),
            Some(found) => {
                let value = found.map(serde_json::to_value).transpose();
                let value = value.map_err(|e| Failure::Refused(e.to_string()))?;
                live.objects.insert(object, value);
            }
        }
    }
    Ok(live)
}

/// What the centre's agent would make of that decision, by its own code.
fn wants(placement: &DualActivePlacement, seen: &Seen, target: &Assignment, centre: &str) -> BTreeMap<Spot, Want> {
    let catalogue = Catalogue::read(seen.province.pools.as_deref().unwrap_or_default());
    let tenant = key(placement).0;
    let namespace = catalogue.namespace(&tenant, &placement.spec.pool);
    let mut decided = placement.clone();
    decided
        .status
        .get_or_insert_with(DualActivePlacementStatus::default)
        .assignment = Some(target.clone());
    let snapshot = Snapshot {
        centre,
        placements: &[Arc::new(decided)],
        catalogue: &catalogue,
        standing: &BTreeMap::new(),
        namespaces: &[(namespace, tenant)].into(),
        floors: &Floors::default(),
        // What the decision asks for, whoever has to allow it.
        stage: Stage::Own,
        ownership: Ownership::default(),
        contents: &Contents::new(),
        rights: None,
    };
    plan(&snapshot).wants
}

/// Workloads of the decision whose copies an autoscaler of it sets.
pub fn autoscaled(placement: &DualActivePlacement, seen: &Seen, target: &Assignment) -> BTreeSet<PlacedObject> {
    let scales = |object: &PlacedObject| read(&object.kind, seen.template(placement, object)?).scales;
    target.objects.iter().filter_map(scales).collect()
}

/// Where what stands in the centre differs from what its agent would apply. Only paths are told, so that a Secret stays
/// one.
pub fn compare(
    placement: &DualActivePlacement,
    seen: &Seen,
    target: &Assignment,
    centre: &str,
    live: &Live,
) -> Vec<Difference> {
    let scaled = autoscaled(placement, seen, target);
    let mut found = Vec::new();
    for ((_, object), want) in wants(placement, seen, target, centre) {
        let (Some(template), Some(is)) = (seen.template(placement, &object), live.objects.get(&object)) else {
            continue;
        };
        let what = named(&object.kind, &object.name);
        let Some(is) = is else {
            found.push(Difference {
                object: what,
                hub: Some(both("there", "有")),
                centre: None,
            });
            continue;
        };
        let mut here = want.here;
        if scaled.contains(&object) || live.autoscaled.contains(&object) {
            here.scale(Some(row::progress(&object.kind, is).asked));
        }
        let wanted = match desired(&object, template, &here) {
            Ok(wanted) => compared(&wanted, &here),
            Err(why) => {
                found.push(Difference {
                    object: what,
                    hub: Some(why),
                    centre: None,
                });
                continue;
            }
        };
        found.extend(drift::paths(&wanted, is).into_iter().map(|path| Difference {
            object: what.clone(),
            hub: None,
            centre: Some(path),
        }));
    }
    found
}
