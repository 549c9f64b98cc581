//! What it must stand.

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::ledger;
use crate::world::{CORRECTED, METRO, PATIENCE, World, small_request};

pub(crate) async fn drift_is_corrected(w: &World) -> Result<()> {
    let ns = "dept-yibao";
    for centre in METRO {
        let before = w.quota(centre, ns).await?["requests.cpu"]
            .as_str()
            .context("a quota")?
            .to_owned();
        let edit = r#"{"spec":{"hard":{"requests.cpu":"9999"}}}"#;
        w.ok(
            centre,
            None,
            &[
                "patch",
                "resourcequota",
                "xiangyun",
                "-n",
                ns,
                "--type=merge",
                "-p",
                edit,
            ],
        )
        .await?;
        w.quota_is(centre, ns, "requests.cpu", &before, CORRECTED).await?;
        w.ok(centre, None, &["delete", "resourcequota", "xiangyun", "-n", ns])
            .await?;
        w.quota_is(centre, ns, "requests.cpu", &before, CORRECTED).await?;
    }
    Ok(())
}

pub(crate) async fn foreign_namespace_is_not_touched(w: &World) -> Result<()> {
    w.ok("hub", None, &["create", "namespace", "theirs"]).await?;
    let tenant = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Tenant", "metadata": {"name": "theirs"},
        "spec": {"displayName": "外来", "level": "City", "parentRef": "jilin"}});
    w.apply("hub", Some("zhao.min"), &tenant).await?;
    w.ready_reason(&["dept", "theirs"], "NamespaceConflict").await?;
    let found = w.get("hub", &["namespace", "theirs"]).await?;
    ensure!(
        found["metadata"]["labels"]["xiangyun.io/tenant"].is_null(),
        "it was labelled"
    );
    // The same in a centre: the grant says which centre is in conflict.
    w.ok("jishi", None, &["create", "namespace", "changchun"]).await?;
    w.apply("hub", Some("chen.jie"), &small_request("changchun", "conflict", 4))
        .await?;
    let request = w.request_reason("changchun", "conflict", "CentreConflict").await?;
    let rows = request["status"]["centres"].as_array().context("rows")?;
    ensure!(
        rows.iter().any(|r| r["name"] == "jishi" && r["reason"] == "Conflict"),
        "{rows:?}"
    );
    w.ok("jishi", None, &["delete", "namespace", "changchun", "--wait=false"])
        .await?;
    w.request_reason("changchun", "conflict", "Active").await.map(drop)
}

pub(crate) async fn unreadable_object_stops_nobody(w: &World) -> Result<()> {
    let crd = "tenants.xiangyun.io";
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/level/enum";
    let add = json!([{"op": "add", "path": format!("{path}/-"), "value": "Galaxy"}]).to_string();
    w.ok("hub", None, &["patch", "crd", crd, "--type=json", "-p", &add])
        .await?;
    let galaxy = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Tenant", "metadata": {"name": "galaxy"},
        "spec": {"displayName": "银河", "level": "Galaxy", "parentRef": "jilin"}});
    let file = w.file(&galaxy)?;
    eventually(PATIENCE, "the server takes the new value", || async {
        w.ok("hub", None, &["apply", "-f", &file]).await.map(drop)
    })
    .await?;
    let good = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Tenant", "metadata": {"name": "after-galaxy"},
        "spec": {"displayName": "其后", "level": "City", "parentRef": "jilin"}});
    w.apply("hub", Some("zhao.min"), &good).await?;
    w.ready_reason(&["dept", "after-galaxy"], "Established").await?;
    w.ok("hub", None, &["delete", "dept", "galaxy"]).await.map(drop)
}

/// The operator that leads, as a process of the playground. For a while a lease may be free, or name one that ended.
pub(crate) async fn leader(w: &World) -> Result<&'static str> {
    eventually(PATIENCE, "one of our operators leads", || async {
        let lease = w
            .get("hub", &["lease", "xiangyun-controller", "-n", "xiangyun-system"])
            .await?;
        let holder = lease["spec"]["holderIdentity"].as_str().context("nobody leads")?;
        // Host, process, random part: the host's name may have numbers in it, too.
        let pid = holder.rsplit('-').nth(1).and_then(|pid| pid.parse::<u32>().ok());
        let mut ours = ["operator@jishi", "operator@jiyidong"].into_iter();
        let leads = ours.find(|name| pid.is_some() && w.cloud.pid(name) == pid);
        leads.with_context(|| format!("{holder} is none of ours"))
    })
    .await
}

pub(crate) async fn killed_operator_is_replaced(w: &World) -> Result<()> {
    let before = w.get("hub", &["quotaledger", "province"]).await?;
    let first = leader(w).await?;
    w.cloud.kill(first).await?;
    w.apply("hub", Some("wu.gang"), &small_request("dept-jyt", "after-kill", 4))
        .await?;
    w.request_reason("dept-jyt", "after-kill", "Active").await?;
    let after = w.get("hub", &["quotaledger", "province"]).await?;
    let epoch = |ledger: &Value| ledger["spec"]["epoch"].as_i64().unwrap_or_default();
    ensure!(
        epoch(&after) > epoch(&before),
        "epoch {} → {}",
        epoch(&before),
        epoch(&after)
    );
    w.cloud.start_process(first).await
}

/// Both at once: nobody decides until one of them is back, and nothing is lost meanwhile.
pub(crate) async fn both_operators_killed(w: &World) -> Result<()> {
    let both = ["operator@jishi", "operator@jiyidong"];
    for operator in both {
        w.cloud.kill(operator).await?;
    }
    w.apply("hub", Some("wu.gang"), &small_request("dept-jyt", "nobody-leads", 4))
        .await?;
    for operator in both {
        w.cloud.start_process(operator).await?;
    }
    w.request_reason("dept-jyt", "nobody-leads", "Active").await.map(drop)
}

/// A centre that has seen a newer leader refuses what an older one decides, until the newer one stands by it.
pub(crate) async fn a_newer_leader_confirms(w: &World) -> Result<()> {
    let ledger = w.get("hub", &["quotaledger", "province"]).await?;
    let uid = ledger["metadata"]["uid"].as_str().context("a uid")?;
    let newer = ledger["spec"]["epoch"].as_i64().context("an epoch")? + 1;
    let agents = ["agent-1@jishi", "agent-2@jishi"];
    for agent in agents {
        w.cloud.kill(agent).await?;
    }
    let seen = json!({"data": {uid: newer.to_string()}}).to_string();
    let patch = [
        "patch",
        "configmap",
        "xiangyun-epoch",
        "-n",
        "xiangyun-system",
        "--type=merge",
        "-p",
        &seen,
    ];
    w.ok("jishi", None, &patch).await?;
    for agent in agents {
        w.cloud.start_process(agent).await?;
    }
    w.apply("hub", Some("wu.gang"), &small_request("dept-jyt", "outdated", 4))
        .await?;
    let refused = w.request_reason("dept-jyt", "outdated", "CentreConflict").await?;
    let rows = refused["status"]["centres"].as_array().context("rows")?;
    ensure!(rows.iter().any(|r| r["reason"] == "StaleEpoch"), "{rows:?}");
    let outdated = leader(w).await?;
    w.cloud.kill(outdated).await?;
    w.request_reason("dept-jyt", "outdated", "Active").await?;
    w.cloud.start_process(outdated).await
}

/// An administrator switches off what forbids it, takes the finalizers off a grant and deletes it: what it held is free within
/// seconds, not at the next recount, and an event on the ledger has the numbers.
pub(crate) async fn what_vanished_is_counted_at_once(w: &World) -> Result<()> {
    let (ns, name) = ("dept-jyt", "vanishes");
    let before = ledger::charged(w, "x86").await?;
    w.apply("hub", Some("wu.gang"), &small_request(ns, name, 4)).await?;
    w.request_reason(ns, name, "Active").await?;
    ensure!(ledger::charged(w, "x86").await? != before, "it charges nothing");
    let forbids = ["validatingadmissionpolicybinding", "xiangyun-live-grant"];
    let kept = w.get("hub", &forbids).await?;
    w.ok("hub", None, &["delete", forbids[0], forbids[1]]).await?;
    // First the finalizers: what is on its way out is ended by the operator within a moment, and then nothing vanishes.
    let none = r#"{"metadata":{"finalizers":null}}"#;
    w.ok(
        "hub",
        None,
        &["patch", "rreq", name, "-n", ns, "--type=merge", "-p", none],
    )
    .await?;
    eventually(PATIENCE, "it may be deleted", || async {
        w.ok("hub", None, &["delete", "rreq", name, "-n", ns, "--wait=false"])
            .await
    })
    .await?;
    eventually(PATIENCE, "nothing is charged for it", || async {
        let charged = ledger::charged(w, "x86").await?;
        ensure!(charged == before, "{charged:?}, not {before:?}");
        Ok(())
    })
    .await?;
    eventually(PATIENCE, "an event tells", || async {
        let events = w
            .get("hub", &["events", "--field-selector=reason=LedgerRepaired"])
            .await?;
        let notes = events["items"].to_string();
        ensure!(notes.contains("x86@jishi: "), "{notes}");
        Ok(())
    })
    .await?;
    let binding = json!({"apiVersion": kept["apiVersion"], "kind": kept["kind"],
        "metadata": {"name": forbids[1]}, "spec": kept["spec"]});
    w.apply("hub", None, &binding).await
}

pub(crate) async fn killed_agents_resume(w: &World) -> Result<()> {
    for agent in ["agent-1@jishi", "agent-2@jishi"] {
        w.cloud.kill(agent).await?;
    }
    w.apply("hub", Some("wu.gang"), &small_request("dept-jyt", "no-agent", 4))
        .await?;
    w.request_reason("dept-jyt", "no-agent", "Provisioning").await?;
    for agent in ["agent-1@jishi", "agent-2@jishi"] {
        w.cloud.start_process(agent).await?;
    }
    w.request_reason("dept-jyt", "no-agent", "Active").await.map(drop)
}
