//! Programs that die, and a hub that cannot be reached.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::stage::{NS, deployment, placement};
use crate::world::{METRO, World};

const HUB: [&str; 3] = [
    "hub-apiserver@jishi",
    "hub-apiserver@jiyidong",
    "hub-apiserver@baicheng",
];

const KILLED: [&str; 5] = [
    "operator@jishi",
    "operator@jiyidong",
    "agent-1@jishi",
    "agent-2@jishi",
    "agent-1@jiyidong",
];

async fn uids(w: &World) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for centre in METRO {
        all.push(w.uid(centre, &["deploy", "steady"]).await?);
    }
    Ok(all)
}

pub(crate) async fn killed_agents_and_leader(w: &World) -> Result<()> {
    w.put(&deployment("steady", "steady", 4)).await?;
    w.put(&placement("steady", "steady", json!({}))).await?;
    w.copies("steady", "steady", [2, 2]).await?;
    let before = uids(w).await?;
    for process in KILLED {
        w.cloud.kill(process).await?;
    }
    w.put(&deployment("steady", "steady", 6)).await?;
    for process in KILLED {
        w.cloud.start_process(process).await?;
    }
    w.copies("steady", "steady", [3, 3]).await?;
    ensure!(uids(w).await? == before, "made anew");
    Ok(())
}

/// No hub at all: nothing is deleted, then or after, and an edit by hand is still put right.
pub(crate) async fn hub_unreachable(w: &World) -> Result<()> {
    let before = uids(w).await?;
    for server in HUB {
        w.cloud.kill(server).await?;
    }
    let what = ["deploy", "steady"];
    for replicas in [0, 9] {
        w.patch("jiyidong", None, &what, &json!({"spec": {"replicas": replicas}}))
            .await?;
        w.field("jiyidong", &what, "/spec/replicas", &json!(3), Duration::from_secs(5))
            .await?;
    }
    for server in HUB {
        w.cloud.start_process(server).await?;
    }
    playground::eventually(crate::world::PATIENCE, "the hub takes templates again", || async {
        w.put(&deployment("steady", "steady", 8)).await
    })
    .await?;
    w.copies("steady", "steady", [4, 4]).await?;
    ensure!(uids(w).await? == before, "made anew");
    w.delete(&["dap", "steady"]).await?;
    w.ok("hub", None, &["delete", "deploy", "steady", "-n", NS])
        .await
        .map(drop)
}
