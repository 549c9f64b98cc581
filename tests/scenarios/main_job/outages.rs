//! An API server that is away for more than a minute, long enough for its report to be too old, and watches whose history is
//! gone. Prometheus says how long: it watches from outside.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use playground::{Place, eventually};
use tests::prometheus;

use self::store::Store;
use crate::eyes;
use crate::faults::leader;
use crate::world::{PATIENCE, World, small_request};

#[path = "store.rs"]
mod store;

/// Further than any term of these tests.
const YEARS: i64 = 800 * 86_400;
/// A server that is down for a minute is seen to be so within this time.
const MINUTES: Duration = Duration::from_secs(180);
const HUB: [&str; 3] = [
    "hub-apiserver@jishi",
    "hub-apiserver@jiyidong",
    "hub-apiserver@baicheng",
];

pub(crate) async fn centre_down_for_a_minute(w: &World) -> Result<()> {
    w.cloud.kill("apiserver@jiyidong").await?;
    w.apply("hub", Some("wu.gang"), &small_request("dept-jyt", "one-side", 4))
        .await?;
    // Granted, applied on the side that answers, and waiting for the other.
    let request = eventually(PATIENCE, "jishi applied it", || async {
        let request = w.get("hub", &["rreq", "one-side", "-n", "dept-jyt"]).await?;
        let rows = request["status"]["centres"].as_array().cloned().unwrap_or_default();
        ensure!(
            rows.iter().any(|r| r["name"] == "jishi" && r["reason"] == "Applied"),
            "{rows:?}"
        );
        Ok(request)
    })
    .await?;
    ensure!(
        request["status"]["phase"] == "Provisioning",
        "{}",
        request["status"]["phase"]
    );
    let server = r#"job="apiserver",place="jiyidong""#;
    prometheus::was_down(&w.cloud, server, "1m", MINUTES).await?;
    // By now its report is too old: unknown is not zero, and nothing is sold against it.
    w.ready_reason(&["dcn", "jiyidong"], "Lost").await?;
    eyes::alert_is_raised(w, "CentreNotReporting").await?;
    w.apply("hub", Some("wu.gang"), &small_request("dept-jyt", "blind", 4))
        .await?;
    w.request_reason("dept-jyt", "blind", "CapacityUnknown").await?;
    w.cloud.start_process("apiserver@jiyidong").await?;
    for name in ["one-side", "blind"] {
        w.request_reason("dept-jyt", name, "Active").await?;
    }
    Ok(())
}

/// While every operator and agent stands still the store forgets the history that their watches would go on from.
pub(crate) async fn compacted_history(w: &World) -> Result<()> {
    let still = [
        "operator@jishi",
        "operator@jiyidong",
        "agent-1@jishi",
        "agent-2@jishi",
        "agent-1@jiyidong",
        "agent-2@jiyidong",
    ];
    for process in still {
        w.cloud.freeze(process).await?;
    }
    w.apply("hub", Some("wu.gang"), &small_request("dept-jyt", "unseen", 4))
        .await?;
    store::compact(w, Store::Hub).await?;
    // A server that starts anew knows only what the store still has.
    for server in HUB {
        w.cloud.kill(server).await?;
        w.cloud.start_process(server).await?;
    }
    for process in still {
        w.cloud.thaw(process).await?;
    }
    w.request_reason("dept-jyt", "unseen", "Active").await?;
    takes_requests(w).await
}

/// A server that has just started refuses requests until its policies have found what they compare with.
async fn takes_requests(w: &World) -> Result<()> {
    let file = w.file(&small_request("dept-jyt", "never-stored", 4))?;
    let dry = ["apply", "--dry-run=server", "-f", &file];
    eventually(PATIENCE, "the hub takes requests again", || async {
        w.ok("hub", Some("wu.gang"), &dry).await.map(drop)
    })
    .await
}

/// The place of the leader is far ahead in time. The operator holds to the hub's clock, so only the reports of its own
/// centre come from the future: nothing is sold, and although every term would be over, nothing ends and no month closes.
pub(crate) async fn clock_of_the_leader_jumps(w: &World) -> Result<()> {
    let (place, centre) = match leader(w).await? {
        "operator@jishi" => (Place::Jishi, "jishi"),
        _ => (Place::Jiyidong, "jiyidong"),
    };
    w.cloud.clock(place, YEARS)?;
    w.ready_reason(&["dcn", centre], "ReportStale").await?;
    w.apply("hub", Some("wu.gang"), &small_request("dept-jyt", "early-bird", 4))
        .await?;
    w.request_reason("dept-jyt", "early-bird", "CapacityUnknown").await?;
    w.request_reason("dept-jyt", "small", "Active").await?;
    eventually(PATIENCE, "the clock is seen to be ahead", || async {
        let ahead = eyes::value(w, "max(xiangyun_clock_ahead_seconds)").await?;
        ensure!(ahead.is_some_and(|s| s > 86_400.0), "{ahead:?}");
        Ok(())
    })
    .await?;
    let reports = w.get("hub", &["usage", "-A"]).await?;
    for report in reports["items"].as_array().context("reports")? {
        ensure!(report["status"]["complete"] == false, "{report}");
    }
    w.cloud.clock(place, 0)?;
    w.request_reason("dept-jyt", "early-bird", "Active").await.map(drop)
}
