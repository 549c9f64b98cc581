//! Without a fence nothing exclusive moves by itself.

use anyhow::{Context as _, Result, ensure};
use playground::Place;
use serde_json::json;

use crate::ground::{HUB, exclusive, real, rto};
use crate::stage::NS;
use crate::world::{World, condition};

/// Another one than before: what moved by itself a moment ago does not do so again.
const LEDGER: &str = "ledger";

/// Says as that person that the old side was seen silent.
async fn confirms(w: &World, person: &str, failover: &str) -> Result<()> {
    let found = w.get(HUB, &["failover", failover, "-n", NS]).await?;
    let word = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "FailoverApproval",
        "metadata": {"name": format!("{failover}-{}", person.replace('.', "-")), "namespace": NS},
        "spec": {"failoverRef": {"name": failover, "uid": found["metadata"]["uid"]},
            "word": "ConfirmFence", "comment": "机房值班确认已断电"}});
    w.apply(HUB, Some(person), &word).await
}

pub(crate) async fn without_a_fence_two_people_confirm(w: &World) -> Result<()> {
    w.put(&real(LEDGER, "writer", 1)).await?;
    w.put(&exclusive(LEDGER)).await?;
    w.writes_in(LEDGER, "jishi").await?;
    w.cloud.stop_process("gate-run-001@jishi").await?;
    w.armed(LEDGER, "FenceUnavailable").await?;
    w.freeze_place(Place::Jishi).await?;
    let witness = w.witness("jishi", "Lost").await?;
    let name = format!("{LEDGER}-{}", witness["incident"].as_str().context("an incident")?);
    let waits = w.phase(&name, "Fencing").await?;
    let why = condition(&waits, "Complete").context("Complete")?;
    ensure!(why["reason"] == "FencingUnconfirmed", "{why}");
    println!("it says: {}", why["message"]);
    confirms(w, "zhang.wei", &name).await?;
    let one = w.phase(&name, "Fencing").await?;
    ensure!(one["status"]["proof"].is_null(), "{}", one["status"]);
    confirms(w, "wang.fang", &name).await?;
    let done = w.phase(&name, "Succeeded").await?;
    let proof = &done["status"]["proof"];
    ensure!(proof["kind"] == "TwoPersons", "{proof}");
    ensure!(proof["persons"].as_array().map(Vec::len) == Some(2), "{proof}");
    println!("two people: RTO {} s", rto(&done)?);
    w.writes_in(LEDGER, "jiyidong").await?;
    w.thaw_place(Place::Jishi).await?;
    w.nobody_wrote_twice()
}
