//! A loss that finds much under way: a version on its way, moves that people asked for, the ledger between two writes, and a
//! placement for which there is no room elsewhere.

use anyhow::{Context as _, Result, ensure};
use playground::{Place, eventually};
use serde_json::{Value, json};

use crate::ground::{LONG, exclusive, real};
use crate::stage::{LI, NS, placement};
use crate::world::{World, small_request};

/// Exclusive, larger than all that is kept in jiyidong for a loss; what it runs on is granted in jishi alone.
const HEAVY: &str = "heavy";
/// Exclusive, given a new version when its centre is lost.
pub(crate) const SHIP: &str = "ship";
/// Exclusive; somebody asks for two moves of it.
pub(crate) const TWICE: &str = "twice";
/// Exclusive, moved by nothing but the loss.
pub(crate) const KEPT: &str = "kept";
/// In both centres, given a new version one by one.
const SHELF: &str = "shelf";
const NEXT: &str = "registry.invalid/c:2";

/// That template with another image.
fn newer(name: &str, run: &str, replicas: i64) -> Value {
    let mut made = real(name, run, replicas);
    made["spec"]["template"]["spec"]["containers"][0]["image"] = json!(NEXT);
    made
}

/// Nothing is taken from where it runs for a centre that has no room for it: the condition says so long before, and a move
/// that is asked for waits with the numbers.
pub(crate) async fn what_has_no_room_elsewhere_stays(w: &World) -> Result<()> {
    let mut request = small_request(NS, "one-sided", 64);
    request["spec"]["survival"] = json!("None");
    request["spec"]["centre"] = json!("jishi");
    w.apply("hub", LI, &request).await?;
    w.request_reason(NS, "one-sided", "AwaitingApproval").await?;
    w.decide("zhang.wei", NS, "one-sided", 1).await?;
    w.request_reason(NS, "one-sided", "Active").await?;
    let mut large = real(HEAVY, "writer", 1);
    let amounts = json!({"cpu": "70", "memory": "1Gi"});
    large["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": amounts, "limits": amounts});
    w.put(&large).await?;
    w.put(&exclusive(HEAVY)).await?;
    w.writes_in(HEAVY, "jishi").await?;
    w.armed(HEAVY, "ReserveMissing").await?;
    w.moves("heavy-away", HEAVY, "Planned", ["jishi", "jiyidong"]).await?;
    let says = w.because("heavy-away", "Pending", "NoCapacity").await?;
    println!("asked for: {says}");
    ensure!(says.contains("needs cpu 70") && says.contains("short of"), "{says}");
    let abort = json!({"metadata": {"annotations": {"xiangyun.io/abort": "无余量"}}});
    w.patch("hub", LI, &["failover", "heavy-away"], &abort).await?;
    w.phase("heavy-away", "Aborted").await?;
    w.writes_in(HEAVY, "jishi").await
}

/// Everything that is under way when jishi is lost.
async fn under_way(w: &World) -> Result<()> {
    w.all_made(&[SHIP, TWICE, KEPT]).await?;
    w.put(&real(SHELF, "http", 4)).await?;
    w.put(&placement(SHELF, SHELF, json!({"rollout": {"order": "BackupFirst"}})))
        .await?;
    w.copies(SHELF, SHELF, [2, 2]).await?;
    w.put(&newer(SHELF, "http", 4)).await?;
    let at = "/spec/template/spec/containers/0/image";
    w.field("jiyidong", &["deploy", SHELF], at, &json!(NEXT), LONG).await?;
    // At once: jishi is given the new version as soon as it runs in jiyidong.
    w.freeze_agents().await?;
    let found = w.get("jishi", &["deploy", SHELF, "-n", NS]).await?;
    ensure!(image(&found) != NEXT, "jishi has the new version already");
    w.put(&newer(SHIP, "writer", 1)).await?;
    // The first waits for agents that will not answer any more, the second for the first.
    w.moves("twice-1", TWICE, "Planned", ["jishi", "jiyidong"]).await?;
    w.phase("twice-1", "Draining").await?;
    w.moves("twice-2", TWICE, "Planned", ["jishi", "jiyidong"]).await?;
    let says = w.because("twice-2", "Pending", "Queued").await?;
    ensure!(says.contains("fo/twice-1"), "{says}");
    dies_between_swap_and_grant(w).await
}

/// Whoever leads dies with a request that has its room in the ledger and not yet its grant.
async fn dies_between_swap_and_grant(w: &World) -> Result<()> {
    let leader = w.leader().await?;
    w.cloud.arm(leader, Some("after-swap stop"))?;
    w.apply(w.hub()?, LI, &small_request(NS, "late", 8)).await?;
    eventually(LONG, &format!("{leader} stops after the swap"), || async {
        ensure!(!w.cloud.armed(leader)?, "it did not come there");
        Ok(())
    })
    .await?;
    w.cloud.kill(leader).await?;
    w.freeze_place(Place::Jishi).await?;
    // Where that was in jishi, it is lost with its place.
    if leader.ends_with("jiyidong") {
        w.cloud.start_process(leader).await?;
    }
    println!("{leader} died between swap and grant");
    Ok(())
}

/// Each is carried once: the move that somebody had asked for goes on with another proof, a second one and one that is asked
/// for now are refused, the newest version runs, what has no room stays, and the grant is made once.
pub(crate) async fn a_loss_meets_what_is_under_way(w: &World) -> Result<()> {
    under_way(w).await?;
    let witness = w.witness("jishi", "Lost").await?;
    let incident = witness["incident"].as_str().context("an incident")?;
    w.moves("ship-too", SHIP, "Planned", ["jishi", "jiyidong"]).await?;
    for name in ["ship-too", "twice-2"] {
        let says = w.because(name, "Aborted", "Aborted").await?;
        ensure!(says.contains("jishi was lost"), "{name}: {says}");
    }
    let (ship, kept) = (format!("{SHIP}-{incident}"), format!("{KEPT}-{incident}"));
    for name in ["twice-1", &ship, &kept] {
        let done = w.phase(name, "Succeeded").await?;
        let proof = &done["status"]["proof"]["kind"];
        ensure!(proof == "PermitExpired", "{name}: {proof}");
    }
    for name in [SHIP, TWICE, KEPT] {
        w.writes_in(name, "jiyidong").await?;
    }
    ensure!(w.moves_of(TWICE).await? == ["twice-1", "twice-2"]);
    let found = w.get("jiyidong", &["deploy", SHIP, "-n", NS]).await?;
    ensure!(image(&found) == NEXT, "{}", image(&found));
    let says = w
        .because(&format!("{HEAVY}-{incident}"), "Pending", "NoCapacity")
        .await?;
    println!("lost: {says}");
    ensure!(!w.is_there("jiyidong", &["deploy", HEAVY]).await?, "it was moved");
    // 64 vCPU and 8, each once, and all of both in the centre that is left.
    w.quota_is("jiyidong", NS, "requests.cpu", "72", LONG).await?;
    w.nobody_wrote_twice()
}

fn image(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]["containers"][0]["image"]
}

/// It is back: what had no room elsewhere goes on in it, and it follows the version that it missed.
pub(crate) async fn what_stayed_goes_on(w: &World) -> Result<()> {
    let before = w.landed(HEAVY)?;
    w.cloud.heal(Some(Place::Jishi)).await?;
    let witness = w.witness("jishi", "Returned").await?;
    let incident = witness["incident"].as_str().context("an incident")?;
    let says = w.because(&format!("{HEAVY}-{incident}"), "Aborted", "Aborted").await?;
    ensure!(says.contains("came back"), "{says}");
    w.writes_in(HEAVY, "jishi").await?;
    println!("heavy went on after {before} records");
    w.request_reason(NS, "late", "Active").await?;
    w.copies(SHELF, SHELF, [2, 2]).await?;
    let found = w.get("jishi", &["deploy", SHELF, "-n", NS]).await?;
    ensure!(image(&found) == NEXT, "{}", image(&found));
    w.nobody_wrote_twice()
}
