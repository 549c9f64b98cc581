//! `kill -9` at each named step. Whoever takes over, or comes back, goes on from what it finds.

use anyhow::{Context as _, Result, ensure};
use playground::eventually;

use crate::world::{FIVE, PATIENCE, World};

/// Kills the leader when it comes to that step while `act` is under way.
async fn leader_at(w: &World, step: &str, act: impl Future<Output = Result<()>>) -> Result<()> {
    let (leader, _) = w.leader().await?;
    let pid = w.cloud.pid(leader).context("it runs")?;
    w.cloud.arm(leader, Some(&format!("{step} exit")))?;
    act.await?;
    eventually(PATIENCE, &format!("{leader} is killed {step}"), || async {
        ensure!(w.cloud.pid(leader) != Some(pid), "it lives");
        Ok(())
    })
    .await?;
    ensure!(!w.cloud.armed(leader)?, "it died of something else");
    w.forget_lease().await?;
    w.cloud.start_process(leader).await
}

/// Ten ask for room for five, five give back, all leave; the leader is killed at a step of each.
async fn round(w: &World, prefix: &str, [on_grant, on_end, on_leave]: [&str; 3]) -> Result<()> {
    leader_at(w, on_grant, w.ask_for(FIVE, prefix, 10)).await?;
    w.granted(prefix, 5, 5).await?;
    let live = w.ask(|judge| judge.live(prefix))?;
    leader_at(w, on_end, w.ask_to_release(&live)).await?;
    // What the first five leave is granted to the others.
    w.until("the other five are granted", |judge| {
        let now = judge.live(prefix);
        ensure!(now.len() == 5 && !now.iter().any(|n| live.contains(n)), "{now:?}");
        Ok(())
    })
    .await?;
    leader_at(w, on_leave, w.ask_to_delete(&live)).await?;
    w.gone(&live).await?;
    w.clear(prefix).await
}

pub(crate) async fn at_each_step(w: &World) -> Result<()> {
    round(w, "swap-end-unguard", ["before-swap", "before-end", "before-unguard"]).await?;
    round(w, "after-each", ["after-swap", "after-end", "after-unguard"]).await?;
    round(w, "around-apply", ["before-apply", "after-apply", "after-swap"]).await?;
    round(w, "before-clear", ["after-swap", "before-clear", "after-unguard"]).await?;
    round(w, "after-clear", ["after-apply", "after-clear", "before-unguard"]).await?;
    at_each_step_of_a_recount(w).await
}

async fn at_each_step_of_a_recount(w: &World) -> Result<()> {
    let prefix = "recount";
    w.ask_for(FIVE, prefix, 10).await?;
    w.granted(prefix, 5, 5).await?;
    for step in ["recount-created", "recount-stamped"] {
        leader_at(w, step, w.lose_ledger()).await?;
        w.at_rest().await?;
    }
    // Whoever takes over recounts; it dies of that, and the other one comes back.
    let (leader, _) = w.leader().await?;
    let heir = World::other(leader)?;
    w.cloud.arm(heir, Some("recount-listed exit"))?;
    w.cloud.kill(leader).await?;
    w.forget_lease().await?;
    eventually(PATIENCE, "the heir is killed", || async {
        ensure!(!w.cloud.armed(heir)?, "it lives");
        Ok(())
    })
    .await?;
    for operator in [leader, heir] {
        w.cloud.start_process(operator).await?;
    }
    w.clear(prefix).await
}
