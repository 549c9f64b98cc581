//! Prometheus: what it scrapes, and how it is started.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cluster::{Flags, pki, spec};
use crate::nodes;
use crate::place::{Place, port};
use crate::process::{Spec, Stage};
use crate::ready::Ready;
use crate::state::State;

/// Alert rules, where the hub's chart has them.
const RULES: &str = "xiangyun/files/alerts.yaml";
/// Our own programs, because a takeover is over in seconds and the board should show it; and the ingress, whose page is short.
const OFTEN: &str = "5s";
/// Others. A scrape of an API server costs it a tenth of a second of CPU, and a cloud has six of them.
const SELDOM: &str = "15s";
/// Job of the simulated kubelets.
const KUBELETS: &str = "kubelet";
/// Job of the simulated ingress of each metro centre.
const INGRESS: &str = "ingress";
/// Jobs without metrics.
const UNSEEN: [&str; 2] = ["runner", "sink"];
/// What of an API server's twenty thousand series is kept.
const OF_API_SERVERS: &str =
    "apiserver_request_total|apiserver_request_duration_seconds_.*|apiserver_current_inflight_requests|process_.*";

/// Writes the configuration for the processes of a cloud, and describes the process; `None` where the profile has none.
pub(crate) fn prepare(state: &State, charts: &Path, targets: &[Spec], metro: u32) -> Result<Option<Spec>> {
    let Some(place) = state.profile.prometheus_place() else {
        return Ok(None);
    };
    let folder = state.dir.join("prometheus");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let rules = charts.join(RULES);
    if rules.is_file() {
        std::fs::copy(&rules, folder.join("alerts.yaml"))
            .with_context(|| format!("cannot copy {}", rules.display()))?;
    }
    let file = folder.join("prometheus.yaml");
    // JSON is YAML.
    let text = serde_json::to_string_pretty(&config(state, targets, kubelets(state, metro)?))?;
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    let address = state.address(place)?;
    let mut args = Flags::default();
    args.set("config.file", file.display())
        .set("storage.tsdb.path", state.dir.join("data/prometheus").display())
        .set("storage.tsdb.retention.time", "2d")
        .set("web.listen-address", format!("{address}:{}", port::PROMETHEUS))
        .set("log.level", "warn");
    let ready = Ready::Http(address, port::PROMETHEUS, "/-/ready".into());
    let name = format!("prometheus@{place}");
    Ok(Some(spec(
        state,
        name,
        place,
        Stage::Machinery,
        "prometheus",
        args,
        ready,
    )))
}

/// One job a kind of process; each target carries its place.
fn config(state: &State, targets: &[Spec], simulated: [(&'static str, Vec<Value>); 2]) -> Value {
    let mut jobs: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for spec in targets {
        if UNSEEN.contains(&job(&spec.name)) {
            continue;
        }
        if let Some(address) = address(&spec.ready, state, spec.place) {
            let target = json!({"targets": [address], "labels": {"place": spec.place, "process": spec.name}});
            jobs.entry(job(&spec.name)).or_default().push(target);
        }
    }
    let jobs = jobs
        .into_iter()
        .chain(simulated)
        .filter(|(_, targets)| !targets.is_empty());
    let jobs = jobs.map(|(name, targets)| scrape(state, name, &targets));
    json!({
        "global": {"scrape_interval": SELDOM, "evaluation_interval": SELDOM},
        "rule_files": [state.dir.join("prometheus/alerts*.yaml")],
        "scrape_configs": jobs.collect::<Vec<_>>(),
    })
}

/// From the kwok of each metro centre: one page for each node, and one of the first node as the centre's ingress.
fn kubelets(state: &State, metro: u32) -> Result<[(&'static str, Vec<Value>); 2]> {
    let (mut all, mut ingress) = (Vec::new(), Vec::new());
    let metro_centres = state.profile.centres().iter().filter(|p| **p != Place::Baicheng);
    for place in metro_centres.filter(|_| nodes::exist(state.profile)) {
        let address = format!("{}:{}", state.address(*place)?, port::KWOK);
        let target = |node: &str, page: &str| {
            let page = format!("/metrics/nodes/{node}/metrics/{page}");
            let labels = json!({"place": place, "process": node, "__metrics_path__": page});
            json!({"targets": [address], "labels": labels})
        };
        let nodes = nodes::simulated(*place, metro, state.runners)?;
        all.extend(nodes.iter().map(|node| target(node, "resource")));
        ingress.extend(nodes.first().map(|node| target(node, "ingress")));
    }
    Ok([(KUBELETS, all), (INGRESS, ingress)])
}

fn scrape(state: &State, job: &str, targets: &[Value]) -> Value {
    let mut scrape = json!({"job_name": job, "static_configs": targets});
    let mut set = |name: &str, value: Value| {
        if let Some(scrape) = scrape.as_object_mut() {
            scrape.insert(name.to_owned(), value);
        }
    };
    if matches!(job, "operator" | "agent" | INGRESS) {
        set("scrape_interval", json!(OFTEN));
    }
    if job.ends_with("apiserver") {
        let keep = json!({"source_labels": ["__name__"], "regex": OF_API_SERVERS, "action": "keep"});
        set("metric_relabel_configs", json!([keep]));
    }
    if is_https(job) {
        set("scheme", json!("https"));
        let tls = json!({
            "ca_file": pki(state, "ca.crt"),
            "cert_file": pki(state, "playground-prometheus.crt"),
            "key_file": pki(state, "playground-prometheus.key"),
        });
        set("tls_config", tls);
    }
    scrape
}

fn is_https(job: &str) -> bool {
    job.ends_with("apiserver") || job.ends_with("controller-manager") || job == "scheduler"
}

/// Where a process serves `/metrics`.
fn address(ready: &Ready, state: &State, place: Place) -> Option<String> {
    match ready {
        Ready::Started => None,
        Ready::Port(address, number) | Ready::Http(address, number, _) => Some(format!("{address}:{number}")),
        Ready::Apiserver(kubeconfig) => {
            let hub = kubeconfig.file_name()?.to_str()?.starts_with("hub");
            let number = if hub { port::HUB_APISERVER } else { port::APISERVER };
            Some(format!("{}:{number}", state.address(place).ok()?))
        }
    }
}

/// `hub-etcd-1@jishi` is of the job `hub-etcd`, `gate-run-001@jishi` of `gate`.
fn job(process: &str) -> &str {
    if process.starts_with("gate-") {
        return "gate";
    }
    let name = process.split('@').next().unwrap_or(process);
    name.trim_end_matches(|c: char| c.is_ascii_digit())
        .trim_end_matches('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_a_kind_of_process() {
        assert_eq!(job("hub-etcd-2@jishi"), "hub-etcd");
        assert_eq!(job("agent-1@baicheng"), "agent");
        assert_eq!(job("hub-apiserver@jishi"), "hub-apiserver");
        assert_eq!(job("gate-run-001@jishi"), "gate");
    }
}
