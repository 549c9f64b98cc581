//! A hub that does not answer, and one that answers with nothing: neither is a word to take anything away.

use anyhow::{Context as _, Result, ensure};
use kube::{Client, Config};
use playground::eventually;
use serde_json::json;

use crate::deaths::takes_templates;
use crate::ground::Ground;
use crate::stage::{LI, NS, deployment};
use crate::store::{Store, etcdctl};
use crate::witness::figure;
use crate::world::{CORRECTED, METRO, PATIENCE, World};

const HUB: [&str; 3] = [
    "hub-apiserver@jishi",
    "hub-apiserver@jiyidong",
    "hub-apiserver@baicheng",
];
/// Where the hub's store keeps placements, and the department's Deployments.
const PLACEMENTS: &str = "/registry/xiangyun.io/dualactiveplacements/";
const TEMPLATES: &str = "/registry/deployments/dept-yibao/";
/// Passes of a centre's agents over a hub without a placement.
const PASSES: f64 = 4.0;

async fn edit_is_corrected(ground: &Ground<'_>, w: &World, copies: i64) -> Result<()> {
    for centre in METRO {
        w.patch(centre, None, &ground.what(), &json!({"spec": {"replicas": copies + 1}}))
            .await?;
        w.field(centre, &ground.what(), "/spec/replicas", &json!(copies), CORRECTED)
            .await?;
    }
    Ok(())
}

/// Minutes of silence are in suite failover; here an edit by hand is put right meanwhile.
pub(crate) async fn edits_are_corrected_without_a_hub(w: &World) -> Result<()> {
    let ground = Ground::lay(w, "alone").await?;
    for server in HUB {
        w.cloud.kill(server).await?;
    }
    edit_is_corrected(&ground, w, 2).await?;
    ground.same().await?;
    // The copy that the edit brought may have become ready before it went.
    for centre in METRO {
        w.field(centre, &ground.what(), "/status/readyReplicas", &json!(2), PATIENCE)
            .await?;
    }
    for server in HUB {
        w.cloud.start_process(server).await?;
    }
    takes_templates(w).await?;
    // What it says again is not taken for something new.
    w.placement_reason("alone", "Running").await?;
    ground.template(6).await?;
    ground.copies([3, 3]).await?;
    ground.clear().await
}

/// The hub's store loses every placement and every template, as after a restore that went wrong; agents that start then
/// read complete lists without anything in them.
pub(crate) async fn an_empty_list_removes_nothing(w: &World) -> Result<()> {
    let ground = Ground::lay(w, "lost").await?;
    let keys = etcdctl(w, Store::Hub, &["get", "--prefix", PLACEMENTS, "--keys-only"]).await?;
    let mut saved = Vec::new();
    for key in keys.split_whitespace() {
        let value = etcdctl(w, Store::Hub, &["get", key, "--print-value-only"]).await?;
        saved.push((key.to_owned(), value.trim_end().to_owned()));
    }
    ensure!(!saved.is_empty(), "there is nothing to lose");
    let file = w.file(&deployment("lost", "lost", 4))?;
    for prefix in [PLACEMENTS, TEMPLATES] {
        etcdctl(w, Store::Hub, &["del", "--prefix", prefix]).await?;
    }
    let listed = w
        .ok("hub", None, &["get", "dap,deploy", "-n", NS, "-o", "name"])
        .await?;
    ensure!(listed.trim().is_empty(), "the list is not empty: {listed}");
    for centre in METRO {
        for number in [1, 2] {
            let agent = format!("agent-{number}@{centre}");
            w.cloud.kill(&agent).await?;
            w.cloud.start_process(&agent).await?;
        }
    }
    for centre in METRO {
        passes(w, centre).await?;
    }
    ground.same().await?;
    // A template that is missing would be a word to take it away, so that comes back first.
    w.ok("hub", LI, &["create", "-f", &file]).await?;
    for (key, value) in saved {
        etcdctl(w, Store::Hub, &["put", &key, &value]).await?;
    }
    w.placement_reason("lost", "Running").await?;
    ground.template(6).await?;
    ground.copies([3, 3]).await?;
    ground.clear().await
}

/// Waits until the agents of a centre have made some passes over complete lists since they started; one that waits for a list
/// is counted otherwise.
async fn passes(w: &World, centre: &str) -> Result<()> {
    eventually(PATIENCE, &format!("passes in {centre}"), || async {
        let mut sum = 0.0;
        for number in [1, 2] {
            let url = w.cloud.metrics_url(&format!("agent-{number}@{centre}"))?;
            let base = url.strip_suffix("/metrics").context("a path")?;
            let client = Client::try_from(Config::new(base.parse()?))?;
            sum += figure(
                &client,
                "xiangyun_passes_total",
                "controller=\"placements\",outcome=\"done\"",
            )
            .await?;
        }
        ensure!(sum >= PASSES, "{sum}");
        Ok(())
    })
    .await
}
