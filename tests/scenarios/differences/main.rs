//! What differs between the centres of a placement, on purpose or not: overrides, versions on their way, and whether both
//! sides really serve. One cloud for all steps; each takes away what it made.

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

mod devices;
mod keeping;
mod layers;
mod overrides;
mod traffic;
mod versions;

#[tokio::test(flavor = "multi_thread")]
async fn differences() -> anyhow::Result<()> {
    let world = world::World::up().await?;
    steps!(
        world,
        stage::a_grant_makes_room,
        overrides::each_override_added_and_removed,
        overrides::a_storage_class_for_one_centre,
        overrides::an_override_that_does_not_apply,
        overrides::an_override_that_the_server_refuses,
        overrides::an_arm_image_on_x86,
        overrides::a_card_on_x86,
        overrides::data_level_on_a_social_centre,
        versions::backup_first_and_stopped,
        versions::failed_and_returned,
        versions::paused_and_together,
        keeping::a_finalizer_holds_what_is_deleted,
        keeping::a_writer_that_comes_back_is_named,
        devices::devices_start_anew,
        layers::effectively_active_active_lost,
        layers::each_layer_broken,
        traffic::requests_on_one_side,
    )
}
