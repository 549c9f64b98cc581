//! A hub that nobody reaches.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::json;
use tests::prometheus;

use crate::calm::{CALM, SHOP, Undisturbed};
use crate::ground::{LONG, real};
use crate::stage::{LI, NS};
use crate::world::{CORRECTED, METRO, World};

/// Hangs, for everybody in the centre of the exclusive writer.
const HANGS: &str = "hub-apiserver@jishi";
/// Refuse.
const DEAD: [&str; 2] = ["hub-apiserver@jiyidong", "hub-apiserver@baicheng"];
/// Three minutes, and what Prometheus needs to see them.
const MINUTES: Duration = Duration::from_secs(300);
/// Milliseconds between two records. A right that ran out would be missed for longer: its pod is stopped and started anew.
const PAUSE: u64 = 5000;

/// The longest time without a record of the exclusive writer after its first `skip` ones, in milliseconds.
fn pause(w: &World, skip: usize) -> Result<u64> {
    let scope = format!("{NS}/{CALM}");
    let (_, landed) = playground::read_writes(&w.cloud.writes())?;
    let own = landed.iter().filter(|record| record.write.scope == scope);
    let mut at: Vec<u64> = own.map(|record| record.landed).collect();
    at.sort_unstable();
    let pauses = at.iter().skip(skip).zip(at.iter().skip(skip + 1));
    pauses.map(|(one, next)| next - one).max().context("no records")
}

/// Uid of every quota in both centres: nothing may be made anew.
async fn quota_uids(w: &World) -> Result<Vec<String>> {
    let list = ["get", "resourcequota", "-A", "-o", "jsonpath={.items[*].metadata.uid}"];
    let mut all = Vec::new();
    for centre in METRO {
        all.push(w.ok(centre, None, &list).await?);
    }
    Ok(all)
}

async fn quota_edit_is_corrected(w: &World, centre: &str) -> Result<()> {
    let hard = w.quota(centre, NS).await?["requests.cpu"].clone();
    let hard = hard.as_str().context("a quota")?;
    let edit = json!({"spec": {"hard": {"requests.cpu": "1"}}});
    w.patch(centre, None, &["resourcequota", "xiangyun"], &edit).await?;
    w.quota_is(centre, NS, "requests.cpu", hard, CORRECTED).await
}

/// No server of the hub answers for three minutes: three times the age at which a report is stale, and longer than the 100 s
/// after which a connection without a word counts as dead. The beats need the store alone, so the exclusive writer goes on;
/// nothing is deleted or scaled, an edit of a quota is put right, and afterwards a change of a template is followed as before.
pub(crate) async fn a_silent_hub_takes_nothing_away(w: &World) -> Result<()> {
    let before = Undisturbed::now(w).await?;
    let quotas = quota_uids(w).await?;
    let landed = w.landed(CALM)?;
    w.cloud.freeze(HANGS).await?;
    for server in DEAD {
        w.cloud.kill(server).await?;
    }
    prometheus::was_down(&w.cloud, r#"job="hub-apiserver""#, "3m", MINUTES).await?;
    w.goes_on(CALM, 20).await?;
    let (more, pause) = (w.landed(CALM)? - landed, pause(w, landed)?);
    println!("silent hub: {more} records meanwhile, at most {pause} ms apart");
    ensure!(pause < PAUSE, "{pause} ms without a record");
    for centre in METRO {
        quota_edit_is_corrected(w, centre).await?;
    }
    w.cloud.heal(None).await?;
    for name in [CALM, SHOP] {
        w.placement_reason(name, "Running").await?;
    }
    before.still(w).await?;
    // A server that has just started refuses templates until its policies know what they compare with.
    let more = w.file(&real(SHOP, "http", 6))?;
    eventually(LONG, "the hub takes a template", || async {
        w.ok("hub", LI, &["apply", "-f", &more]).await.map(drop)
    })
    .await?;
    // Whoever was refused for minutes asks again every ten seconds.
    for centre in METRO {
        w.field(centre, &["deploy", SHOP], "/spec/replicas", &json!(3), LONG)
            .await?;
    }
    w.copies(SHOP, SHOP, [3, 3]).await?;
    ensure!(quota_uids(w).await? == quotas, "a quota was made anew");
    w.armed(CALM, "Armed").await?;
    let placement = w.get("hub", &["dap", CALM, "-n", NS]).await?;
    ensure!(
        placement["status"]["active"] == json!(["jishi"]),
        "{}",
        placement["status"]
    );
    w.nobody_wrote_twice()
}
