//! The main job on a real three-centre cloud: from a department's YAML to working quota in two centres, and what it must
//! stand. One cloud for all steps; each step has a name and leaves the cloud as the next one needs it.

#![allow(
    clippy::indexing_slicing,
    reason = "an index into JSON that is not there answers null"
)]

#[macro_use]
mod steps;
mod expansion;
mod eyes;
mod faults;
mod idle;
mod life;
mod metering;
mod outages;
mod pods;
mod world;

#[tokio::test(flavor = "multi_thread")]
async fn main_job() -> anyhow::Result<()> {
    steps!(
        world::World::up().await?,
        life::gross_equals_the_nodes,
        life::tenants_are_established,
        life::granted_after_two_people_agreed,
        life::two_pools_all_or_nothing,
        life::waits_and_never_fits,
        life::applied_in_any_order,
        life::what_cannot_be_is_isolated,
        pods::inside_the_quota_runs_on_its_pool,
        pods::outside_is_refused,
        expansion::nothing_moves_before_acceptance,
        expansion::capacity_moves_once_at_acceptance,
        expansion::what_is_committed_stays,
        expansion::nodes_of_a_phase_wait_for_it,
        eyes::every_target_is_up,
        eyes::every_query_returns_data,
        eyes::rules_are_loaded_and_nothing_is_critical,
        idle::idle_grants_come_back,
        faults::drift_is_corrected,
        faults::foreign_namespace_is_not_touched,
        faults::unreadable_object_stops_nobody,
        faults::killed_operator_is_replaced,
        faults::both_operators_killed,
        faults::killed_agents_resume,
        faults::a_newer_leader_confirms,
        outages::hub_down_for_a_minute,
        outages::centre_down_for_a_minute,
        outages::compacted_history,
        outages::clock_of_the_leader_jumps,
        life::release_gives_back,
        metering::the_report_is_the_history,
        metering::open_rows_are_the_histories_so_far,
        metering::an_edit_by_hand_is_corrected,
        metering::rows_outlive_their_request,
        metering::a_namespace_on_its_way_out_is_not_held,
    )
}
