//! A leader that sleeps at the worst moment and wakes long after another took its place.

use anyhow::{Context as _, Result, ensure};
use playground::eventually;

use crate::world::{FIVE, PATIENCE, World};

pub(crate) async fn swap_wakes_after_takeover(w: &World) -> Result<()> {
    sleeps(w, "sleep-swap", "before-swap stop").await
}

pub(crate) async fn apply_wakes_after_takeover(w: &World) -> Result<()> {
    sleeps(w, "sleep-apply", "after-swap stop").await
}

/// It stops; the other takes over, grants, and all is released; others are granted in their place. Then it wakes.
async fn sleeps(w: &World, prefix: &str, at: &str) -> Result<()> {
    let (sleeper, _) = w.leader().await?;
    let pid = w.cloud.pid(sleeper).context("it runs")?;
    w.cloud.arm(sleeper, Some(at))?;
    w.ask_for(FIVE, prefix, 5).await?;
    w.frozen(sleeper).await?;
    w.granted(prefix, 5, 0).await?;
    w.release(prefix).await?;
    let later = format!("later-{prefix}");
    w.ask_for(FIVE, &later, 5).await?;
    w.granted(&later, 5, 0).await?;
    w.at_rest().await?;
    w.cloud.thaw(sleeper).await?;
    eventually(PATIENCE, "the sleeper learns that it leads no more", || async {
        ensure!(w.cloud.pid(sleeper) != Some(pid), "it goes on");
        Ok(())
    })
    .await?;
    w.cloud.start_process(sleeper).await?;
    w.granted(&later, 5, 0).await?;
    w.clear(&later).await?;
    w.clear(prefix).await
}
