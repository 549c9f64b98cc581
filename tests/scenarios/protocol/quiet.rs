//! Many that wait, and what happens beside them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crds::request_reason as reason;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Client, Config, ResourceExt as _};
use playground::eventually;
use serde_json::json;

use crate::judge::Judge;
use crate::life::asks;
use crate::tree::{adopted, remove, tenant};
use crate::world::{FIFTY, FIVE, PATIENCE, TENANT, World};

/// Ten thousand of them would take the servers of a small machine five minutes to take in and to let go; the benchmark
/// `quota-idle` has so many.
const MANY: usize = 1000;
/// Creations in flight.
const IN_FLIGHT: usize = 32;
const PREFIX: &str = "unfit";
/// Whose they are: a namespace of their own, so that one call deletes them all.
const CROWD: &str = "crowd";
/// For what is done to all of them.
const LONG: Duration = Duration::from_secs(300);

/// Each is told once that it waits. After that nothing is written to any of them: not for a label, not for one more that waits
/// behind them, which does not move the ledger either, and not for grants and a release beside them, one of them from the
/// pool that they wait for.
pub(crate) async fn thousand_unfit_and_no_churn(w: &World) -> Result<()> {
    w.ask_for(FIVE, "fits", 1).await?;
    w.granted("fits", 1, 0).await?;
    tenant(w, CROWD, "jilin", [20, 0, 0]).await?;
    adopted(w, CROWD, "Adopted").await?;
    crowd(w).await?;
    let before = versions(w).await?;
    ensure!(before.len() == MANY, "{} are there", before.len());
    one_event(w).await?;
    for (number, pool) in [FIFTY, FIVE, FIFTY].into_iter().enumerate() {
        let (seen, prefix) = (passes(w).await?, format!("beside-{number}"));
        w.ask_for(pool, &prefix, 1).await?;
        w.granted(&prefix, 1, 0).await?;
        one_more_pass(w, seen).await?;
    }
    let seen = passes(w).await?;
    w.release("beside-0").await?;
    one_more_pass(w, seen).await?;
    ensure!(versions(w).await? == before, "one of those that wait was written to");
    let written = statuses(w)?;
    ensure!(written == MANY, "{written} statuses of {MANY} requests were written");
    leave(w).await
}

/// All that the pool has is asked for, again and again; a fifth of it is taken.
async fn crowd(w: &World) -> Result<()> {
    let names: Vec<String> = (0..MANY).map(|n| format!("{PREFIX}-{n:04}")).collect();
    let created = names.iter().map(|name| w.create_in(CROWD, name, asks("New", 20)));
    stream::iter(created)
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<()>()
        .await?;
    w.within(LONG, "all of them wait", |judge| {
        let waiting = judge.because(PREFIX, reason::WAITING_FOR_QUOTA);
        ensure!(waiting == MANY, "{waiting} wait");
        Ok(())
    })
    .await?;
    // The log has a write a little after the store has it.
    eventually(PATIENCE, "each of them was told", || async {
        let told = statuses(w)?;
        ensure!(told >= MANY, "{told} were");
        Ok(())
    })
    .await?;
    w.at_rest().await.map(drop)
}

/// A label, and one more that does not fit: a pass that finds nothing to grant, and no swap.
async fn one_event(w: &World) -> Result<()> {
    let ledger = |judge: &Judge| judge.ledger().map(|(uid, sequence)| (uid.to_owned(), sequence));
    let (before, seen) = (w.ask(ledger)?, passes(w).await?);
    let label = Patch::Merge(json!({"metadata": {"labels": {"beside": "them"}}}));
    w.requests_of(TENANT)
        .patch("fits-00", &PatchParams::default(), &label)
        .await?;
    w.create("late-unfit", asks("New", 20)).await?;
    w.stands("late-unfit", 0, reason::WAITING_FOR_QUOTA).await?;
    one_more_pass(w, seen).await?;
    let after = w.ask(ledger)?;
    ensure!(before == after, "the ledger went from {before:?} to {after:?}");
    w.delete(&["late-unfit".to_owned()]).await
}

/// All at once, by one call; what it left out, because the server had no more time, by the next.
async fn leave(w: &World) -> Result<()> {
    let (crowd, how, which) = (w.requests_of(CROWD), DeleteParams::default(), ListParams::default());
    eventually(LONG, "all of them are deleted", || async {
        crowd.delete_collection(&how, &which).await.map(drop).context("delete")
    })
    .await?;
    w.within(LONG, "all of them are gone", |judge| {
        let left = judge.of(PREFIX).count();
        ensure!(left == 0, "{left} are there");
        Ok(())
    })
    .await?;
    w.clear("beside").await?;
    w.clear("fits").await?;
    remove(w, CROWD, &[], &[]).await
}

/// The version of each of them.
async fn versions(w: &World) -> Result<BTreeMap<String, Option<String>>> {
    let all = w.requests_of(CROWD).list_metadata(&ListParams::default()).await?;
    Ok(all.items.iter().map(|r| (r.name_any(), r.resource_version())).collect())
}

/// How often a status of one of them was written, by the hub's audit log.
fn statuses(w: &World) -> Result<usize> {
    let name = format!("\"name\":\"{PREFIX}-");
    let (kind, done) = ("\"resource\":\"resourcerequests\"", "\"code\":200");
    w.audited(&[kind, "\"subresource\":\"status\"", done, &name])
}

/// Waits until the leader has made more passes over all requests than that.
async fn one_more_pass(w: &World, seen: u64) -> Result<()> {
    eventually(PATIENCE, "a pass over all of them", || async {
        let now = passes(w).await?;
        ensure!(now > seen, "{now} passes");
        Ok(())
    })
    .await
}

/// How many passes the leader made over all requests.
async fn passes(w: &World) -> Result<u64> {
    let (leader, _) = w.leader().await?;
    let url = w.cloud.metrics_url(leader)?;
    let base = url.strip_suffix("/metrics").context("a path")?;
    let client = Client::try_from(Config::new(base.parse()?))?;
    let text = client
        .request_text(http::Request::get("/metrics").body(Vec::new())?)
        .await?;
    let sample = "xiangyun_passes_total{controller=\"admission\",outcome=\"done\"} ";
    let line = text.lines().find_map(|line| line.strip_prefix(sample));
    Ok(line.context("no passes")?.parse()?)
}
