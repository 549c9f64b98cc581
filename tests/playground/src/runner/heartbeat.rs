//! A node is alive: its lease, and the condition Ready.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::ranges::RunnerNode;
use super::status::now;

/// Between two beats; four may be lost before the node counts as dead.
const BEAT: Duration = Duration::from_secs(10);
/// Until the node exists, and after a beat that failed.
const RETRY: Duration = Duration::from_millis(500);
const LEASE_SECONDS: u16 = 40;
const CALL: Duration = Duration::from_secs(3);

/// Keeps a node alive until its process ends.
pub(crate) async fn keep(client: kube::Client, node: RunnerNode) {
    let mut said = String::new();
    loop {
        let pause = match timeout(CALL, beat(&client, &node)).await.context("no answer").flatten() {
            Ok(()) => {
                said.clear();
                BEAT
            }
            Err(error) => {
                let error = format!("{error:#}");
                if said != error {
                    eprintln!("{}: cannot say that it is alive: {error}", node.name);
                    said = error;
                }
                RETRY
            }
        };
        sleep(pause).await;
    }
}

async fn beat(client: &kube::Client, node: &RunnerNode) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let found = nodes.get_opt(&node.name).await.context("its node")?;
    let found = found.context("it is not there yet")?;
    let conditions = found.status.as_ref().and_then(|status| status.conditions.as_deref());
    let ready = conditions
        .unwrap_or_default()
        .iter()
        .any(|c| c.type_ == "Ready" && c.status == "True");
    if !ready {
        let status = status(&node.name, node.outside.1, now());
        nodes
            .patch_status(&node.name, &PatchParams::default(), &Patch::Strategic(status))
            .await
            .context("its condition")?;
    }
    let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-node-lease");
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": node.name},
        "spec": {
            "holderIdentity": node.name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": format!("{:.6}", now()),
        },
    });
    let params = PatchParams::apply("playground-runner").force();
    leases
        .patch(&node.name, &params, &Patch::Apply(lease))
        .await
        .context("its lease")?;
    Ok(())
}

fn status(name: &str, address: Ipv4Addr, now: Timestamp) -> Value {
    let now = now.to_string();
    json!({"status": {
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
        "conditions": [{
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "its pods are processes of the playground",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }],
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": "",
            "containerRuntimeVersion": "playground://1",
            "kernelVersion": "",
            "kubeProxyVersion": "",
            "kubeletVersion": "v1.37.2",
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": "playground",
            "systemUUID": "",
        },
    }})
}
