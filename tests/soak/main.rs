//! `make soak [RUNS=…]`: random faults against an exclusive placement on a real three-centre cloud, one after another, each
//! judged by what its writers wrote. One JSON line a run; a run that was made is not made again, so that it can be ended
//! and gone on with at any time.
#![allow(
    clippy::indexing_slicing,
    reason = "an index into JSON that is not there answers null"
)]

#[path = "../scenarios/failover/ground.rs"]
#[allow(dead_code, reason = "a suite speaks the other words")]
mod ground;
#[path = "../scenarios/placement/stage.rs"]
#[allow(dead_code, reason = "a suite speaks the other words")]
mod stage;
#[path = "../scenarios/main_job/world.rs"]
#[allow(dead_code, reason = "a suite speaks the other words")]
mod world;

mod faults;
mod report;
mod run;
#[cfg(test)]
mod tests;

use anyhow::{Context as _, Result, ensure};

/// Runs of one cloud; then it is started anew.
const ON_ONE_CLOUD: usize = 20;
/// So many runs at the times that are shipped; the others at about half of them.
const AT_DEFAULTS: usize = 40;

#[tokio::main]
async fn main() -> Result<()> {
    let runs = std::env::args().nth(1).map_or(Ok(200), |text| text.parse::<usize>());
    let runs = runs.context("how many runs?")?;
    loop {
        let done = report::done()?;
        if done >= runs {
            break;
        }
        let scaled = done >= AT_DEFAULTS;
        let world = ground::with(scaled.then(run::scaled)).await?;
        stage::a_grant_makes_room(&world).await?;
        let end = (done / ON_ONE_CLOUD + 1) * ON_ONE_CLOUD;
        for number in done..runs.min(end) {
            let line = run::one(&world, number, scaled).await;
            println!("{line}");
            report::add(&line)?;
        }
    }
    let violations = report::write()?;
    ensure!(violations == 0, "{violations} violations");
    Ok(())
}
