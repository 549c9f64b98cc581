//! Cuts between places, and what nobody is let into.

use std::time::Duration;

use ::arbiter::txn::Txn;
use anyhow::{Result, ensure};
use playground::{Cut, Place, eventually};

use crate::voices::{World, agent, ended};

const BEATS: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(60);

/// The store is the hub's too; the arbiter's client reads and writes its own part alone.
pub(crate) async fn its_client_is_let_into_nothing_else(w: &World) -> Result<()> {
    let reads = Txn::default().range("/registry/".to_owned());
    let writes = Txn::default().put("/registry/arbiter".to_owned(), &1);
    for txn in [reads, writes] {
        let refused = eventually(PATIENCE, "it is answered", || async {
            let txn = txn.clone();
            let refused = w.at(Place::Jiyidong, async move |store| Ok(store.commit(&txn).await.err()))?;
            let refused = ended(refused)?.map(|error| error.to_string());
            // Any other error is none of the store's: the call took too long, say.
            let answered = refused.as_ref().is_none_or(|error| error.contains("permission denied"));
            ensure!(answered, "{refused:?}");
            Ok(refused)
        })
        .await?;
        ensure!(refused.is_some(), "it was let in");
    }
    Ok(())
}

/// With the metro places cut from each other, one of them has no leader within reach; its beats pass through the third.
pub(crate) async fn beats_pass_through_the_third_place(w: &World) -> Result<()> {
    let places = [Place::Jishi, Place::Jiyidong];
    w.cloud.cut(Cut::pair(places[0], places[1])).await?;
    for place in places {
        let agent = agent(w, place)?;
        eventually(PATIENCE, "its beats are answered", || async {
            let said = agent.said();
            ensure!(said.beats >= BEATS, "{} answered, {} not", said.beats, said.unanswered);
            Ok(())
        })
        .await?;
        let said = agent.said();
        println!(
            "{place}: {} beats answered, {} not, the slowest after {} ms",
            said.beats,
            said.unanswered,
            said.slowest.as_millis()
        );
        agent.end()?;
    }
    w.cloud.heal(None).await
}
