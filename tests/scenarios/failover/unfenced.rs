//! Without a fence nothing exclusive moves by itself.

use anyhow::{Context as _, Result, ensure};
use playground::Place;

use crate::ground::{exclusive, real, rto};
use crate::world::World;

/// Another one than before: what moved by itself a moment ago does not do so again.
const LEDGER: &str = "ledger";

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
