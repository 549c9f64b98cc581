//! Cards and vCPU in one request where the cards are gone: all or nothing, and nobody else is stopped.

use anyhow::{Context as _, Result, bail, ensure};
use crds::Resources;
use serde_json::{Value, json};

use crate::ledger::charged;
use crate::life::released;
use crate::quoted::quoted;
use crate::world::{World, condition, small_request};

const NS: &str = "dept-jyt";
const REQUESTER: &str = "wu.gang";

fn asking(name: &str, cards: i64, cpu: i64) -> Value {
    let mut request = small_request(NS, name, cpu);
    if cpu == 0 {
        request["spec"]["resources"] = json!({});
    }
    request["spec"]["resources"]["accelerators"] = json!([{"use": "Training", "count": cards}]);
    request
}

/// Every card that there is to train with.
async fn all_cards(w: &World) -> Result<i64> {
    let limits = w.get("hub", &["admissionlimits", "province"]).await?;
    let rows = limits["spec"]["pools"].as_array().context("rows")?;
    let row = rows.iter().find(|r| r["name"] == "gpu-training").context("the pool")?;
    row["whole"]["accelerators"].as_i64().context("cards")
}

/// What it waits for stands in the quote before, word for word.
pub(crate) async fn stuck_cards_stop_no_cpu(w: &World) -> Result<()> {
    w.apply("hub", Some(REQUESTER), &asking("all-cards", all_cards(w).await?, 0))
        .await?;
    w.decide("zhang.wei", NS, "all-cards", 1).await?;
    w.request_reason(NS, "all-cards", "Active").await?;
    let before = charged(w, "x86").await?;
    let mixed = asking("mixed", 2, 16);
    let quote = quoted(w, REQUESTER, &mixed).await?;
    w.apply("hub", Some(REQUESTER), &mixed).await?;
    w.decide("zhang.wei", NS, "mixed", 1).await?;
    let waits = w.request_reason(NS, "mixed", "WaitingForQuota").await?;
    let ready = condition(&waits, "Ready").context("Ready")?;
    ensure!(
        quote["fits"] == false && quote["reason"] == ready["reason"] && quote["message"] == ready["message"],
        "the quote said {quote}, the operator {ready}"
    );
    let said = ready["message"].as_str().unwrap_or_default();
    // Their memory is short as well, and nobody asked for it.
    ensure!(said.starts_with("gpu-training: asked 2 accelerators in"), "{said}");
    ensure!(
        waits["status"]["allocation"].is_null(),
        "{}",
        waits["status"]["allocation"]
    );
    ensure!(charged(w, "x86").await? == before, "a part of it is charged");
    w.apply("hub", Some(REQUESTER), &small_request(NS, "cpu-only", 4))
        .await?;
    w.request_reason(NS, "cpu-only", "Active").await?;
    let more = charged(w, "x86").await?;
    let alone = more
        .iter()
        .zip(&before)
        .all(|(more, before)| more.cpu == before.cpu + 4000);
    ensure!(alone, "from {before:?} to {more:?}");
    w.request_reason(NS, "mixed", "WaitingForQuota").await.map(drop)
}

/// In one allocation, of one record.
pub(crate) async fn both_parts_come_at_once(w: &World) -> Result<()> {
    released(w, REQUESTER, NS, "all-cards").await?;
    let granted = w.request_reason(NS, "mixed", "Active").await?;
    let status = &granted["status"];
    let history = status["history"].as_array().context("a history")?;
    let [only] = history.as_slice() else {
        bail!("it came in {} parts: {history:?}", history.len())
    };
    for pools in [&status["allocation"]["pools"], &only["pools"]] {
        let pools = pools.as_array().context("pools")?;
        let name = |p: &Value| p.get("name").or_else(|| p.get("pool")).cloned();
        let names: Vec<Value> = pools.iter().filter_map(name).collect();
        ensure!(names == ["gpu-training", "x86"], "{names:?}");
    }
    for name in ["mixed", "cpu-only"] {
        released(w, REQUESTER, NS, name).await?;
    }
    let found = charged(w, "gpu-training").await?;
    ensure!(found == [Resources::ZERO; 2], "{found:?}");
    Ok(())
}
