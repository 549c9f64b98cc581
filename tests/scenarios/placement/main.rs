//! Placements on a real three-centre cloud: one YAML in the hub, running in both centres as declared, whatever is done to
//! it there. One cloud for all steps; each step has a name and takes away what it made.
#![allow(
    clippy::indexing_slicing,
    reason = "an index into JSON that is not there answers null"
)]

#[path = "../main_job/steps.rs"]
#[macro_use]
mod steps;
#[path = "../main_job/world.rs"]
#[allow(dead_code, reason = "another suite speaks the other words")]
mod world;

mod conflicts;
mod division;
mod faults;
mod keeping;
mod kinds;
mod notices;
mod plugin;
mod stage;
mod three_tiers;
mod traffic;

#[tokio::test(flavor = "multi_thread")]
async fn placement() -> anyhow::Result<()> {
    let world = world::World::up().await?;
    steps!(
        world,
        stage::a_grant_makes_room,
        three_tiers::dispatched_to_both,
        three_tiers::rollout_status_on_the_template,
        three_tiers::dependencies_leave_last,
        kinds::the_other_kinds,
        kinds::jobs_end_in_the_hub,
        kinds::five_hundred_and_a_large_one,
        division::weights_and_the_odd_copy,
        division::min_and_max,
        division::hot_warm_and_none,
        division::exclusive_on_one_side,
        division::a_grant_too_small,
        plugin::the_plugin_explains,
        traffic::follows_what_serves,
        traffic::a_move_is_planned,
        notices::contacts_are_told,
        keeping::dependencies_before_the_workload,
        keeping::a_shared_dependency_stays,
        keeping::an_edit_is_corrected,
        keeping::an_edit_is_reported,
        keeping::what_the_centre_owns_is_left_alone,
        conflicts::refuse_adopt_take_over,
        conflicts::two_claimants,
        conflicts::a_label_moves_an_object,
        conflicts::orphaned_objects_stay,
        faults::killed_agents_and_leader,
        faults::hub_unreachable,
    )
}
