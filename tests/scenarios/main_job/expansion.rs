//! A phase of expansion: nothing before its acceptance, then everything in one swap, and nothing twice.

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::{Value, json};
use tests::prometheus;

use crate::ledger::is_quiet;
use crate::world::{METRO, PATIENCE, World, condition, small_request};

const NS: &str = "dept-jyt";

/// A phase that adds `cpu` to the pool `grow` in both centres, with the plan of the province as its target.
fn phase(stage: &str, cpu: i64) -> Value {
    let row = |centre: &str| json!({"pool": "grow", "centre": centre, "amounts": {"cpu": cpu.to_string()}});
    json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ExpansionPhase", "metadata": {"name": "growth"},
        "spec": {"displayName": "二期扩容", "number": 2, "stage": stage, "delivers": METRO.map(row),
            "target": {"cpu": "100000", "memory": "400T", "storage": "15P"},
            "acceptance": {"reportNo": "YS-2026-002", "date": "2026-11-25", "by": "zhao.min"}}})
}

fn asking(name: &str, cpu: i64) -> Value {
    let mut request = small_request(NS, name, cpu);
    request["spec"]["resources"] = Value::Null;
    request["spec"]["pools"] = json!([{"name": "grow", "amounts": {"cpu": cpu.to_string(), "memory": "1Gi"}}]);
    request
}

/// Committable vCPU of the pool in both centres, as a ledger has it.
fn committable(ledger: &Value) -> Vec<Value> {
    let pools = ledger["spec"]["pools"].as_array().into_iter().flatten();
    let centres = pools
        .filter(|p| p["name"] == "grow")
        .filter_map(|p| p["centres"].as_array());
    centres.flatten().map(|c| c["committable"]["cpu"].clone()).collect()
}

/// Every ledger that was stored after that version.
async fn ledgers_since(w: &World, version: &str) -> Result<Vec<Value>> {
    let path = format!(
        "/apis/xiangyun.io/v1alpha1/quotaledgers?watch=1&timeoutSeconds=2&allowWatchBookmarks=false&resourceVersion={version}"
    );
    let text = w.ok("hub", None, &["get", "--raw", &path]).await?;
    let objects = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    objects.map(|event| Ok(event?["object"].clone())).collect()
}

pub(crate) async fn nothing_moves_before_acceptance(w: &World) -> Result<()> {
    let centre = |name: &str| json!({"name": name, "source": "Declared", "amounts": {"cpu": "100", "memory": "400Gi"}});
    let pool = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "QuotaPool", "metadata": {"name": "grow"},
        "spec": {"displayName": "扩容池", "architecture": "amd64", "zone": "Dedicated", "separateNamespace": true, "centres": METRO.map(centre)}});
    w.apply("hub", Some("zhao.min"), &pool).await?;
    for tenant in ["jilin", NS] {
        let ceiling = json!([{"op": "add", "path": "/spec/ceilings/-",
            "value": {"pool": "grow", "amounts": {"cpu": "1000", "memory": "1Ti"}}}]);
        let args = ["patch", "dept", tenant, "--type=json", "-p", &ceiling.to_string()];
        w.ok("hub", Some("zhao.min"), &args).await?;
    }
    for (name, cpu, reason) in [("fits", 80, "Active"), ("waits", 90, "WaitingForQuota")] {
        w.apply("hub", Some("wu.gang"), &asking(name, cpu)).await?;
        w.request_reason(NS, name, reason).await?;
    }
    w.apply("hub", Some("zhao.min"), &phase("Delivered", 100)).await?;
    eventually(PATIENCE, "the phase says whom it unblocks", || async {
        let phase = w.get("hub", &["phase", "growth"]).await?;
        let status = &phase["status"];
        ensure!(status["unblocks"] == 1, "it says {}", status["unblocks"]);
        ensure!(
            status["progress"]["cpu"] == "0/100000",
            "it says {}",
            status["progress"]
        );
        Ok(())
    })
    .await?;
    w.ready_reason(&["phase", "growth"], "AwaitingAcceptance").await?;
    simulated(w).await?;
    ensure!(committable(&is_quiet(w).await?) == ["100", "100"]);
    w.request_reason(NS, "waits", "WaitingForQuota").await.map(drop)
}

/// Whoever reads all requests sees who would start, and what a request takes that another may write.
async fn simulated(w: &World) -> Result<()> {
    let found = simulate(w, &phase("Planned", 100)).await?;
    let names = found[0]["starts"].as_array().context("starts")?.iter();
    ensure!(names.map(|s| &s["name"]).collect::<Vec<_>>() == ["waits"], "{found}");
    let coming = simulate(w, &asking("comes", 50)).await?;
    ensure!(
        coming[0]["accepted"].is_null() && coming[0]["fits"] == false,
        "{coming}"
    );
    ensure!(coming[0]["reason"] == "WaitingForQuota", "{coming}");
    Ok(())
}

async fn simulate(w: &World, what: &Value) -> Result<Value> {
    let file = w.file(what)?;
    let output = w.plugin("zhao.min", &["simulate", "-f", &file, "-o", "json"]).await?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "simulate: {error}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

pub(crate) async fn capacity_moves_once_at_acceptance(w: &World) -> Result<()> {
    let before = is_quiet(w).await?;
    let version = before["metadata"]["resourceVersion"].as_str().context("a version")?;
    w.apply("hub", Some("zhao.min"), &phase("Accepted", 100)).await?;
    w.request_reason(NS, "waits", "Active").await?;
    w.ready_reason(&["phase", "growth"], "Counted").await?;
    let stored = ledgers_since(w, version).await?;
    let mut after = stored
        .iter()
        .skip_while(|l| committable(l) == ["100", "100"])
        .peekable();
    ensure!(after.peek().is_some(), "no swap moved capacity");
    // The grant comes with that swap, or with one that follows where the request was not looked at before it.
    let mut granted = None;
    for ledger in after {
        ensure!(committable(ledger) == ["200", "200"], "{}", ledger["spec"]["pools"]);
        let mut records = ledger["spec"]["records"].as_array().context("records")?.iter();
        granted = granted.or_else(|| records.find(|r| r["name"] == "waits"));
    }
    let granted = granted.context("no swap after the acceptance opened the grant")?;
    ensure!(
        granted["phase"] == "growth",
        "the grant does not say what made room: {granted}"
    );
    eventually(PATIENCE, "the request says why it starts", || async {
        let events = w.get("hub", &["events", "-n", NS]).await?;
        let items = events["items"].as_array().context("events")?;
        let told: Vec<_> = items.iter().filter(|e| e["reason"] == "CapacityAdded").collect();
        ensure!(
            told.len() == 1 && told[0]["involvedObject"]["name"] == "waits",
            "{told:?}"
        );
        Ok(())
    })
    .await?;
    again_is_no_change(w).await
}

async fn again_is_no_change(w: &World) -> Result<()> {
    let ledger = is_quiet(w).await?;
    let file = w.file(&phase("Accepted", 100))?;
    let said = w.ok("hub", Some("zhao.min"), &["apply", "-f", &file]).await?;
    ensure!(said.contains("unchanged"), "{said}");
    let version = ledger["metadata"]["resourceVersion"].as_str().context("a version")?;
    let stored = ledgers_since(w, version).await?;
    ensure!(stored.is_empty(), "{} swaps after nothing changed", stored.len());
    Ok(())
}

pub(crate) async fn what_is_committed_stays(w: &World) -> Result<()> {
    let committed = |least: &'static str| async move {
        eventually(PATIENCE, &format!("{least} of the phase are committed"), || async {
            let phase = w.get("hub", &["phase", "growth"]).await?;
            let row = &phase["status"]["rows"][0]["committed"]["cpu"];
            let seen = phase["status"]["observedGeneration"] == phase["metadata"]["generation"];
            ensure!(seen && *row == least, "it is {row}");
            Ok(())
        })
        .await
    };
    // 170 are charged in each centre, 100 were there before.
    committed("70").await?;
    let less = w.file(&phase("Accepted", 50))?;
    let needle = "70 is committed, 50 would be left (BelowCommitted)";
    w.refused("hub", Some("zhao.min"), &["apply", "-f", &less], needle)
        .await?;
    let back = w.file(&phase("Delivered", 100))?;
    let needle = "70 is committed, 0 would be left (BelowCommitted)";
    w.refused("hub", Some("zhao.min"), &["apply", "-f", &back], needle)
        .await?;
    w.refused("hub", Some("zhao.min"), &["delete", "phase", "growth"], needle)
        .await?;
    // Down to what is committed it may go.
    w.apply("hub", Some("zhao.min"), &phase("Accepted", 70)).await?;
    committed("70").await?;
    // A pass that had begun before the phase changed writes the new status, and only the next one swaps the ledger.
    eventually(PATIENCE, "the ledger follows", || async {
        let found = committable(&is_quiet(w).await?);
        ensure!(found == ["170", "170"], "{found:?}");
        Ok(())
    })
    .await?;
    let query = r#"max(xiangyun_plan_accepted{resource="cpu"})"#;
    eventually(PATIENCE, "the metric says what kubectl says", || async {
        let value = prometheus::value(&w.cloud.prometheus()?, query).await?;
        let phase = w.get("hub", &["phase", "growth"]).await?;
        let said = &phase["status"]["progress"]["cpu"];
        ensure!(value == Some(140.0) && *said == "140/100000", "{value:?}, {said}");
        Ok(())
    })
    .await
}

pub(crate) async fn nodes_of_a_phase_wait_for_it(w: &World) -> Result<()> {
    let gross = |expected: Value| async move {
        eventually(PATIENCE, &format!("arm in jishi has {expected}"), || async {
            let pool = w.get("hub", &["qpool", "arm"]).await?;
            let found = &pool["status"]["centres"][0]["gross"]["cpu"];
            ensure!(*found == expected, "it has {found}");
            Ok(pool)
        })
        .await
    };
    let pool = w.get("hub", &["qpool", "arm"]).await?;
    let whole = pool["status"]["centres"][0]["gross"]["cpu"].clone();
    let all: i64 = whole.as_str().context("gross")?.parse()?;
    let label = async |value: &str| w.ok("jishi", None, &["label", "node", "arm-001", value]).await;
    label("xiangyun.io/phase=late-nodes").await?;
    let pool = gross(json!((all - 128).to_string())).await?;
    let waits = condition(&pool, "AwaitingAcceptance").context("the condition")?;
    ensure!(waits["reason"] == "PhaseNotAccepted", "{waits}");
    let mut late = phase("Accepted", 0);
    late["metadata"]["name"] = json!("late-nodes");
    late["spec"]["target"] = Value::Null;
    late["spec"]["delivers"] = json!([{"pool": "arm", "centre": "jishi", "amounts": {"cpu": "128", "memory": "540G"}}]);
    w.apply("hub", Some("zhao.min"), &late).await?;
    gross(whole.clone()).await?;
    w.ready_reason(&["phase", "late-nodes"], "Counted").await?;
    label("xiangyun.io/phase-").await?;
    w.ready_reason(&["phase", "late-nodes"], "NodesShort").await?;
    w.ok("hub", Some("zhao.min"), &["delete", "phase", "late-nodes"])
        .await?;
    gross(whole).await.map(drop)
}
