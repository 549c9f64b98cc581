//! The life of a grant after its first day. A pool with room for 20 vCPU in each centre; all that is asked survives in both.

use anyhow::{Context as _, Result, ensure};
use crds::request_reason as reason;
use playground::{Place, eventually};
use serde_json::{Value, json};

use crate::judge::Judge;
use crate::scenarios::pod;
use crate::world::{FIVE, PATIENCE, TENANT, World};

const DAY: i64 = 86_400;

fn need(vcpu: u32) -> Value {
    json!([{"name": FIVE, "amounts": {"cpu": vcpu.to_string(), "memory": format!("{}Gi", 4 * vcpu)}}])
}

/// A request of that type for so many vCPU.
pub(crate) fn asks(kind: &str, vcpu: u32) -> Value {
    let mut spec = json!({"displayName": kind, "type": kind, "pools": need(vcpu),
        "project": {"approvalNo": "1", "funding": "AnnualBudget"}, "compliance": {"classified": false, "mlpsLevel": 2}});
    if kind == "New" {
        spec["term"] = json!({"months": 12});
    }
    spec
}

pub(crate) fn change(target: &str, vcpu: u32) -> Value {
    json!({"displayName": "变更", "type": "Change", "pools": need(vcpu), "allocationRef": {"name": target}})
}

pub(crate) fn renew(target: &str) -> Value {
    json!({"displayName": "续期", "type": "Renew", "term": {"months": 12}, "allocationRef": {"name": target}})
}

pub(crate) async fn resize_up_down_and_failed(w: &World) -> Result<()> {
    w.create("resize-a", asks("New", 4)).await?;
    w.create("resize-b", asks("New", 12)).await?;
    w.stands("resize-b", 12, reason::ACTIVE).await?;
    w.create("resize-up", change("resize-a", 8)).await?;
    w.stands("resize-up", 0, reason::COMPLETED).await?;
    w.stands("resize-a", 8, reason::ACTIVE).await?;
    // It does not fit: the old grant stays as it is.
    w.create("resize-more", change("resize-a", 12)).await?;
    w.stands("resize-more", 0, reason::WAITING_FOR_QUOTA).await?;
    w.stands("resize-a", 8, reason::ACTIVE).await?;
    w.create("resize-down", change("resize-b", 8)).await?;
    w.stands("resize-b", 8, reason::ACTIVE).await?;
    w.stands("resize-a", 12, reason::ACTIVE).await?;
    w.stands("resize-more", 0, reason::COMPLETED).await?;
    let quota = [
        "get",
        "resourcequota",
        "xiangyun",
        "-n",
        TENANT,
        "-o",
        "jsonpath={.spec.hard.requests\\.cpu}",
    ];
    eventually(PATIENCE, "the centre holds half of both", || async {
        let hard = w.kubectl(Place::Jishi.name(), None, &quota).await?;
        ensure!(hard == "10", "{hard}");
        Ok(())
    })
    .await?;
    w.clear("resize").await
}

/// A change to less than what runs: what was charged stays charged until the use falls.
pub(crate) async fn shrink_below_use(w: &World) -> Result<()> {
    w.create("shrink-a", asks("New", 8)).await?;
    w.stands("shrink-a", 8, reason::ACTIVE).await?;
    // Its share is 4 in each centre; of the 4 that are asked it will be 2.
    eventually(PATIENCE, "a pod is let in", || pod(w, "in-use", "3")).await?;
    w.create("shrink-less", change("shrink-a", 4)).await?;
    w.create("shrink-next", asks("New", 16)).await?;
    let rows = ["get", "rreq", "shrink-a", "-n", TENANT, "-o", "json"];
    eventually(PATIENCE, "the centre applied it, and says what is used", || async {
        let request: Value = serde_json::from_str(&w.kubectl("hub", None, &rows).await?)?;
        let status = &request["status"];
        let rows = status["centres"].as_array().into_iter().flatten();
        let applied = rows.filter(|r| r["record"] == status["allocation"]["record"] && r["reason"] == "Applied");
        let used: Vec<&Value> = applied.filter(|r| r["name"] == "jishi").map(|r| &r["used"]).collect();
        let pools = &status["allocation"]["pools"];
        ensure!(pools[0]["amounts"]["cpu"] == "4", "{pools}");
        ensure!(used.iter().any(|u| u[0]["amounts"]["cpu"] == "3"), "{used:?}");
        Ok(())
    })
    .await?;
    w.stands("shrink-next", 0, reason::WAITING_FOR_QUOTA).await?;
    let charged = |judge: &Judge| (judge.charged(FIVE, "jishi"), judge.under_way());
    let found = w.ask(charged)?;
    ensure!(found == (Some(8), vec!["shrink-a".to_owned()]), "{found:?}");
    let delete = ["delete", "pod", "in-use", "-n", TENANT, "--grace-period=0", "--force"];
    w.kubectl("jishi", None, &delete).await?;
    w.stands("shrink-next", 16, reason::ACTIVE).await?;
    w.stands("shrink-a", 4, reason::ACTIVE).await?;
    w.stands("shrink-less", 0, reason::COMPLETED).await?;
    w.clear("shrink").await
}

/// Two trials of a day; one is renewed. Two days later, by all clocks.
pub(crate) async fn a_trial_becomes_a_grant_or_ends(w: &World) -> Result<()> {
    for name in ["trial-kept", "trial-left"] {
        let mut spec = asks("Trial", 4);
        spec["term"] = json!({"trialDays": 1});
        w.create(name, spec).await?;
        w.stands(name, 4, reason::ACTIVE).await?;
    }
    w.create("trial-renew", renew("trial-kept")).await?;
    w.stands("trial-renew", 0, reason::COMPLETED).await?;
    w.cloud.calendar(2 * DAY)?;
    w.stands("trial-left", 0, reason::EXPIRED).await?;
    w.stands("trial-kept", 4, reason::ACTIVE).await?;
    w.cloud.calendar(0)?;
    w.clear("trial").await
}

async fn pool_says(w: &World, kind: &str, status: &str) -> Result<()> {
    let path = format!("jsonpath={{.status.conditions[?(@.type==\"{kind}\")].status}}");
    eventually(PATIENCE, &format!("{kind} is {status}"), || async {
        let found = w.kubectl("hub", None, &["get", "qpool", FIVE, "-o", &path]).await?;
        ensure!(found == status, "{found}");
        Ok(())
    })
    .await
}

pub(crate) async fn hold_and_drain(w: &World) -> Result<()> {
    let (pool, intake) = (format!("qpool/{FIVE}"), |value| json!({"spec": {"intake": value}}));
    w.create("hold-a", asks("New", 8)).await?;
    w.stands("hold-a", 8, reason::ACTIVE).await?;
    w.patch(&pool, &intake("Hold")).await?;
    pool_says(w, "Ready", "False").await?;
    w.create("hold-b", asks("New", 4)).await?;
    w.stands("hold-b", 0, reason::ON_HOLD).await?;
    w.create("hold-down", change("hold-a", 4)).await?;
    w.create("hold-renew", renew("hold-a")).await?;
    w.stands("hold-a", 4, reason::ACTIVE).await?;
    w.stands("hold-renew", 0, reason::COMPLETED).await?;
    w.patch(&pool, &intake("Drain")).await?;
    pool_says(w, "Drained", "False").await?;
    w.create("hold-again", renew("hold-a")).await?;
    w.stands("hold-again", 0, reason::ON_HOLD).await?;
    w.delete(&["hold-again".to_owned()]).await?;
    w.release("hold-a").await?;
    pool_says(w, "Drained", "True").await?;
    w.patch(&pool, &intake("Open")).await?;
    w.stands("hold-b", 4, reason::ACTIVE).await?;
    w.clear("hold").await
}

/// Refused while it is charged; once it is empty it goes, and comes back as a new one.
pub(crate) async fn delete_a_pool_with_users(w: &World) -> Result<()> {
    w.create("users-a", asks("New", 4)).await?;
    w.stands("users-a", 4, reason::ACTIVE).await?;
    let path = "jsonpath={.status.total.charged.cpu}";
    eventually(PATIENCE, "the pool says what is charged", || async {
        let charged = w.kubectl("hub", None, &["get", "qpool", FIVE, "-o", path]).await?;
        ensure!(charged == "8", "{charged}");
        Ok(())
    })
    .await?;
    let delete = ["delete", "qpool", FIVE, "--ignore-not-found", "--timeout=20s"];
    let refused = w.kubectl("hub", Some("zhao.min"), &delete).await;
    let refused = refused.err().context("it is in use")?.to_string();
    ensure!(refused.contains("InUse") && refused.contains("cpu 8"), "{refused}");
    w.clear("users").await?;
    eventually(PATIENCE, "the emptied pool is deleted", || async {
        w.kubectl("hub", Some("zhao.min"), &delete).await.map(drop)
    })
    .await?;
    w.until("the ledger forgot it", |judge| {
        ensure!(judge.charged(FIVE, "jishi").is_none(), "it is there");
        Ok(())
    })
    .await?;
    w.create("users-b", asks("New", 4)).await?;
    w.stands("users-b", 0, reason::NO_MATCHING_POOL).await?;
    w.pool(FIVE, "amd64", 5).await?;
    w.stands("users-b", 4, reason::ACTIVE).await?;
    w.clear("users").await
}

/// What is freed is kept for the first of the queue once it has waited long enough.
pub(crate) async fn a_big_one_is_not_starved(w: &World) -> Result<()> {
    let pool = format!("qpool/{FIVE}");
    w.patch(&pool, &json!({"spec": {"holdAfter": "1s"}})).await?;
    w.create("big-first", asks("New", 12)).await?;
    w.stands("big-first", 12, reason::ACTIVE).await?;
    w.create("big-one", asks("New", 16)).await?;
    w.stands("big-one", 0, reason::WAITING_FOR_QUOTA).await?;
    let kept = ["get", "poolqueue", FIVE, "-o", "jsonpath={.spec.kept.uid}"];
    eventually(PATIENCE, "room is kept for it", || async {
        ensure!(!w.kubectl("hub", None, &kept).await?.is_empty(), "not yet");
        Ok(())
    })
    .await?;
    // 8 are free, and it asks for 4.
    w.create("big-small", asks("New", 4)).await?;
    w.stands("big-small", 0, reason::WAITING_FOR_QUOTA).await?;
    w.release("big-first").await?;
    w.stands("big-one", 16, reason::ACTIVE).await?;
    w.stands("big-small", 4, reason::ACTIVE).await?;
    w.patch(&pool, &json!({"spec": {"holdAfter": "72h"}})).await?;
    w.clear("big").await
}

/// A ceiling of 8, full; the emergency is granted above it, and given back after its date.
pub(crate) async fn an_emergency_goes_above_the_ceiling(w: &World) -> Result<()> {
    crate::tree::tenant(w, "flood-dept", "jilin", [8, 0, 0]).await?;
    w.create_in("flood-dept", "flood-usual", asks("New", 8)).await?;
    w.stands("flood-usual", 8, reason::ACTIVE).await?;
    w.create_in("flood-dept", "flood-more", asks("New", 4)).await?;
    w.stands("flood-more", 0, reason::CEILING_REACHED).await?;
    let mut spec = asks("Emergency", 8);
    spec["until"] = json!(crate::tree::tomorrow());
    w.create_in("flood-dept", "flood-now", spec).await?;
    w.stands("flood-now", 8, reason::ACTIVE).await?;
    // What it took is missing to the others of the pool.
    w.create("lender", asks("New", 8)).await?;
    w.stands("lender", 0, reason::WAITING_FOR_QUOTA).await?;
    w.cloud.calendar(2 * DAY)?;
    w.stands("flood-now", 0, reason::EXPIRED).await?;
    w.stands("lender", 8, reason::ACTIVE).await?;
    w.stands("flood-usual", 8, reason::ACTIVE).await?;
    w.stands("flood-more", 0, reason::CEILING_REACHED).await?;
    w.cloud.calendar(0)?;
    w.clear("lender").await?;
    crate::tree::remove(w, "flood-dept", &["flood-usual"], &["flood-more"]).await
}
