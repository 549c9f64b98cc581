//! What people decide: who counts, what less they grant, and what a rejection leaves. A pool and a department of its own.

use anyhow::{Context as _, Result, ensure};
use crds::Resources;
use playground::eventually;
use serde_json::{Value, json};

use crate::ledger::charged;
use crate::life::released;
use crate::world::{METRO, PATIENCE, World, condition, small_request};

const NS: &str = "dept-shenpi";
const POOL: &str = "watched";
const REQUESTER: &str = "li.na";
/// vCPU that the pool can commit in each centre.
const ALL: i64 = 100;

/// A pool with room for 100 vCPU: everything needs one level, more than 32 vCPU two.
async fn ground(w: &World) -> Result<()> {
    let amounts = json!({"cpu": ALL.to_string(), "memory": "400Gi"});
    let centre = |name: &str| json!({"name": name, "source": "Declared", "amounts": amounts});
    let levels = json!([{"level": 1, "groups": ["xiangyun:approvers:l1"]},
        {"level": 2, "above": {"cpu": "32"}, "groups": ["xiangyun:approvers:l2"]}]);
    let pool = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "QuotaPool", "metadata": {"name": POOL},
        "spec": {"displayName": "须审批的池", "architecture": "amd64", "zone": "GovExtranet",
            "centres": METRO.map(centre), "approval": {"levels": levels}}});
    w.apply("hub", Some("zhao.min"), &pool).await?;
    let ceiling = json!({"pool": POOL, "amounts": {"cpu": "1000", "memory": "4Ti"}});
    let add = json!([{"op": "add", "path": "/spec/ceilings/-", "value": ceiling}]).to_string();
    let patch = ["patch", "dept", "jilin", "--type=json", "-p", &add];
    w.ok("hub", Some("zhao.min"), &patch).await?;
    let tenant = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Tenant", "metadata": {"name": NS},
        "spec": {"displayName": "审批演练", "level": "City", "parentRef": "jilin", "ceilings": [ceiling],
            "administrators": [{"kind": "User", "name": REQUESTER}]}});
    w.apply("hub", Some("zhao.min"), &tenant).await?;
    w.ready_reason(&["dept", NS], "Established").await?;
    w.ready_reason(&["qpool", POOL], "Available").await.map(drop)
}

async fn sends(w: &World, name: &str, cpu: i64) -> Result<()> {
    let mut request = small_request(NS, name, cpu);
    let amounts = request["spec"]["resources"].take();
    request["spec"]["pools"] = json!([{"name": POOL, "amounts": amounts}]);
    w.apply("hub", Some(REQUESTER), &request).await
}

async fn asks(w: &World, name: &str, cpu: i64) -> Result<Value> {
    sends(w, name, cpu).await?;
    w.request_reason(NS, name, "AwaitingApproval").await
}

/// `kubectl xiangyun approve` or `reject` of that person; it says that the decision counts.
async fn says(w: &World, person: &str, word: &str, name: &str, more: &[&str]) -> Result<()> {
    let request = format!("rreq/{name}");
    let args = [&[word, &request, "-n", NS], more].concat();
    let output = w.plugin(person, &args).await?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{person} {args:?}: {error}");
    Ok(())
}

/// Waits until the condition Counted of a decision has that reason.
async fn counted(w: &World, approval: &str, reason: &str) -> Result<()> {
    eventually(PATIENCE, &format!("{approval} is {reason}"), || async {
        let found = w.get("hub", &["appr", approval, "-n", NS]).await?;
        let counted = condition(&found, "Counted").context("no condition")?;
        ensure!(counted["reason"] == reason, "{counted}");
        Ok(())
    })
    .await
}

async fn given(w: &World, name: &str, given: i64) -> Result<()> {
    given_of(w, name, given, 2).await
}

async fn given_of(w: &World, name: &str, given: i64, needed: i64) -> Result<()> {
    eventually(PATIENCE, &format!("{given} of {needed} agreed to {name}"), || async {
        let request = w.get("hub", &["rreq", name, "-n", NS]).await?;
        let found = &request["status"]["approvals"];
        ensure!(*found == json!({"needed": needed, "given": given}), "{found}");
        Ok(())
    })
    .await
}

/// Of two requests for all that there is one waits for the first level and one for the second. Both are rejected: nothing was
/// ever charged for them, and the one that came last has all of the pool.
pub(crate) async fn a_rejection_frees(w: &World) -> Result<()> {
    ground(w).await?;
    for name in ["half-agreed", "unread", "behind"] {
        asks(w, name, ALL).await?;
    }
    w.decide("zhang.wei", NS, "half-agreed", 1).await?;
    given(w, "half-agreed", 1).await?;
    for (name, person, why) in [
        ("half-agreed", "wang.fang", "预算未落实"),
        ("unread", "zhang.wei", "no funding"),
    ] {
        says(w, person, "reject", name, &["--comment", why]).await?;
        let rejected = w.request_reason(NS, name, "Rejected").await?;
        let message = condition(&rejected, "Ready").and_then(|c| c["message"].as_str());
        let words = format!("rejected by {person}: {why}; ");
        ensure!(message.is_some_and(|m| m.starts_with(&words)), "{message:?}");
        ensure!(rejected["status"]["allocation"].is_null(), "{}", rejected["status"]);
    }
    let found = charged(w, POOL).await?;
    ensure!(found == [Resources::ZERO; 2], "{found:?}");
    // A yes that comes after a no changes nothing.
    w.decide("wang.fang", NS, "unread", 2).await?;
    counted(w, "unread-2", "AlreadyDecided").await?;
    w.request_reason(NS, "unread", "Rejected").await?;
    w.decide("zhang.wei", NS, "behind", 1).await?;
    w.decide("wang.fang", NS, "behind", 2).await?;
    w.request_reason(NS, "behind", "Active").await?;
    released(w, REQUESTER, NS, "behind").await
}

/// One person with both roles, by mistake, and another one of the same organisation: neither is the second of two.
pub(crate) async fn two_levels_are_two_organisations(w: &World) -> Result<()> {
    let request = asks(w, "twice", 64).await?;
    w.decide("zhang.wei", NS, "twice", 1).await?;
    given(w, "twice", 1).await?;
    for (person, reason) in [("zhang.wei", "SamePerson"), ("liu.yang", "SameOrganisation")] {
        let name = format!("twice-by-{person}");
        let approval = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "RequestApproval",
            "metadata": {"name": name, "namespace": NS},
            "spec": {"requestRef": {"name": "twice", "uid": request["metadata"]["uid"]}, "level": 2,
                "decision": "Approved", "comment": "同意"}});
        let file = w.file(&approval)?;
        let create = ["create", "-f", &file, "--as", person];
        let groups = ["xiangyun:approvers", "xiangyun:approvers:l2", "org:zhengshuju"];
        let groups: Vec<&str> = groups.iter().flat_map(|group| ["--as-group", *group]).collect();
        w.ok("hub", None, &[create.as_slice(), &groups].concat()).await?;
        counted(w, &name, reason).await?;
    }
    w.request_reason(NS, "twice", "AwaitingApproval").await?;
    given(w, "twice", 1).await?;
    w.decide("wang.fang", NS, "twice", 2).await?;
    w.request_reason(NS, "twice", "Active").await?;
    given(w, "twice", 2).await?;
    released(w, REQUESTER, NS, "twice").await
}

/// With a reason an approver grants less, and without one the server refuses.
pub(crate) async fn less_is_granted_with_a_reason(w: &World) -> Result<()> {
    asks(w, "less", 64).await?;
    let amounts = ["--amount", "cpu=16,memory=64Gi"];
    let args = [["approve", "rreq/less", "-n", NS].as_slice(), &amounts].concat();
    let output = w.plugin("zhang.wei", &args).await?;
    let error = String::from_utf8_lossy(&output.stderr);
    let words = "amounts are lowered with a comment that says why";
    ensure!(!output.status.success() && error.contains(words), "{error}");
    let lowered = [amounts.as_slice(), &["--comment", "先用四分之一"]].concat();
    says(w, "zhang.wei", "approve", "less", &lowered).await?;
    says(w, "wang.fang", "approve", "less", &["--comment", "同意"]).await?;
    let granted = w.request_reason(NS, "less", "Active").await?;
    let pool = &granted["status"]["allocation"]["pools"][0];
    ensure!(pool["amounts"] == json!({"cpu": "16", "memory": "64Gi"}), "{pool}");
    for centre in METRO {
        w.quota_is(centre, NS, "requests.cpu", "8", PATIENCE).await?;
    }
    let found = charged(w, POOL).await?;
    ensure!(found.iter().all(|c| c.cpu == 16_000), "{found:?}");
    released(w, REQUESTER, NS, "less").await
}

/// A level may name persons: who is in its group decides nothing there, and who is named does, in whatever group.
pub(crate) async fn a_person_by_name_decides(w: &World) -> Result<()> {
    let levels = json!([{"level": 1, "users": ["wang.fang"]}]);
    let patch = json!({"spec": {"approval": {"levels": levels}}}).to_string();
    let pool = format!("qpool/{POOL}");
    w.ok("hub", Some("zhao.min"), &["patch", &pool, "--type=merge", "-p", &patch])
        .await?;
    asks(w, "by-name", 16).await?;
    w.decide("zhang.wei", NS, "by-name", 1).await?;
    counted(w, "by-name-1", "NotEntitled").await?;
    says(w, "wang.fang", "approve", "by-name", &[]).await?;
    w.request_reason(NS, "by-name", "Active").await?;
    let selector = "--field-selector=involvedObject.name=by-name";
    eventually(PATIENCE, "its life is told by events", || async {
        let events = w.get("hub", &["events", "-n", NS, selector]).await?;
        let events = events["items"].as_array().context("events")?;
        for (reason, words) in [
            ("Quoted", "cpu 16"),
            ("Level1Approved", "wang.fang agreed at level 1"),
            ("QuotaReserved", "charged in the ledger"),
            ("Provisioned", "in force in every centre"),
        ] {
            let message = |e: &Value| e["message"].as_str().is_some_and(|m| m.contains(words));
            ensure!(
                events.iter().any(|e| e["reason"] == reason && message(e)),
                "no {reason}: {events:?}"
            );
        }
        Ok(())
    })
    .await?;
    released(w, REQUESTER, NS, "by-name").await
}

/// Both levels name amounts of their own. Up to what is automatic nobody is asked; above it the lowest level always is, also
/// where none of its own amounts is passed, and the other one only above its own.
pub(crate) async fn above_the_automatic_amount_somebody_is_asked(w: &World) -> Result<()> {
    let levels = json!([{"level": 1, "above": {"memory": "4Ti"}, "groups": ["xiangyun:approvers:l1"]},
        {"level": 2, "above": {"cpu": "48"}, "groups": ["xiangyun:approvers:l2"]}]);
    let policy = json!({"automaticUpTo": {"cpu": "8", "memory": "32Gi"}, "levels": levels});
    let patch = json!({"spec": {"approval": policy}}).to_string();
    let pool = format!("qpool/{POOL}");
    w.ok("hub", Some("zhao.min"), &["patch", &pool, "--type=merge", "-p", &patch])
        .await?;
    // Decisions go by the new policy when this one is granted.
    sends(w, "automatic", 8).await?;
    w.request_reason(NS, "automatic", "Active").await?;
    let waits = asks(w, "above", 16).await?;
    let message = condition(&waits, "Ready").and_then(|c| c["message"].as_str());
    let words = "awaiting approval at level 1 (0 of 1 given) | 等待1级审批";
    ensure!(message.is_some_and(|m| m.starts_with(words)), "{message:?}");
    asks(w, "far-above", 64).await?;
    given(w, "far-above", 0).await?;
    w.ok("hub", Some(REQUESTER), &["delete", "rreq", "far-above", "-n", NS])
        .await?;
    w.decide("zhang.wei", NS, "above", 1).await?;
    w.request_reason(NS, "above", "Active").await?;
    given_of(w, "above", 1, 1).await?;
    for name in ["automatic", "above"] {
        released(w, REQUESTER, NS, name).await?;
    }
    Ok(())
}
