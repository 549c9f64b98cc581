//! What was held, added up here from the histories and compared with what the reports say.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use crds::{HistoryEntry, Resources, UsageReportStatus, UsageRow};
use jiff::Timestamp;
use playground::eventually;
use serde_json::{Value, json};

use crate::faults::leader;
use crate::world::{PATIENCE, World, small_request};

const NS: &str = "dept-jyt";

/// Name and status of every report of the tenant.
async fn reports(w: &World) -> Result<Vec<(String, UsageReportStatus)>> {
    let found = w.get("hub", &["usage", "-n", NS]).await?;
    let mut all = Vec::new();
    for report in found["items"].as_array().context("reports")? {
        let name = report["metadata"]["name"].as_str().context("a name")?.to_owned();
        all.push((name, serde_json::from_value(report["status"].clone())?));
    }
    Ok(all)
}

fn first_day(month: &str) -> Result<jiff::civil::Date> {
    Ok(format!("{month}-01").parse()?)
}

/// First second of a month of the province, such as 2026-11.
fn first_second(month: &str) -> Result<i64> {
    Ok(format!("{month}-01T00:00:00+08:00").parse::<Timestamp>()?.as_second())
}

/// Amounts × seconds of a request by pool, between two moments.
fn by_hand(request: &Value, from: i64, until: i64) -> Result<BTreeMap<String, Resources>> {
    let history: Vec<HistoryEntry> = serde_json::from_value(request["status"]["history"].clone())?;
    let mut sums: BTreeMap<String, Resources> = BTreeMap::new();
    for (number, entry) in history.iter().enumerate() {
        let next = history.get(number + 1).map(|e| e.at.parse::<Timestamp>()).transpose()?;
        let end = next.map_or(until, |n| n.as_second().min(until));
        let start = entry.at.parse::<Timestamp>()?.as_second().max(from);
        let seconds = i128::from((end - start).max(0));
        for pool in &entry.pools {
            let sum = sums.entry(pool.pool.clone()).or_default();
            *sum = sum.zip(Resources::try_from(&pool.amounts)?, |s, a| s + a * seconds);
        }
    }
    sums.retain(|_, sum| !sum.is_zero());
    Ok(sums)
}

fn exact(row: &UsageRow) -> Result<Resources> {
    Ok(Resources {
        cpu: row.exact.cpu.parse()?,
        memory: row.exact.memory.parse()?,
        storage: row.exact.storage.parse()?,
        accelerators: row.exact.accelerators.parse()?,
    })
}

/// 900000.5 a vCPU and 70000.25 a GiB, so that seconds cost something; rounded half up to 0.01.
fn price_by_hand(used: Resources, month: &str) -> Result<String> {
    let seconds = i128::from(first_day(month)?.days_in_month()) * 86_400;
    let (vcpu, gib) = (1000, 1i128 << 30);
    let above = used.cpu * 90_000_050 * gib + used.memory * 7_000_025 * vcpu;
    let below = vcpu * gib * seconds;
    let hundredths = (2 * above + below) / (2 * below);
    Ok(format!("{}.{:02}", hundredths / 100, hundredths % 100))
}

/// The row of a request in the pool x86, once it is final. A history that crosses midnight of a month has two.
async fn final_rows(w: &World, uid: &str) -> Result<Vec<(String, UsageRow)>> {
    eventually(PATIENCE, "the rows of the request are final", || async {
        let all = reports(w).await?.into_iter();
        let rows = all.flat_map(|(month, status)| status.rows.into_iter().map(move |r| (month.clone(), r)));
        let rows: Vec<_> = rows.filter(|(_, r)| r.request_uid == uid).collect();
        ensure!(!rows.is_empty() && rows.iter().all(|(_, r)| r.final_), "{rows:?}");
        Ok(rows)
    })
    .await
}

/// A grant and its end, with the leader killed in between: the report is the history, to the last digit.
pub(crate) async fn the_report_is_the_history(w: &World) -> Result<()> {
    let price = r#"{"spec":{"unitPrice":{"perMonth":{"cpu":"900000.5","memory":"70000.25"}}}}"#;
    let patch = ["patch", "qpool", "x86", "--type=merge", "-p", price];
    w.ok("hub", Some("zhao.min"), &patch).await?;
    w.apply("hub", Some("wu.gang"), &small_request(NS, "metered", 4))
        .await?;
    w.request_reason(NS, "metered", "Active").await?;
    let killed = leader(w).await?;
    w.cloud.kill(killed).await?;
    let release = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "metered-end", "namespace": NS},
        "spec": {"displayName": "释放", "type": "Release", "allocationRef": {"name": "metered"}}});
    w.apply("hub", Some("wu.gang"), &release).await?;
    let request = w.request_reason(NS, "metered", "Released").await?;
    w.cloud.start_process(killed).await?;
    let history = request["status"]["history"].as_array().context("a history")?;
    ensure!(history.len() == 2, "granted once, ended once: {history:?}");
    let uid = request["metadata"]["uid"].as_str().context("a uid")?;
    let rows = final_rows(w, uid).await?;
    let mut sum = Resources::ZERO;
    for (month, row) in &rows {
        sum = sum.plus(exact(row)?);
        ensure!(row.figures.price == price_by_hand(exact(row)?, month)?, "{row:?}");
    }
    let expected = by_hand(&request, 0, i64::MAX)?;
    ensure!(
        expected.len() == 1 && sum == expected["x86"],
        "{sum} is not {expected:?}"
    );
    println!("metered {sum}, price {}", rows[0].1.figures.price);
    Ok(())
}

/// Requests that go on: each row is its history up to the moment that the report names, and the sums are the rows'. In
/// every report: the month may just have changed, and a leader whose clock had jumped may have begun the next one.
pub(crate) async fn open_rows_are_the_histories_so_far(w: &World) -> Result<()> {
    let mut seen = 0;
    for (month, report) in reports(w).await? {
        let from = first_second(&month)?;
        let end = from + i64::from(first_day(&month)?.days_in_month()) * 86_400;
        let until = report.as_of.parse::<Timestamp>()?.as_second().min(end);
        let mut hundredths = 0;
        for row in &report.rows {
            hundredths += row.figures.price.replace('.', "").parse::<i128>()?;
            if row.final_ {
                continue;
            }
            let request = w.get("hub", &["rreq", &row.request, "-n", NS]).await?;
            ensure!(request["metadata"]["uid"] == row.request_uid, "{row:?}");
            let expected = by_hand(&request, from, until)?;
            ensure!(
                expected.get(&row.pool) == Some(&exact(row)?),
                "{row:?} is not {expected:?}"
            );
            // Only the prices of x86 are those of this test.
            let price = price_by_hand(exact(row)?, &month)?;
            ensure!(row.pool != "x86" || row.figures.price == price, "{row:?} costs {price}");
            seen += 1;
        }
        let total = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        ensure!(report.totals.price == total, "{} is not {total}", report.totals.price);
        println!("{month}: price {total}");
    }
    ensure!(seen > 2, "only {seen} open rows");
    Ok(())
}

/// The report that has an open row and a final one.
async fn report_of_both(w: &World) -> Result<(String, UsageReportStatus)> {
    let both = |r: &UsageReportStatus| r.rows.iter().any(|r| r.final_) && r.rows.iter().any(|r| !r.final_);
    let found = reports(w).await?.into_iter().find(|(_, report)| both(report));
    found.context("a report with an open and a final row")
}

/// Only the operator writes reports: others are refused, an administrator's edit is corrected, what is final stays.
pub(crate) async fn an_edit_by_hand_is_corrected(w: &World) -> Result<()> {
    let (month, report) = report_of_both(w).await?;
    let edit = |row: &UsageRow| {
        let place = report.rows.iter().position(|r| r == row).unwrap_or_default();
        // No row has that price by chance: what changes nothing is not refused.
        let price = format!("9{}", row.figures.price);
        json!([{"op": "replace", "path": format!("/status/rows/{place}/price"), "value": price}]).to_string()
    };
    let open = report.rows.iter().find(|r| !r.final_).context("an open row")?;
    let closed = report.rows.iter().find(|r| r.final_).context("a final row")?;
    let (open_edit, closed_edit) = (edit(open), edit(closed));
    let patch = |edit| {
        [
            "patch",
            "usage",
            &month,
            "-n",
            NS,
            "--subresource=status",
            "--type=json",
            "-p",
            edit,
        ]
    };
    for person in ["wu.gang", "zhao.min", "sun.li"] {
        w.refused("hub", Some(person), &patch(&open_edit), "forbidden").await?;
        w.ok("hub", Some(person), &["get", "usage", &month, "-n", NS]).await?;
    }
    w.refused("hub", Some("li.na"), &["get", "usage", "-n", NS], "forbidden")
        .await?;
    w.refused("hub", None, &patch(&closed_edit), "a final row does not change")
        .await?;
    w.ok("hub", None, &patch(&open_edit)).await?;
    let edited = format!("9{}", open.figures.price);
    eventually(PATIENCE, "the edit is corrected", || async {
        let mut all = reports(w).await?.into_iter();
        let (_, now) = all.find(|(name, _)| *name == month).context("the report")?;
        let row = now
            .rows
            .iter()
            .find(|r| r.request_uid == open.request_uid && r.pool == open.pool);
        ensure!(row.is_some_and(|r| r.figures.price != edited), "{row:?}");
        Ok(())
    })
    .await?;
    open_rows_are_the_histories_so_far(w).await
}

/// A request that is gone stays in the report of its month.
pub(crate) async fn rows_outlive_their_request(w: &World) -> Result<()> {
    let request = w.get("hub", &["rreq", "metered", "-n", NS]).await?;
    let uid = request["metadata"]["uid"].as_str().context("a uid")?;
    let before = final_rows(w, uid).await?;
    let delete = ["delete", "rreq", "metered", "-n", NS, "--timeout=30s"];
    w.ok("hub", Some("wu.gang"), &delete).await?;
    let after = final_rows(w, uid).await?;
    ensure!(before == after, "{before:?} became {after:?}");
    Ok(())
}

/// Nothing can be written in a namespace that is being deleted, so metering does not hold its requests for a report.
pub(crate) async fn a_namespace_on_its_way_out_is_not_held(w: &World) -> Result<()> {
    let ceilings = json!([{"pool": "x86", "amounts": {"cpu": "100", "memory": "400Gi"}}]);
    let tenant = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Tenant", "metadata": {"name": "leaver"},
        "spec": {"displayName": "撤并单位", "level": "City", "parentRef": "jilin", "ceilings": ceilings}});
    w.apply("hub", Some("zhao.min"), &tenant).await?;
    w.ready_reason(&["dept", "leaver"], "Established").await?;
    w.apply("hub", None, &small_request("leaver", "last", 4)).await?;
    w.request_reason("leaver", "last", "Active").await?;
    let delete = ["delete", "namespace", "leaver", "--timeout=180s"];
    w.ok("hub", None, &delete).await.map(drop)
}

/// Uids and phases of all requests.
async fn phases(w: &World) -> Result<BTreeMap<String, String>> {
    let all = w.get("hub", &["rreq", "-A"]).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = all["items"].as_array().context("requests")?.iter();
    Ok(all
        .map(|r| (text(&r["metadata"]["uid"]), text(&r["status"]["phase"])))
        .collect())
}

/// Uids of the requests that somebody decided about.
async fn decided(w: &World) -> Result<BTreeSet<String>> {
    let all = w.get("hub", &["appr", "-A"]).await?;
    let all = all["items"].as_array().context("decisions")?.iter();
    let uid = |a: &Value| a["spec"]["requestRef"]["uid"].as_str().map(str::to_owned);
    Ok(all.filter_map(uid).collect())
}

/// Three years on: what had ended is gone, with the decisions about it, what ends only now is still there, and so is every
/// row of the reports.
pub(crate) async fn history_goes_after_three_years(w: &World) -> Result<()> {
    let over = |phase: &str| ["Rejected", "Released", "Completed"].contains(&phase);
    let (before, rows) = (phases(w).await?, reports(w).await?);
    let (ended, live): (Vec<_>, Vec<_>) = before
        .iter()
        .filter(|(_, phase)| over(phase) || *phase == "Active")
        .partition(|(_, phase)| over(phase));
    let of_ended = decided(w).await?;
    let of_ended = ended.iter().filter(|(uid, _)| of_ended.contains(*uid)).count();
    ensure!(of_ended > 1 && live.len() > 1, "{before:?}, {of_ended} decisions");
    w.cloud.calendar(1100 * 86_400)?;
    eventually(4 * PATIENCE, "what ended long ago is gone", || async {
        let (now, decided) = (phases(w).await?, decided(w).await?);
        let left = ended.iter().filter(|(uid, _)| now.contains_key(*uid)).count();
        let left_decided = ended.iter().filter(|(uid, _)| decided.contains(*uid)).count();
        ensure!(
            left == 0 && left_decided == 0,
            "{left} requests, {left_decided} decisions"
        );
        let expired = live
            .iter()
            .filter(|(uid, _)| now.get(*uid).is_some_and(|p| p == "Expired"));
        ensure!(expired.count() > 1, "{now:?}");
        ensure!(live.iter().all(|(uid, _)| now.contains_key(*uid)), "{now:?}");
        Ok(())
    })
    .await?;
    let after: BTreeMap<_, _> = reports(w).await?.into_iter().collect();
    for (month, report) in rows {
        let now = after.get(&month).context("the report")?;
        let mut closed = report.rows.iter().filter(|r| r.final_);
        ensure!(closed.all(|row| now.rows.contains(row)), "{month}: {now:?}");
    }
    println!(
        "{} ended requests are gone, {} live ones ended",
        ended.len(),
        live.len()
    );
    w.cloud.calendar(0)
}
