//! From the creation of an automatically approved request to the ResourceQuota in both metro centres, beside bare calls
//! that leave the same traces; then the memory of our programs with a thousand requests.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use crds::{ResourceRequest, condition, find_condition};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{ConfigMap, ResourceQuota};
use kube::api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use playground::{Cloud, eventually};
use serde_json::{Map, Value, json};

use crate::cloud::province;

const METRO: [&str; 2] = ["jishi", "jiyidong"];
const TENANT: &str = "dept-jyt";
const USER: &str = "wu.gang";
/// Nodes of each metro centre.
const NODES: u32 = 100;
/// Measured grants.
const GRANTS: usize = 50;
/// Requests that exist when memory is read.
const REQUESTS: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(120);
/// Thousand requests at once on a small machine.
const LONG: Duration = Duration::from_secs(900);

pub(crate) async fn run() -> Result<Map<String, Value>> {
    let cloud = province(NODES).await?;
    let bench = Bench::new(&cloud).await?;
    // The first one also makes the tenant's namespaces in the centres.
    let first = bench.grant(1).await?;
    let (mut raw, mut granted) = (Vec::new(), Vec::new());
    for number in 2..=GRANTS + 1 {
        raw.push(bench.bare_calls(number).await?.as_secs_f64());
        granted.push(bench.grant(number).await?.as_secs_f64());
    }
    let burst = bench.burst(GRANTS + 2..=REQUESTS).await?;
    let mut figures = Map::new();
    let mut put = |name: &str, value: f64| figures.insert(name.into(), json!((value * 1000.0).round() / 1000.0));
    let (p50, raw_p50) = (percentile(&mut granted, 50)?, percentile(&mut raw, 50)?);
    put("p50_s", p50);
    put("p99_s", percentile(&mut granted, 99)?);
    put("first_s", first.as_secs_f64());
    put("raw_p50_s", raw_p50);
    put("raw_p99_s", percentile(&mut raw, 99)?);
    put("ratio", raw_p50 / p50);
    put("burst_of_949_s", burst.as_secs_f64());
    put(
        "operator_peak_mb",
        peak(&cloud, &["operator@jishi", "operator@jiyidong"])?,
    );
    put("agent_peak_mb", peak(&cloud, &["agent-1@jishi", "agent-1@jiyidong"])?);
    Ok(figures)
}

struct Bench {
    /// As the department's user.
    requests: Api<ResourceRequest>,
    /// As the administrator, in a namespace of no tenant.
    scratch: Api<ConfigMap>,
    centres: Vec<Client>,
}

impl Bench {
    async fn new(cloud: &Cloud) -> Result<Self> {
        let mut centres = Vec::new();
        for centre in METRO {
            centres.push(cloud.client(centre, None).await?);
        }
        Ok(Self {
            requests: Api::namespaced(cloud.client("hub", Some(USER)).await?, TENANT),
            scratch: Api::namespaced(cloud.client("hub", None).await?, "default"),
            centres,
        })
    }

    /// Creates the n-th request of two vCPU, one for each centre, and waits until both centres allow n.
    async fn grant(&self, number: usize) -> Result<Duration> {
        let quotas = self.centres.iter().map(|c| Api::namespaced(c.clone(), TENANT));
        let watches = stream::iter(quotas)
            .then(|quotas: Api<ResourceQuota>| async move { quotas.watch(&WatchParams::default(), "0").await })
            .try_collect::<Vec<_>>()
            .await?;
        let start = Instant::now();
        self.requests.create(&PostParams::default(), &request(number)?).await?;
        let want = number.to_string();
        let reached = watches.into_iter().map(|watch| {
            let want = want.clone();
            async move {
                let mut watch = Box::pin(watch);
                while let Some(event) = watch.next().await {
                    if let WatchEvent::Added(quota) | WatchEvent::Modified(quota) = event?
                        && cpu(&quota) == Some(want.as_str())
                    {
                        return Ok(());
                    }
                }
                bail!("the watch ended")
            }
        });
        tokio::time::timeout(PATIENCE, futures::future::try_join_all(reached))
            .await
            .with_context(|| format!("grant {number}"))??;
        Ok(start.elapsed())
    }

    /// The calls without which no grant can be: an object of that size created and patched in the hub, then one
    /// object in each centre, side by side.
    async fn bare_calls(&self, number: usize) -> Result<Duration> {
        let name = format!("bare-{number}");
        let size = serde_json::to_string(&request(number)?)?.len();
        let object = json!({"metadata": {"name": name}, "data": {"request": "x".repeat(size)}});
        let patch = json!({"data": {"allocation": "x".repeat(size / 2)}});
        let quota = json!({"metadata": {"name": name}, "spec": {"hard": {"requests.cpu": "1k", "limits.cpu": "1k",
            "requests.memory": "1Pi", "limits.memory": "1Pi"}}});
        let (object, quota) = (serde_json::from_value(object)?, serde_json::from_value(quota)?);
        let params = PostParams::default();
        let start = Instant::now();
        self.scratch.create(&params, &object).await?;
        self.scratch
            .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        let both = self.centres.iter().map(|centre| {
            let quotas: Api<ResourceQuota> = Api::namespaced(centre.clone(), "default");
            let (quota, params): (&ResourceQuota, _) = (&quota, &params);
            async move { quotas.create(params, quota).await }
        });
        futures::future::try_join_all(both).await?;
        Ok(start.elapsed())
    }

    /// Many requests at once, until all are provisioned.
    async fn burst(&self, numbers: std::ops::RangeInclusive<usize>) -> Result<Duration> {
        let start = Instant::now();
        let params = PostParams::default();
        let params = &params;
        stream::iter(numbers)
            .map(|number| async move { anyhow::Ok(self.requests.create(params, &request(number)?).await?) })
            .buffer_unordered(16)
            .try_for_each(|_| async { Ok(()) })
            .await?;
        eventually(LONG, "all requests are provisioned", || async {
            let all = self.requests.list(&ListParams::default()).await?;
            let done = all.iter().filter(|r| is_provisioned(r)).count();
            ensure!(done == REQUESTS, "{done} of {REQUESTS}");
            Ok(())
        })
        .await?;
        Ok(start.elapsed())
    }
}

fn request(number: usize) -> Result<ResourceRequest> {
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": format!("grant-{number:04}"), "namespace": TENANT},
        "spec": {"displayName": "基准", "type": "New", "requestedBy": USER,
            "project": {"approvalNo": "1", "funding": "AnnualBudget"}, "resources": {"cpu": "2", "memory": "4Gi"},
            "compliance": {"classified": false, "mlpsLevel": 2}, "term": {"months": 12}}});
    Ok(serde_json::from_value(object)?)
}

fn cpu(quota: &ResourceQuota) -> Option<&str> {
    let hard = quota.spec.as_ref()?.hard.as_ref()?;
    Some(hard.get("requests.cpu")?.0.as_str())
}

fn is_provisioned(request: &ResourceRequest) -> bool {
    let conditions = request
        .status
        .as_ref()
        .map(|s| s.conditions.as_slice())
        .unwrap_or_default();
    find_condition(conditions, condition::PROVISIONED).is_some_and(|c| c.status == "True")
}

/// The value that so many percent do not exceed.
pub(crate) fn percentile(values: &mut [f64], percent: usize) -> Result<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().context("nothing was measured")
}

/// Highest resident size that any of the processes had, in MB (10^6 bytes); `VmHWM` of proc(5) is in KiB.
fn peak(cloud: &Cloud, processes: &[&str]) -> Result<f64> {
    let mut highest = 0.0_f64;
    for process in processes {
        let pid = cloud.pid(process).with_context(|| format!("{process} does not run"))?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("VmHWM")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        highest = highest.max(kib * 1024.0 / 1e6);
    }
    Ok(highest)
}
