//! `make bench [NAME=…]`: benchmarks on a real cloud. Each prints ratios that were taken in the same run, and writes
//! them to `tests/bench/report.{json,md}`.

mod cloud;
mod grant;
mod quota_plan;
mod report;
mod series;

use anyhow::{Result, bail};

const ALL: [&str; 3] = ["grant", "quota-plan", "series"];

#[tokio::main]
async fn main() -> Result<()> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = named.iter().find(|name| !ALL.contains(&name.as_str())) {
        bail!("no benchmark {unknown}; there are: {}", ALL.join(" "));
    }
    for name in ALL {
        if named.is_empty() || named.iter().any(|n| n == name) {
            let figures = match name {
                "grant" => grant::run().await?,
                "quota-plan" => quota_plan::run()?,
                _ => series::run().await?,
            };
            report::record(name, &figures)?;
        }
    }
    Ok(())
}
