//! Faults that are no loss: one too short for a verdict, one of the voters alone, one of a clock alone. Nothing moves.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use playground::{Place, eventually};
use serde_json::{Value, json};
use tokio::time::interval;

use crate::ground::{LONG, OUTLASTS, real};
use crate::stage::{NS, placement};
use crate::world::{METRO, World, condition};

/// Exclusive, in jishi, and undisturbed by every step here.
pub(crate) const CALM: &str = "calm";
/// Serves in both centres.
pub(crate) const SHOP: &str = "shop";
/// With the age of the last beat, and the second that it takes to stop a place and to wake it up, too short for a verdict.
const FLAP: Duration = Duration::from_secs(4);
const VOTERS: [&str; 2] = ["hub-etcd-1@jishi", "hub-etcd-2@jishi"];
const HOUR: i64 = 3600;

/// What a fault that is no loss leaves alone.
#[derive(Debug, PartialEq)]
pub(crate) struct Undisturbed {
    /// Pods of both placements, by centre.
    pods: Vec<Vec<Value>>,
    /// Uid and generation of what made them.
    workloads: Vec<[Value; 2]>,
    /// What the arbiter says of each metro centre, and since when.
    witnesses: Vec<Value>,
    moves: Vec<String>,
}

impl Undisturbed {
    pub(crate) async fn now(w: &World) -> Result<Self> {
        let (mut pods, mut workloads, mut witnesses) = (Vec::new(), Vec::new(), Vec::new());
        for (centre, name) in [("jishi", CALM), ("jishi", SHOP), ("jiyidong", SHOP)] {
            pods.push(w.uids(centre, &format!("name={name}")).await?);
            let metadata = w.get(centre, &["deploy", name, "-n", NS]).await?["metadata"].clone();
            workloads.push([metadata["uid"].clone(), metadata["generation"].clone()]);
        }
        for centre in METRO {
            witnesses.push(w.witness(centre, "Granted").await?);
        }
        let mut moves = w.moves_of(CALM).await?;
        moves.extend(w.moves_of(SHOP).await?);
        Ok(Self {
            pods,
            workloads,
            witnesses,
            moves,
        })
    }

    /// Nothing moved, was scaled or made anew, and nobody was given up meanwhile.
    pub(crate) async fn still(&self, w: &World) -> Result<()> {
        let now = Self::now(w).await?;
        ensure!(*self == now, "{self:?} became {now:?}");
        w.nobody_wrote_twice()
    }
}

/// A whole place stands still for a moment and goes on: nobody gave it up, and its own processes find their rights again.
pub(crate) async fn a_short_silence_moves_nothing(w: &World) -> Result<()> {
    w.put(&real(SHOP, "http", 4)).await?;
    w.put(&placement(SHOP, SHOP, json!({}))).await?;
    w.made(CALM).await?;
    w.copies(SHOP, SHOP, [2, 2]).await?;
    let before = Undisturbed::now(w).await?;
    w.freeze_place(Place::Jishi).await?;
    let mut flap = interval(FLAP);
    for _ in 0..2 {
        flap.tick().await;
    }
    w.thaw_place(Place::Jishi).await?;
    w.goes_on(CALM, OUTLASTS).await?;
    before.still(w).await
}

/// Every voter of jishi is killed, and with them its server of the hub is blind. Three voters are a quorum: its agents beat
/// on through the other places.
pub(crate) async fn voters_of_one_place_lost_move_nothing(w: &World) -> Result<()> {
    let before = Undisturbed::now(w).await?;
    for voter in VOTERS {
        w.cloud.kill(voter).await?;
    }
    w.goes_on(CALM, OUTLASTS).await?;
    before.still(w).await?;
    for voter in VOTERS {
        w.cloud.start_process(voter).await?;
    }
    // The server that had only these serves again.
    w.placement_reason(SHOP, "Running").await?;
    before.still(w).await
}

/// The wall clock of whoever leads jumps an hour ahead, and back: the reports of that centre come from the future, and
/// nothing else goes by that clock.
pub(crate) async fn a_clock_an_hour_off_moves_nothing(w: &World) -> Result<()> {
    let before = Undisturbed::now(w).await?;
    let leader = w.leader().await?;
    let place = if leader.ends_with("jishi") {
        Place::Jishi
    } else {
        Place::Jiyidong
    };
    w.cloud.clock(place, HOUR)?;
    report_is(w, place, "ReportStale").await?;
    w.goes_on(CALM, OUTLASTS).await?;
    before.still(w).await?;
    w.cloud.clock(place, 0)?;
    report_is(w, place, "Reporting").await?;
    println!("clock: {leader} was an hour ahead");
    before.still(w).await
}

async fn report_is(w: &World, place: Place, reason: &str) -> Result<()> {
    eventually(LONG, &format!("{place} is {reason}"), || async {
        let found = w.get(w.hub()?, &["dcn", place.name()]).await?;
        let ready = condition(&found, "Ready").context("Ready")?;
        ensure!(ready["reason"] == reason, "{ready}");
        Ok(())
    })
    .await
}
