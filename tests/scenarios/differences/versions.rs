//! New versions in their order: backup first, paused, stopped, returned.

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::stage::{NS, deployment, placement};
use crate::world::{METRO, PATIENCE, World};

const NAME: &str = "rolls";
/// What is ill is given up after the shortest deadline that may be declared.
const SHORT: &str = "10s";
/// What is healthy is not given up on a slow machine either.
const LONG: &str = "300s";

fn rollout(spec: &Value) -> Value {
    placement(NAME, NAME, json!({"rollout": spec}))
}

/// The Deployment with that image; a pod of one that is ill finds no node.
fn version(image: &str, replicas: i64, ill: bool) -> Value {
    let mut object = deployment(NAME, NAME, replicas);
    let pod = &mut object["spec"]["template"]["spec"];
    pod["containers"][0]["image"] = json!(format!("registry.invalid/c:{image}"));
    if ill {
        pod["nodeSelector"] = json!({"nowhere": "true"});
    }
    object
}

async fn image(w: &World, centre: &str) -> Result<String> {
    let found = w.get(centre, &["deploy", NAME, "-n", NS]).await?;
    let image = found["spec"]["template"]["spec"]["containers"][0]["image"]
        .as_str()
        .context("an image")?;
    Ok(image.rsplit(':').next().unwrap_or_default().to_owned())
}

async fn images(w: &World, jishi: &str, jiyidong: &str) -> Result<()> {
    eventually(
        PATIENCE,
        &format!("{jishi} in jishi and {jiyidong} in jiyidong"),
        || async {
            let found = [image(w, "jishi").await?, image(w, "jiyidong").await?];
            ensure!(found == [jishi, jiyidong], "{found:?}");
            Ok(())
        },
    )
    .await
}

/// The backup gets a version first; one that does not become healthy there never reaches the primary.
pub(crate) async fn backup_first_and_stopped(w: &World) -> Result<()> {
    w.put(&version("1", 4, false)).await?;
    let backup_first = |deadline: &str| rollout(&json!({"order": "BackupFirst", "deadline": deadline}));
    w.put(&backup_first(LONG)).await?;
    w.copies(NAME, NAME, [2, 2]).await?;
    w.put(&backup_first(SHORT)).await?;
    w.put(&version("2", 4, true)).await?;
    w.placement_reason(NAME, "RollingOut").await?;
    images(w, "1", "2").await?;
    w.placement_reason(NAME, "RolloutStopped").await?;
    let said = w.message(NAME).await?;
    ensure!(
        said.contains("in jiyidong were healthy when the deadline passed"),
        "{said}"
    );
    images(w, "1", "2").await?;
    let found = w.get("hub", &["dap", NAME, "-n", NS]).await?;
    ensure!(found["status"]["total"]["ready"] == 4, "{}", found["status"]["total"]);
    // Copies follow the template also now.
    w.put(&version("2", 6, true)).await?;
    w.field("jishi", &["deploy", NAME], "/spec/replicas", &json!(3), PATIENCE)
        .await?;
    w.put(&backup_first(LONG)).await?;
    w.put(&version("3", 4, false)).await?;
    w.copies(NAME, NAME, [2, 2]).await?;
    images(w, "3", "3").await
}

/// Every centre goes back to what was healthy everywhere, although the template still says otherwise.
pub(crate) async fn failed_and_returned(w: &World) -> Result<()> {
    let returning =
        |deadline: &str| rollout(&json!({"order": "BackupFirst", "deadline": deadline, "onFailure": "Return"}));
    w.put(&returning(SHORT)).await?;
    w.put(&version("4", 4, true)).await?;
    images(w, "3", "4").await?;
    w.placement_reason(NAME, "RolloutReturned").await?;
    images(w, "3", "3").await?;
    let template = w.get("hub", &["deploy", NAME, "-n", NS]).await?;
    let ready = template["status"]["readyReplicas"].as_i64();
    ensure!(ready == Some(4), "{ready:?} are ready");
    ensure!(
        template["status"]["observedGeneration"] != template["metadata"]["generation"],
        "rollout status would say yes"
    );
    w.put(&returning(LONG)).await?;
    w.put(&version("5", 4, false)).await?;
    w.copies(NAME, NAME, [2, 2]).await?;
    images(w, "5", "5").await
}

pub(crate) async fn paused_and_together(w: &World) -> Result<()> {
    w.put(&rollout(&json!({"order": "BackupFirst", "paused": true})))
        .await?;
    w.put(&version("6", 4, false)).await?;
    w.placement_reason(NAME, "RolloutPaused").await?;
    w.put(&version("6", 6, false)).await?;
    for centre in METRO {
        w.field(centre, &["deploy", NAME], "/spec/replicas", &json!(3), PATIENCE)
            .await?;
    }
    images(w, "5", "5").await?;
    w.put(&rollout(&json!({"order": "BackupFirst"}))).await?;
    w.copies(NAME, NAME, [3, 3]).await?;
    images(w, "6", "6").await?;
    w.put(&rollout(&json!({"order": "Together"}))).await?;
    w.put(&version("7", 6, true)).await?;
    images(w, "7", "7").await?;
    w.put(&version("8", 6, false)).await?;
    w.copies(NAME, NAME, [3, 3]).await?;
    let of_placement = [
        "controllerrevisions",
        "-n",
        NS,
        "-l",
        &format!("xiangyun.io/placement={NAME}"),
    ];
    eventually(PATIENCE, "old versions are not kept", || async {
        let found = w.get("hub", &of_placement).await?;
        let kept = found["items"].as_array().map_or(0, Vec::len);
        ensure!(kept == 1, "{kept} are");
        Ok(())
    })
    .await?;
    w.delete(&["dap", NAME]).await?;
    let left = w.get("hub", &of_placement).await?;
    ensure!(left["items"] == json!([]), "{}", left["items"]);
    w.delete(&["deploy", NAME]).await
}
