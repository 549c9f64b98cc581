//! Copies that follow the room: divided by what is free of the tenant's grants in each centre.

use std::pin::pin;

use anyhow::{Context as _, Result, ensure};
use crds::DualActivePlacement;
use futures::StreamExt as _;
use kube::Api;
use kube::api::{WatchEvent, WatchParams};
use serde_json::json;

use crate::stage::{LI, NS, deployment, placement};
use crate::world::{METRO, World, small_request};

const NAME: &str = "free";
/// The server ends the watch after so many seconds.
const LONGEST: u32 = 290;

/// Does something to the room or to the template and waits for those copies. No version of the placement that was stored
/// meanwhile lets fewer copies run, of those that were said to be ready, than `total`.
async fn follows(w: &World, change: impl Future<Output = Result<()>>, total: i64, copies: [i64; 2]) -> Result<()> {
    let api: Api<DualActivePlacement> = Api::namespaced(w.cloud.client("hub", None).await?, NS);
    let version = async || anyhow::Ok(api.get_metadata(NAME).await?.metadata.resource_version);
    let before = version().await?.context("a version")?;
    let only = WatchParams::default()
        .fields(&format!("metadata.name={NAME}"))
        .timeout(LONGEST);
    let mut stored = pin!(api.watch(&only, &before).await?);
    change.await?;
    w.copies(NAME, NAME, copies).await?;
    let last = version().await?;
    ensure!(last.as_ref() != Some(&before), "nothing was decided");
    while let Some(event) = stored.next().await {
        let (WatchEvent::Added(found) | WatchEvent::Modified(found)) = event? else {
            continue;
        };
        let serving = serving(&found).context("no assignment")?;
        ensure!(serving >= total, "{serving} of {total}: {:?}", found.status);
        if found.metadata.resource_version == last {
            return Ok(());
        }
    }
    anyhow::bail!("the watch ended before version {last:?}")
}

/// Copies that are ready as far as the centres said, without those that the assignment lets go.
fn serving(placement: &DualActivePlacement) -> Option<i64> {
    let centres = placement.assignment()?.centres.iter();
    let of = |centre: &crds::CentreAssignment| {
        let ready = placement.rows().iter().find(|row| row.name == centre.name);
        let assigned: i64 = centre.copies.iter().map(|w| w.copies).sum();
        ready.map_or(0, |row| row.ready).min(assigned)
    };
    Some(centres.map(of).sum())
}

/// 32 vCPU in each centre, and 16 more in jiyidong alone; then another placement takes 32 of those 48.
pub(crate) async fn split_by_free_capacity(w: &World) -> Result<()> {
    let mut request = small_request(NS, "one-sided", 16);
    request["spec"]["survival"] = json!("None");
    request["spec"]["centre"] = json!("jiyidong");
    w.apply("hub", LI, &request).await?;
    w.request_reason(NS, "one-sided", "Active").await?;
    let template = async |copies: i64| w.put(&deployment(NAME, NAME, copies)).await;
    template(10).await?;
    w.put(&placement(NAME, NAME, json!({"split": "Free"}))).await?;
    w.copies(NAME, NAME, [4, 6]).await?;
    let beside = async {
        w.put(&deployment("beside", "beside", 32)).await?;
        let there = json!({"centres": [{"name": "jiyidong"}]});
        w.put(&placement("beside", "beside", there)).await
    };
    follows(w, beside, 10, [7, 3]).await?;
    follows(w, template(16), 10, [11, 5]).await?;
    follows(w, w.delete(&["dap", "beside"]), 16, [6, 10]).await?;
    follows(w, template(5), 5, [2, 3]).await?;
    w.delete(&["dap", NAME]).await?;
    w.delete(&["deploy/beside", &format!("deploy/{NAME}")]).await?;
    for centre in METRO {
        w.is_gone(centre, &["deploy", NAME]).await?;
    }
    let release = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "one-sided-release", "namespace": NS},
        "spec": {"displayName": "释放", "type": "Release", "allocationRef": {"name": "one-sided"}}});
    w.apply("hub", LI, &release).await?;
    w.request_reason(NS, "one-sided", "Released").await.map(drop)
}
