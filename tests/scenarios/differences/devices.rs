//! What holds devices of its node can only start anew elsewhere, and says so.

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::json;

use crate::stage::{LI, NS, deployment, placement};
use crate::world::{METRO, PATIENCE, World, condition, small_request};

const NAME: &str = "device";
const POOL: &str = "gpu-inference";
/// The pool has a namespace of its own in the centres.
const THERE: &str = "dept-yibao-gpu-inference";

/// Four cards: two in each centre.
async fn cards(w: &World) -> Result<()> {
    let mut request = small_request(NS, "cards", 1);
    request["spec"]["resources"] = json!({"accelerators": [{"use": "Inference", "count": 4}]});
    w.apply("hub", LI, &request).await?;
    w.request_reason(NS, "cards", "AwaitingApproval").await?;
    w.decide("zhang.wei", NS, "cards", 1).await?;
    w.request_reason(NS, "cards", "Active").await.map(drop)
}

pub(crate) async fn devices_start_anew(w: &World) -> Result<()> {
    cards(w).await?;
    let mut object = deployment(NAME, NAME, 2);
    let resources = &mut object["spec"]["template"]["spec"]["containers"][0]["resources"];
    for part in ["requests", "limits"] {
        resources[part]["nvidia.com/gpu"] = json!("1");
    }
    w.put(&object).await?;
    w.put(&placement(NAME, NAME, json!({ "pool": POOL }))).await?;
    let found = w.placement_reason(NAME, "Running").await?;
    let said = condition(&found, "RestartOnly").context("RestartOnly")?;
    let words = said["message"].as_str().unwrap_or_default();
    ensure!(
        said["status"] == "True"
            && said["reason"] == "PassthroughDevices"
            && words.starts_with("Deployment device: pods hold devices of their node"),
        "{said}"
    );
    for centre in METRO {
        eventually(PATIENCE, &format!("a pod with a card in {centre}"), || async {
            let args = ["pods", "-n", THERE, "-l", "name=device"];
            let pods = w.get(centre, &args).await?;
            let pods = pods["items"].as_array().context("items")?;
            ensure!(pods.len() == 1, "{} pods", pods.len());
            let node = pods[0]["spec"]["nodeName"].as_str().context("no node yet")?;
            let node = w.get(centre, &["node", node]).await?;
            ensure!(node["metadata"]["labels"]["xiangyun.io/pool"] == POOL, "{node}");
            Ok(())
        })
        .await?;
    }
    // Of what holds none nothing is said.
    w.delete(&["dap", NAME]).await?;
    w.delete(&["deploy", NAME]).await?;
    w.put(&deployment(NAME, NAME, 2)).await?;
    w.put(&placement(NAME, NAME, json!({}))).await?;
    let found = w.placement_reason(NAME, "Running").await?;
    ensure!(
        condition(&found, "RestartOnly").is_none(),
        "{}",
        found["status"]["conditions"]
    );
    w.delete(&["dap", NAME]).await?;
    w.delete(&["deploy", NAME]).await
}
