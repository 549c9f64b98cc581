//! Two placements of one template: both say so, nothing flaps while they do, and who stays gets the object as it is.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::stage::{NS, deployment, placement};
use crate::witness::{Witness, agent};
use crate::world::{METRO, PATIENCE, World};

const BOTH: [&str; 2] = ["claims-a", "claims-b"];
const OPERATORS: [&str; 2] = ["operator@jishi", "operator@jiyidong"];
const WHAT: [&str; 2] = ["deploy", "claimed"];
/// Renewals of each centre's lease that make up a window of watching, two seconds each.
const WINDOW: usize = 5;

/// Waits until each of them names the other.
async fn both_say_so(w: &World) -> Result<()> {
    let [a, b] = BOTH;
    for (one, other) in [(a, b), (b, a)] {
        w.placement_reason(one, "ClaimedTwice").await?;
        let said = w.message(one).await?;
        let words = format!("Deployment claimed is also claimed by dap/{other}");
        ensure!(said.contains(&words), "{said}");
    }
    Ok(())
}

/// Versions of both placements in the hub, and of what is placed in each centre where it is there.
async fn versions(w: &World, placed: bool) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for name in BOTH {
        all.push(w.get("hub", &["dap", name, "-n", NS]).await?);
    }
    for centre in METRO {
        ensure!(
            w.is_there(centre, &WHAT).await? == placed,
            "placed in {centre}: {placed}?"
        );
        if placed {
            all.push(w.get(centre, &["deploy", "claimed", "-n", NS]).await?);
        }
    }
    Ok(all.iter().map(|o| o["metadata"]["resourceVersion"].clone()).collect())
}

/// Nothing of it is written while the agents of both centres are at work.
async fn stands_still(w: &World, placed: bool) -> Result<()> {
    let before = versions(w, placed).await?;
    for centre in METRO {
        Witness::of(w, centre)?.renewed(&agent(centre), WINDOW).await?;
    }
    let after = versions(w, placed).await?;
    ensure!(before == after, "{before:?} became {after:?}");
    Ok(())
}

/// Neither has it, so neither gets it until one of them leaves.
pub(crate) async fn two_new_at_once(w: &World) -> Result<()> {
    w.put(&deployment("claimed", "claimed", 2)).await?;
    let items = BOTH.map(|name| placement(name, "claimed", json!({})));
    let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"name": "claims"}, "items": items});
    // A list is two writes: nobody decides between them.
    for operator in OPERATORS {
        w.cloud.freeze(operator).await?;
    }
    w.put(&list).await?;
    for operator in OPERATORS {
        w.cloud.thaw(operator).await?;
    }
    both_say_so(w).await?;
    stands_still(w, false).await?;
    w.delete(&["dap", BOTH[1]]).await?;
    w.copies(BOTH[0], "claimed", [1, 1]).await
}

/// Needs the placement of the step before, which leaves.
pub(crate) async fn the_other_one_gets_it(w: &World) -> Result<()> {
    let [holder, other] = BOTH;
    let mut uids = Vec::new();
    for centre in METRO {
        uids.push(w.uid(centre, &WHAT).await?);
    }
    w.put(&placement(other, "claimed", json!({}))).await?;
    both_say_so(w).await?;
    stands_still(w, true).await?;
    let logs = [Witness::of(w, METRO[0])?, Witness::of(w, METRO[1])?];
    w.delete(&["dap", holder]).await?;
    w.copies(other, "claimed", [1, 1]).await?;
    for ((centre, log), uid) in METRO.into_iter().zip(&logs).zip(uids) {
        let owner = "/metadata/labels/xiangyun.io~1placement";
        w.field(centre, &WHAT, owner, &json!(other), PATIENCE).await?;
        ensure!(w.uid(centre, &WHAT).await? == uid, "it was made anew in {centre}");
        let mut writes = log.by(&agent(centre))?;
        writes.retain(|write| write.is_of("deployments", "claimed"));
        ensure!(writes.len() == 1 && !writes[0].deletes(), "in {centre}: {writes:?}");
    }
    w.delete(&["dap", other]).await?;
    w.delete(&["deploy", "claimed"]).await?;
    let last = METRO.last().context("a centre")?;
    w.is_gone(last, &WHAT).await
}
