//! A grant of which each centre keeps sixty percent for when it is alone: what stands by, and what that is too small for.

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::stage::{deployment, placement};
use crate::world::{METRO, PATIENCE, World, condition, small_request};

/// A department that has no other grant.
const OTHER: &str = "dept-jyt";
const WU: Option<&str> = Some("wu.gang");
const NAME: &str = "sixty";

async fn put(w: &World, mut object: Value) -> Result<()> {
    object["metadata"]["namespace"] = json!(OTHER);
    w.apply("hub", WU, &object).await
}

async fn both(w: &World, copies: i64, spec: Value) -> Result<()> {
    put(w, deployment(NAME, NAME, copies)).await?;
    put(w, placement(NAME, NAME, spec)).await
}

/// Waits until so many copies are ready in each centre and the placement runs. Answers the placement.
async fn copies(w: &World, copies: [i64; 2]) -> Result<Value> {
    for (centre, copies) in METRO.into_iter().zip(copies) {
        eventually(PATIENCE, &format!("{copies} in {centre}"), || async {
            let found = w.get(centre, &["deploy", NAME, "-n", OTHER]).await?;
            let ready = found["status"]["readyReplicas"].as_i64().unwrap_or_default();
            ensure!(found["spec"]["replicas"] == copies && ready == copies, "{found}");
            Ok(())
        })
        .await?;
    }
    w.ready_reason(&["dap", NAME, "-n", OTHER], "Running").await
}

/// Waits until the placement says that about the loss of a centre.
async fn survives(w: &World, status: &str, reason: &str, words: &str) -> Result<()> {
    eventually(PATIENCE, reason, || async {
        let found = w.get("hub", &["dap", NAME, "-n", OTHER]).await?;
        let said = condition(&found, "Survivable").context("nothing is said")?;
        let message = said["message"].as_str().unwrap_or_default();
        ensure!(
            said["status"] == status && said["reason"] == reason && message.contains(words),
            "{said}"
        );
        Ok(())
    })
    .await
}

/// Ten copies in the active centre and six beside them; one where it is only to be warm.
pub(crate) async fn hot_at_sixty_percent_and_warm_at_one(w: &World) -> Result<()> {
    let mut request = small_request(OTHER, NAME, 20);
    request["spec"]["survival"] = json!("60%");
    w.apply("hub", WU, &request).await?;
    w.request_reason(OTHER, NAME, "Active").await?;
    let standby = |how: &str, spec: Value| {
        let mut all = json!({"mode": "ActiveStandby", "active": "jishi", "standby": how});
        if let (Some(all), Value::Object(spec)) = (all.as_object_mut(), spec) {
            all.extend(spec);
        }
        all
    };
    both(w, 10, standby("Hot", json!({}))).await?;
    copies(w, [10, 6]).await?;
    survives(w, "True", "Survives", "all copies need cpu 10").await?;
    let min = json!({"centres": [{"name": "jishi"}, {"name": "jiyidong", "min": 1}]});
    both(w, 10, standby("Warm", min)).await?;
    let found = copies(w, [10, 1]).await?;
    ensure!(found["status"]["active"] == json!(["jishi"]), "{}", found["status"]);
    Ok(())
}

/// Fourteen copies on both sides fit, and one centre alone keeps room for twelve. Needs the grant of the step before.
pub(crate) async fn a_survival_share_too_small(w: &World) -> Result<()> {
    let both_sides = json!({"mode": "ActiveActive", "active": null, "standby": null,
        "centres": [{"name": "jishi"}, {"name": "jiyidong"}]});
    both(w, 14, both_sides.clone()).await?;
    copies(w, [7, 7]).await?;
    let words = "all copies need cpu 14, memory 14Gi, the grants keep cpu 12, memory 48Gi in jishi";
    survives(w, "False", "SurvivalTooSmall", words).await?;
    both(w, 12, both_sides).await?;
    copies(w, [6, 6]).await?;
    survives(w, "True", "Survives", "all copies need cpu 12").await?;
    for what in [["dap", NAME], ["deploy", NAME]] {
        let args = ["delete", what[0], what[1], "-n", OTHER, "--timeout=60s"];
        w.ok("hub", WU, &args).await?;
    }
    let release = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "sixty-release", "namespace": OTHER},
        "spec": {"displayName": "释放", "type": "Release", "allocationRef": {"name": NAME}}});
    w.apply("hub", WU, &release).await?;
    w.request_reason(OTHER, NAME, "Released").await.map(drop)
}
