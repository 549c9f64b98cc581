//! What is read from the hub. What the user may not read is `None`, never an error.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crds::{ExpansionPhase, PoolQueue, QuotaPool, RequestApproval, ResourceRequest, Tenant, UsageReport};
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use crate::connect::{Hub, if_allowed, within};
use crate::failure::Failure;
use crate::floor::Province;

/// Objects a page of a list.
const PAGE: u32 = 500;

/// All objects, page by page.
///
/// # Errors
/// The hub is not reachable.
pub(crate) async fn all<K>(api: &Api<K>) -> Result<Option<Vec<K>>, Failure>
where
    K: Clone + Debug + DeserializeOwned + Resource,
{
    let mut params = ListParams::default().limit(PAGE);
    let mut items = Vec::new();
    loop {
        let Some(page) = if_allowed(api.list(&params)).await? else {
            return Ok(None);
        };
        items.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = ListParams::default().limit(PAGE).continue_token(&token),
            None => return Ok(Some(items)),
        }
    }
}

fn everywhere<K>(client: &Client) -> Api<K>
where
    K: Resource<DynamicType = ()>,
{
    Api::all(client.clone())
}

/// Centres, pools, queues, and the tenants that matter for `tenant`: all, or as far up as the user may read.
///
/// # Errors
/// The hub is not reachable.
pub async fn province(hub: &Hub, tenant: Option<&str>) -> Result<Province, Failure> {
    let (centres, pools, queues) = (
        everywhere(&hub.client),
        everywhere::<QuotaPool>(&hub.client),
        everywhere::<PoolQueue>(&hub.client),
    );
    let (centres, pools, queues, tenants) =
        tokio::join!(all(&centres), all(&pools), all(&queues), tenants(hub, tenant));
    let (tenants, every_tenant) = tenants?;
    Ok(Province {
        centres: centres?,
        pools: pools?,
        queues: queues?,
        tenants: Some(tenants),
        every_tenant,
        ..Province::default()
    })
}

/// Phases of expansion; none where the user may not read them.
///
/// # Errors
/// The hub is not reachable.
pub async fn phases(hub: &Hub) -> Result<Vec<ExpansionPhase>, Failure> {
    Ok(all(&everywhere(&hub.client)).await?.unwrap_or_default())
}

async fn tenants(hub: &Hub, tenant: Option<&str>) -> Result<(Vec<Tenant>, bool), Failure> {
    let Some(tenant) = tenant else {
        return Ok((Vec::new(), false));
    };
    let api = everywhere::<Tenant>(&hub.client);
    if let Some(everyone) = all(&api).await? {
        return Ok((everyone, true));
    }
    let mut lineage: Vec<Tenant> = Vec::new();
    let mut next = Some(tenant.to_owned());
    while let Some(name) = next.take() {
        let known = lineage.iter().any(|t| t.metadata.name.as_deref() == Some(&name));
        let found = if known {
            None
        } else {
            if_allowed(api.get_opt(&name)).await?.flatten()
        };
        let Some(found) = found else { break };
        next.clone_from(&found.spec.parent_ref);
        lineage.push(found);
    }
    Ok((lineage, false))
}

/// Requests of all namespaces, or else of the user's own; with the namespace in that case.
///
/// # Errors
/// The hub is not reachable.
pub async fn requests(hub: &Hub) -> Result<Option<(Vec<ResourceRequest>, Option<String>)>, Failure> {
    if let Some(everyone) = all(&everywhere::<ResourceRequest>(&hub.client)).await? {
        return Ok(Some((everyone, None)));
    }
    let own = all(&Api::<ResourceRequest>::namespaced(hub.client.clone(), &hub.namespace)).await?;
    Ok(own.map(|requests| (requests, Some(hub.namespace.clone()))))
}

/// The requests that the user may read, as `NAMESPACE/NAME` by uid.
///
/// # Errors
/// The hub is not reachable.
pub async fn names(hub: &Hub) -> Result<BTreeMap<String, String>, Failure> {
    let (found, _) = requests(hub).await?.unwrap_or_default();
    let named = |r: ResourceRequest| {
        let metadata = r.metadata;
        let (namespace, name) = (
            metadata.namespace.unwrap_or_default(),
            metadata.name.unwrap_or_default(),
        );
        Some((metadata.uid?, format!("{namespace}/{name}")))
    };
    Ok(found.into_iter().filter_map(named).collect())
}

/// One request.
///
/// # Errors
/// `NotFound`, `Refused`, `Unreachable`.
pub async fn request(hub: &Hub, name: &str) -> Result<ResourceRequest, Failure> {
    within(Api::<ResourceRequest>::namespaced(hub.client.clone(), &hub.namespace).get(name)).await
}

/// The request whose grant a `Change`, `Renew`, `Release` or `Keep` speaks of; nothing where there is none, or it may not be
/// read.
///
/// # Errors
/// The hub is not reachable.
pub async fn target(hub: &Hub, namespace: &str, request: &ResourceRequest) -> Result<Option<ResourceRequest>, Failure> {
    let Some(target) = &request.spec.allocation_ref else {
        return Ok(None);
    };
    let api = Api::<ResourceRequest>::namespaced(hub.client.clone(), namespace);
    Ok(if_allowed(api.get_opt(&target.name)).await?.flatten())
}

/// Decisions of all namespaces, or else in the user's own.
///
/// # Errors
/// The hub is not reachable.
pub async fn all_approvals(hub: &Hub) -> Result<Option<Vec<RequestApproval>>, Failure> {
    match all(&everywhere::<RequestApproval>(&hub.client)).await? {
        Some(everywhere) => Ok(Some(everywhere)),
        None => approvals(hub).await,
    }
}

/// Decisions in the namespace.
///
/// # Errors
/// The hub is not reachable.
pub async fn approvals(hub: &Hub) -> Result<Option<Vec<RequestApproval>>, Failure> {
    all(&Api::<RequestApproval>::namespaced(hub.client.clone(), &hub.namespace)).await
}

/// Reports of a month: of every tenant, or of the namespace. Who may not read them is told so.
///
/// # Errors
/// `Refused`, `Unreachable`.
pub async fn reports(hub: &Hub, month: &str, everywhere: bool) -> Result<Vec<UsageReport>, Failure> {
    let api: Api<UsageReport> = if everywhere {
        Api::all(hub.client.clone())
    } else {
        Api::namespaced(hub.client.clone(), &hub.namespace)
    };
    // The name is the month, and the server selects by it.
    let mut params = ListParams::default()
        .limit(PAGE)
        .fields(&format!("metadata.name={month}"));
    let mut items = Vec::new();
    loop {
        let page = within(api.list(&params)).await?;
        items.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(items),
        }
    }
}
