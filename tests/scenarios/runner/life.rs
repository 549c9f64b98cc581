//! Pods are processes, and theirs is the life of pods under a kubelet.

use std::pin::pin;

use anyhow::{Context as _, Result, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{DeleteParams, WatchEvent, WatchParams};
use playground::{Condition, Place, eventually};
use tokio::time::timeout;

use crate::ground::{NODE, NS, SOON, World, address, name, process};

pub(crate) async fn a_pod_answers_from_another_place(w: &World) -> Result<()> {
    w.deploy("web", "http", false).await?;
    w.deploy("writer", "writer", false).await?;
    let pod = w.ready("web").await?;
    let said = w.get(Place::Jiyidong, address(&pod)?, "/")?;
    ensure!(said == format!("jishi {} 1.3\n", name(&pod)?), "{said}");
    // The same through what stands before the pods of the place, which knows no others.
    let ingress = w.cloud.ingress(Place::Jishi)?;
    let ingress = ingress.trim_start_matches("http://").parse()?;
    ensure!(w.get(Place::Jiyidong, ingress, &format!("/{NS}/web"))? == said);
    ensure!(w.get(Place::Jiyidong, ingress, &format!("/{NS}/other")).is_err());
    w.lands("writer", 20).await
}

pub(crate) async fn a_deleted_pod_ends_before_it_is_gone(w: &World) -> Result<()> {
    let pod = w.ready("writer").await?;
    let (name, process) = (name(&pod)?, process(&pod)?);
    ensure!(w.cloud.pid(&process).is_some(), "{process} does not run");
    let since = pod.metadata.resource_version.clone().context("a version")?;
    let params = WatchParams::default().fields(&format!("metadata.name={name}"));
    let mut events = pin!(w.pods().watch(&params, &since).await?);
    w.pods().delete(name, &DeleteParams::default()).await?;
    let mut ended = false;
    while let Some(event) = timeout(SOON, events.try_next()).await?? {
        match event {
            WatchEvent::Modified(pod) => {
                let statuses = pod.status.and_then(|status| status.container_statuses);
                let state = statuses.and_then(|all| all.into_iter().next()?.state);
                if let Some(end) = state.and_then(|state| state.terminated) {
                    ended = true;
                    ensure!(end.exit_code == 0, "it was asked to end: {end:?}");
                    ensure!(w.cloud.pid(&process).is_none(), "{process} still runs");
                }
            }
            WatchEvent::Deleted(_) => {
                ensure!(ended, "it was gone before its container was known to have ended");
                w.ready("writer").await?;
                return w.lands("writer", 20).await;
            }
            other => bail!("{other:?}"),
        }
    }
    bail!("the watch ended")
}

pub(crate) async fn pods_go_on_without_their_api_server(w: &World) -> Result<()> {
    let pod = w.ready("web").await?;
    w.cloud.freeze("apiserver@jishi").await?;
    for _ in 0..20 {
        w.get(Place::Jiyidong, address(&pod)?, "/")?;
    }
    w.lands("writer", 60).await?;
    w.cloud.heal(Some(Place::Jishi)).await?;
    let again = w.ready("web").await?;
    ensure!(again.metadata.uid == pod.metadata.uid, "it is another pod");
    Ok(())
}

pub(crate) async fn pods_outlive_their_kubelet(w: &World) -> Result<()> {
    let pod = w.ready("writer").await?;
    let process = process(&pod)?;
    let pid = w.cloud.pid(&process);
    w.cloud.kill("runner@jishi").await?;
    w.pods().delete(name(&pod)?, &DeleteParams::default()).await?;
    w.lands("writer", 40).await?;
    ensure!(w.cloud.pid(&process) == pid, "nobody may end it");
    w.cloud.heal(Some(Place::Jishi)).await?;
    eventually(SOON, "the deleted pod ends", || async {
        ensure!(w.cloud.pid(&process).is_none(), "{process} runs");
        Ok(())
    })
    .await?;
    w.ready("writer").await.map(drop)
}

pub(crate) async fn a_frozen_place_freezes_its_pods(w: &World) -> Result<()> {
    let (pod, web) = (w.ready("writer").await?, w.ready("web").await?);
    let processes = w.cloud.processes(Place::Jishi)?;
    let own = process(&pod)?;
    ensure!(processes.contains(&own) && processes.contains(&format!("gate-{NODE}@jishi")));
    let all = futures::stream::iter(&processes);
    all.map(Ok).try_for_each(|process| w.cloud.freeze(process)).await?;
    ensure!(w.cloud.condition(&own)? == Condition::Frozen);
    // What was sent before it froze may land while this one is waited for.
    ensure!(w.get(Place::Jiyidong, address(&web)?, "/").is_err(), "it answers");
    let frozen = w.landed("writer")?;
    ensure!(w.get(Place::Jiyidong, address(&web)?, "/").is_err(), "it answers");
    ensure!(w.landed("writer")? == frozen, "it writes");
    w.cloud.heal(Some(Place::Jishi)).await?;
    w.lands("writer", 20).await
}
