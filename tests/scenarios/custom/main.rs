//! Custom kinds in placements: ready by the CEL of their PlaceableKind, missing in a centre or in the hub, and without a
//! role. One cloud for all steps; each takes away what it made.

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

mod definitions;
mod missing;
mod ready;
mod unlisted;

#[tokio::test(flavor = "multi_thread")]
async fn custom() -> anyhow::Result<()> {
    let world = world::World::up().await?;
    steps!(
        world,
        stage::a_grant_makes_room,
        ready::ready_by_policy,
        ready::a_gateway_route,
        missing::crd_missing_in_one_centre,
        missing::kind_and_role_missing,
        missing::crd_that_cannot_be_listed,
        unlisted::the_hub_stops_listing,
    )
}
