//! Placements among faults: servers that are away, slow or overloaded, writers that interfere, programs that die at the
//! worst moment, and a hub that is silent or says nothing. One cloud for all steps; each takes away what it made.

#![allow(
    clippy::indexing_slicing,
    reason = "an index into JSON that is not there answers null"
)]

#[path = "../placement/stage.rs"]
#[allow(dead_code, reason = "another suite speaks the other words")]
mod stage;
#[path = "../main_job/steps.rs"]
#[macro_use]
mod steps;
#[path = "../main_job/store.rs"]
mod store;
#[path = "../main_job/world.rs"]
#[allow(dead_code, reason = "another suite speaks the other words")]
mod world;

mod credentials;
mod deaths;
mod ground;
mod obstacles;
mod servers;
mod silence;
mod size;
mod storms;
mod webhook;
mod witness;

#[tokio::test(flavor = "multi_thread")]
async fn placement_faults() -> anyhow::Result<()> {
    let world = world::World::up().await?;
    steps!(
        world,
        stage::a_grant_makes_room,
        servers::centre_down_and_back,
        servers::centre_slow,
        servers::centre_black_holed,
        credentials::one_operator_without_credentials,
        storms::too_many_requests,
        storms::concurrent_writers,
        obstacles::a_foreign_webhook_rejects,
        obstacles::a_namespace_that_cannot_end,
        deaths::agents_killed_between_two_applies,
        deaths::operators_killed_between_decision_and_status,
        deaths::history_compacted_while_all_stand_still,
        silence::an_empty_list_removes_nothing,
        silence::edits_are_corrected_without_a_hub,
        size::a_template_of_more_than_a_megabyte,
        size::three_hundred_at_once,
    )
}
