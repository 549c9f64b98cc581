//! What a process costs and what a server was asked, read from outside.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};
use http::Request;
use kube::{Client, Config};
use playground::Cloud;

use super::world::OPERATOR;

/// Writes that the API server answered well, by resource with its subresource.
pub(crate) async fn writes(client: &Client) -> Result<BTreeMap<String, f64>> {
    let text = client.request_text(Request::get("/metrics").body(Vec::new())?).await?;
    let mut writes: BTreeMap<String, f64> = BTreeMap::new();
    for line in text.lines().filter(|l| l.starts_with("apiserver_request_total{")) {
        let label = |name: &str| line.split(&format!("{name}=\"")).nth(1)?.split('"').next();
        let writes_it = ["POST", "PUT", "PATCH", "APPLY", "DELETE"].contains(&label("verb").unwrap_or_default());
        let well = label("code").is_some_and(|code| code.starts_with('2'));
        if let (true, true, Some(resource), Some(value)) =
            (writes_it, well, label("resource"), line.split(' ').next_back())
        {
            let subresource = label("subresource").filter(|s| !s.is_empty());
            let name = subresource.map_or_else(|| resource.to_owned(), |s| format!("{resource}/{s}"));
            *writes.entry(name).or_default() += value.parse::<f64>()?;
        }
    }
    Ok(writes)
}

/// What was written since `before`, without what is not.
pub(super) async fn written_since(client: &Client, before: &BTreeMap<String, f64>) -> Result<BTreeMap<String, f64>> {
    let now = writes(client).await?.into_iter();
    let more = now.map(|(name, number)| (name.clone(), number - before.get(&name).copied().unwrap_or_default()));
    Ok(more.filter(|(_, number)| *number > 0.0).collect())
}

/// Those of the operator.
pub(super) fn operator_seconds(cloud: &Cloud) -> Result<f64> {
    seconds(cloud, OPERATOR)
}

/// Seconds that the threads of a process of ours were on a processor (proc(5), schedstat). They live as long as it does.
pub(crate) fn seconds(cloud: &Cloud, process: &str) -> Result<f64> {
    let pid = cloud.pid(process).with_context(|| format!("{process} does not run"))?;
    let mut sum = 0.0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split_whitespace().next().context("schedstat")?.parse::<f64>()?;
    }
    Ok(sum / 1e9)
}

/// Highest resident size that the operator had since it started, in MB (10^6 bytes); proc(5) says KiB.
pub(super) fn operator_peak(cloud: &Cloud) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", pid(cloud)?))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? * 1024.0 / 1e6)
}

fn pid(cloud: &Cloud) -> Result<u32> {
    cloud.pid(OPERATOR).context("the operator does not run")
}

/// One sample of the operator's metrics, by its whole name with labels; 0 where there is none yet.
pub(crate) async fn sample(cloud: &Cloud, name: &str) -> Result<f64> {
    let url = cloud.metrics_url(OPERATOR)?;
    let base = url.trim_end_matches("/metrics");
    let client = Client::try_from(Config::new(base.parse()?))?;
    let text = client.request_text(Request::get("/metrics").body(Vec::new())?).await?;
    let value = text.lines().find_map(|l| l.strip_prefix(name)?.trim().parse().ok());
    Ok(value.unwrap_or(0.0))
}
