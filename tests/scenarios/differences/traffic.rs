//! Requests of one side alone, by a real Prometheus that scrapes both centres' ingress: a node's page under the names of
//! ingress-nginx. Windows are twenty seconds, because durations are data.

use anyhow::{Context as _, Result, ensure};
use playground::{Place, eventually};
use serde_json::{Value, json};

use crate::stage::{NS, deployment, placement};
use crate::world::{METRO, PATIENCE, World, condition};

const NAME: &str = "traffic";
const PROMETHEUS: &str = "prometheus@hub";
/// The node that is a centre's ingress.
const INGRESS: &str = "arm-001";

/// That the centre's ingress passes so many requests a second to the Service, or that nobody comes.
async fn requests(w: &World, centre: &str, rate: Option<&str>) -> Result<()> {
    let own = |key: &str, value: Option<&str>| match value {
        Some(value) => format!("playground.xiangyun.io/{key}={value}"),
        None => format!("playground.xiangyun.io/{key}-"),
    };
    let there = |value| rate.map(|_| value);
    let all = [
        own("namespace", there(NS)),
        own("service", there(NAME)),
        own("requests", rate),
    ];
    let all = all.iter().map(String::as_str);
    let args: Vec<&str> = ["annotate", "node", INGRESS, "--overwrite"]
        .into_iter()
        .chain(all)
        .collect();
    w.ok(centre, None, &args).await.map(drop)
}

async fn sources(w: &World, there: bool) -> Result<()> {
    for centre in METRO {
        let endpoint = format!("http://{}:9090", w.cloud.address(Place::Hub)?);
        let source = json!([{"name": "cloud", "endpoints": [endpoint], "matchLabels": {"place": centre},
            "requests": {"alive": "nginx_ingress_controller_build_info", "window": "20s"}}]);
        let sources = if there { source } else { Value::Null };
        let patch = json!({"spec": {"metricSources": sources}}).to_string();
        let args = ["patch", "dcn", centre, "--type=merge", "-p", &patch];
        w.ok("hub", Some("zhao.min"), &args).await?;
    }
    Ok(())
}

/// Waits until the condition has that reason and those words; answers the condition, and what the rows say of the Service's
/// requests.
async fn says(w: &World, reason: &str, words: &str) -> Result<(Value, [Value; 2])> {
    eventually(PATIENCE, &format!("{reason}: {words}"), || async {
        let found = w.get("hub", &["dap", NAME, "-n", NS]).await?;
        let said = condition(&found, "EffectivelyActiveActive").context("nothing is said")?;
        let message = said["message"].as_str().unwrap_or_default();
        ensure!(
            said["reason"] == reason && message.contains(words),
            "it says {} {message}",
            said["reason"]
        );
        let rows = found["status"]["centres"].as_array().context("rows")?;
        let rate = |centre: &str| {
            let row = rows.iter().find(|r| r["name"] == centre);
            row.map_or(Value::Null, |r| r["services"][0]["requestsPerSecond"].clone())
        };
        Ok((said.clone(), METRO.map(rate)))
    })
    .await
}

pub(crate) async fn requests_on_one_side(w: &World) -> Result<()> {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": NS, "labels": {"app": NAME}},
        "spec": {"selector": {"name": NAME}, "ports": [{"port": 80}]}});
    w.put(&service).await?;
    w.put(&deployment(NAME, NAME, 2)).await?;
    w.put(&placement(NAME, NAME, json!({}))).await?;
    requests(w, "jishi", Some("10")).await?;
    let (_, rates) = says(w, "ServesEverywhere", "requests are not measured in jishi").await?;
    ensure!(rates == [Value::Null, Value::Null], "{rates:?}");
    sources(w, true).await?;
    let (said, rates) = says(w, "OneSidedTraffic", "in jishi and none in jiyidong").await?;
    ensure!(said["status"] == "False" && rates[1] == "0", "{said} {rates:?}");
    println!("one side: {rates:?}: {}", said["message"]);
    let output = w.plugin("li.na", &["status", &format!("dap/{NAME}"), "-n", NS]).await?;
    let page = String::from_utf8_lossy(&output.stdout);
    ensure!(
        page.contains("OneSidedTraffic") && page.contains("REQUESTS/S"),
        "{page}"
    );
    requests(w, "jiyidong", Some("10")).await?;
    let (served, rates) = says(w, "ServesEverywhere", "in every centre, and requests").await?;
    ensure!(served["status"] == "True", "{served}");
    println!("both: {rates:?}");
    w.cloud.kill(PROMETHEUS).await?;
    let (unknown, rates) = says(w, "ServesEverywhere", "requests are not measured").await?;
    ensure!(rates.contains(&Value::Null), "{rates:?}");
    ensure!(
        unknown["lastTransitionTime"] == served["lastTransitionTime"],
        "it was said meanwhile that a side does not serve"
    );
    w.cloud.start_process(PROMETHEUS).await?;
    sources(w, false).await?;
    for centre in METRO {
        requests(w, centre, None).await?;
    }
    w.delete(&["dap", NAME]).await?;
    w.delete(&["deploy", NAME]).await?;
    w.delete(&["service", NAME]).await
}
