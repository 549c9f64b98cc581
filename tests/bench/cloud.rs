//! The cloud of a benchmark.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crds::{ResourceRequest, condition, find_condition};
use kube::Api;
use playground::{Cloud, Options, Profile, eventually};
use serde_json::{Value, json};
use tests::repository;

/// A full cloud with so many nodes in each metro centre, and the examples' centres, pools and tenants.
pub(crate) async fn province(nodes: u32) -> Result<Cloud> {
    province_of(Options {
        profile: Profile::Full,
        nodes: Some(nodes),
        progress: true,
        ..Options::default()
    })
    .await
}

/// That cloud, with the examples' centres, pools and tenants.
pub(crate) async fn province_of(options: Options) -> Result<Cloud> {
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
    let request = request("dept-jyt", "2", "4Gi");
    put(cloud, "wu.gang", "apply", &request).await?;
    provisioned(cloud, "wu.gang").await
}

/// A grant of the department `dept-yibao` to which one person agrees.
pub(crate) async fn room(cloud: &Cloud, cpu: &str, memory: &str) -> Result<()> {
    let (tenant, person) = ("dept-yibao", "li.na");
    must(
        cloud,
        None,
        &["wait", "dept/dept-yibao", "--for=condition=Ready", "--timeout=90s"],
    )
    .await?;
    put(cloud, person, "apply", &request(tenant, cpu, memory)).await?;
    let requests: Api<ResourceRequest> = Api::namespaced(cloud.client("hub", None).await?, tenant);
    let uid = eventually(Duration::from_secs(90), "the request waits for approval", || async {
        let found = requests.get("bench").await?;
        let conditions = found.status.map(|s| s.conditions).unwrap_or_default();
        let why = find_condition(&conditions, condition::READY).map(|c| c.reason.as_str());
        ensure!(why == Some("AwaitingApproval"), "{why:?}");
        found.metadata.uid.context("a uid")
    })
    .await?;
    let approval = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "RequestApproval",
        "metadata": {"name": "bench-1", "namespace": tenant},
        "spec": {"requestRef": {"name": "bench", "uid": uid}, "level": 1, "decision": "Approved", "comment": "同意"}});
    put(cloud, "zhang.wei", "create", &approval).await?;
    provisioned(cloud, person).await
}

fn request(tenant: &str, cpu: &str, memory: &str) -> Value {
    json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "bench", "namespace": tenant},
        "spec": {"displayName": "基准", "type": "New", "project": {"approvalNo": "1", "funding": "AnnualBudget"},
            "resources": {"cpu": cpu, "memory": memory}, "compliance": {"classified": false, "mlpsLevel": 2},
            "term": {"months": 12}}})
}

async fn put(cloud: &Cloud, person: &str, verb: &str, object: &Value) -> Result<()> {
    let file = cloud.dir().join("bench.json");
    std::fs::write(&file, object.to_string())?;
    must(cloud, Some(person), &[verb, "-f", &file.to_string_lossy()]).await
}

async fn provisioned(cloud: &Cloud, person: &str) -> Result<()> {
    let wait = ["wait", "rreq/bench", "--for=condition=Provisioned", "--timeout=90s"];
    must(cloud, Some(person), &wait).await
}

async fn must(cloud: &Cloud, user: Option<&str>, args: &[&str]) -> Result<()> {
    let output = cloud.kubectl("hub", user, args).await?;
    let err = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl {args:?}: {err}");
    Ok(())
}
