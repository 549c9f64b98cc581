//! What is read of placements, their templates and the grants they run on. What the user may not read is `None`.

use std::collections::BTreeMap;

use crds::{DualActivePlacement, PlacedObject, ResourceRequest, TemplateKind};
use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt as _};
use plan::placement::template::Key;
use serde_json::Value;

use crate::clock::now;
use crate::connect::{Hub, within};
use crate::failure::Failure;
use crate::floor::Province;
use crate::lang::both;
use crate::read::{all, province};

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Placements: those of one namespace, or of all.
    pub placements: Vec<DualActivePlacement>,
    /// Every object there that could be placed; `None` unless all kinds may be read, because one that is not seen would look
    /// as if it were missing.
    pub templates: Option<BTreeMap<Key, Value>>,
    /// Requests, whose grants it runs on.
    pub requests: Option<Vec<ResourceRequest>>,
    /// Centres and pools.
    pub province: Province,
    /// When it was read.
    pub now: Timestamp,
}

impl Seen {
    /// The template of that object; `None` where there is none or it may not be read.
    pub fn template(&self, placement: &DualActivePlacement, object: &PlacedObject) -> Option<&Value> {
        let namespace = placement.metadata.namespace.clone().unwrap_or_default();
        self.templates.as_ref()?.get(&(namespace, object.clone()))
    }

    /// What could not be looked at, `English | 中文`.
    pub fn notes(&self) -> Vec<String> {
        let hidden = |is: bool, en: &str, zh: &str| is.then(|| both(en, zh));
        let all = [
            hidden(
                self.templates.is_none(),
                "templates: you may not read all of their kinds, so what they ask is not worked out",
                "模板：无权查看全部类型，未核算模板需求",
            ),
            hidden(
                self.requests.is_none(),
                "requests: you may not read them, so no figures of grants",
                "资源申请：无查看权限，不显示配额数字",
            ),
            hidden(
                self.province.pools.is_none(),
                "pools: you may not read them, so no figures",
                "资源池：无查看权限，不显示数字",
            ),
            hidden(
                self.province.centres.is_none(),
                "centres: you may not read them",
                "数据中心：无查看权限",
            ),
        ];
        all.into_iter().flatten().collect()
    }
}

/// How a kind is addressed.
pub(super) fn resource(kind: TemplateKind) -> ApiResource {
    let (group, version) = kind.group_version();
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind.name()), kind.plural())
}

/// One placement, and what surrounds it in its namespace.
///
/// # Errors
/// `NotFound`, `Refused`, `Unreachable`.
pub async fn one(hub: &Hub, name: &str) -> Result<(DualActivePlacement, Seen), Failure> {
    let api = Api::<DualActivePlacement>::namespaced(hub.client.clone(), &hub.namespace);
    let requests = Api::<ResourceRequest>::namespaced(hub.client.clone(), &hub.namespace);
    let (placement, placements, templates, requests, province) = tokio::join!(
        within(api.get(name)),
        all(&api),
        templates(&hub.client, Some(&hub.namespace)),
        all(&requests),
        province(hub, None),
    );
    let placement = placement?;
    let seen = Seen {
        placements: placements?.unwrap_or_else(|| vec![placement.clone()]),
        templates: templates?,
        requests: requests?,
        province: province?,
        now: now(),
    };
    Ok((placement, seen))
}

/// Placements and templates of all namespaces, or else of the user's own, beside what was read already. `None` where
/// placements may not be read at all.
///
/// # Errors
/// The hub is not reachable.
pub async fn many(
    hub: &Hub,
    province: &Province,
    requests: Option<&[ResourceRequest]>,
) -> Result<Option<Seen>, Failure> {
    let everywhere = all(&Api::<DualActivePlacement>::all(hub.client.clone())).await?;
    let own = everywhere.is_none().then_some(hub.namespace.as_str());
    let placements = match own {
        None => everywhere,
        Some(namespace) => all(&Api::<DualActivePlacement>::namespaced(hub.client.clone(), namespace)).await?,
    };
    let Some(placements) = placements else { return Ok(None) };
    let templates = if placements.is_empty() {
        None
    } else {
        templates(&hub.client, own).await?
    };
    Ok(Some(Seen {
        placements,
        templates,
        requests: requests.map(<[_]>::to_vec),
        province: province.clone(),
        now: now(),
    }))
}

async fn templates(client: &Client, namespace: Option<&str>) -> Result<Option<BTreeMap<Key, Value>>, Failure> {
    let lists = TemplateKind::ALL.map(|kind| async move {
        let resource = resource(kind);
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        Ok::<_, Failure>((kind, all(&api).await?))
    });
    let mut found = BTreeMap::new();
    for (kind, list) in futures::future::try_join_all(lists).await? {
        let Some(list) = list else { return Ok(None) };
        for object in list {
            let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
            let value = serde_json::to_value(object).map_err(|e| Failure::Refused(e.to_string()))?;
            found.insert((namespace, PlacedObject { kind, name }), value);
        }
    }
    Ok(Some(found))
}
