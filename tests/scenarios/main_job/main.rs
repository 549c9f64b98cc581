//! The main job on a real three-centre cloud: from a department's YAML to working quota in two centres, and what it must
//! stand. One cloud for all steps; each step has a name and leaves the cloud as the next one needs it.

#![allow(
    clippy::indexing_slicing,
    reason = "an index into JSON that is not there answers null"
)]

#[macro_use]
mod steps;
mod cards;
mod decisions;
mod expansion;
mod eyes;
mod faults;
mod idle;
mod ledger;
mod life;
mod metering;
mod outages;
mod pods;
mod quoted;
mod scattered;
mod suite;
mod terms;
mod world;

#[tokio::test(flavor = "multi_thread")]
async fn main_job() -> anyhow::Result<()> {
    suite::all().await
}
