//! Placements on a real three-centre cloud: one YAML in the hub, running in both centres as declared, whatever is done to
//! it there. One cloud for all steps; each step has a name and takes away what it made.
#![allow(
    clippy::indexing_slicing,
    reason = "an index into JSON that is not there answers null"
)]

#[path = "../main_job/steps.rs"]
#[macro_use]
mod steps;
#[path = "../placement_faults/witness.rs"]
#[allow(dead_code, reason = "another suite speaks the other words")]
mod witness;
#[path = "../main_job/world.rs"]
#[allow(dead_code, reason = "another suite speaks the other words")]
mod world;

mod claimants;
mod conflicts;
mod division;
mod faults;
mod free;
mod held;
mod keeping;
mod kinds;
mod notices;
mod plugin;
mod pod_needs;
mod stage;
mod standby;
mod suite;
mod three_tiers;
mod traffic;
mod watches;

#[tokio::test(flavor = "multi_thread")]
async fn placement() -> anyhow::Result<()> {
    suite::all().await
}
