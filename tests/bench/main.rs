//! `make bench [NAME=…]`: benchmarks on a real cloud. Each prints ratios that were taken in the same run, and writes
//! them to `tests/bench/report.{json,md}`.

mod cloud;
mod failover;
mod grant;
mod place_burst;
mod place_idle;
mod plans;
mod quota;
mod report;
mod series;
mod watch_memory;

use anyhow::{Result, bail};

const ALL: &str = "failback failover grant place-burst place-idle place-plan quota-backlog quota-idle quota-plan quota-stream restart \
                   series watch-memory";
/// These share one cloud, so that any of them brings them all.
const ON_ONE_CLOUD: [&str; 4] = ["quota-backlog", "quota-idle", "quota-stream", "restart"];

#[tokio::main]
async fn main() -> Result<()> {
    let mut named: Vec<String> = std::env::args().skip(1).collect();
    // `place-burst 20`: with so few, to see that it works; that is shown and not recorded.
    let smaller = named.pop_if(|last| last.parse::<usize>().is_ok());
    let smaller = smaller.and_then(|number| number.parse().ok());
    if let Some(unknown) = named.iter().find(|name| ALL.split(' ').all(|one| one != name.as_str())) {
        bail!("no benchmark {unknown}; there are: {ALL}");
    }
    let wanted = |name: &str| named.is_empty() || named.iter().any(|n| n == name);
    let keep = smaller.map_or(report::record as report::Keep, |_| report::show);
    for (name, run) in plans::ALL.iter().filter(|(name, _)| wanted(name)) {
        report::record(name, &run()?)?;
    }
    if ON_ONE_CLOUD.iter().any(|name| wanted(name)) {
        quota::run().await?;
    }
    if wanted("grant") {
        report::record("grant", &grant::run().await?)?;
    }
    if wanted("place-burst") {
        keep("place-burst", &place_burst::run(smaller).await?)?;
    }
    if wanted("place-idle") {
        keep("place-idle", &place_idle::run(smaller).await?)?;
    }
    if wanted("failover") || wanted("failback") {
        failover::run(smaller, keep).await?;
    }
    if wanted("watch-memory") {
        keep("watch-memory", &watch_memory::run(smaller).await?)?;
    }
    if wanted("series") {
        report::record("series", &series::run().await?)?;
    }
    Ok(())
}
