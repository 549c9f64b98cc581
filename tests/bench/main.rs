//! `make bench [NAME=…]`: benchmarks on a real cloud. Each prints ratios that were taken in the same run, and writes
//! them to `tests/bench/report.{json,md}`.

mod cloud;
mod grant;
mod quota;
mod quota_plan;
mod report;
mod series;

use anyhow::{Result, bail};

const ALL: [&str; 7] = [
    "grant",
    "quota-backlog",
    "quota-idle",
    "quota-plan",
    "quota-stream",
    "restart",
    "series",
];
/// These share one cloud, so that any of them brings them all.
const ON_ONE_CLOUD: [&str; 4] = ["quota-backlog", "quota-idle", "quota-stream", "restart"];

#[tokio::main]
async fn main() -> Result<()> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = named.iter().find(|name| !ALL.contains(&name.as_str())) {
        bail!("no benchmark {unknown}; there are: {}", ALL.join(" "));
    }
    let wanted = |name: &str| named.is_empty() || named.iter().any(|n| n == name);
    if wanted("quota-plan") {
        report::record("quota-plan", &quota_plan::run()?)?;
    }
    if ON_ONE_CLOUD.iter().any(|name| wanted(name)) {
        quota::run().await?;
    }
    if wanted("grant") {
        report::record("grant", &grant::run().await?)?;
    }
    if wanted("series") {
        report::record("series", &series::run().await?)?;
    }
    Ok(())
}
