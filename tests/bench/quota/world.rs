//! A hub with declared pools, tenants and ten thousand requests that wait; no agent runs.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crds::{DataCenter, QuotaPool, ResourceRequest, Resources, Tenant, condition, condition_is_true};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::serde::de::DeserializeOwned;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use playground::{Cloud, Options, Place, Profile, eventually};
use serde_json::{Value, json};

pub(super) const OPERATOR: &str = "operator@jishi";
/// The other replica; it stands still, so that one process is measured.
const OTHER: &str = "operator@jiyidong";
pub(super) const POOLS: usize = 20;
const TENANTS: usize = 20;
/// Calls under way at once, as many as the operator has.
pub(super) const AT_ONCE: usize = 16;
/// vCPU of each pool that its first request takes.
const FILLED: usize = 10;
const PAGE: u32 = 500;
/// What a benchmark waits for at most.
pub(super) const LONG: Duration = Duration::from_secs(900);

pub(super) struct Hub {
    pub(super) cloud: Cloud,
    pub(super) client: Client,
    pub(super) requests: Api<ResourceRequest>,
}

impl Hub {
    /// Pools that are full, tenants, and nothing else.
    pub(super) async fn full() -> Result<Self> {
        let options = Options {
            profile: Profile::Quota,
            progress: true,
            ..Options::default()
        };
        let cloud = Cloud::up(options).await?;
        for place in [Place::Jishi, Place::Jiyidong] {
            for process in cloud.processes(place)?.iter().filter(|p| p.starts_with("agent")) {
                cloud.stop_process(process).await?;
            }
        }
        cloud.stop_process(OTHER).await?;
        let client = cloud.client("hub", None).await?;
        let requests = Api::all(client.clone());
        let hub = Self {
            cloud,
            client,
            requests,
        };
        hub.found().await?;
        let first = (0..POOLS).map(|pool| request(&format!("first-{pool:02}"), 0, pool, FILLED));
        hub.create(first.collect::<Result<_>>()?).await?;
        hub.charged(POOLS * FILLED).await?;
        Ok(hub)
    }

    async fn found(&self) -> Result<()> {
        let params = PostParams::default();
        let centres: Api<DataCenter> = Api::all(self.client.clone());
        for (name, role) in [("jishi", "Primary"), ("jiyidong", "Backup")] {
            let spec = json!({"displayName": name, "role": role, "operator": "JishiMedia"});
            centres.create(&params, &object("DataCenter", name, &spec)?).await?;
        }
        for pool in 0..POOLS {
            self.size(pool, FILLED).await?;
        }
        let tenants: Api<Tenant> = Api::all(self.client.clone());
        let ceilings: Vec<Value> = (0..POOLS)
            .map(|pool| json!({"pool": pool_name(pool), "amounts": {"cpu": "1000000", "memory": "1Pi"}}))
            .collect();
        let spec = |parent: Option<&str>| json!({"displayName": "部门", "level": "Province", "parentRef": parent, "ceilings": ceilings});
        let root = object("Tenant", "province", &spec(None))?;
        tenants.create(&params, &root).await?;
        for tenant in 0..TENANTS {
            let tenant = object("Tenant", &tenant_name(tenant), &spec(Some("province")))?;
            tenants.create(&params, &tenant).await?;
        }
        eventually(LONG, "every tenant is established", || async {
            for tenant in tenants.list(&ListParams::default()).await? {
                let conditions = tenant.status.map(|s| s.conditions).unwrap_or_default();
                ensure!(condition_is_true(&conditions, condition::READY), "not yet");
            }
            Ok(())
        })
        .await
    }

    /// Declares so many vCPU in each centre of a pool.
    pub(super) async fn size(&self, pool: usize, cpu: usize) -> Result<()> {
        let amounts = json!({"cpu": cpu.to_string(), "memory": format!("{cpu}Gi")});
        let centre = |name: &str| json!({"name": name, "source": "Declared", "amounts": amounts});
        let spec = json!({"displayName": "池", "architecture": "amd64", "zone": "GovExtranet",
            "centres": [centre("jishi"), centre("jiyidong")]});
        let name = pool_name(pool);
        let wanted: QuotaPool = object("QuotaPool", &name, &spec)?;
        let pools: Api<QuotaPool> = Api::all(self.client.clone());
        let params = PatchParams::apply("bench").force();
        pools.patch(&name, &params, &Patch::Apply(&wanted)).await?;
        Ok(())
    }

    /// Creates requests side by side.
    pub(super) async fn create(&self, requests: Vec<ResourceRequest>) -> Result<()> {
        let params = &PostParams::default();
        stream::iter(requests)
            .map(|request| async move {
                let ns = request.metadata.namespace.as_deref().unwrap_or_default();
                let api: Api<ResourceRequest> = Api::namespaced(self.client.clone(), ns);
                anyhow::Ok(api.create(params, &request).await?)
            })
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| async { Ok(()) })
            .await
    }

    /// Waits until the pools say that so many vCPU are charged in each centre of all of them.
    pub(super) async fn charged(&self, cpu: usize) -> Result<()> {
        let pools: Api<QuotaPool> = Api::all(self.client.clone());
        eventually(LONG, "everything is charged", || async {
            let mut sum = 0;
            for pool in pools.list(&ListParams::default()).await? {
                let centres = pool.status.as_ref().map(|s| s.centres.as_slice()).unwrap_or_default();
                for centre in centres.iter().filter(|c| c.name == "jishi") {
                    sum += Resources::try_from(&centre.figures.charged)?.cpu;
                }
            }
            ensure!(sum == i128::try_from(cpu)? * 1000, "{sum} of {cpu} vCPU");
            Ok(())
        })
        .await
    }

    /// Every request.
    pub(super) async fn all(&self) -> Result<Vec<ResourceRequest>> {
        let mut params = ListParams::default().limit(PAGE);
        let mut all = Vec::new();
        loop {
            let page = self.requests.list(&params).await?;
            all.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = ListParams::default().limit(PAGE).continue_token(&token),
                None => return Ok(all),
            }
        }
    }
}

/// Waiting requests by number, spread over pools and tenants.
pub(super) fn waiting(name: &str, numbers: std::ops::Range<usize>) -> Result<Vec<ResourceRequest>> {
    numbers
        .map(|n| request(&format!("{name}-{n:05}"), n % TENANTS, n / TENANTS % POOLS, 1))
        .collect()
}

fn request(name: &str, tenant: usize, pool: usize, cpu: usize) -> Result<ResourceRequest> {
    let amounts = json!({"cpu": cpu.to_string(), "memory": format!("{cpu}Gi")});
    let spec = json!({"displayName": "基准", "type": "New", "requestedBy": "admin",
        "project": {"approvalNo": "1", "funding": "AnnualBudget"},
        "pools": [{"name": pool_name(pool), "amounts": amounts}],
        "compliance": {"classified": false, "mlpsLevel": 2}, "term": {"months": 12}});
    let mut request: ResourceRequest = object("ResourceRequest", name, &spec)?;
    request.metadata.namespace = Some(tenant_name(tenant));
    Ok(request)
}

fn object<K: DeserializeOwned>(kind: &str, name: &str, spec: &Value) -> Result<K> {
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    serde_json::from_value(object).with_context(|| format!("{kind} {name}"))
}

fn pool_name(number: usize) -> String {
    format!("pool-{number:02}")
}

fn tenant_name(number: usize) -> String {
    format!("tenant-{number:02}")
}
