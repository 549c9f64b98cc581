//! The example of three tiers, from one file to both centres and back.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::{Value, json};
use tests::repository;

use crate::stage::{LI, NS};
use crate::world::{METRO, PATIENCE, World, condition};

const DEPLOYMENTS: [&str; 3] = ["shop-api", "shop-cache", "shop-web"];
const REST: [[&str; 2]; 6] = [
    ["configmap", "shop-settings"],
    ["secret", "shop-keys"],
    ["serviceaccount", "shop"],
    ["service", "shop-api"],
    ["hpa", "shop-web"],
    ["pdb", "shop-api"],
];

pub(crate) async fn dispatched_to_both(w: &World) -> Result<()> {
    let file = repository().join("examples/50-placement.yaml");
    w.ok("hub", LI, &["apply", "-f", &file.to_string_lossy()]).await?;
    let placement = w.placement_reason("shop", "Running").await?;
    ensure!(condition(&placement, "Survivable").is_some_and(|c| c["status"] == "True"));
    for centre in METRO {
        for name in DEPLOYMENTS {
            ensure!(w.is_there(centre, &["deploy", name]).await?, "no {name} in {centre}");
        }
        for what in REST {
            ensure!(w.is_there(centre, &what).await?, "no {what:?} in {centre}");
        }
        let secret = w.get(centre, &["secret", "shop-keys", "-n", NS]).await?;
        ensure!(secret["data"]["password"] == "Y2hhbmdlLW1l", "{}", secret["data"]);
    }
    // An address of its own in each cluster: the hub's says nothing there.
    let address = |object: Value| object["spec"]["clusterIP"].as_str().map(str::to_owned);
    for centre in METRO {
        let here = address(w.get(centre, &["service", "shop-api", "-n", NS]).await?);
        ensure!(here.is_some_and(|ip| !ip.is_empty()), "no address in {centre}");
    }
    let shown = w.ok("hub", LI, &["get", "dap", "-n", NS]).await?;
    ensure!(shown.contains("Running") && shown.contains("jishi"), "{shown}");
    ensure!(!w.is_there("hub", &["pod"]).await?, "pods in the hub");
    Ok(())
}

pub(crate) async fn rollout_status_on_the_template(w: &World) -> Result<()> {
    let rollout = ["rollout", "status", "deploy/shop-api", "-n", NS, "--timeout=90s"];
    w.ok("hub", LI, &rollout).await?;
    let wait = [
        "wait",
        "--for=condition=Available",
        "deploy/shop-api",
        "-n",
        NS,
        "--timeout=60s",
    ];
    w.ok("hub", LI, &wait).await?;
    let image = "registry.invalid/shop/api:2";
    w.ok(
        "hub",
        LI,
        &["set", "image", "deploy/shop-api", &format!("api={image}"), "-n", NS],
    )
    .await?;
    w.ok("hub", LI, &rollout).await?;
    for centre in METRO {
        let found = w.get(centre, &["deploy", "shop-api", "-n", NS]).await?;
        let containers = &found["spec"]["template"]["spec"]["containers"];
        ensure!(containers[0]["image"] == image, "{containers}");
        let (wanted, ready) = (&found["spec"]["replicas"], &found["status"]["updatedReplicas"]);
        ensure!(
            wanted == ready,
            "rollout status said yes: {wanted} wanted, {ready} updated in {centre}"
        );
    }
    let template = w.get("hub", &["deploy", "shop-api", "-n", NS]).await?;
    ensure!(template["status"]["readyReplicas"] == template["spec"]["replicas"]);
    Ok(())
}

/// Deleting the placement takes everything away in both centres; the templates stay.
pub(crate) async fn dependencies_leave_last(w: &World) -> Result<()> {
    // Something that holds a Deployment back: the ConfigMap of its pods has to wait for it.
    let held = json!({"metadata": {"finalizers": ["example.org/held"]}});
    w.patch("jishi", None, &["deploy", "shop-api"], &held).await?;
    w.ok("hub", LI, &["delete", "dap", "shop", "-n", NS, "--wait=false"])
        .await?;
    w.placement_reason("shop", "Leaving").await?;
    for what in [["deploy", "shop-web"], ["hpa", "shop-web"]] {
        w.is_gone("jishi", &what).await?;
    }
    w.is_gone("jiyidong", &["configmap", "shop-settings"]).await?;
    ensure!(
        w.is_there("jishi", &["configmap", "shop-settings"]).await?,
        "it went before what needs it"
    );
    w.patch(
        "jishi",
        None,
        &["deploy", "shop-api"],
        &json!({"metadata": {"finalizers": null}}),
    )
    .await?;
    for centre in METRO {
        for what in REST {
            w.is_gone(centre, &what).await?;
        }
    }
    w.is_gone("hub", &["dap", "shop"]).await?;
    eventually(PATIENCE, "no pod is left", || async {
        for centre in METRO {
            ensure!(!w.is_there(centre, &["pod", "-l", "shop"]).await?, "in {centre}");
        }
        Ok(())
    })
    .await?;
    let templates = w.get("hub", &["deploy", "-n", NS]).await?;
    let left = templates["items"].as_array().context("a list")?.len();
    ensure!(left == DEPLOYMENTS.len(), "{left} templates are left");
    let file = repository().join("examples/50-placement.yaml");
    let all = ["delete", "-f", &file.to_string_lossy(), "--ignore-not-found"];
    tokio::time::timeout(Duration::from_secs(60), w.ok("hub", LI, &all)).await??;
    Ok(())
}
