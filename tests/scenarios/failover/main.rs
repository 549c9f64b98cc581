//! Losing a centre, with real pods, gates and cuts; the writers' own logs say whether two places ever wrote.
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
#[path = "../main_job/world.rs"]
#[allow(dead_code, reason = "another suite speaks the other words")]
mod world;

mod busy;
mod calm;
mod cuts;
mod ground;
mod hub;
mod lost;
mod moves;
mod restores;
mod returns;
mod rights;

#[tokio::test(flavor = "multi_thread")]
async fn failover() -> anyhow::Result<()> {
    let world = ground::up().await?;
    steps!(
        world,
        stage::a_grant_makes_room,
        rights::an_exclusive_placement_runs_under_a_right,
        rights::what_is_written_late_is_refused,
        rights::a_killed_agent_restarts_no_pod,
        moves::a_planned_move_and_back,
        moves::a_move_is_given_up,
        lost::silent_agents_move_nothing,
        lost::a_silent_api_server_moves_nothing,
        lost::a_frozen_centre_is_carried,
        lost::what_came_back_never_spoke,
        cuts::a_cut_between_two_moves_nothing,
        cuts::an_isolated_centre_stops_itself,
        cuts::a_lost_witness_pins,
        restores::a_restored_store_undoes_no_move,
        restores::a_restored_centre_undoes_no_move,
        calm::a_short_silence_moves_nothing,
        calm::voters_of_one_place_lost_move_nothing,
        calm::a_clock_an_hour_off_moves_nothing,
        hub::a_silent_hub_takes_nothing_away,
        busy::what_has_no_room_elsewhere_stays,
        busy::a_loss_meets_what_is_under_way,
        busy::what_stayed_goes_on,
        returns::a_failback_outlives_its_operators,
        returns::the_backup_is_lost_in_its_turn,
        lost::a_dead_api_server_is_a_loss_in_the_end,
        lost::without_a_fence_two_people_confirm,
    )
}
