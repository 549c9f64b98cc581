//! What others put in the way in a centre: a webhook that rejects, one that nobody reaches, and a namespace that cannot end.

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::ByteString;
use playground::eventually;
use serde_json::{Value, json};

use crate::ground::{Ground, remove};
use crate::stage::{NS, config_map, deployment, placement};
use crate::webhook::Webhook;
use crate::witness::{Witness, agent};
use crate::world::{PATIENCE, World};

/// Renewals of a lease that make up a window of watching, two seconds each.
const WINDOW: usize = 5;

/// It answers so.
const DENIED: &str = "no Deployment on a Friday | 周五不得部署";

/// Asked about every write of a Deployment that is selected.
fn webhook(client: &Value) -> Value {
    let own = json!({"matchLabels": {"kubernetes.io/metadata.name": NS}});
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "somebodys"},
        "webhooks": [{"name": "rejects.example.org", "clientConfig": client,
            "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 2,
            "namespaceSelector": own, "objectSelector": {"matchLabels": {"app": "hooked"}},
            "rules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                "resources": ["deployments"]}]}]})
}

/// Waits until the placement says why its Deployment is not in jishi.
async fn rejected(w: &World, words: &str) -> Result<()> {
    eventually(PATIENCE, words, || async {
        w.placement_reason("hooked", "ApplyFailed").await?;
        let said = w.message("hooked").await?;
        let told = said.contains("jishi: Deployment hooked") && said.contains("rejects.example.org");
        ensure!(told && said.contains(words), "{said}");
        Ok(())
    })
    .await
}

/// First it denies, then it is not reached either. The row says what was said; what it does not select goes on, in the same
/// placement and in others.
pub(crate) async fn a_foreign_webhook_rejects(w: &World) -> Result<()> {
    let ground = Ground::lay(w, "free").await?;
    let denying = Webhook::denying(w, DENIED)?;
    let authority = ByteString(denying.authority.into_bytes());
    let client = json!({"url": denying.url, "caBundle": authority});
    w.apply("jishi", None, &webhook(&client)).await?;
    w.put(&deployment("hooked", "hooked", 4)).await?;
    w.put(
        &json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hooked", "namespace": NS,
        "labels": {"app": "hooked"}}, "spec": {"selector": {"name": "hooked"}, "ports": [{"port": 80}]}}),
    )
    .await?;
    w.put(&placement("hooked", "hooked", json!({}))).await?;
    rejected(w, DENIED).await?;
    ensure!(
        w.is_there("jishi", &["service", "hooked"]).await?,
        "the Service did not go on"
    );
    ensure!(
        !w.is_there("jishi", &["deploy", "hooked"]).await?,
        "it was not rejected"
    );
    w.field(
        "jiyidong",
        &["deploy", "hooked"],
        "/status/readyReplicas",
        &json!(2),
        PATIENCE,
    )
    .await?;
    ground.template(6).await?;
    ground.copies([3, 3]).await?;
    again_and_again(w).await?;
    // Nobody listens on that port of the server's own loopback.
    w.apply(
        "jishi",
        None,
        &webhook(&json!({"url": "https://127.0.0.1:9/", "caBundle": null})),
    )
    .await?;
    rejected(w, "failed calling webhook").await?;
    w.ok(
        "jishi",
        None,
        &["delete", "validatingwebhookconfiguration", "somebodys"],
    )
    .await?;
    w.copies("hooked", "hooked", [2, 2]).await?;
    ground.same().await?;
    for name in ["hooked", "free"] {
        remove(w, name).await?;
    }
    w.delete(&["service", "hooked"]).await
}

/// And no faster than passes are made.
async fn again_and_again(w: &World) -> Result<()> {
    let log = Witness::of(w, "jishi")?;
    log.renewed(&agent("jishi"), WINDOW).await?;
    let tries = log.by(&agent("jishi"))?;
    let tries = tries.iter().filter(|w| w.is_of("deployments", "hooked")).count();
    ensure!((1..=WINDOW * 2).contains(&tries), "{tries} tries in {WINDOW} renewals");
    Ok(())
}

/// Somebody deletes the department's namespace in a centre, and a finalizer holds it: nothing can be made in there, which
/// is said once and does not flap. When it is gone all of it is made anew.
pub(crate) async fn a_namespace_that_cannot_end(w: &World) -> Result<()> {
    let ground = Ground::lay(w, "ending").await?;
    let mut held = config_map("held", "none");
    held["metadata"]["finalizers"] = json!(["example.org/held"]);
    w.apply("jishi", None, &held).await?;
    w.ok("jishi", None, &["delete", "namespace", NS, "--wait=false"])
        .await?;
    let told = w.placement_reason("ending", "NamespaceMissing").await?;
    let said = w.message("ending").await?;
    ensure!(
        said.contains(&format!("jishi: namespace {NS} is missing, being deleted")),
        "{said}"
    );
    w.is_gone("jishi", &["deploy", "ending"]).await?;
    let (log, hub) = (Witness::of(w, "jishi")?, Witness::of(w, "hub@jishi")?);
    log.renewed(&agent("jishi"), WINDOW).await?;
    let (tries, rows) = (log.by(&agent("jishi"))?, hub.by(&agent("jishi"))?);
    println!(
        "{} tries in the namespace, {} rows in {WINDOW} renewals",
        tries.len(),
        rows.len()
    );
    ensure!(tries.len() <= WINDOW * 2, "it goes on trying: {tries:?}");
    let rows = rows
        .iter()
        .filter(|w| w.is_of("dualactiveplacements", "ending"))
        .count();
    // Copies that went are told once more.
    ensure!(rows <= 1, "{rows} rows were written");
    let now = w.get("hub", &["dap", "ending", "-n", NS]).await?;
    let since = |object: &Value| -> Result<Value> {
        let ready = crate::world::condition(object, "Ready").context("no condition Ready")?;
        Ok(json!([ready["reason"], ready["lastTransitionTime"]]))
    };
    ensure!(
        since(&now)? == since(&told)?,
        "{} became {}",
        since(&told)?,
        since(&now)?
    );
    // The other side never heard of it.
    let other = w.get("jiyidong", &["deploy", "ending", "-n", NS]).await?;
    ensure!(other["status"]["readyReplicas"] == 2, "{}", other["status"]);
    w.patch(
        "jishi",
        None,
        &["configmap", "held"],
        &json!({"metadata": {"finalizers": null}}),
    )
    .await?;
    ground.copies([2, 2]).await?;
    eventually(PATIENCE, "the quota is there again", || async {
        w.quota("jishi", NS).await.map(drop)
    })
    .await?;
    remove(w, "ending").await
}
