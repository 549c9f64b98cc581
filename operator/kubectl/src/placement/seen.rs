//! What is read of placements, their templates and the grants they run on. What the user may not read is `None`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{DualActivePlacement, PlaceableKind, PlacedObject, ResourceRequest, TemplateKind};
use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, TypeMeta};
use kube::{Api, Client, ResourceExt as _};
use plan::placement::kinds::{self, Blind, Kinds, Unseen};
use plan::placement::message::halves;
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
    /// Custom kinds.
    pub kinds: Kinds,
    /// Those that the hub does not serve or cannot list, or that the user may not read.
    pub blind: Blind,
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
        all.into_iter().flatten().chain(self.broken()).collect()
    }

    /// Custom kinds that the hub serves and cannot list: the rest is shown.
    pub fn broken(&self) -> Vec<String> {
        let note = |(kind, unseen): (&TemplateKind, &Unseen)| {
            let Unseen::Failing(words) = unseen else { return None };
            let (name, (en, zh)) = (kind.name(), halves(words));
            Some(both(
                format!("{name}: the hub cannot list it, so it is left out: {en}"),
                format!("{name}：省级控制面无法读取，已略去：{zh}"),
            ))
        };
        self.blind.iter().filter_map(note).collect()
    }
}

/// How a kind is addressed.
pub(super) fn resource(kinds: &Kinds, kind: &TemplateKind) -> Option<ApiResource> {
    kinds.address(kind).map(|address| address.resource())
}

/// Custom kinds; none in a hub that is older than they are.
async fn kinds(client: &Client) -> Result<Kinds, Failure> {
    let all = match all(&Api::<PlaceableKind>::all(client.clone())).await {
        Err(Failure::NotFound(_)) => Vec::new(),
        found => found?.unwrap_or_default(),
    };
    let read = all.iter().map(|kind| Arc::new(kinds::read(kind)));
    Ok(Kinds::new(&read.collect::<Vec<_>>()))
}

/// One placement, and what surrounds it in its namespace.
///
/// # Errors
/// `NotFound`, `Refused`, `Unreachable`.
pub async fn one(hub: &Hub, name: &str) -> Result<(DualActivePlacement, Seen), Failure> {
    let api = Api::<DualActivePlacement>::namespaced(hub.client.clone(), &hub.namespace);
    let requests = Api::<ResourceRequest>::namespaced(hub.client.clone(), &hub.namespace);
    let kinds = kinds(&hub.client).await?;
    let (placement, placements, templates, requests, province) = tokio::join!(
        within(api.get(name)),
        all(&api),
        templates(&hub.client, &kinds, Some(&hub.namespace)),
        all(&requests),
        province(hub, None),
    );
    let placement = placement?;
    let (templates, blind) = templates?;
    let seen = Seen {
        placements: placements?.unwrap_or_else(|| vec![placement.clone()]),
        templates,
        kinds,
        blind,
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
    let kinds = kinds(&hub.client).await?;
    let (templates, blind) = if placements.is_empty() {
        (None, Blind::new())
    } else {
        templates(&hub.client, &kinds, own).await?
    };
    Ok(Some(Seen {
        placements,
        templates,
        kinds,
        blind,
        requests: requests.map(<[_]>::to_vec),
        province: province.clone(),
        now: now(),
    }))
}

/// Templates, and the custom kinds that the hub does not serve.
type Templates = (Option<BTreeMap<Key, Value>>, Blind);

async fn templates(client: &Client, kinds: &Kinds, namespace: Option<&str>) -> Result<Templates, Failure> {
    let every = TemplateKind::ALL.into_iter().chain(kinds.all().cloned());
    let addressed = every.filter_map(|kind| Some((resource(kinds, &kind)?, kind)));
    let lists = addressed.map(|(resource, kind)| async move {
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let list = match all(&api).await {
            // The kind, since a list names no object.
            Err(Failure::NotFound(_)) if kind.is_custom() => Listed::Unseen(Unseen::Missing),
            // A hub that is away fails the built-in kinds too.
            Err(Failure::Refused(words) | Failure::Unreachable(words)) if kind.is_custom() => {
                Listed::Unseen(Unseen::Failing(words))
            }
            found => found?.map_or(Listed::Hidden, Listed::Found),
        };
        Ok::<_, Failure>((kind, resource, list))
    });
    let (mut found, mut blind, mut hidden) = (BTreeMap::new(), Blind::new(), false);
    for (kind, resource, list) in futures::future::try_join_all(lists).await? {
        let list = match list {
            Listed::Found(list) => list,
            // It counts for those alone who place it.
            Listed::Hidden if kind.is_custom() => {
                blind.insert(kind, Unseen::Forbidden);
                continue;
            }
            Listed::Unseen(why) => {
                blind.insert(kind, why);
                continue;
            }
            Listed::Hidden => {
                hidden = true;
                continue;
            }
        };
        for mut object in list {
            object.types = Some(TypeMeta {
                api_version: resource.api_version.clone(),
                kind: resource.kind.clone(),
            });
            let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
            let value = serde_json::to_value(object).map_err(|e| Failure::Refused(e.to_string()))?;
            let kind = kind.clone();
            found.insert((namespace, PlacedObject { kind, name }), value);
        }
    }
    Ok(((!hidden).then_some(found), blind))
}

/// What a list came to.
enum Listed {
    Found(Vec<DynamicObject>),
    /// The user may not read it.
    Hidden,
    /// The hub has no such kind, or cannot list it.
    Unseen(Unseen),
}
