//! Writes whose answer is lost, and writes that land after their sender gave them up. To the operator both are a call
//! that was not answered in time.

use anyhow::{Context as _, Result, ensure};
use playground::{Place, Withhold, eventually};

use crate::world::{FIVE, PATIENCE, World};

/// What a leader says whose write is not answered. Its lease is withheld the answers too: where it was about to be renewed
/// and the machine is slow, that ends first.
const GIVEN_UP: [&str; 2] = [
    "no answer in time; it may have landed",
    "the lease is lost; stopping at once",
];

fn given_up(w: &World, leader: &str) -> Result<usize> {
    GIVEN_UP.iter().map(|text| w.logged(leader, text)).sum()
}

/// Swap and APPLY, each with its answer lost and each held back until the leader has decided anew.
pub(crate) async fn ambiguous_write(w: &World) -> Result<()> {
    for (prefix, step, what, resource) in [
        ("swap-landed", "before-swap", Withhold::Answers, "quotaledgers"),
        ("apply-landed", "before-apply", Withhold::Answers, "resourcerequests"),
        ("swap-late", "before-swap", Withhold::Requests, "quotaledgers"),
        ("apply-late", "before-apply", Withhold::Requests, "resourcerequests"),
    ] {
        let mut tries = 1;
        while !lost(w, prefix, step, what, resource).await.context(prefix)? {
            ensure!(tries < 3, "{prefix}: its write passed each time");
            tries += 1;
        }
    }
    Ok(())
}

/// One write that is lost. Answers `false` where it was not among what was held back, but only a renewal of the lease.
async fn lost(w: &World, prefix: &str, step: &str, what: Withhold, resource: &str) -> Result<bool> {
    let (leader, place) = w.leader().await?;
    let before = given_up(w, leader)?;
    caught(w, prefix, step, what).await?;
    w.granted(prefix, 5, 5).await?;
    let lost = what == Withhold::Answers || given_up(w, leader)? > before;
    if what == Withhold::Requests && lost {
        w.land(place, resource).await?;
    }
    w.cloud.withhold(place, Place::Hub, None)?;
    if lost {
        eventually(PATIENCE, "the leader heard nothing", || async {
            ensure!(given_up(w, leader)? > before, "it was answered");
            Ok(())
        })
        .await?;
    }
    w.clear(prefix).await?;
    Ok(lost)
}

/// The leader dies while its APPLY is on the way; the other grants and all is released before it lands.
pub(crate) async fn late_write_of_a_dead_leader(w: &World) -> Result<()> {
    let prefix = "apply-of-the-dead";
    let (leader, place) = w.leader().await?;
    caught(w, prefix, "before-apply", Withhold::Requests).await?;
    w.cloud.kill(leader).await?;
    w.forget_lease().await?;
    w.granted(prefix, 5, 5).await?;
    let live = w.ask(|judge| judge.live(prefix))?;
    w.ask_to_release(&live).await?;
    w.until("the other five are granted", |judge| {
        let now = judge.live(prefix);
        ensure!(now.len() == 5 && !now.iter().any(|n| live.contains(n)), "{now:?}");
        Ok(())
    })
    .await?;
    w.land(place, "resourcerequests").await?;
    w.cloud.start_process(leader).await?;
    w.clear(prefix).await
}

/// Ten ask; the leader stops before that step, and what it sends when it goes on is withheld. Everything after that
/// passes again.
async fn caught(w: &World, prefix: &str, step: &str, what: Withhold) -> Result<()> {
    let (leader, place) = w.leader().await?;
    w.cloud.arm(leader, Some(&format!("{step} stop")))?;
    w.ask_for(FIVE, prefix, 10).await?;
    w.frozen(leader).await?;
    let withheld = w.cloud.withheld(place, Place::Hub)?;
    let sequence = w.ask(|judge| judge.ledger().map(|(_, s)| s))?;
    w.cloud.withhold(place, Place::Hub, Some(what))?;
    w.cloud.thaw(leader).await?;
    eventually(PATIENCE, "a write is caught", || async {
        let now = w.cloud.withheld(place, Place::Hub)?;
        ensure!(now > withheld, "{now} caught");
        let landed = w.ask(|judge| match step {
            "before-swap" => judge.ledger().map(|(_, s)| s) != sequence,
            _ => !judge.live(prefix).is_empty(),
        })?;
        ensure!(landed || what == Withhold::Requests, "nothing landed yet");
        Ok(())
    })
    .await?;
    w.cloud.withhold(
        place,
        Place::Hub,
        (what == Withhold::Requests).then_some(Withhold::Held),
    )
}
