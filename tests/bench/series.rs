//! How many time series our programs make, with few tenants and with a thousand: labels come from closed sets.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use crds::Tenant;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::Api;
use kube::api::PostParams;
use playground::{Cloud, eventually};
use serde_json::{Map, Value, json};
use tests::prometheus;

use crate::cloud::province;

/// Tenants at the end.
const TENANTS: u32 = 1000;
/// A thousand namespaces and bindings on a small machine.
const LONG: Duration = Duration::from_secs(900);

pub(crate) async fn run() -> Result<Map<String, Value>> {
    let cloud = province(10).await?;
    let before = series(&cloud).await?;
    let present = prometheus::value(&cloud.prometheus()?, "sum(xiangyun_tenants)").await?;
    let begin = Instant::now();
    let api: Api<Tenant> = Api::all(cloud.client("hub", Some("zhao.min")).await?);
    let (api, params) = (&api, PostParams::default());
    let params = &params;
    let present: u32 = present.context("the tenants of the examples")?.to_string().parse()?;
    stream::iter(present..TENANTS)
        .map(|number| async move { anyhow::Ok(api.create(params, &tenant(number)?).await?) })
        .buffer_unordered(8)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    eventually(LONG, "every tenant is established", || async {
        let query = "max(xiangyun_tenants{reason=\"Established\"})";
        let established = prometheus::value(&cloud.prometheus()?, query).await?;
        ensure!(established == Some(f64::from(TENANTS)), "{established:?}");
        Ok(())
    })
    .await?;
    let took = begin.elapsed().as_secs_f64();
    let after = series(&cloud).await?;
    let mut figures = Map::new();
    figures.insert("series_at_few_tenants".into(), json!(before));
    figures.insert("series_at_1000_tenants".into(), json!(after));
    figures.insert("ratio".into(), json!((after / before * 1000.0).round() / 1000.0));
    figures.insert("established_s".into(), json!(took.round()));
    Ok(figures)
}

/// Series of operators and agents, once all have been scraped.
async fn series(cloud: &Cloud) -> Result<f64> {
    let client = cloud.prometheus()?;
    eventually(Duration::from_secs(90), "all are scraped", || async {
        let up = prometheus::value(&client, "sum(up{job=~\"operator|agent\"})").await?;
        ensure!(up == Some(8.0), "{up:?}");
        let pools = prometheus::value(&client, "count(xiangyun_pool)").await?;
        pools.context("no pool yet")
    })
    .await?;
    let count = prometheus::value(&client, "count({job=~\"operator|agent\"})").await?;
    count.context("no series")
}

fn tenant(number: u32) -> Result<Tenant> {
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Tenant",
        "metadata": {"name": format!("county-{number:04}")},
        "spec": {"displayName": "县级部门", "level": "County", "parentRef": "jilin",
            "administrators": [{"kind": "Group", "name": format!("county-{number:04}")}],
            "ceilings": [{"pool": "x86", "amounts": {"cpu": "10", "memory": "40Gi"}}]}});
    Ok(serde_json::from_value(object)?)
}
