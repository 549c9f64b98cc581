//! Many that wait, and what happens beside them.

use anyhow::{Context as _, Result, ensure};
use crds::request_reason as reason;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{Client, Config};
use playground::eventually;

use crate::life::asks;
use crate::world::{FIFTY, FIVE, PATIENCE, World};

const MANY: usize = 500;
/// Creations in flight.
const IN_FLIGHT: usize = 32;
const PREFIX: &str = "unfit";

/// Each is told once that it waits. Three grants beside them, one of them from the pool that they wait for, are passes over
/// all of them, and write to none.
pub(crate) async fn five_hundred_unfit_and_no_churn(w: &World) -> Result<()> {
    w.ask_for(FIVE, "fits", 1).await?;
    w.granted("fits", 1, 0).await?;
    let names: Vec<String> = (0..MANY).map(|n| format!("{PREFIX}-{n:03}")).collect();
    // All that the pool has; a fifth of it is taken.
    let created = names.iter().map(|name| w.create(name, asks("New", 20)));
    stream::iter(created)
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<()>()
        .await?;
    w.until("all of them wait", |judge| {
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
    for (number, pool) in [FIFTY, FIVE, FIFTY].into_iter().enumerate() {
        let (before, prefix) = (passes(w).await?, format!("beside-{number}"));
        w.ask_for(pool, &prefix, 1).await?;
        w.granted(&prefix, 1, 0).await?;
        eventually(PATIENCE, "a pass over all of them", || async {
            let now = passes(w).await?;
            ensure!(now > before, "{now} passes");
            Ok(())
        })
        .await?;
    }
    let written = statuses(w)?;
    ensure!(written == MANY, "{written} statuses of {MANY} requests were written");
    w.delete(&names).await?;
    w.clear("beside").await?;
    w.clear("fits").await
}

/// How often a status of one of them was written, by the hub's audit log.
fn statuses(w: &World) -> Result<usize> {
    let name = format!("\"name\":\"{PREFIX}-");
    let (kind, done) = ("\"resource\":\"resourcerequests\"", "\"code\":200");
    w.audited(&[kind, "\"subresource\":\"status\"", done, &name])
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
