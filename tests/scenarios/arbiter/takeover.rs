//! A holder that falls silent, and a takeover that lands late.

use std::thread::JoinHandle;
use std::time::Duration;

use ::arbiter::row::{Phase, Proof};
use ::arbiter::txn::Txn;
use anyhow::{Context as _, Result, ensure};
use controllers::quorum::boot;
use playground::{Cut, Place, eventually};

use crate::voices::{Decider, SCOPE, World, agent, ended, witness};

const PATIENCE: Duration = Duration::from_secs(60);

fn name(place: Place) -> String {
    place.to_string()
}

/// Nobody decides before the holder's deadline; afterwards the other place runs it, under a higher epoch.
pub(crate) async fn a_silent_place_is_taken_over_after_its_deadline(w: &World) -> Result<()> {
    let (holder, other) = (Place::Jishi, Place::Jiyidong);
    let (old, new, third) = (agent(w, holder)?, agent(w, other)?, witness(w)?);
    let timing = w.timing;
    let granted = w.at(other, async move |store| {
        let mut decider = Decider::new(other, store, timing);
        decider
            .until("the first grant", |o| o.grant(SCOPE, &name(holder)))
            .await
    })?;
    ended(granted)?;
    eventually(PATIENCE, "the holder has its right", || async {
        old.said().right.context("none yet")
    })
    .await?;
    let cut = boot();
    w.cloud.cut(Cut::off(holder)).await?;
    let taken = takes_over(w, other)?;
    let taken = tokio::task::spawn_blocking(|| ended(taken)).await??;
    let right = eventually(PATIENCE, "the other place has its right", || async {
        new.said().right.context("none yet")
    })
    .await?;
    let deadline = old.said().until;
    let since = |at: Duration| at.saturating_sub(cut).as_secs_f32();
    println!(
        "after the cut: deadline {:.1} s, takeover {:.1} s, right elsewhere {:.1} s",
        since(deadline),
        since(taken),
        since(boot())
    );
    ensure!(
        deadline < taken,
        "taken over {:?} before the deadline",
        deadline.saturating_sub(taken)
    );
    ensure!(right.epoch.counter == 2, "{right:?}");
    w.cloud.heal(None).await?;
    eventually(PATIENCE, "the old holder knows that it has lost it", || async {
        let said = old.said();
        ensure!(said.right.is_none() && said.unanswered > 0, "{said:?}");
        Ok(())
    })
    .await?;
    old.end()?;
    new.end()?;
    third.end()
}

/// An operator of that place takes the scope over once the holder is silent, and gives it to its own place. Answers when
/// the takeover was sent.
fn takes_over(w: &World, other: Place) -> Result<JoinHandle<Result<Duration>>> {
    let timing = w.timing;
    w.at(other, async move |store| {
        let mut decider = Decider::new(other, store, timing);
        let observers = [name(other), name(Place::Baicheng)];
        let observers = [observers[0].as_str(), observers[1].as_str()];
        let taken = decider
            .until("the takeover", |o| o.takeover(SCOPE, observers, boot()))
            .await?;
        decider
            .until("the proof", |o| o.prove(SCOPE, Proof::PermitExpired))
            .await?;
        decider
            .until("the promotion", |o| o.promote(SCOPE, &name(other)))
            .await?;
        Ok(taken)
    })
}

/// A takeover that its sender gave up lands after the cut healed; the holder lived meanwhile, and nothing moves.
pub(crate) async fn what_was_given_up_lands_without_effect(w: &World) -> Result<()> {
    let (holder, other) = (Place::Jiyidong, Place::Jishi);
    let (old, third) = (agent(w, holder)?, witness(w)?);
    eventually(PATIENCE, "the holder has its right", || async {
        old.said().right.context("none yet")
    })
    .await?;
    let before = w.row(Place::Baicheng)?;
    w.cloud.cut(Cut::off(holder)).await?;
    let timing = w.timing;
    let ready = w.at(other, async move |store| {
        ready(&mut Decider::new(other, store, timing)).await
    })?;
    let txn = tokio::task::spawn_blocking(|| ended(ready)).await??;
    w.cloud.cut(Cut::off(other)).await?;
    let sent = w.at(other, async move |store| Ok(store.commit(&txn).await.is_err()))?;
    let given_up = tokio::task::spawn_blocking(|| ended(sent)).await??;
    ensure!(given_up, "the takeover was answered, though its place is cut off");
    let beats = old.said().beats;
    // Whatever the voters there were given stands still with them until the holder has shown itself.
    for voter in ["hub-etcd-1@jishi", "hub-etcd-2@jishi"] {
        w.cloud.freeze(voter).await?;
    }
    w.cloud.heal(Some(holder)).await?;
    eventually(PATIENCE, "the holder lives", || async {
        let said = old.said();
        let row = w.row(Place::Baicheng);
        ensure!(said.beats > beats + 1 && said.right.is_some(), "{said:?} {row:?}");
        Ok(())
    })
    .await?;
    w.cloud.heal(None).await?;
    let (settled, sooner) = (old.said().beats + 4, w.row(Place::Baicheng)?);
    eventually(PATIENCE, "whatever was under way has landed", || async {
        let beats = old.said().beats;
        ensure!(beats >= settled, "{beats} of {settled} beats");
        Ok(())
    })
    .await?;
    let after = w.row(other)?;
    ensure!(
        after == before && sooner == before && after.phase == Phase::Held,
        "{before:?} became {after:?}"
    );
    old.end()?;
    third.end()
}

/// The takeover that both observers stand for, not sent.
async fn ready(decider: &mut Decider) -> Result<Txn> {
    let observers = ["jishi", "baicheng"];
    let end = boot() + PATIENCE;
    while boot() < end {
        decider.look().await?;
        let Some(txn) = decider.operator.takeover(SCOPE, observers, boot()) else {
            continue;
        };
        // All that it compares holds: sent now it would land.
        let compares = txn.compares.clone();
        let asked = Txn {
            compares,
            ..Txn::default()
        };
        if decider.landed(&asked).await == Some(true) {
            return Ok(txn);
        }
    }
    anyhow::bail!("nobody became silent")
}
