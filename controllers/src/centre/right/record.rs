//! The record, as a ConfigMap of the centre: what the agent goes by, and the same for the API server, whose admission
//! policies compare every write with it.

use std::collections::{BTreeMap, BTreeSet};

use arbiter::record::Record;
use crds::object;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use crate::call::{CallError, call};

/// Name of the ConfigMap; the policies of the agent's chart name it too.
const NAME: &str = "xiangyun-rights";
/// Key of the record itself.
const RECORD: &str = "record";
/// Start of the keys with a scope's floor; namespace, a dot and the placement follow.
const FLOOR: &str = "floor.";
/// Start of the keys of guarded objects; namespace, resource and name follow, with dots between.
const GUARD: &str = "object.";

/// What was read, and the version that a write must still find.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored {
    pub(super) record: Record,
    pub(super) guards: BTreeSet<String>,
    version: Option<String>,
}

/// Why nothing is known of the record.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// The API server.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It is there and says nothing.
    #[error("ConfigMap {NAME} is damaged: {0}; nothing exclusive runs here | 记录已损坏，本中心不运行独占部署")]
    Damaged(serde_json::Error),
}

fn api(cluster: &Client) -> Api<ConfigMap> {
    Api::namespaced(cluster.clone(), object::SYSTEM)
}

pub(super) async fn read(cluster: &Client) -> Result<Stored, Unknown> {
    let found = call("read the record", api(cluster).get_opt(NAME)).await?;
    found.as_ref().map_or_else(|| Ok(Stored::default()), stored)
}

/// The record of the centre that this cluster is.
///
/// # Errors
/// It cannot be read, or says nothing. A centre that never kept one has an empty one.
pub async fn read_record(cluster: &Client) -> Result<Record, Unknown> {
    Ok(read(cluster).await?.record)
}

fn stored(found: &ConfigMap) -> Result<Stored, Unknown> {
    let data = found.data.clone().unwrap_or_default();
    let text = data.get(RECORD).map_or("", String::as_str);
    let guards = data.keys().filter_map(|key| key.strip_prefix(GUARD));
    Ok(Stored {
        record: serde_json::from_str(text).map_err(Unknown::Damaged)?,
        guards: guards.map(str::to_owned).collect(),
        version: found.metadata.resource_version.clone(),
    })
}

/// Stores it where nobody else wrote since it was read; otherwise whoever asks reads it again.
pub(super) async fn store(
    cluster: &Client,
    before: &Stored,
    record: &Record,
    guards: &BTreeSet<String>,
) -> Result<Stored, Unknown> {
    let params = PostParams {
        field_manager: Some(object::AGENT.to_owned()),
        ..PostParams::default()
    };
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            resource_version: before.version.clone(),
            ..ObjectMeta::default()
        },
        data: Some(data(record, guards)),
        ..ConfigMap::default()
    };
    let api = api(cluster);
    let written = if before.version.is_some() {
        call("store the record", api.replace(NAME, &params, &map)).await?
    } else {
        call("store the record", api.create(&params, &map)).await?
    };
    stored(&written)
}

fn data(record: &Record, guards: &BTreeSet<String>) -> BTreeMap<String, String> {
    let text = serde_json::to_string(record).unwrap_or_default();
    let floors = record.scopes.iter().map(|(scope, kept)| {
        let key = format!("{FLOOR}{}", scope.replacen('/', ".", 1));
        (key, kept.floor.to_string())
    });
    let guards = guards.iter().map(|object| (format!("{GUARD}{object}"), String::new()));
    floors.chain(guards).chain([(RECORD.to_owned(), text)]).collect()
}

#[cfg(test)]
mod tests {
    use arbiter::record::Kept;
    use arbiter::row::Epoch;

    use super::*;

    #[test]
    fn what_is_stored_is_read_and_policies_find_the_floors() {
        let floor = Epoch {
            incarnation: 1,
            counter: 7,
        };
        let mut record = Record {
            number: 3,
            ..Record::default()
        };
        let kept = Kept {
            floor,
            ..Kept::default()
        };
        record.scopes.insert("dept-rsj/exam.v2".to_owned(), kept);
        let guards = BTreeSet::from(["dept-rsj.deployments.exam".to_owned()]);
        let map = ConfigMap {
            data: Some(data(&record, &guards)),
            ..ConfigMap::default()
        };
        let stored = stored(&map).unwrap();
        assert_eq!((&stored.record, &stored.guards), (&record, &guards));
        let data = map.data.unwrap();
        assert_eq!(data.get("floor.dept-rsj.exam.v2").map(String::as_str), Some("1.7"));
        let damaged = ConfigMap::default();
        assert!(super::stored(&damaged).is_err());
    }
}
