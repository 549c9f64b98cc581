//! The three stages, and the way back with workloads running.

use anyhow::{Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::city::{AGENT, CITY, JIN, ZHAO, data_center, pool};
use crate::stage::{LI, NS, deployment, placement};
use crate::world::{PATIENCE, World, small_request};

const APP: &str = "tax";
const WHAT: [&str; 2] = ["deploy", APP];
const IMAGE: &str = "/spec/template/spec/containers/0/image";

fn request(name: &str, cpu: i64) -> Value {
    let mut request = small_request(NS, name, cpu);
    let amounts = json!({"cpu": cpu.to_string(), "memory": format!("{}Gi", cpu * 4)});
    if let Some(spec) = request["spec"].as_object_mut() {
        spec.remove("resources");
        spec.insert("pools".to_owned(), json!([{"name": "lent", "amounts": amounts}]));
    }
    request
}

fn placed() -> Value {
    placement(APP, APP, json!({"pool": "lent", "centres": [{"name": CITY}]}))
}

fn image(version: u8, replicas: i64) -> Value {
    let mut object = deployment(APP, APP, replicas);
    object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(format!("registry.invalid/c:{version}"));
    object
}

/// That version alone, so many copies of it, and the placement says so.
async fn runs(w: &World, version: u8, copies: i64) -> Result<()> {
    let image = json!(format!("registry.invalid/c:{version}"));
    w.field(CITY, &WHAT, IMAGE, &image, PATIENCE).await?;
    for counted in ["updatedReplicas", "replicas", "readyReplicas"] {
        w.field(CITY, &WHAT, &format!("/status/{counted}"), &json!(copies), PATIENCE)
            .await?;
    }
    w.placement_reason(APP, "Running").await.map(drop)
}

pub(crate) async fn observed_writes_nothing(w: &World) -> Result<()> {
    let label = ["label", "nodes", "--all", "--overwrite", "xiangyun.io/pool=lent"];
    w.ok(CITY, None, &label).await?;
    for agent in [AGENT, "agent-2@baicheng"] {
        w.cloud.kill(agent).await?;
    }
    w.refused(
        "hub",
        ZHAO,
        &["apply", "-f", &w.file(&data_center("Observed", 40))?],
        "by an edit",
    )
    .await?;
    w.ok("hub", ZHAO, &["delete", "dcn", CITY]).await?;
    w.apply("hub", ZHAO, &data_center("Observed", 40)).await?;
    w.apply("hub", ZHAO, &pool()).await?;
    w.opens("jilin").await?;
    w.opens(NS).await?;
    let refused = w.plugin("zhao.min", &["join", "jishi"]).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        refused.status.code() == Some(1) && said.contains("role Primary"),
        "{said}"
    );
    w.city_applies("Observed").await?;
    let since = w.audited()?;
    w.cloud.start_process(AGENT).await?;
    w.stage_is("Observed", 40).await?;
    // Its capacity is shown, and nothing is sold against it.
    w.ready_reason(&["qpool", "lent"], "CapacityUnknown").await?;
    w.apply("hub", LI, &request("room", 20)).await?;
    w.request_reason(NS, "room", "CapacityUnknown").await?;
    let number = |dcn: &Value| dcn["status"]["report"]["number"].as_i64().unwrap_or_default();
    let first = number(&w.get("hub", &["dcn", CITY]).await?);
    eventually(PATIENCE, "it reports again", || async {
        let now = number(&w.get("hub", &["dcn", CITY]).await?);
        ensure!(now > first, "report {now}");
        Ok(())
    })
    .await?;
    let written = w.written(since, None)?;
    ensure!(written.is_empty(), "{written:?}");
    roles_are_narrow(w).await
}

/// The role gives no more, whatever the agent wants; and in the hub an observer reads no department's secrets.
async fn roles_are_narrow(w: &World) -> Result<()> {
    let account = "--as=system:serviceaccount:xiangyun-system:xiangyun-agent";
    for (verb, what) in [("create", "namespaces"), ("create", "leases"), ("get", "secrets")] {
        w.refused(
            CITY,
            None,
            &["auth", "can-i", verb, what, account, "-n", "xiangyun-system"],
            "",
        )
        .await?;
    }
    w.ok(CITY, None, &["auth", "can-i", "list", "nodes", account]).await?;
    let observer = ["--as=xiangyun:centre:yanbian", "--as-group=xiangyun:observers"];
    w.ok(
        "hub",
        None,
        &[
            &["auth", "can-i", "patch", "dcn/yanbian", "--subresource=status"],
            &observer[..],
        ]
        .concat(),
    )
    .await?;
    w.refused(
        "hub",
        None,
        &[&["auth", "can-i", "list", "secrets", "-A"], &observer[..]].concat(),
        "",
    )
    .await
}

pub(crate) async fn advised_keeps_a_tenant_out(w: &World) -> Result<()> {
    w.city_applies("Advised").await?;
    let since = w.audited()?;
    w.stage_is("Advised", 40).await?;
    w.ready_reason(&["qpool", "lent"], "Available").await?;
    // A grant alone brings nobody in.
    w.request_reason(NS, "room", "Provisioning").await?;
    w.grant_row("room", "AwaitingConfirmation").await?;
    w.put(&image(0, 4)).await?;
    w.put(&placed()).await?;
    let first = w.row(APP, "AwaitingConfirmation").await?;
    ensure!(
        first["message"]
            .as_str()
            .is_some_and(|m| m.contains("1 Deployment; 4 copies")),
        "{first}"
    );
    // Another image since it was shown: the number is right, the content is not, and it opens no namespace.
    w.put(&image(1, 4)).await?;
    let second = w.another_row(APP, &first).await?;
    ensure!(number_of(&second) == number_of(&first), "{first} {second}");
    w.confirm(JIN, APP, &first).await?;
    w.apply("hub", LI, &request("late", 1)).await?;
    w.grant_row("late", "AwaitingConfirmation").await?;
    let row = w.row(APP, "AwaitingConfirmation").await?;
    ensure!(row["confirm"] == second["confirm"], "{row}");
    let written = w.written(since, Some("xiangyun-system"))?;
    ensure!(written.is_empty(), "{written:?}");
    w.refused(CITY, None, &["get", "ns", NS], "NotFound").await
}

/// The number of the decision that a row asks about.
fn number_of(row: &Value) -> Option<&str> {
    Some(row["confirm"].as_str()?.split_once('-')?.0)
}

pub(crate) async fn advised_waits_for_a_person(w: &World) -> Result<()> {
    let since = w.audited()?;
    let row = w.row(APP, "AwaitingConfirmation").await?;
    let written = w.written(since, Some("xiangyun-system"))?;
    ensure!(written.is_empty(), "{written:?}");
    w.diff_says(APP, "Waits", &row["confirm"]).await?;
    // The department does not confirm for the city, and the city does not write the department's placement.
    let refused = w
        .confirm(LI, APP, &row)
        .await
        .map_or_else(|e| format!("{e:#}"), |_| "accepted".into());
    ensure!(refused.contains("NotTheMember"), "{refused}");
    let patch = json!({"spec": {"displayName": "theirs"}}).to_string();
    let patch = ["patch", "dap", APP, "-n", NS, "--type=merge", "-p", &patch];
    w.refused("hub", JIN, &patch, "only confirm").await?;
    w.confirm(JIN, APP, &row).await?;
    runs(w, 1, 4).await?;
    w.request_reason(NS, "room", "Active").await?;
    w.request_reason(NS, "late", "Active").await?;
    ensure!(
        !w.written(since, Some("xiangyun-system"))?.is_empty(),
        "the log sees no writes at all"
    );
    w.diff_says(APP, "Confirmed", &row["confirm"]).await?;
    // What was confirmed is what was shown: another image is another question, and what runs stays.
    w.put(&image(2, 4)).await?;
    let row = w.row(APP, "AwaitingConfirmation").await?;
    w.field(CITY, &WHAT, IMAGE, &json!("registry.invalid/c:1"), PATIENCE)
        .await?;
    w.confirm(JIN, APP, &row).await?;
    runs(w, 2, 4).await?;
    content_of_another_kind(w).await
}

fn settings(value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": value},
        "metadata": {"name": "settings", "namespace": NS, "labels": {"app": APP}}})
}

/// What is placed beside workloads is confirmed with its content, too.
async fn content_of_another_kind(w: &World) -> Result<()> {
    let what = ["cm", "settings"];
    let before = w.get("hub", &["dap", APP, "-n", NS]).await?["status"]["centres"][0].clone();
    w.put(&settings("one")).await?;
    let first = w.another_row(APP, &before).await?;
    w.confirm(JIN, APP, &first).await?;
    w.field(CITY, &what, "/data/key", &json!("one"), PATIENCE).await?;
    w.placement_reason(APP, "Running").await?;
    let since = w.audited()?;
    w.put(&settings("two")).await?;
    let second = w.another_row(APP, &first).await?;
    ensure!(number_of(&second) == number_of(&first), "{first} {second}");
    let written = w.written(since, Some("xiangyun-system"))?;
    ensure!(written.is_empty(), "{written:?}");
    w.confirm(JIN, APP, &second).await?;
    w.field(CITY, &what, "/data/key", &json!("two"), PATIENCE).await
}

pub(crate) async fn scheduled_within_lend(w: &World) -> Result<()> {
    let before = w.standing(APP).await?;
    w.city_applies("Scheduled").await?;
    w.stage_is("Scheduled", 40).await?;
    w.put(&image(2, 8)).await?;
    runs(w, 2, 8).await?;
    let after = w.standing(APP).await?;
    ensure!(before.iter().all(|uid| after.contains(uid)), "made anew");
    // 20 of 40 are granted: 30 more wait until the city lends more.
    w.apply("hub", LI, &request("more", 30)).await?;
    w.request_reason(NS, "more", "WaitingForQuota").await?;
    w.apply("hub", ZHAO, &data_center("Scheduled", 51)).await?;
    w.request_reason(NS, "more", "Active").await?;
    // It lends less than is granted: nothing is taken away, and nothing more goes there.
    w.apply("hub", ZHAO, &data_center("Scheduled", 9)).await?;
    w.put(&image(2, 12)).await?;
    w.placement_reason(APP, "LendExceeded").await?;
    let said = w.message(APP).await?;
    ensure!(said.contains("needs cpu 12") && said.contains("lends cpu 9"), "{said}");
    w.field(CITY, &WHAT, "/spec/replicas", &json!(8), PATIENCE).await?;
    w.apply("hub", ZHAO, &data_center("Scheduled", 51)).await?;
    runs(w, 2, 12).await
}

pub(crate) async fn back_to_observed_with_workloads_running(w: &World) -> Result<()> {
    // One step down: what runs goes on, what is new waits.
    w.stage_is("Advised", 51).await?;
    runs(w, 2, 12).await?;
    let before = w.standing(APP).await?;
    w.put(&image(2, 13)).await?;
    w.row(APP, "AwaitingConfirmation").await?;
    // All the way down.
    w.stage_is("Observed", 51).await?;
    w.city_applies("Observed").await?;
    w.row(APP, "StageObserved").await?;
    let since = w.audited()?;
    w.put(&image(3, 13)).await?;
    w.ok(CITY, None, &["scale", "deploy", APP, "-n", NS, "--replicas=14"])
        .await?;
    w.field(CITY, &WHAT, "/status/readyReplicas", &json!(14), PATIENCE)
        .await?;
    w.cloud.kill(AGENT).await?;
    w.cloud.start_process(AGENT).await?;
    w.ok("hub", LI, &["annotate", "deploy", APP, "-n", NS, "note=seen"])
        .await?;
    eventually(PATIENCE, "the new process says what it sees", || async {
        let found = w.get("hub", &["dap", APP, "-n", NS]).await?;
        let row = &found["status"]["centres"][0];
        ensure!(row["reason"] == "StageObserved" && row["ready"] == 14, "{row}");
        Ok(())
    })
    .await?;
    let written = w.written(since, None)?;
    ensure!(written.is_empty(), "{written:?}");
    let meanwhile = w.standing(APP).await?;
    ensure!(before.iter().all(|uid| meanwhile.contains(uid)), "made anew");
    w.request_reason(NS, "room", "Active").await?;
    // Forward again: the same objects, and what was decided meanwhile.
    w.city_applies("Scheduled").await?;
    w.stage_is("Scheduled", 51).await?;
    runs(w, 3, 13).await?;
    ensure!(w.uid(CITY, &WHAT).await? == before[0], "made anew");
    w.delete(&["dap", APP]).await?;
    w.is_gone(CITY, &WHAT).await
}
