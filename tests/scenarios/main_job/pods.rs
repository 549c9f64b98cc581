//! What a grant means for pods in a centre.

use anyhow::{Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::world::{METRO, PATIENCE, World, pod};

pub(crate) async fn inside_the_quota_runs_on_its_pool(w: &World) -> Result<()> {
    for centre in METRO {
        w.apply(centre, Some("li.na"), &pod("inside", "dept-yibao", "2", &Value::Null))
            .await?;
        eventually(PATIENCE, &format!("the pod runs in {centre}"), || async {
            let found = w.get(centre, &["pod", "inside", "-n", "dept-yibao"]).await?;
            ensure!(
                found["status"]["phase"] == "Running",
                "it is {}",
                found["status"]["phase"]
            );
            let node = found["spec"]["nodeName"].as_str().unwrap_or_default();
            ensure!(node.starts_with("x86-"), "it runs on {node}");
            Ok(())
        })
        .await?;
        w.ok(
            centre,
            Some("li.na"),
            &["delete", "pod", "inside", "-n", "dept-yibao", "--wait=false"],
        )
        .await?;
    }
    Ok(())
}

pub(crate) async fn outside_is_refused(w: &World) -> Result<()> {
    let ns = "dept-yibao";
    let gpu = json!({"containers": [{"name": "c", "image": "registry.invalid/c:1", "resources": {
        "requests": {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"},
        "limits": {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"}}}]});
    let refused = [
        (pod("over", ns, "4000", &Value::Null), "exceeded quota"),
        (
            pod("by-name", ns, "1", &json!({"nodeName": "arm-001"})),
            "NodeNameForbidden",
        ),
        (
            pod(
                "elsewhere",
                ns,
                "1",
                &json!({"nodeSelector": {"xiangyun.io/pool": "arm"}}),
            ),
            "PoolMismatch",
        ),
        (pod("card", ns, "1", &gpu), "exceeded quota"),
    ];
    for centre in METRO {
        for (object, needle) in &refused {
            let file = w.file(object)?;
            w.refused(centre, Some("li.na"), &["create", "-f", &file], needle)
                .await?;
        }
    }
    Ok(())
}
