//! What is seen: a real Prometheus scrapes everything, each query of the boards returns data, the alerts are loaded.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::Value;
use tests::prometheus;

use crate::world::{PATIENCE, World};

async fn rows(w: &World, query: &str) -> Result<Vec<Value>> {
    prometheus::rows(&w.cloud.prometheus()?, query).await
}

/// The first value, where there is any.
pub(crate) async fn value(w: &World, query: &str) -> Result<Option<f64>> {
    prometheus::value(&w.cloud.prometheus()?, query).await
}

pub(crate) async fn every_target_is_up(w: &World) -> Result<()> {
    eventually(PATIENCE, "every target is up", || async {
        let down = rows(w, "up == 0").await?;
        ensure!(down.is_empty(), "{down:?}");
        // Operators, agents, API servers, etcd, kwok and the machinery of three centres and the hub; twenty nodes, two ingresses.
        let all = value(w, "count(up)").await?;
        ensure!(all == Some(54.0), "{all:?} targets");
        Ok(())
    })
    .await
}

pub(crate) async fn every_query_returns_data(w: &World) -> Result<()> {
    let queries = dashboards::queries();
    ensure!(queries.len() > 20, "only {} queries", queries.len());
    for query in &queries {
        let what = format!("{} / {}: data", query.board, query.panel);
        eventually(PATIENCE, &what, || async {
            let expr = dashboards::expand(&query.expr);
            // A trend over weeks has nothing to say of a cloud of minutes; the suite of the alerts looks at it.
            let told = !rows(w, &expr).await?.is_empty() || expr.contains("deriv(");
            ensure!(told, "nothing for {expr}");
            Ok(())
        })
        .await?;
    }
    println!("{} queries return data", queries.len());
    Ok(())
}

pub(crate) async fn rules_are_loaded_and_nothing_is_critical(w: &World) -> Result<()> {
    let loaded = prometheus::ask(&w.cloud.prometheus()?, "rules", "").await?;
    let groups = loaded["groups"].as_array().context("groups")?;
    let rules: Vec<&Value> = groups.iter().filter_map(|g| g["rules"].as_array()).flatten().collect();
    let wanted: BTreeSet<String> = dashboards::alerts().into_iter().map(|a| a.name).collect();
    let found = rules.iter().filter(|r| r["type"] == "alerting");
    let found: BTreeSet<String> = found.filter_map(|r| r["name"].as_str().map(str::to_owned)).collect();
    ensure!(found == wanted, "loaded {found:?}, wanted {wanted:?}");
    for rule in rules {
        ensure!(rule["health"] != "err", "{rule}");
    }
    // One centre was made to have no agent.
    let firing = r#"ALERTS{alertstate="firing",severity="critical",centre!="late-centre"}"#;
    let firing = rows(w, firing).await?;
    ensure!(firing.is_empty(), "{firing:?}");
    every_metric_of_a_rule_exists(w).await
}

/// A rule about a name that nobody exports would stay silent for ever.
async fn every_metric_of_a_rule_exists(w: &World) -> Result<()> {
    let known = rows(w, r#"count by (__name__) ({__name__=~".+"})"#).await?;
    let known: BTreeSet<&str> = known.iter().filter_map(|r| r["metric"]["__name__"].as_str()).collect();
    for alert in dashboards::alerts() {
        let words = alert.expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for name in
            words.filter(|w| w.starts_with("xiangyun_") || w.starts_with("etcd_") || w.starts_with("apiserver_"))
        {
            ensure!(known.contains(name), "{}: no metric {name}", alert.name);
        }
    }
    Ok(())
}

/// Waits until the alert is at least pending.
pub(crate) async fn alert_is_raised(w: &World, name: &str) -> Result<()> {
    let query = format!("ALERTS{{alertname=\"{name}\"}}");
    eventually(PATIENCE, &format!("{name} is raised"), || async {
        ensure!(!rows(w, &query).await?.is_empty(), "silent");
        Ok(())
    })
    .await
}
