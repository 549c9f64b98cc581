//! The end of a grant's term while its pods run: told before, in force for days of grace, then nothing new comes in and nothing
//! is deleted. The date of the whole province moves. It is not moved back: the next step goes on into later years.

use anyhow::{Context as _, Result, ensure};
use crds::Resources;
use jiff::ToSpan as _;
use jiff::civil::Date;
use playground::eventually;
use serde_json::{Value, json};

use crate::ledger::charged;
use crate::world::{METRO, PATIENCE, World, condition, pod, small_request};

const NS: &str = "dept-daoqi";
const NAME: &str = "two-months";
const REQUESTER: &str = "li.na";
/// Days of grace of the department.
const GRACE: i32 = 3;

/// A grant of 8 vCPU for two months: 4 in each centre, of which a pod uses 2.
async fn ground(w: &World) -> Result<()> {
    let ceilings = json!([{"pool": "x86", "amounts": {"cpu": "100", "memory": "400Gi"}}]);
    let tenant = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Tenant", "metadata": {"name": NS},
        "spec": {"displayName": "到期演练", "level": "City", "parentRef": "jilin", "ceilings": ceilings,
            "graceDays": GRACE, "administrators": [{"kind": "User", "name": REQUESTER}]}});
    w.apply("hub", Some("zhao.min"), &tenant).await?;
    w.ready_reason(&["dept", NS], "Established").await?;
    let mut request = small_request(NS, NAME, 8);
    request["spec"]["term"]["months"] = json!(2);
    w.apply("hub", Some(REQUESTER), &request).await?;
    w.request_reason(NS, NAME, "Active").await?;
    let kept = pod("kept", NS, "2", &Value::Null);
    for centre in METRO {
        eventually(PATIENCE, "a pod is let in", || w.apply(centre, Some(REQUESTER), &kept)).await?;
    }
    running(w).await.map(drop)
}

/// Uid of the pod in each centre, once both run.
async fn running(w: &World) -> Result<Vec<Value>> {
    let mut uids = Vec::new();
    for centre in METRO {
        let uid = eventually(PATIENCE, &format!("the pod runs in {centre}"), || async {
            let found = w.get(centre, &["pod", "kept", "-n", NS]).await?;
            ensure!(found["status"]["phase"] == "Running", "{}", found["status"]["phase"]);
            ensure!(found["metadata"]["deletionTimestamp"].is_null(), "it is being deleted");
            Ok(found["metadata"]["uid"].clone())
        })
        .await?;
        uids.push(uid);
    }
    Ok(uids)
}

/// The last day of its term.
async fn end(w: &World) -> Result<Date> {
    let request = w.get("hub", &["rreq", NAME, "-n", NS]).await?;
    Ok(request["status"]["until"].as_str().context("its end")?.parse()?)
}

/// Moves the date of the province to so many days before that day, or after it. Should midnight pass meanwhile, each of the
/// numbers below says the same a day later.
#[allow(clippy::disallowed_methods, reason = "the day on which the test runs")]
fn days_left(w: &World, until: Date, left: i32) -> Result<()> {
    let today = plan::request::date_at(jiff::Timestamp::now());
    let days = (until - today).get_days() - left;
    w.cloud.calendar(i64::from(days) * 86_400)
}

/// Waits until both its conditions say so, for that reason; it is in force all the while.
async fn says(w: &World, reason: &str, words: &[String; 2]) -> Result<()> {
    eventually(PATIENCE, &format!("{reason}: {words:?}"), || async {
        let request = w.get("hub", &["rreq", NAME, "-n", NS]).await?;
        for kind in ["Ready", "Expiring"] {
            let found = condition(&request, kind).with_context(|| format!("no condition {kind}"))?;
            let message = found["message"].as_str().unwrap_or_default();
            ensure!(found["status"] == "True" && found["reason"] == reason, "{found}");
            ensure!(words.iter().all(|part| message.contains(part)), "{message}");
        }
        ensure!(
            request["status"]["phase"] == "Expiring",
            "{}",
            request["status"]["phase"]
        );
        Ok(())
    })
    .await
}

pub(crate) async fn a_grant_says_when_it_ends(w: &World) -> Result<()> {
    ground(w).await?;
    let until = end(w).await?;
    for (left, days) in [(20, 30), (4, 7), (1, 1)] {
        days_left(w, until, left)?;
        let words = format!("ends on {until}, within {days} days; ask for more with type Renew");
        says(w, "Expiring", &[words, format!("将于 {until} 到期（{days} 天内）")]).await?;
    }
    it_was_told(w).await?;
    days_left(w, until, -2)?;
    let last = until.checked_add(GRACE.days())?;
    let words = format!("its term is over; the quota stays until {last}, ");
    says(w, "InGrace", &[words, format!("已到期，配额保留至 {last}")]).await?;
    for centre in METRO {
        w.quota_is(centre, NS, "requests.cpu", "4", PATIENCE).await?;
    }
    running(w).await.map(drop)
}

/// Three warnings by events. What a program tells again within minutes is counted on the event that it wrote first.
async fn it_was_told(w: &World) -> Result<()> {
    let selector = format!("--field-selector=involvedObject.name={NAME}");
    eventually(PATIENCE, "each warning was told", || async {
        let events = w.get("hub", &["events", "-n", NS, &selector]).await?;
        let events = events["items"].as_array().context("events")?.iter();
        let told: Vec<&Value> = events.filter(|e| e["reason"] == "Expiring").collect();
        let times: i64 = told.iter().map(|e| e["series"]["count"].as_i64().unwrap_or(1)).sum();
        let first = |e: &&Value| e["message"].as_str().is_some_and(|m| m.contains("within 30 days"));
        ensure!(times >= 3 && told.iter().any(first), "{told:?}");
        Ok(())
    })
    .await
}

/// Waits until the pool is charged so many vCPU less in each centre than it was.
async fn falls_by(w: &World, before: [Resources; 2], vcpu: i128) -> Result<()> {
    eventually(PATIENCE, &format!("{vcpu} vCPU less are charged"), || async {
        let now = charged(w, "x86").await?;
        let mut both = now.iter().zip(&before);
        let fell = both.all(|(now, before)| now.cpu == before.cpu - 1000 * vcpu);
        ensure!(fell, "{now:?}, before {before:?}");
        Ok(())
    })
    .await
}

/// When the days of grace are over what is in use stays charged, nothing new comes in, and the pods go on; it is all given back
/// when they end.
pub(crate) async fn an_expired_grant_deletes_nothing(w: &World) -> Result<()> {
    let (before, pods) = (charged(w, "x86").await?, running(w).await?);
    days_left(w, end(w).await?, -GRACE - 2)?;
    // 8 were charged in each centre, 2 are in use there.
    falls_by(w, before, 6).await?;
    let request = w.request_reason(NS, NAME, "Releasing").await?;
    let allocation = &request["status"]["allocation"];
    ensure!(
        allocation["ended"].is_string() && allocation["pools"][0]["amounts"]["cpu"] == "4",
        "{allocation}"
    );
    let late = w.file(&pod("late", NS, "1", &Value::Null))?;
    for centre in METRO {
        eventually(PATIENCE, &format!("the quota fell in {centre}"), || async {
            let hard = w.quota(centre, NS).await?;
            ensure!(hard["requests.cpu"] != "4", "{hard}");
            Ok(())
        })
        .await?;
        w.refused(centre, Some(REQUESTER), &["create", "-f", &late], "exceeded quota")
            .await?;
    }
    ensure!(running(w).await? == pods, "a pod was made anew");
    for centre in METRO {
        let delete = ["delete", "pod", "kept", "-n", NS, "--wait=false"];
        w.ok(centre, Some(REQUESTER), &delete).await?;
    }
    let request = w.request_reason(NS, NAME, "Expired").await?;
    ensure!(
        request["status"]["phase"] == "Expired",
        "{}",
        request["status"]["phase"]
    );
    let reserved = condition(&request, "QuotaReserved").context("QuotaReserved")?;
    ensure!(reserved["status"] == "False", "{reserved}");
    falls_by(w, before, 8).await?;
    for centre in METRO {
        let found = w.get(centre, &["namespace", NS]).await?;
        ensure!(found["status"]["phase"] == "Active", "{}", found["status"]);
    }
    Ok(())
}
