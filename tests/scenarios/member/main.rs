//! A cloud of somebody else joins and steps back: Baicheng's cluster as the cloud of a city, its agent under the roles that
//! `kubectl xiangyun join` prints. One cloud for all steps; each goes on from where the one before left it.

#![allow(
    clippy::indexing_slicing,
    reason = "an index into JSON that is not there answers null"
)]

#[path = "../main_job/steps.rs"]
#[macro_use]
mod steps;
#[path = "../placement/stage.rs"]
#[allow(dead_code, reason = "another suite speaks the other words")]
mod stage;
#[path = "../main_job/world.rs"]
#[allow(dead_code, reason = "another suite speaks the other words")]
mod world;

mod city;
mod stages;

#[tokio::test(flavor = "multi_thread")]
async fn member() -> anyhow::Result<()> {
    let world = world::World::up().await?;
    steps!(
        world,
        stages::observed_writes_nothing,
        stages::advised_keeps_a_tenant_out,
        stages::advised_waits_for_a_person,
        stages::scheduled_within_lend,
        stages::back_to_observed_with_workloads_running,
    )
}
