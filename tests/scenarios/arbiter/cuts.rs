//! Cuts between places.

use std::time::Duration;

use anyhow::{Result, ensure};
use playground::{Cut, Place, eventually};

use crate::voices::{World, agent};

const BEATS: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(60);

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
