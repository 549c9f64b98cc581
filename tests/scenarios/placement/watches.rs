//! Watches of kinds come with the first placement that needs them, and end a while after the last.

use std::time::Duration;

use anyhow::{Result, ensure};
use playground::eventually;
use serde_json::json;

use crate::stage::{NS, placement};
use crate::witness::figure;
use crate::world::{METRO, PATIENCE, World};

const HUB: [&str; 3] = ["hub@jishi", "hub@jiyidong", "hub@baicheng"];
/// A kind that nobody needs is watched for a minute more, and passes may be half a minute apart.
const ENDED: Duration = Duration::from_secs(150);

/// Watches of PodDisruptionBudgets at these servers, whoever has them.
async fn watches(w: &World, clusters: &[&str]) -> Result<f64> {
    let mut sum = 0.0;
    for cluster in clusters {
        let client = w.cloud.client(cluster, None).await?;
        sum += figure(
            &client,
            "apiserver_longrunning_requests",
            "resource=\"poddisruptionbudgets\"",
        )
        .await?;
    }
    Ok(sum)
}

/// One kind alone, by reference: a label may mean any. Nothing else is placed meanwhile.
pub(crate) async fn a_watch_ends_when_nobody_needs_it(w: &World) -> Result<()> {
    let others = w.ok("hub", None, &["get", "dap", "-A", "-o", "name"]).await?;
    ensure!(others.is_empty(), "there are others: {others}");
    let strangers = eventually(ENDED, "what was watched for others ends", || async {
        // Whoever looks after garbage in the hub watches these as well, and no placement is of them.
        let all = watches(w, &HUB).await?;
        ensure!(all <= 1.0, "{all}");
        Ok(all)
    })
    .await?;
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "watched", "namespace": NS},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"name": "nobody"}}}});
    w.put(&budget).await?;
    let select = json!({"select": {"refs": [{"kind": "PodDisruptionBudget", "name": "watched"}]}});
    w.put(&placement("watched", "none", select)).await?;
    for centre in METRO {
        eventually(PATIENCE, &format!("it is in {centre}"), || async {
            ensure!(w.is_there(centre, &["pdb", "watched"]).await?, "it is not");
            Ok(())
        })
        .await?;
    }
    let (hub, centres) = (watches(w, &HUB).await?, watches(w, &METRO).await?);
    println!("{strangers} watches in the hub before, {hub} with one placement");
    // The operator and the agents of both centres.
    ensure!(hub >= strangers + 3.0, "{hub} watches in the hub, {strangers} before");
    w.delete(&["dap", "watched"]).await?;
    eventually(ENDED, "nobody watches the kind any more", || async {
        let (now, there) = (watches(w, &HUB).await?, watches(w, &METRO).await?);
        ensure!(now <= strangers, "{now} in the hub, {strangers} before");
        ensure!(there <= centres - 2.0, "{there} in the centres, {centres} before");
        Ok(())
    })
    .await?;
    w.delete(&["pdb", "watched"]).await
}
