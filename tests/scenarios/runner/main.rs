//! Nodes whose pods are real processes: what the drills of a failover stand on. One cloud for all steps, without operators
//! and agents, so that no gate is ever told to open.
#![allow(
    clippy::indexing_slicing,
    reason = "an index into JSON that is not there answers null"
)]

#[path = "../main_job/steps.rs"]
#[macro_use]
mod steps;

mod ground;
mod life;
mod shut;

#[tokio::test(flavor = "multi_thread")]
async fn runner() -> anyhow::Result<()> {
    let world = ground::World::up().await?;
    steps!(
        world,
        life::a_pod_answers_from_another_place,
        life::a_deleted_pod_ends_before_it_is_gone,
        life::pods_go_on_without_their_api_server,
        life::pods_outlive_their_kubelet,
        life::a_frozen_place_freezes_its_pods,
        shut::without_a_permit_nothing_lands,
        shut::a_rebooted_node_is_shut,
    )
}
