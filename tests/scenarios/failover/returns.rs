//! What may go wrong on the way back.

use anyhow::{Context as _, Result, ensure};
use playground::{Place, eventually};
use serde_json::json;

use crate::busy::{KEPT, SHIP, TWICE};
use crate::ground::{LONG, OPERATORS, OUTLASTS, exclusive, real, rto};
use crate::stage::NS;
use crate::world::World;

/// Exclusive; it belongs in jiyidong.
const HOMER: &str = "homer";

/// One operator dies when the next step is stored and the arbiter was not asked, the other one when it was: whoever comes
/// next goes on from there.
pub(crate) async fn a_failback_outlives_its_operators(w: &World) -> Result<()> {
    let mut pids = Vec::new();
    for (operator, step) in OPERATORS.into_iter().zip(["move-stored", "move-ordered"]) {
        pids.push((operator, w.cloud.pid(operator).context("it does not run")?));
        w.cloud.arm(operator, Some(&format!("{step} exit")))?;
    }
    w.moves("ship-home", SHIP, "Failback", ["jiyidong", "jishi"]).await?;
    // Whichever dies first stays dead until the other one did: back at once, it might lead again, and the other one never.
    eventually(LONG, "both die", || async {
        let mut alive = Vec::new();
        for (operator, pid) in &pids {
            if w.cloud.armed(operator)? || w.cloud.pid(operator) == Some(*pid) {
                alive.push(*operator);
            } else {
                w.cloud.kill(operator).await?;
            }
        }
        ensure!(alive.is_empty(), "{alive:?} did not come there");
        Ok(())
    })
    .await?;
    for operator in OPERATORS {
        w.cloud.start_process(operator).await?;
    }
    let done = w.phase("ship-home", "Succeeded").await?;
    let proof = &done["status"]["proof"]["kind"];
    ensure!(proof == "Acked", "{proof}");
    println!("failback without its operators: RTO {} s", rto(&done)?);
    w.writes_in(SHIP, "jishi").await?;
    w.nobody_wrote_twice()
}

/// Out of where it belongs, and on its way back there.
async fn on_its_way_home(w: &World) -> Result<()> {
    let mut home = exclusive(HOMER);
    home["spec"]["active"] = json!("jiyidong");
    w.put(&real(HOMER, "writer", 1)).await?;
    w.put(&home).await?;
    w.writes_in(HOMER, "jiyidong").await?;
    w.moves("homer-out", HOMER, "Planned", ["jiyidong", "jishi"]).await?;
    w.phase("homer-out", "Succeeded").await?;
    w.moves("homer-back", HOMER, "Failback", ["jishi", "jiyidong"]).await?;
    eventually(LONG, "it is under way", || async {
        let found = w.get("hub", &["failover", "homer-back", "-n", NS]).await?;
        let phase = found["status"]["phase"].as_str().unwrap_or_default();
        ensure!(["Draining", "Promoting", "Verifying"].contains(&phase), "{phase}");
        Ok(())
    })
    .await
}

/// The centre that took over is lost, with a failback to it under way. That one is given up and runs where it came from; what
/// nobody moved by itself lately moves behind a proof; what did waits for somebody to agree, and is silent until then.
pub(crate) async fn the_backup_is_lost_in_its_turn(w: &World) -> Result<()> {
    on_its_way_home(w).await?;
    w.freeze_place(Place::Jiyidong).await?;
    let witness = w.witness("jiyidong", "Lost").await?;
    let incident = witness["incident"].as_str().context("an incident")?;
    let (twice, kept) = (format!("{TWICE}-{incident}"), format!("{KEPT}-{incident}"));
    let done = w.phase(&twice, "Succeeded").await?;
    let proof = &done["status"]["proof"]["kind"];
    ensure!(proof == "PermitExpired", "{proof}");
    println!("back from the backup: RTO {} s", rto(&done)?);
    w.writes_in(TWICE, "jishi").await?;
    let silent = w.landed(KEPT)?;
    let says = w.because(&kept, "AwaitingApproval", "FlapGuard").await?;
    println!("guarded: {says}");
    let given_up = w.phase("homer-back", "Aborted").await?;
    println!("homer-back: {}", given_up["status"]["conditions"]);
    w.writes_in(HOMER, "jishi").await?;
    ensure!(w.landed(KEPT)? == silent, "it wrote although nobody agreed");
    w.says("zhang.wei", &kept, "Approve").await?;
    let done = w.phase(&kept, "Succeeded").await?;
    let proof = &done["status"]["proof"]["kind"];
    ensure!(proof == "PermitExpired", "{proof}");
    w.writes_in(KEPT, "jishi").await?;
    w.nobody_wrote_twice()?;
    the_backup_comes_back(w).await
}

/// It wakes up with four placements that it may no longer run; the failback that it interrupted is asked for again.
async fn the_backup_comes_back(w: &World) -> Result<()> {
    w.thaw_place(Place::Jiyidong).await?;
    w.witness("jiyidong", "Returned").await?;
    for name in [TWICE, KEPT] {
        w.goes_on(name, OUTLASTS / 5).await?;
    }
    w.moves("homer-again", HOMER, "Failback", ["jishi", "jiyidong"]).await?;
    w.phase("homer-again", "Succeeded").await?;
    w.writes_in(HOMER, "jiyidong").await?;
    w.witness("jiyidong", "Granted").await?;
    w.nobody_wrote_twice()
}
