//! What is there already, and what two want.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::stage::{NS, config_map, deployment, placement};
use crate::world::{METRO, World};

pub(crate) async fn refuse_adopt_take_over(w: &World) -> Result<()> {
    let theirs = config_map("there", "theirs");
    w.apply("jishi", Some("li.na"), &theirs).await?;
    let uid = w.uid("jishi", &["configmap", "there"]).await?;
    let mut ours = config_map("there", "there");
    ours["data"]["key"] = json!("ours");
    w.put(&ours).await?;
    w.put(&placement("there", "there", json!({}))).await?;
    w.placement_reason("there", "ObjectExists").await?;
    let said = w.message("there").await?;
    ensure!(
        said.contains("jishi: ConfigMap there exists and was written by kubectl"),
        "{said}"
    );
    w.put(&placement("there", "there", json!({"existing": "AdoptIfEqual"})))
        .await?;
    let data = |value: &str| json!({"data": {"key": value}, "metadata": {"labels": {"app": "there"}}});
    eventually_says(w, "differs at data.key").await?;
    w.patch("jishi", Some("li.na"), &["configmap", "there"], &data("ours"))
        .await?;
    w.placement_reason("there", "Running").await?;
    ensure!(
        w.uid("jishi", &["configmap", "there"]).await? == uid,
        "it was made anew"
    );
    // The placement leaves, somebody else makes one by that name, and now it is taken over whatever it says.
    w.delete(&["dap", "there"]).await?;
    for centre in METRO {
        w.is_gone(centre, &["configmap", "there"]).await?;
    }
    w.apply("jishi", Some("li.na"), &theirs).await?;
    w.put(&placement("there", "there", json!({"existing": "TakeOver"})))
        .await?;
    w.placement_reason("there", "Running").await?;
    let found = w.get("jishi", &["configmap", "there", "-n", NS]).await?;
    ensure!(found["data"]["key"] == "ours", "{}", found["data"]);
    w.delete(&["dap", "there"]).await?;
    w.delete(&["configmap", "there"]).await
}

async fn eventually_says(w: &World, part: &str) -> Result<()> {
    playground::eventually(crate::world::PATIENCE, part, || async {
        let said = w.message("there").await?;
        ensure!(said.contains(part), "{said}");
        Ok(())
    })
    .await
}

pub(crate) async fn two_claimants(w: &World) -> Result<()> {
    w.put(&deployment("wanted", "wanted", 2)).await?;
    w.put(&placement("first", "wanted", json!({}))).await?;
    w.copies("first", "wanted", [1, 1]).await?;
    let uid = w.uid("jishi", &["deploy", "wanted"]).await?;
    w.put(&placement("second", "wanted", json!({}))).await?;
    for (one, other) in [("first", "second"), ("second", "first")] {
        w.placement_reason(one, "ClaimedTwice").await?;
        let said = w.message(one).await?;
        ensure!(
            said.contains(&format!("Deployment wanted is also claimed by dap/{other}")),
            "{said}"
        );
    }
    ensure!(w.uid("jishi", &["deploy", "wanted"]).await? == uid, "it was made anew");
    w.delete(&["dap", "second"]).await?;
    w.placement_reason("first", "Running").await?;
    ensure!(w.uid("jishi", &["deploy", "wanted"]).await? == uid, "it was made anew");
    Ok(())
}

/// The object changes hands without being made anew. Needs the placement of the step before.
pub(crate) async fn a_label_moves_an_object(w: &World) -> Result<()> {
    let uids = [
        w.uid(METRO[0], &["deploy", "wanted"]).await?,
        w.uid(METRO[1], &["deploy", "wanted"]).await?,
    ];
    w.put(&config_map("beside", "wanted")).await?;
    w.placement_reason("first", "Running").await?;
    w.put(&placement("other", "moved", json!({}))).await?;
    w.placement_reason("other", "NothingSelected").await?;
    w.put(&deployment("wanted", "moved", 2)).await?;
    w.copies("other", "wanted", [1, 1]).await?;
    for (centre, uid) in METRO.into_iter().zip(uids) {
        let label = json!("other");
        w.field(
            centre,
            &["deploy", "wanted"],
            "/metadata/labels/xiangyun.io~1placement",
            &label,
            crate::world::PATIENCE,
        )
        .await?;
        ensure!(
            w.uid(centre, &["deploy", "wanted"]).await? == uid,
            "it was made anew in {centre}"
        );
    }
    w.placement_reason("first", "Running").await?;
    // A manifest that was copied with its label is nobody's but its author's.
    let mut copied = config_map("copied", "wanted");
    copied["metadata"]["labels"]["xiangyun.io/placement"] = json!("first");
    w.apply("jishi", Some("li.na"), &copied).await?;
    w.delete(&["dap", "first"]).await?;
    ensure!(
        w.is_there("jishi", &["configmap", "copied"]).await?,
        "a copied label deleted an object"
    );
    w.ok("jishi", Some("li.na"), &["delete", "configmap", "copied", "-n", NS])
        .await?;
    w.delete(&["configmap", "beside"]).await
}

pub(crate) async fn orphaned_objects_stay(w: &World) -> Result<()> {
    w.put(&placement("other", "moved", json!({"removal": "Orphan"})))
        .await?;
    w.placement_reason("other", "Running").await?;
    let uid = w.uid("jiyidong", &["deploy", "wanted"]).await?;
    w.delete(&["dap", "other"]).await?;
    for centre in METRO {
        let left = w.get(centre, &["deploy", "wanted", "-n", NS]).await?;
        ensure!(
            left["metadata"]["labels"]["xiangyun.io/placement"].is_null(),
            "still ours in {centre}"
        );
        w.ok(
            centre,
            Some("li.na"),
            &["delete", "deploy", "wanted", "-n", NS, "--wait=false"],
        )
        .await?;
        if centre == "jiyidong" {
            ensure!(left["metadata"]["uid"] == uid, "it was made anew");
        }
    }
    w.delete(&["deploy", "wanted"]).await
}
