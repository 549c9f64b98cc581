//! A centre's API server that is away, slow, or silent. The other centre goes on, and nothing is lost.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use playground::{Cut, Fault, Place};
use serde_json::json;

use crate::ground::Ground;
use crate::stage::{LI, NS};
use crate::witness::{Witness, agent};
use crate::world::{PATIENCE, World};

/// Between the programs in jishi and the server beside them; the tests themselves reach it from outside.
fn beside() -> Cut {
    Cut {
        port: Some(6443),
        ..Cut::pair(Place::Jishi, Place::Jishi)
    }
}

pub(crate) async fn centre_down_and_back(w: &World) -> Result<()> {
    let ground = Ground::lay(w, "down").await?;
    let templates: Api<Deployment> = Api::namespaced(w.cloud.client("hub", LI).await?, NS);
    templates.get(ground.name).await?;
    w.cloud.kill("apiserver@jishi").await?;
    // Its agents lead for two and a half seconds more, perhaps, and later say nothing of what they cannot write: kubectl
    // would take much of that.
    let more = Patch::Merge(json!({"spec": {"replicas": 6}}));
    templates.patch(ground.name, &PatchParams::default(), &more).await?;
    w.field("jiyidong", &ground.what(), "/spec/replicas", &json!(3), PATIENCE)
        .await?;
    w.placement_reason("down", "ApplyFailed").await?;
    w.cloud.start_process("apiserver@jishi").await?;
    ground.copies([3, 3]).await?;
    ground.clear().await
}

/// Half a second a call, at least: a quarter there and a quarter back.
pub(crate) async fn centre_slow(w: &World) -> Result<()> {
    let ground = Ground::lay(w, "slow").await?;
    w.cloud
        .fault(Fault::Delay(Duration::from_millis(250)), beside())
        .await?;
    let begin = Instant::now();
    ground.template(6).await?;
    ground.copies([3, 3]).await?;
    println!(
        "both centres after {:.1} s, one of them slow",
        begin.elapsed().as_secs_f32()
    );
    // An edit by hand is put right, slowly.
    let edit = json!({"spec": {"replicas": 0}});
    w.patch("jishi", None, &ground.what(), &edit).await?;
    w.field("jishi", &ground.what(), "/spec/replicas", &json!(3), PATIENCE)
        .await?;
    w.cloud.heal(Some(Place::Jishi)).await?;
    ground.copies([3, 3]).await?;
    let [slow, _] = ground.changes()?;
    ensure!(slow <= 4, "two changes took {slow} writes");
    ground.clear().await
}

/// Connections are accepted and never answered, for long enough that the agents give up their lease. Not for longer than
/// nodes may be silent: the simulated kubelets are in there too, and do not make pods ready again that were given up.
pub(crate) async fn centre_black_holed(w: &World) -> Result<()> {
    let ground = Ground::lay(w, "hole").await?;
    w.cloud.fault(Fault::Blackhole, beside()).await?;
    ground.template(6).await?;
    w.field("jiyidong", &ground.what(), "/spec/replicas", &json!(3), PATIENCE)
        .await?;
    w.placement_reason("hole", "Applying").await?;
    let said = w.message("hole").await?;
    ensure!(said.contains("jishi has not carried out decision 2"), "{said}");
    let [jishi, jiyidong] = [Witness::of(w, "jishi")?, Witness::of(w, "jiyidong")?];
    // Longer than a lease. Retransmissions are further and further apart: what is silent for 25 s may be heard again
    // after 50, when nodes are given up.
    jiyidong.renewed(&agent("jiyidong"), 6).await?;
    ensure!(jishi.renewals(&agent("jishi"))? == 0, "the agents were not cut off");
    w.cloud.heal(Some(Place::Jishi)).await?;
    ground.copies([3, 3]).await?;
    ground.clear().await
}
