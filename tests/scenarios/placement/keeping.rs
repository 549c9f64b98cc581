//! What was placed stays as declared, and what a centre owns is left to it.

use anyhow::{Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::stage::{NS, autoscaler, config_map, deployment, placement};
use crate::world::{CORRECTED, METRO, PATIENCE, World};

/// A Deployment whose pods read a ConfigMap.
fn reading(name: &str, app: &str, map: &str) -> Value {
    let mut object = deployment(name, app, 2);
    object["spec"]["template"]["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": map}}]);
    object
}

pub(crate) async fn dependencies_before_the_workload(w: &World) -> Result<()> {
    w.put(&reading("needs", "needs", "needed")).await?;
    w.put(&placement("needs", "needs", json!({}))).await?;
    w.placement_reason("needs", "TemplateMissing").await?;
    let said = w.message("needs").await?;
    ensure!(said.contains("ConfigMap needed"), "{said}");
    for centre in METRO {
        ensure!(
            !w.is_there(centre, &["deploy", "needs"]).await?,
            "it did not wait in {centre}"
        );
    }
    w.put(&config_map("needed", "none")).await?;
    w.copies("needs", "needs", [1, 1]).await?;
    // Deleted under running pods: it stays in the centres for as long as something needs it.
    w.delete(&["configmap", "needed"]).await?;
    w.placement_reason("needs", "TemplateMissing").await?;
    for centre in METRO {
        ensure!(
            w.is_there(centre, &["configmap", "needed"]).await?,
            "it was taken away in {centre}"
        );
    }
    w.put(&config_map("needed", "none")).await?;
    w.placement_reason("needs", "Running").await.map(drop)
}

pub(crate) async fn a_shared_dependency_stays(w: &World) -> Result<()> {
    w.put(&reading("shares", "shares", "needed")).await?;
    w.put(&placement("shares", "shares", json!({}))).await?;
    w.copies("shares", "shares", [1, 1]).await?;
    let before = w.uid("jishi", &["configmap", "needed"]).await?;
    w.delete(&["dap", "needs"]).await?;
    w.is_gone("jishi", &["deploy", "needs"]).await?;
    ensure!(
        w.uid("jishi", &["configmap", "needed"]).await? == before,
        "it was made anew"
    );
    w.placement_reason("shares", "Running").await?;
    w.delete(&["dap", "shares"]).await?;
    for centre in METRO {
        w.is_gone(centre, &["configmap", "needed"]).await?;
    }
    w.delete(&["deploy/needs", "deploy/shares", "configmap/needed"]).await
}

pub(crate) async fn an_edit_is_corrected(w: &World) -> Result<()> {
    w.put(&deployment("edited", "edited", 4)).await?;
    w.put(&placement("edited", "edited", json!({}))).await?;
    w.copies("edited", "edited", [2, 2]).await?;
    let what = ["deploy", "edited"];
    w.patch("jishi", Some("li.na"), &what, &json!({"spec": {"replicas": 0}}))
        .await?;
    w.field("jishi", &what, "/spec/replicas", &json!(2), CORRECTED).await?;
    // What somebody added beside our fields is his.
    w.patch(
        "jishi",
        Some("li.na"),
        &what,
        &json!({"metadata": {"annotations": {"note": "mine"}}}),
    )
    .await?;
    w.ok("jiyidong", Some("li.na"), &["delete", "deploy", "edited", "-n", NS])
        .await?;
    eventually(CORRECTED, "it is there again", || async {
        ensure!(w.is_there("jiyidong", &what).await?, "it is not");
        Ok(())
    })
    .await?;
    w.copies("edited", "edited", [2, 2]).await?;
    w.field("jishi", &what, "/metadata/annotations/note", &json!("mine"), CORRECTED)
        .await
}

pub(crate) async fn an_edit_is_reported(w: &World) -> Result<()> {
    w.put(&placement("edited", "edited", json!({"drift": "Report"})))
        .await?;
    w.placement_reason("edited", "Running").await?;
    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "registry.invalid/c:by-hand"}]}}}});
    let patch = image.to_string();
    let args = ["patch", "deploy", "edited", "-n", NS, "--type=strategic", "-p", &patch];
    w.ok("jiyidong", Some("li.na"), &args).await?;
    w.placement_reason("edited", "Drifted").await?;
    let said = w.message("edited").await?;
    ensure!(
        said.contains("jiyidong: Deployment edited: spec.template.spec.containers[c].image"),
        "{said}"
    );
    let by_hand = json!("registry.invalid/c:by-hand");
    let pointer = "/spec/template/spec/containers/0/image";
    w.field("jiyidong", &["deploy", "edited"], pointer, &by_hand, CORRECTED)
        .await?;
    w.put(&placement("edited", "edited", json!({"drift": "Correct"})))
        .await?;
    w.field(
        "jiyidong",
        &["deploy", "edited"],
        pointer,
        &json!("registry.invalid/c:1"),
        PATIENCE,
    )
    .await?;
    w.placement_reason("edited", "Running").await?;
    w.delete(&["dap", "edited"]).await?;
    w.delete(&["deploy", "edited"]).await
}

pub(crate) async fn what_the_centre_owns_is_left_alone(w: &World) -> Result<()> {
    w.put(&deployment("scaled", "scaled", 4)).await?;
    w.put(&autoscaler("scaled")).await?;
    w.put(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "scaled", "namespace": NS,
        "labels": {"app": "scaled"}}, "spec": {"type": "NodePort", "selector": {"name": "scaled"}, "ports": [{"port": 80}]}}))
    .await?;
    w.put(&placement("scaled", "scaled", json!({}))).await?;
    w.copies("scaled", "scaled", [2, 2]).await?;
    // As the autoscaler would.
    w.ok("jishi", None, &["scale", "deploy/scaled", "--replicas=5", "-n", NS])
        .await?;
    w.copies("scaled", "scaled", [5, 2]).await?;
    let service = w.get("jishi", &["service", "scaled", "-n", NS]).await?;
    // A new template is applied, and keeps all of that.
    w.ok(
        "hub",
        Some("li.na"),
        &["set", "image", "deploy/scaled", "c=registry.invalid/c:2", "-n", NS],
    )
    .await?;
    w.put(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "scaled", "namespace": NS,
        "labels": {"app": "scaled", "new": "yes"}}, "spec": {"type": "NodePort", "selector": {"name": "scaled"}, "ports": [{"port": 80}]}}))
    .await?;
    let image = json!("registry.invalid/c:2");
    w.field(
        "jishi",
        &["deploy", "scaled"],
        "/spec/template/spec/containers/0/image",
        &image,
        PATIENCE,
    )
    .await?;
    w.field(
        "jishi",
        &["service", "scaled"],
        "/metadata/labels/new",
        &json!("yes"),
        PATIENCE,
    )
    .await?;
    w.copies("scaled", "scaled", [5, 2]).await?;
    let after = w.get("jishi", &["service", "scaled", "-n", NS]).await?;
    ensure!(
        after["spec"] == service["spec"],
        "{} became {}",
        service["spec"],
        after["spec"]
    );
    w.delete(&["dap", "scaled"]).await?;
    w.delete(&["deploy/scaled", "hpa/scaled", "service/scaled"]).await
}

/// One that somebody made in a centre, or that a controller there made, is as good as one that was placed.
pub(crate) async fn an_autoscaler_of_the_centre(w: &World) -> Result<()> {
    w.put(&deployment("own", "own", 4)).await?;
    w.put(&placement("own", "own", json!({}))).await?;
    w.copies("own", "own", [2, 2]).await?;
    w.apply("jishi", None, &autoscaler("own")).await?;
    w.ok("jishi", None, &["scale", "deploy/own", "--replicas=5", "-n", NS])
        .await?;
    let image = ["set", "image", "deploy/own", "c=registry.invalid/c:2", "-n", NS];
    w.ok("hub", Some("li.na"), &image).await?;
    let applied = json!("registry.invalid/c:2");
    let pointer = "/spec/template/spec/containers/0/image";
    w.field("jishi", &["deploy", "own"], pointer, &applied, PATIENCE)
        .await?;
    w.copies("own", "own", [5, 2]).await?;
    // Without it the copies are the decision's again.
    w.ok("jishi", None, &["delete", "hpa", "own", "-n", NS]).await?;
    w.copies("own", "own", [2, 2]).await?;
    w.delete(&["dap", "own"]).await?;
    w.delete(&["deploy", "own"]).await
}
