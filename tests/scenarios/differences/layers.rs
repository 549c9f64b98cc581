//! Whether both sides really serve, and the layers: each measured, each broken once.

use anyhow::{Result, ensure};
use playground::{Place, eventually};
use serde_json::{Value, json};

use crate::stage::{NS, deployment, placement};
use crate::world::{PATIENCE, World, condition};

const NAME: &str = "layers";

/// Waits until the placement shows these layers and whether both sides serve.
async fn shows(w: &World, layers: &[(&str, &str)], serves: &str) -> Result<()> {
    eventually(PATIENCE, &format!("{layers:?} and {serves}"), || async {
        let found = w.get("hub", &["dap", NAME, "-n", NS]).await?;
        let all = found["status"]["layers"].as_array().cloned().unwrap_or_default();
        ensure!(all.len() == 6, "{} layers", all.len());
        for (name, state) in layers {
            let layer = all.iter().find(|l| l["name"] == *name).cloned().unwrap_or_default();
            ensure!(
                layer["state"] == *state,
                "{name} is {}: {}",
                layer["state"],
                layer["message"]
            );
        }
        let said = condition(&found, "EffectivelyActiveActive").map(|c| c["status"].clone());
        ensure!(said == Some(json!(serves)), "EffectivelyActiveActive is {said:?}");
        Ok(())
    })
    .await
}

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": NS, "labels": {"app": NAME}},
        "spec": {"selector": {"name": NAME}, "ports": [{"port": 80}]}})
}

const ALL_NORMAL: [(&str, &str); 6] = [
    ("Storage", "Unknown"),
    ("Compute", "Normal"),
    ("Application", "Normal"),
    ("Network", "Normal"),
    ("Security", "Unknown"),
    ("Transport", "Normal"),
];

pub(crate) async fn effectively_active_active_lost(w: &World) -> Result<()> {
    w.put(&service()).await?;
    w.put(&deployment(NAME, NAME, 4)).await?;
    w.put(&placement(NAME, NAME, json!({}))).await?;
    w.copies(NAME, NAME, [2, 2]).await?;
    shows(w, &ALL_NORMAL, "True").await?;
    // The copies in jiyidong stay ready, and nobody reaches them.
    let elsewhere = json!({"op": "replace", "path": "/spec/selector", "value": {"name": "nobody"}});
    let target = json!({"kind": "Service", "name": NAME});
    let overrides = json!({"overrides": [{"centre": "jiyidong", "target": target, "jsonPatch": [elsewhere]}]});
    w.put(&placement(NAME, NAME, overrides)).await?;
    shows(w, &[("Application", "Normal"), ("Network", "Degraded")], "False").await?;
    w.put(&placement(NAME, NAME, json!({"overrides": null}))).await?;
    shows(w, &ALL_NORMAL, "True").await
}

pub(crate) async fn each_layer_broken(w: &World) -> Result<()> {
    let nodes = ["nodes", "-l", "xiangyun.io/pool=x86", "-o", "name"];
    let nodes = w.ok("jiyidong", None, &[&["get"], nodes.as_slice()].concat()).await?;
    let nodes: Vec<&str> = nodes.split_whitespace().collect();
    w.ok("jiyidong", None, &[&["cordon"], nodes.as_slice()].concat())
        .await?;
    shows(w, &[("Compute", "Degraded"), ("Application", "Normal")], "True").await?;
    w.ok(
        "jiyidong",
        None,
        &[
            "delete",
            "pods",
            "-n",
            NS,
            "-l",
            &format!("name={NAME}"),
            "--wait=false",
        ],
    )
    .await?;
    shows(w, &[("Application", "Degraded"), ("Network", "Degraded")], "False").await?;
    w.ok("jiyidong", None, &[&["uncordon"], nodes.as_slice()].concat())
        .await?;
    shows(w, &ALL_NORMAL, "True").await?;
    let agents = w.cloud.processes(Place::Jiyidong)?;
    let agents: Vec<&String> = agents.iter().filter(|p| p.starts_with("agent")).collect();
    for agent in &agents {
        w.cloud.stop_process(agent).await?;
    }
    let silent = [
        ("Compute", "Unknown"),
        ("Application", "Unknown"),
        ("Network", "Unknown"),
        ("Transport", "Degraded"),
    ];
    shows(w, &silent, "Unknown").await?;
    for agent in &agents {
        w.cloud.start_process(agent).await?;
    }
    shows(w, &ALL_NORMAL, "True").await?;
    w.delete(&["dap", NAME]).await?;
    w.delete(&["deploy", NAME]).await?;
    w.delete(&["service", NAME]).await
}
