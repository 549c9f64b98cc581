//! The highest epoch seen, as a ConfigMap of the centre: written before anything of that epoch is carried out, and never
//! lowered.

use crds::object;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use plan::centre::epoch::Floors;

use crate::call::{CallError, call};

/// Name of the ConfigMap.
const NAME: &str = "xiangyun-epoch";
/// Somebody else may write between read and write; the other replica does so once at a take-over.
const ATTEMPTS: usize = 3;

fn api(cluster: &Client) -> Api<ConfigMap> {
    Api::namespaced(cluster.clone(), object::SYSTEM)
}

/// What is stored.
pub(super) async fn read(cluster: &Client) -> Result<Floors, CallError> {
    let found = call("read the epochs", api(cluster).get_opt(NAME)).await?;
    Ok(found.map(|m| floors(&m)).unwrap_or_default())
}

/// Raises what is stored to at least `floors`, and answers what is stored then: more, if somebody saw more.
pub(super) async fn raise(cluster: &Client, floors: &Floors) -> Result<Floors, CallError> {
    let api = api(cluster);
    let params = PostParams {
        field_manager: Some(object::AGENT.to_owned()),
        ..PostParams::default()
    };
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let found = call("read the epochs", api.get_opt(NAME)).await?;
        let mut all = floors.clone();
        if let Some(found) = &found {
            all.merge(&self::floors(found));
            if found.data.as_ref() == Some(&all.to_data()) {
                return Ok(all);
            }
        }
        let next = ConfigMap {
            metadata: ObjectMeta {
                name: Some(NAME.to_owned()),
                resource_version: found.as_ref().and_then(|m| m.metadata.resource_version.clone()),
                ..ObjectMeta::default()
            },
            data: Some(all.to_data()),
            ..ConfigMap::default()
        };
        let written = match found {
            Some(_) => call("store the epochs", api.replace(NAME, &params, &next)).await,
            None => call("store the epochs", api.create(&params, &next)).await,
        };
        match written {
            Ok(_) => {
                tracing::info!(epoch = all.highest(), "epoch stored");
                return Ok(all);
            }
            Err(error) if error.is_conflict() => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or(CallError::Timeout("store the epochs")))
}

fn floors(map: &ConfigMap) -> Floors {
    map.data.as_ref().map(Floors::from_data).unwrap_or_default()
}
