//! What stays wrong in a centre for a while is said: an object that cannot go, and one that something else writes too.

use anyhow::{Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::stage::{NS, config_map, deployment, placement};
use crate::world::{CORRECTED, METRO, PATIENCE, World};

const NAME: &str = "kept";
const MAP: [&str; 2] = ["configmap", NAME];

async fn row(w: &World, centre: &str) -> Result<Value> {
    let found = w.get("hub", &["dap", NAME, "-n", NS]).await?;
    let rows = found["status"]["centres"].as_array().cloned().unwrap_or_default();
    Ok(rows.into_iter().find(|r| r["name"] == centre).unwrap_or_default())
}

/// Somebody deletes it in a centre, and a finalizer of somebody else holds it: until it is there again the placement says so,
/// whatever its copies do.
pub(crate) async fn a_finalizer_holds_what_is_deleted(w: &World) -> Result<()> {
    w.put(&config_map(NAME, NAME)).await?;
    w.put(&deployment(NAME, NAME, 2)).await?;
    w.put(&placement(NAME, NAME, json!({}))).await?;
    w.copies(NAME, NAME, [1, 1]).await?;
    let before = w.uid("jishi", &MAP).await?;
    let finalizers = |all: Value| json!({"metadata": {"finalizers": all}});
    let hold = finalizers(json!(["example.org/hold"]));
    w.patch("jishi", None, &MAP, &hold).await?;
    let delete = ["delete", "configmap", NAME, "-n", NS, "--wait=false"];
    w.ok("jishi", Some("li.na"), &delete).await?;
    w.placement_reason(NAME, "Applying").await?;
    let said = w.message(NAME).await?;
    ensure!(
        said.starts_with("jishi: ConfigMap kept is being deleted; it is made again | "),
        "{said}"
    );
    let (first, other) = (row(w, "jishi").await?, row(w, "jiyidong").await?);
    ensure!(first["reason"] == "Applying" && first["ready"] == 1, "{first}");
    ensure!(other["reason"] == "Applied", "{other}");
    let stands = w.get("jishi", &["configmap", NAME, "-n", NS]).await?;
    ensure!(
        stands["metadata"]["uid"] == before && stands["metadata"]["finalizers"] == json!(["example.org/hold"]),
        "the finalizer is somebody else's: {}",
        stands["metadata"]
    );
    w.patch("jishi", None, &MAP, &finalizers(Value::Null)).await?;
    w.placement_reason(NAME, "Running").await?;
    ensure!(w.uid("jishi", &MAP).await? != before, "it was not made anew");
    Ok(())
}

/// Of the placement of the step before: the fifth time is noted beside the reason, with the writer, and stays so in the same
/// words.
pub(crate) async fn a_writer_that_comes_back_is_named(w: &World) -> Result<()> {
    let by_hand = async |number: i32| {
        let patch = json!({"data": {"key": format!("by-hand-{number}")}});
        w.patch("jishi", Some("li.na"), &MAP, &patch).await?;
        w.field("jishi", &MAP, "/data/key", &json!("value"), CORRECTED).await
    };
    for number in 1..=4 {
        by_hand(number).await?;
    }
    let said = w.message(NAME).await?;
    ensure!(!said.contains("again and again"), "too soon: {said}");
    by_hand(5).await?;
    eventually(PATIENCE, "the writer is named", || async {
        let said = w.message(NAME).await?;
        ensure!(
            said.contains("jishi: ConfigMap kept: data.key changed by kubectl-patch again and again"),
            "{said}"
        );
        Ok(())
    })
    .await?;
    w.placement_reason(NAME, "Running").await?;
    let told = row(w, "jishi").await?;
    by_hand(6).await?;
    ensure!(
        row(w, "jishi").await? == told,
        "a correction more is a write more in the hub"
    );
    w.delete(&["dap", NAME]).await?;
    for centre in METRO {
        w.is_gone(centre, &MAP).await?;
    }
    w.delete(&["deploy/kept", "configmap/kept"]).await
}
