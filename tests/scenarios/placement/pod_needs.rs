//! Claims and pull secrets: what pods need besides their settings is there before them.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::stage::{NS, deployment, placement};
use crate::witness::{Witness, agent};
use crate::world::{METRO, World};

const NAME: &str = "needy";

/// What is referred to; nothing selects it.
fn needed() -> [Value; 2] {
    let metadata = |name: &str| json!({"name": name, "namespace": NS});
    [
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("needy-pull"),
            "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{\"auths\": {}}"}}),
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata("needy-data"),
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "hot", "resources": {"requests": {"storage": "1Gi"}}}}),
    ]
}

/// Nobody provisions volumes in these clusters, and pods wait for theirs.
fn volume() -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": NAME},
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "hot",
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/needy"},
            "claimRef": {"name": "needy-data", "namespace": NS}}})
}

/// They are written before the workload, whose pods run on them, and removed after it.
pub(crate) async fn claims_and_pull_secrets_before_the_workload(w: &World) -> Result<()> {
    let mut template = deployment(NAME, NAME, 2);
    let pod = &mut template["spec"]["template"]["spec"];
    pod["imagePullSecrets"] = json!([{"name": "needy-pull"}]);
    pod["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "needy-data"}}]);
    w.put(&template).await?;
    w.put(&placement(NAME, NAME, json!({}))).await?;
    w.placement_reason(NAME, "TemplateMissing").await?;
    let said = w.message(NAME).await?;
    ensure!(
        said.starts_with("2 missing in the hub namespace, first Secret needy-pull"),
        "{said}"
    );
    let mut logs = Vec::new();
    for centre in METRO {
        ensure!(
            !w.is_there(centre, &["deploy", NAME]).await?,
            "it did not wait in {centre}"
        );
        w.apply(centre, None, &volume()).await?;
        logs.push(Witness::of(w, centre)?);
    }
    for object in needed() {
        w.put(&object).await?;
    }
    w.copies(NAME, NAME, [1, 1]).await?;
    w.delete(&["dap", NAME]).await?;
    for (centre, log) in METRO.into_iter().zip(&logs) {
        for what in [["secret", "needy-pull"], ["pvc", "needy-data"]] {
            w.is_gone(centre, &what).await?;
        }
        in_order(log, centre)?;
        w.ok(centre, None, &["delete", "pv", NAME, "--wait=false"]).await?;
    }
    let all = [&format!("deploy/{NAME}"), "secret/needy-pull", "pvc/needy-data"];
    w.delete(&all).await
}

/// By the audit log of the centre.
fn in_order(log: &Witness, centre: &str) -> Result<()> {
    let writes = log.by(&agent(centre))?;
    let at = |resource: &str, name: &str, deletes: bool| {
        let found = writes
            .iter()
            .position(|w| w.is_of(resource, name) && w.deletes() == deletes);
        found.with_context(|| format!("{resource} {name}: {writes:?}"))
    };
    for (resource, name) in [("secrets", "needy-pull"), ("persistentvolumeclaims", "needy-data")] {
        ensure!(
            at(resource, name, false)? < at("deployments", NAME, false)?,
            "{name} came after the workload in {centre}"
        );
        ensure!(
            at(resource, name, true)? > at("deployments", NAME, true)?,
            "{name} left before the workload in {centre}"
        );
    }
    Ok(())
}
