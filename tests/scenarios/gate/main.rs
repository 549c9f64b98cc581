//! The node gate on real nftables: a node, a pod behind it and a peer are network namespaces, the gate is the real
//! program under an ordinary user with one capability. Only the agent is a stand-in. Each step lays ground of its own.

#![allow(
    clippy::indexing_slicing,
    reason = "an index into JSON that is not there answers null"
)]

mod agent;
mod chart;
mod closing;
mod ground;
mod namespace;
mod opening;
mod process;
mod sleepers;
mod table;
mod traffic;

use process::Programs;

/// Each step is a test by itself: most of its time is waiting, so that several go on beside each other.
macro_rules! tests {
    ($($module:ident::$step:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $step() -> anyhow::Result<()> {
            $module::$step(&Programs::copied()?).await
        }
    )*};
}

tests!(
    table::a_ticket_that_ran_out_opens_nothing,
    opening::closed_at_boot,
    opening::opens_with_a_permit,
    opening::only_cap_net_admin,
    closing::an_established_stream_is_cut_when_the_agent_dies,
    closing::gate_killed_stays_shut,
    closing::node_rebooted,
    closing::a_stale_epoch_is_refused,
    sleepers::sigstop_at_every_step,
    sleepers::sigstop_under_a_stream,
    table::a_foreign_table_is_untouched,
    table::a_tampered_table_is_restored_closed,
);

#[test]
fn off_by_default_with_one_capability() -> anyhow::Result<()> {
    chart::off_by_default_with_one_capability(&Programs::copied()?)
}
