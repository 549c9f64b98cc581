//! A centre that is silent, wholly or in part.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use playground::{Place, eventually};
use serde_json::json;

use crate::ground::{EXAM, LONG, exclusive, real, rto};
use crate::stage::{NS, placement};
use crate::world::{World, condition};

/// Another one than before: what moved by itself a moment ago does not do so again.
const LEDGER: &str = "ledger";

/// Agents that stand still while their API server answers: the exclusive writer is shut by its gate, nobody moves, and
/// when they go on the same pod does.
pub(crate) async fn silent_agents_move_nothing(w: &World) -> Result<()> {
    let pods = ["pods", "-n", NS, "-l", "xiangyun.io/exclusive=exam"];
    let before = w.get("jishi", &pods).await?["items"][0]["metadata"]["uid"].clone();
    w.freeze_agents().await?;
    w.witness("jishi", "AgentDown").await?;
    let shut = w.landed(EXAM)?;
    let moves = w
        .get("hub", &["failovers", "-n", NS, "-l", "xiangyun.io/incident"])
        .await?;
    ensure!(moves["items"].as_array().is_some_and(Vec::is_empty), "{moves}");
    ensure!(w.landed(EXAM)? == shut, "it wrote behind a shut gate");
    w.thaw_agents().await?;
    w.witness("jishi", "Granted").await?;
    w.writes_in(EXAM, "jishi").await?;
    let after = w.get("jishi", &pods).await?["items"][0]["metadata"]["uid"].clone();
    ensure!(before == after, "the pod was started anew");
    Ok(())
}

/// A centre whose API server stands still beats on: nothing moves, and what is exclusive goes on in the same pod when the
/// server does.
pub(crate) async fn a_silent_api_server_moves_nothing(w: &World) -> Result<()> {
    let pods = ["pods", "-n", NS, "-l", "xiangyun.io/exclusive=exam"];
    let before = w.get("jishi", &pods).await?["items"][0]["metadata"]["uid"].clone();
    w.cloud.freeze("apiserver@jishi").await?;
    w.witness("jishi", "Degraded").await?;
    w.cloud.thaw("apiserver@jishi").await?;
    w.witness("jishi", "Granted").await?;
    w.writes_in(EXAM, "jishi").await?;
    let moves = ["failovers", "-n", NS, "-l", "xiangyun.io/incident"];
    let moves = w.get("hub", &moves).await?;
    ensure!(moves["items"].as_array().is_some_and(Vec::is_empty), "{moves}");
    let after = w.get("jishi", &pods).await?["items"][0]["metadata"]["uid"].clone();
    ensure!(before == after, "the pod was started anew");
    w.nobody_wrote_twice()
}

/// For longer than an upgrade takes it is a loss all the same: the agents are heard no more, the gates are shut, and what is
/// exclusive moves.
pub(crate) async fn a_dead_api_server_is_a_loss_in_the_end(w: &World) -> Result<()> {
    w.made("patient").await?;
    let begun = Instant::now();
    w.cloud.freeze("apiserver@jishi").await?;
    let witness = w.witness("jishi", "Lost").await?;
    println!("API server silent: a loss after {:.1} s", begun.elapsed().as_secs_f32());
    let name = format!("patient-{}", witness["incident"].as_str().context("an incident")?);
    let done = w.phase(&name, "Succeeded").await?;
    let proof = &done["status"]["proof"]["kind"];
    ensure!(proof == "PermitExpired", "{proof}");
    w.writes_in("patient", "jiyidong").await?;
    w.cloud.thaw("apiserver@jishi").await?;
    w.witness("jishi", "Returned").await?;
    w.writes_in("patient", "jiyidong").await?;
    w.nobody_wrote_twice()
}

/// The whole place stands still: survivors rise, what stands by is promoted, what is exclusive moves behind its proof.
pub(crate) async fn a_frozen_centre_is_carried(w: &World) -> Result<()> {
    w.put(&real("web", "http", 4)).await?;
    w.put(&placement("web", "web", json!({"criticality": "Important"})))
        .await?;
    w.put(&real("api", "http", 2)).await?;
    let one_sided = json!({"mode": "ActiveStandby", "active": "jishi"});
    w.put(&placement("api", "api", one_sided)).await?;
    w.copies("web", "web", [2, 2]).await?;
    w.placement_reason("api", "Running").await?;
    for name in [EXAM, "web", "api"] {
        w.armed(name, "Armed").await?;
    }
    let begun = Instant::now();
    w.freeze_place(Place::Jishi).await?;
    let witness = w.witness("jishi", "Lost").await?;
    println!("verdict after {:.1} s", begun.elapsed().as_secs_f32());
    let incident = witness["incident"].as_str().context("an incident")?;
    for (name, proof) in [
        (EXAM, json!("PermitExpired")),
        ("web", json!(null)),
        ("api", json!(null)),
    ] {
        let done = w.phase(&format!("{name}-{incident}"), "Succeeded").await?;
        ensure!(
            done["status"]["proof"]["kind"] == proof,
            "{name}: {}",
            done["status"]["proof"]
        );
        println!(
            "{name}: RTO {} s, {:.1} s after the loss",
            rto(&done)?,
            begun.elapsed().as_secs_f32()
        );
    }
    w.writes_in(EXAM, "jiyidong").await?;
    for (name, copies) in [("web", 4), ("api", 2)] {
        eventually(LONG, &format!("{name} has {copies} in jiyidong"), || async {
            let found = w.get("jiyidong", &["deploy", name, "-n", NS]).await?;
            ensure!(found["status"]["readyReplicas"] == copies, "{}", found["status"]);
            Ok(())
        })
        .await?;
    }
    w.quota_is("jiyidong", NS, "requests.cpu", "64", LONG).await?;
    w.nobody_wrote_twice()
}

/// It goes on: its stale pod may not speak, and is gone; the split comes back, and what was moved stays until asked.
pub(crate) async fn what_came_back_never_spoke(w: &World) -> Result<()> {
    w.thaw_place(Place::Jishi).await?;
    w.witness("jishi", "Returned").await?;
    let pods = ["pods", "-n", NS, "-l", "xiangyun.io/exclusive=exam"];
    eventually(LONG, "the stale pod is gone from jishi", || async {
        let found = w.get("jishi", &pods).await?;
        ensure!(
            found["items"].as_array().is_some_and(Vec::is_empty),
            "{} pods",
            found["items"]
        );
        Ok(())
    })
    .await?;
    w.copies("web", "web", [2, 2]).await?;
    // Agents that stand still on top of it settle nothing: what was moved is still away.
    w.freeze_agents().await?;
    w.witness("jishi", "AgentDown").await?;
    w.thaw_agents().await?;
    w.witness("jishi", "Returned").await?;
    for name in [EXAM, "api"] {
        let back = format!("{name}-home");
        w.moves(&back, name, "Failback", ["jiyidong", "jishi"]).await?;
        let done = w.phase(&back, "Succeeded").await?;
        println!("{name} back: RTO {} s", rto(&done)?);
    }
    w.writes_in(EXAM, "jishi").await?;
    w.witness("jishi", "Granted").await?;
    w.quota_is("jiyidong", NS, "requests.cpu", "32", LONG).await?;
    let placement = w.get("hub", &["dap", EXAM, "-n", NS]).await?;
    let armed = condition(&placement, "FailoverArmed").context("FailoverArmed")?;
    println!("exam afterwards: {} {}", armed["status"], armed["reason"]);
    w.nobody_wrote_twice()
}

/// Without a fence nothing exclusive moves by itself: two people say that the old side is silent.
pub(crate) async fn without_a_fence_two_people_confirm(w: &World) -> Result<()> {
    w.put(&real(LEDGER, "writer", 1)).await?;
    w.put(&exclusive(LEDGER)).await?;
    w.writes_in(LEDGER, "jishi").await?;
    w.cloud.stop_process("gate-run-001@jishi").await?;
    w.armed(LEDGER, "FenceUnavailable").await?;
    w.freeze_place(Place::Jishi).await?;
    let witness = w.witness("jishi", "Lost").await?;
    let name = format!("{LEDGER}-{}", witness["incident"].as_str().context("an incident")?);
    let says = w.because(&name, "Fencing", "FencingUnconfirmed").await?;
    println!("it says: {says}");
    w.says("zhang.wei", &name, "ConfirmFence").await?;
    let one = w.phase(&name, "Fencing").await?;
    ensure!(one["status"]["proof"].is_null(), "{}", one["status"]);
    w.says("wang.fang", &name, "ConfirmFence").await?;
    let done = w.phase(&name, "Succeeded").await?;
    let proof = &done["status"]["proof"];
    ensure!(proof["kind"] == "TwoPersons", "{proof}");
    ensure!(proof["persons"].as_array().map(Vec::len) == Some(2), "{proof}");
    println!("two people: RTO {} s", rto(&done)?);
    w.writes_in(LEDGER, "jiyidong").await?;
    w.thaw_place(Place::Jishi).await?;
    w.nobody_wrote_twice()
}
