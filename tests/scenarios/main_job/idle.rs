//! Idle grants on real API servers with a real Prometheus: three departments, one that uses what it has, one that does not and
//! keeps it, one that does not. Windows are a minute, because durations are data. Each step leaves the three grants as the
//! next one needs them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crds::{QuotaLedgerSpec, ResourceRequest, Resources};
use playground::{Place, eventually};
use serde_json::{Value, json};

use crate::world::{METRO, World, condition, pod, small_request};

const BUSY: &str = "idle-busy";
const KEEPER: &str = "idle-keeper";
const OTHER: &str = "idle-other";
const ALL: [&str; 3] = [BUSY, KEEPER, OTHER];
const PROMETHEUS: &str = "prometheus@hub";
/// A window, its first samples, and a notice.
const LONG: Duration = Duration::from_secs(240);

async fn request(w: &World, ns: &str) -> Result<Value> {
    w.get("hub", &["rreq", "r", "-n", ns]).await
}

/// Waits until the condition Idle has that status and reason.
async fn idle(w: &World, ns: &str, status: &str, reason: &str) -> Result<Value> {
    eventually(LONG, &format!("{ns} is {status} {reason}"), || async {
        let found = request(w, ns).await?;
        let idle = condition(&found, "Idle").context("no condition Idle")?;
        ensure!(
            idle["status"] == status && idle["reason"] == reason,
            "it says {} {} {}",
            idle["status"],
            idle["reason"],
            idle["message"]
        );
        Ok(found)
    })
    .await
}

fn used(ns: &str, cpu: &str) -> Value {
    let mut pod = pod("used", ns, "1", &Value::Null);
    pod["metadata"]["annotations"] = json!({"kwok.x-k8s.io/usage-cpu": cpu});
    pod
}

/// What is granted and requested, and no centre that says how much is used.
pub(crate) async fn without_a_source_nobody_knows(w: &World) -> Result<()> {
    let policy = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ReclaimPolicy", "metadata": {"name": "minute"},
        "spec": {"displayName": "一分钟", "tenants": ALL, "pools": ["x86"], "window": "60s", "cpuP95Below": "10%",
            "memP95Below": "30%", "exempt": ["DRStandby"], "notify": "15s", "grace": "15s", "action": "Shrink"}});
    w.apply("hub", Some("zhao.min"), &policy).await?;
    for ns in ALL {
        let ceilings = json!([{"pool": "x86", "amounts": {"cpu": "100", "memory": "400Gi"}}]);
        let tenant = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Tenant", "metadata": {"name": ns},
            "spec": {"displayName": ns, "level": "City", "parentRef": "jilin", "ceilings": ceilings,
                "administrators": [{"kind": "User", "name": "li.na"}]}});
        w.apply("hub", Some("zhao.min"), &tenant).await?;
        w.ready_reason(&["dept", ns], "Established").await?;
        w.apply("hub", Some("li.na"), &small_request(ns, "r", 8)).await?;
        w.request_reason(ns, "r", "Active").await?;
        let cpu = if ns == BUSY { "3" } else { "10m" };
        for centre in METRO {
            w.apply(centre, Some("li.na"), &used(ns, cpu)).await?;
        }
    }
    for ns in ALL {
        idle(w, ns, "Unknown", "NoMetrics").await?;
    }
    Ok(())
}

async fn sources(w: &World, there: bool) -> Result<()> {
    for centre in METRO {
        let endpoint = format!("http://{}:9090", w.cloud.address(Place::Hub)?);
        let source = json!([{"name": "cloud", "endpoints": [endpoint], "matchLabels": {"place": centre}}]);
        let sources = if there { source } else { Value::Null };
        let patch = json!({"spec": {"metricSources": sources}}).to_string();
        w.ok(
            "hub",
            Some("zhao.min"),
            &["patch", "dcn", centre, "--type=merge", "-p", &patch],
        )
        .await?;
    }
    Ok(())
}

/// The busy one is not idle; the others are told what shrinks, to what and when.
pub(crate) async fn idle_grants_are_told(w: &World) -> Result<()> {
    sources(w, true).await?;
    let told = idle(w, KEEPER, "True", "Notified").await?;
    let message = condition(&told, "Idle")
        .and_then(|c| c["message"].as_str())
        .unwrap_or_default();
    ensure!(
        message.starts_with("CPU P95 1% of 8") && message.contains("shrinks to 2 vCPU and 8Gi on "),
        "{message}"
    );
    ensure!(
        told["status"]["reclaim"]["day"].is_string(),
        "{}",
        told["status"]["reclaim"]
    );
    let busy = idle(w, BUSY, "False", "InUse").await?;
    println!("busy {}; told: {message}", busy["status"]["utilization"]);
    Ok(())
}

/// `kubectl xiangyun keep` of the owner, while the notice runs.
pub(crate) async fn whoever_keeps_it_stops_the_clock(w: &World) -> Result<()> {
    let args = ["keep", "rreq/r", "-n", KEEPER, "--reason", "年底集中使用"];
    let output = w.plugin("li.na", &args).await?;
    let err = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{err}");
    let kept = idle(w, KEEPER, "True", "Appealed").await?;
    let appeal = &kept["status"]["reclaim"]["appeal"];
    ensure!(
        appeal["by"] == "li.na" && appeal["reason"] == "年底集中使用",
        "{appeal}"
    );
    ensure!(
        kept["status"]["reclaim"]["day"].is_null(),
        "{}",
        kept["status"]["reclaim"]
    );
    Ok(())
}

/// What was announced is taken: quotas, history, ledger.
pub(crate) async fn the_other_one_shrinks_in_both_centres(w: &World) -> Result<()> {
    let shrunk = eventually(LONG, "it shrinks", || async {
        let found = request(w, OTHER).await?;
        let stage = &found["status"]["reclaim"]["stage"];
        ensure!(stage == "Shrunk", "it is {}", found["status"]["reclaim"]);
        Ok(found)
    })
    .await?;
    let history = shrunk["status"]["history"].as_array().context("a history")?;
    ensure!(
        history.len() == 2 && history[1]["pools"][0]["amounts"]["cpu"] == "2",
        "{history:?}"
    );
    for centre in METRO {
        w.quota_is(centre, OTHER, "requests.cpu", "1", LONG).await?;
        w.quota_is(centre, OTHER, "requests.memory", "4Gi", LONG).await?;
        w.quota_is(centre, BUSY, "requests.cpu", "4", LONG).await?;
    }
    // Events wait their turn behind others; the status does not wait for them.
    eventually(LONG, "its events are there", || async {
        let events = w.get("hub", &["events", "-n", OTHER]).await?;
        for reason in ["Notified", "Due", "Shrunk"] {
            let found = events["items"]
                .as_array()
                .is_some_and(|all| all.iter().any(|e| e["reason"] == reason));
            ensure!(found, "no event {reason}");
        }
        Ok(())
    })
    .await?;
    let kept = request(w, KEEPER).await?;
    ensure!(
        kept["status"]["history"].as_array().is_some_and(|h| h.len() == 1),
        "it was kept"
    );
    the_ledger_is_exact(w).await
}

/// At rest the ledger is what the requests hold, to the last digit.
async fn the_ledger_is_exact(w: &World) -> Result<()> {
    eventually(LONG, "the ledger equals the requests", || async {
        let found = w.get("hub", &["quotaledger", "province"]).await?;
        let ledger: QuotaLedgerSpec = serde_json::from_value(found["spec"].clone())?;
        let ledger = plan::ledger::Ledger::try_from(&ledger)?;
        ensure!(ledger.records.is_empty(), "{} open records", ledger.records.len());
        let found = w.get("hub", &["rreq", "-A"]).await?;
        let requests: Vec<ResourceRequest> = serde_json::from_value(found["items"].clone())?;
        for centre in METRO {
            let mut sum = Resources::ZERO;
            for request in &requests {
                let request = plan::request::Request::read(request.clone(), true)?;
                let part = request.holds.get("x86").and_then(|g| g.centres.get(centre)).copied();
                sum = sum.plus(part.unwrap_or_default().charge());
            }
            let charged = ledger.centre("x86", centre).map(|c| c.charged);
            ensure!(charged == Some(sum), "{centre}: {charged:?} is not {sum}");
        }
        Ok(())
    })
    .await
}

/// What was known becomes unknown, and nothing else happens; then it is known again.
pub(crate) async fn a_dead_prometheus_is_no_idle_cloud(w: &World) -> Result<()> {
    // The appeal ends meanwhile: the notice that follows shall not be over before the figures are.
    let longer = r#"{"spec":{"notify":"10m"}}"#;
    w.ok(
        "hub",
        Some("zhao.min"),
        &["patch", "rcp", "minute", "--type=merge", "-p", longer],
    )
    .await?;
    w.cloud.kill(PROMETHEUS).await?;
    idle(w, BUSY, "Unknown", "NoMetrics").await?;
    let kept = eventually(
        LONG,
        "the kept one is unknown too, wherever it is on its way",
        || async {
            let found = request(w, KEEPER).await?;
            ensure!(
                condition(&found, "Idle").is_some_and(|c| c["status"] == "Unknown"),
                "{found}"
            );
            Ok(found)
        },
    )
    .await?;
    ensure!(
        kept["status"]["allocation"]["pools"][0]["amounts"]["cpu"] == "8",
        "nothing was taken"
    );
    w.cloud.start_process(PROMETHEUS).await?;
    idle(w, BUSY, "False", "InUse").await?;
    w.ok("hub", Some("zhao.min"), &["delete", "rcp", "minute"]).await?;
    sources(w, false).await?;
    idle(w, BUSY, "Unknown", "NoPolicy").await.map(drop)
}
