//! Programs that die.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::stage::{NS, deployment, placement};
use crate::world::{METRO, World};

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
    w.delete(&["dap", "steady"]).await?;
    w.ok("hub", None, &["delete", "deploy", "steady", "-n", NS])
        .await
        .map(drop)
}
