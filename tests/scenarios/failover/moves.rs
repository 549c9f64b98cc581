//! Moves that somebody wants, with both sides there.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::ground::{EXAM, rto};
use crate::stage::{LI, NS};
use crate::world::World;

pub(crate) async fn a_planned_move_and_back(w: &World) -> Result<()> {
    w.moves("drill", EXAM, "Planned", ["jishi", "jiyidong"]).await?;
    let done = w.phase("drill", "Succeeded").await?;
    ensure!(
        done["status"]["proof"]["kind"] == "Acked",
        "{}",
        done["status"]["proof"]
    );
    println!("planned move: RTO {} s", rto(&done)?);
    w.writes_in(EXAM, "jiyidong").await?;
    // What was left behind is still there, at none and refused to whoever comes late.
    let left = w.get("jishi", &["deploy", EXAM, "-n", NS]).await?;
    ensure!(left["spec"]["replicas"] == 0, "{}", left["spec"]["replicas"]);
    w.moves("drill-back", EXAM, "Failback", ["jiyidong", "jishi"]).await?;
    let back = w.phase("drill-back", "Succeeded").await?;
    println!("back: RTO {} s", rto(&back)?);
    w.writes_in(EXAM, "jishi").await?;
    let epoch = w.get("hub", &["dap", EXAM, "-n", NS]).await?["status"]["epoch"].clone();
    ensure!(epoch["counter"].as_u64() > Some(2), "{epoch}");
    w.nobody_wrote_twice()
}

/// A move to a centre whose agents stand still is given up; what ran goes on where it was.
pub(crate) async fn a_move_is_given_up(w: &World) -> Result<()> {
    w.freeze_agents().await?;
    w.moves("regretted", EXAM, "Planned", ["jishi", "jiyidong"]).await?;
    w.phase("regretted", "Draining").await?;
    let abort = json!({"metadata": {"annotations": {"xiangyun.io/abort": "改期"}}});
    w.patch("hub", LI, &["failover", "regretted"], &abort).await?;
    w.thaw_agents().await?;
    w.phase("regretted", "Aborted").await?;
    w.writes_in(EXAM, "jishi").await?;
    w.nobody_wrote_twice()
}
