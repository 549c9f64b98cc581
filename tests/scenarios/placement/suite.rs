//! The steps, in their order: some go on from what the one before left.

use crate::world::World;
use crate::{
    claimants, conflicts, division, faults, free, held, keeping, kinds, notices, plugin, pod_needs, stage, standby,
    three_tiers, traffic, watches,
};

pub(crate) async fn all() -> anyhow::Result<()> {
    steps!(
        World::up().await?,
        stage::a_grant_makes_room,
        watches::a_watch_ends_when_nobody_needs_it,
        three_tiers::dispatched_to_both,
        three_tiers::rollout_status_on_the_template,
        three_tiers::dependencies_leave_last,
        kinds::the_other_kinds,
        kinds::jobs_end_in_the_hub,
        kinds::five_hundred_and_a_large_one,
        division::weights_and_the_odd_copy,
        division::min_and_max,
        division::hot_warm_and_none,
        division::a_standby_with_an_autoscaler,
        division::exclusive_on_one_side,
        division::a_grant_too_small,
        free::split_by_free_capacity,
        standby::hot_at_sixty_percent_and_warm_at_one,
        standby::a_survival_share_too_small,
        plugin::the_plugin_explains,
        traffic::follows_what_serves,
        traffic::a_move_is_planned,
        notices::contacts_are_told,
        keeping::dependencies_before_the_workload,
        keeping::a_shared_dependency_stays,
        pod_needs::claims_and_pull_secrets_before_the_workload,
        keeping::an_edit_is_corrected,
        keeping::an_edit_is_reported,
        keeping::what_the_centre_owns_is_left_alone,
        keeping::an_autoscaler_of_the_centre,
        conflicts::refuse_adopt_take_over,
        conflicts::two_claimants,
        conflicts::a_label_moves_an_object,
        conflicts::orphaned_objects_stay,
        held::the_last_object_is_handed_over,
        held::a_refused_template_reaches_no_centre,
        claimants::two_new_at_once,
        claimants::the_other_one_gets_it,
        faults::killed_agents_and_leader,
    )
}
