//! The ledger protocol on real servers, with two real operators and every fault that it was made for: processes that die
//! or sleep at any step, answers lost or late, a lost ledger, a wrong clock. Every revision is judged, not only the last.

#![allow(
    clippy::indexing_slicing,
    reason = "an index into JSON that is not there answers null"
)]

#[macro_use]
#[path = "../main_job/steps.rs"]
mod steps;

mod answers;
mod history;
mod intake;
mod judge;
mod kills;
mod life;
mod quiet;
mod scenarios;
mod sleepers;
mod tree;
mod world;

use world::World;

#[tokio::test(flavor = "multi_thread")]
async fn protocol() -> anyhow::Result<()> {
    steps!(
        World::up().await? => at_rest,
        scenarios::ten_at_once_for_room_for_five,
        scenarios::failed_write_frees,
        scenarios::operator_down_tenants_unaffected,
        scenarios::restart_rebuild,
        scenarios::ledger_deleted_midway,
        scenarios::server_restarted_midway,
        scenarios::clock_an_hour_off,
        life::resize_up_down_and_failed,
        life::shrink_below_use,
        life::a_trial_becomes_a_grant_or_ends,
        life::hold_and_drain,
        intake::hold_and_drain_a_tenant,
        life::delete_a_pool_with_users,
        life::a_big_one_is_not_starved,
        life::an_emergency_goes_above_the_ceiling,
        tree::borrowing_and_lending,
        tree::child_over_parent_two_at_once,
        tree::reparent_and_overshoot,
        tree::parent_and_child_swap,
        tree::delete_a_member_of_a_subtree,
        tree::remove_a_resource_in_use,
        kills::at_each_step,
        sleepers::swap_wakes_after_takeover,
        sleepers::apply_wakes_after_takeover,
        answers::ambiguous_write,
        answers::late_write_of_a_dead_leader,
        scenarios::hundred_writers_two_replicas_leader_killed,
        quiet::thousand_unfit_and_no_churn,
    )
}
