//! The life of requests.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crds::{Amounts, Resources};
use playground::eventually;
use serde_json::{Value, json};
use tests::repository;

use crate::ledger::is_quiet;
use crate::world::{METRO, PATIENCE, World, condition, small_request, sum_of_nodes};

fn example(name: &str) -> String {
    repository()
        .join("examples/requests")
        .join(name)
        .to_string_lossy()
        .into_owned()
}

fn resources(amounts: &Value) -> Result<Resources> {
    let amounts: Amounts = serde_json::from_value(amounts.clone())?;
    Ok(Resources::try_from(&amounts)?)
}

pub(crate) async fn gross_equals_the_nodes(w: &World) -> Result<()> {
    for pool in ["x86", "arm", "gpu-inference", "gpu-training", "gpu-video"] {
        let mut found = (0, 0);
        for centre in METRO {
            let (cpu, memory) = sum_of_nodes(&w.get(centre, &["nodes"]).await?, pool)?;
            found = (found.0 + cpu, found.1 + memory);
        }
        ensure!(found.0 > 0, "{pool} has no nodes");
        // Nodes become ready one by one, and reports follow within a second.
        eventually(
            PATIENCE,
            &format!("gross of {pool} is the sum of its nodes"),
            || async {
                let object = w.ready_reason(&["qpool", pool], "Available").await?;
                let gross = resources(&object["status"]["total"]["gross"])?;
                ensure!((gross.cpu, gross.memory) == found, "gross {gross}, nodes {found:?}");
                Ok(())
            },
        )
        .await?;
    }
    Ok(())
}

pub(crate) async fn tenants_are_established(w: &World) -> Result<()> {
    for tenant in ["jilin", "dept-yibao", "dept-jyt", "changchun", "nongan"] {
        w.ready_reason(&["dept", tenant], "Established").await?;
    }
    Ok(())
}

pub(crate) async fn granted_after_two_people_agreed(w: &World) -> Result<()> {
    let (ns, name) = ("dept-yibao", "yibao-settlement");
    w.ok("hub", Some("li.na"), &["apply", "-f", &example("1-granted.yaml")])
        .await?;
    let request = w.request_reason(ns, name, "AwaitingApproval").await?;
    ensure!(
        request["spec"]["requestedBy"] == "li.na",
        "stamped {}",
        request["spec"]["requestedBy"]
    );
    w.decide("zhang.wei", ns, name, 1).await?;
    w.decide("wang.fang", ns, name, 2).await?;
    let request = w.request_reason(ns, name, "Active").await?;
    ensure!(condition(&request, "Provisioned").is_some_and(|c| c["status"] == "True"));
    ensure!(request["status"]["approvals"] == json!({"needed": 2, "given": 2}));
    let approval = w.get("hub", &["appr", &format!("{name}-1"), "-n", ns]).await?;
    ensure!(approval["spec"]["approver"]["username"] == "zhang.wei");
    for centre in METRO {
        w.quota_is(centre, ns, "requests.cpu", "128", Duration::from_secs(10))
            .await?;
        for kind in ["limitrange", "networkpolicy", "rolebinding"] {
            let found = w.get(centre, &[kind, "-n", ns, "-l", "xiangyun.io/tenant"]).await?;
            ensure!(
                found["items"].as_array().is_some_and(|i| !i.is_empty()),
                "no {kind} in {centre}"
            );
        }
    }
    Ok(())
}

pub(crate) async fn two_pools_all_or_nothing(w: &World) -> Result<()> {
    let (ns, name) = ("dept-yibao", "ocr-2026");
    w.ok("hub", Some("li.na"), &["apply", "-f", &example("2-two-pools.yaml")])
        .await?;
    w.request_reason(ns, name, "AwaitingApproval").await?;
    w.decide("zhang.wei", ns, name, 1).await?;
    let request = w.request_reason(ns, name, "Active").await?;
    let pools = request["status"]["allocation"]["pools"].as_array().context("pools")?;
    let names: Vec<&str> = pools.iter().filter_map(|p| p["name"].as_str()).collect();
    ensure!(names == ["gpu-inference", "storage-hot", "x86"], "{names:?}");
    ensure!(request["status"]["gpu"] == "Inference:2");
    for centre in METRO {
        w.quota_is(
            centre,
            "dept-yibao-gpu-inference",
            "requests.nvidia.com/gpu",
            "1",
            Duration::from_secs(10),
        )
        .await?;
    }
    Ok(())
}

pub(crate) async fn waits_and_never_fits(w: &World) -> Result<()> {
    let never = small_request("dept-jyt", "never", 90_000);
    let file = w.file(&never)?;
    w.refused("hub", Some("wu.gang"), &["apply", "-f", &file], "ExceedsMaxQuota")
        .await?;
    // Ten nodes leave room for less than the largest grant twice.
    let limits = w.get("hub", &["admissionlimits", "province"]).await?;
    let rows = limits["spec"]["pools"].as_array().context("rows")?;
    let x86 = rows.iter().find(|r| r["name"] == "x86").context("x86")?;
    let largest = x86["whole"]["cpu"].as_i64().context("cpu")? / 1000;
    let big = small_request("dept-jyt", "big", largest);
    let mut big = big;
    big["spec"]["resources"]["memory"] = json!("1Gi");
    w.apply("hub", Some("wu.gang"), &big).await?;
    w.request_reason("dept-jyt", "big", "AwaitingApproval").await?;
    for (level, person) in [(1, "zhang.wei"), (2, "wang.fang")] {
        w.decide(person, "dept-jyt", "big", level).await?;
    }
    w.request_reason("dept-jyt", "big", "WaitingForQuota").await?;
    eventually(PATIENCE, "it stands in the queue of its pool", || async {
        let queue = w.get("hub", &["poolqueue", "x86"]).await?;
        let waiting = queue["spec"]["waiting"].as_array().context("waiting")?;
        ensure!(waiting.len() == 1, "{} wait", waiting.len());
        Ok(())
    })
    .await?;
    // A big one that waits does not stop a small one.
    w.apply("hub", Some("wu.gang"), &small_request("dept-jyt", "small", 4))
        .await?;
    w.request_reason("dept-jyt", "small", "Active").await?;
    w.ok("hub", Some("wu.gang"), &["delete", "rreq", "big", "-n", "dept-jyt"])
        .await
        .map(drop)
}

pub(crate) async fn applied_in_any_order(w: &World) -> Result<()> {
    let tenant = |name: &str, parent: &str, pool: &str| {
        json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Tenant", "metadata": {"name": name},
            "spec": {"displayName": "云".repeat(60), "level": "City", "parentRef": parent,
                "ceilings": [{"pool": pool, "amounts": {"cpu": "100", "memory": "400Gi"}}]}})
    };
    // The child comes before its parent, the request before its pool, the pool before its centre.
    w.apply(
        "hub",
        Some("zhao.min"),
        &tenant("late-child", "late-parent", "late-pool"),
    )
    .await?;
    w.ready_reason(&["dept", "late-child"], "ParentMissing").await?;
    let root = json!([{"op": "add", "path": "/spec/ceilings/-",
        "value": {"pool": "late-pool", "amounts": {"cpu": "100", "memory": "400Gi"}}}]);
    w.ok(
        "hub",
        Some("zhao.min"),
        &["patch", "dept", "jilin", "--type=json", "-p", &root.to_string()],
    )
    .await?;
    w.apply("hub", Some("zhao.min"), &tenant("late-parent", "jilin", "late-pool"))
        .await?;
    w.ready_reason(&["dept", "late-child"], "Established").await?;
    let mut request = small_request("late-child", "early", 8);
    request["spec"]["resources"] = Value::Null;
    request["spec"]["pools"] = json!([{"name": "late-pool", "amounts": {"cpu": "8", "memory": "32Gi"}}]);
    request["spec"]["survival"] = json!("None");
    w.apply("hub", None, &request).await?;
    w.request_reason("late-child", "early", "NoMatchingPool").await?;
    let pool = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "QuotaPool", "metadata": {"name": "late-pool"},
        "spec": {"displayName": "后到的池", "architecture": "amd64", "zone": "GovExtranet",
            "centres": [{"name": "late-centre", "source": "Declared", "amounts": {"cpu": "10", "memory": "40Gi"}}]}});
    w.apply("hub", Some("zhao.min"), &pool).await?;
    w.request_reason("late-child", "early", "CapacityUnknown").await?;
    let centre = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DataCenter", "metadata": {"name": "late-centre"},
        "spec": {"displayName": "后到的中心", "role": "Backup", "operator": "JilinMobile"}});
    w.apply("hub", Some("zhao.min"), &centre).await?;
    // Granted; no agent runs there, so it waits for one, and says so.
    w.request_reason("late-child", "early", "Provisioning").await.map(drop)
}

/// A cycle concerns those in it and those below; a request without a tenant, or for a pool that nobody knows, says so.
pub(crate) async fn what_cannot_be_is_isolated(w: &World) -> Result<()> {
    let tenant = |name: &str, parent: &str| {
        json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Tenant", "metadata": {"name": name},
            "spec": {"displayName": name, "level": "City", "parentRef": parent}})
    };
    for (name, parent) in [("hen", "egg"), ("egg", "hen"), ("chick", "hen"), ("apart", "jilin")] {
        w.apply("hub", Some("zhao.min"), &tenant(name, parent)).await?;
    }
    for (name, reason) in [
        ("hen", "TenantCycle"),
        ("egg", "TenantCycle"),
        ("chick", "AncestorInvalid"),
        ("apart", "Established"),
    ] {
        w.ready_reason(&["dept", name], reason).await?;
    }
    w.ok("hub", None, &["create", "namespace", "no-tenant"]).await?;
    w.apply("hub", None, &small_request("no-tenant", "lost", 4)).await?;
    w.request_reason("no-tenant", "lost", "TenantSuspended").await?;
    let mut unknown = small_request("dept-jyt", "unknown-pool", 4);
    unknown["spec"]["resources"] = Value::Null;
    unknown["spec"]["pools"] = json!([{"name": "no-such-pool", "amounts": {"cpu": "4", "memory": "16Gi"}}]);
    w.apply("hub", Some("wu.gang"), &unknown).await?;
    w.request_reason("dept-jyt", "unknown-pool", "NoMatchingPool").await?;
    for name in ["hen", "egg", "chick", "apart"] {
        w.ok("hub", Some("zhao.min"), &["delete", "dept", name]).await?;
    }
    w.ok(
        "hub",
        Some("wu.gang"),
        &["delete", "rreq", "unknown-pool", "-n", "dept-jyt"],
    )
    .await
    .map(drop)
}

/// Asks to release a grant, and waits until it is.
pub(crate) async fn released(w: &World, user: &str, ns: &str, name: &str) -> Result<()> {
    let release = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": format!("{name}-release"), "namespace": ns},
        "spec": {"displayName": "释放", "type": "Release", "allocationRef": {"name": name}}});
    w.apply("hub", Some(user), &release).await?;
    w.request_reason(ns, name, "Released").await.map(drop)
}

pub(crate) async fn release_gives_back(w: &World) -> Result<()> {
    let (ns, name) = ("dept-yibao", "yibao-settlement");
    w.refused("hub", Some("li.na"), &["delete", "rreq", name, "-n", ns], "Release")
        .await?;
    w.ok("hub", Some("li.na"), &["apply", "-f", &example("8-release.yaml")])
        .await?;
    w.request_reason(ns, name, "Released").await?;
    for centre in METRO {
        // The word is there as soon as the ledger decided; each centre lowers its quota after that.
        w.quota_is(centre, ns, "requests.cpu", "32", PATIENCE).await?;
    }
    is_quiet(w).await?;
    w.ok(
        "hub",
        Some("li.na"),
        &["delete", "rreq", name, "-n", ns, "--timeout=30s"],
    )
    .await
    .map(drop)
}
