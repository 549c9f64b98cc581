//! The cloud of a benchmark.

use anyhow::{Result, ensure};
use playground::{Cloud, Options, Profile};
use serde_json::json;
use tests::repository;

/// A full cloud with so many nodes in each metro centre, and the examples' centres, pools and tenants.
pub(crate) async fn province(nodes: u32) -> Result<Cloud> {
    let options = Options {
        profile: Profile::Full,
        nodes: Some(nodes),
        progress: true,
        ..Options::default()
    };
    let cloud = Cloud::up(options).await?;
    for file in ["00-centres.yaml", "10-pools.yaml", "20-tenants.yaml"] {
        let file = repository().join("examples").join(file);
        must(&cloud, Some("zhao.min"), &["apply", "-f", &file.to_string_lossy()]).await?;
    }
    for (object, condition) in [("qpool/x86", "Ready"), ("dept/dept-jyt", "Ready")] {
        let condition = format!("--for=condition={condition}");
        must(&cloud, None, &["wait", object, &condition, "--timeout=90s"]).await?;
    }
    Ok(cloud)
}

/// A small grant of the department `dept-jyt`, which makes its namespace in both metro centres.
pub(crate) async fn granted(cloud: &Cloud) -> Result<()> {
    let request = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "bench", "namespace": "dept-jyt"},
        "spec": {"displayName": "基准", "type": "New", "project": {"approvalNo": "1", "funding": "AnnualBudget"},
            "resources": {"cpu": "2", "memory": "4Gi"}, "compliance": {"classified": false, "mlpsLevel": 2},
            "term": {"months": 12}}});
    let file = cloud.dir().join("bench-request.json");
    std::fs::write(&file, request.to_string())?;
    must(cloud, Some("wu.gang"), &["apply", "-f", &file.to_string_lossy()]).await?;
    let wait = ["wait", "rreq/bench", "--for=condition=Provisioned", "--timeout=90s"];
    must(cloud, Some("wu.gang"), &wait).await
}

async fn must(cloud: &Cloud, user: Option<&str>, args: &[&str]) -> Result<()> {
    let output = cloud.kubectl("hub", user, args).await?;
    let err = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl {args:?}: {err}");
    Ok(())
}
