//! What differs by centre, and where something may not run.

use anyhow::{Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::stage::{NS, deployment, placement};
use crate::world::{METRO, PATIENCE, World, small_request};

/// One override of the Deployment `differs` in jiyidong.
fn in_jiyidong(what: Value) -> Value {
    let mut one = json!({"centre": "jiyidong", "target": {"kind": "Deployment", "name": "differs"}});
    if let (Some(one), Value::Object(what)) = (one.as_object_mut(), what) {
        one.extend(what);
    }
    json!({"overrides": [one]})
}

/// Each kind, the field that it changes, and the value there. The field is absent, or as in the template, without it.
fn kinds() -> [(Value, &'static str, Value); 6] {
    let container = "/spec/template/spec/containers/0";
    [
        (
            json!({"images": [{"container": "c", "image": "mirror.invalid/c:1"}]}),
            "/spec/template/spec/containers/0/image",
            json!("mirror.invalid/c:1"),
        ),
        (
            json!({"env": [{"name": "SIDE", "value": "backup"}]}),
            "/spec/template/spec/containers/0/env",
            json!([{"name": "SIDE", "value": "backup"}]),
        ),
        (
            json!({"args": [{"container": "c", "args": ["--side=backup"]}]}),
            "/spec/template/spec/containers/0/args",
            json!(["--side=backup"]),
        ),
        (
            json!({"labels": {"side": "backup"}}),
            "/metadata/labels/side",
            json!("backup"),
        ),
        (
            json!({"annotations": {"side": "backup"}}),
            "/metadata/annotations/side",
            json!("backup"),
        ),
        (
            json!({"jsonPatch": [{"op": "add", "path": format!("{container}/workingDir"), "value": "/backup"}]}),
            "/spec/template/spec/containers/0/workingDir",
            json!("/backup"),
        ),
    ]
}

pub(crate) async fn each_override_added_and_removed(w: &World) -> Result<()> {
    w.put(&deployment("differs", "differs", 4)).await?;
    w.put(&placement("differs", "differs", json!({}))).await?;
    w.copies("differs", "differs", [2, 2]).await?;
    let of = async |centre: &str, pointer: &str| -> Result<Option<Value>> {
        let found = w.get(centre, &["deploy", "differs", "-n", NS]).await?;
        Ok(found.pointer(pointer).cloned())
    };
    for (what, pointer, value) in kinds() {
        let plain = of("jiyidong", pointer).await?;
        w.put(&placement("differs", "differs", in_jiyidong(what))).await?;
        w.field("jiyidong", &["deploy", "differs"], pointer, &value, PATIENCE)
            .await?;
        ensure!(of("jishi", pointer).await? == plain, "{pointer} changed in jishi too");
        w.put(&placement("differs", "differs", json!({"overrides": null})))
            .await?;
        eventually(PATIENCE, &format!("{pointer} is as before"), || async {
            let found = of("jiyidong", pointer).await?;
            ensure!(found == plain, "it is {found:?}, was {plain:?}");
            Ok(())
        })
        .await?;
    }
    w.put(&placement("differs", "differs", in_jiyidong(json!({"replicas": 1}))))
        .await?;
    w.copies("differs", "differs", [3, 1]).await?;
    w.put(&placement("differs", "differs", json!({"overrides": null})))
        .await?;
    w.copies("differs", "differs", [2, 2]).await
}

/// A claim keeps the class that it was made with: where the override comes or goes later the centre says so, and the claim
/// follows when it is made anew.
pub(crate) async fn a_storage_class_for_one_centre(w: &World) -> Result<()> {
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "classed", "namespace": NS, "labels": {"app": "classed"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "xy-hot"}});
    w.put(&claim).await?;
    let target = json!({"kind": "PersistentVolumeClaim"});
    let added = json!({"overrides": [{"centre": "jiyidong", "target": target, "storageClass": "backup-hot"}]});
    let removed = json!({"overrides": null});
    let is = async |centre: &str, class: &str| {
        let (what, at) = (["pvc", "classed"], "/spec/storageClassName");
        w.field(centre, &what, at, &json!(class), PATIENCE).await
    };
    w.put(&placement("classed", "classed", added.clone())).await?;
    is("jiyidong", "backup-hot").await?;
    is("jishi", "xy-hot").await?;
    w.placement_reason("classed", "Running").await?;
    for (spec, why, class, before) in [
        (removed, "ApplyFailed", "xy-hot", "backup-hot"),
        (added, "OverrideFailed", "backup-hot", "xy-hot"),
    ] {
        w.put(&placement("classed", "classed", spec)).await?;
        w.placement_reason("classed", why).await?;
        let said = w.message("classed").await?;
        ensure!(
            said.starts_with("jiyidong: PersistentVolumeClaim classed") && said.contains("immutable"),
            "{said}"
        );
        is("jiyidong", before).await?;
        w.ok("jiyidong", None, &["delete", "pvc", "classed", "-n", NS]).await?;
        is("jiyidong", class).await?;
        w.placement_reason("classed", "Running").await?;
    }
    is("jishi", "xy-hot").await?;
    w.delete(&["dap", "classed"]).await?;
    w.delete(&["pvc", "classed"]).await
}

/// One override that does not apply: neither it nor a good one beside it is applied, in no centre.
pub(crate) async fn an_override_that_does_not_apply(w: &World) -> Result<()> {
    let generation = async |centre: &str| -> Result<Value> {
        let found = w.get(centre, &["deploy", "differs", "-n", NS]).await?;
        Ok(found["metadata"]["generation"].clone())
    };
    let before = [generation("jishi").await?, generation("jiyidong").await?];
    let target = json!({"kind": "Deployment", "name": "differs"});
    let overrides = json!({"overrides": [
        {"centre": "jishi", "target": target, "env": [{"name": "GOOD", "value": "1"}]},
        {"centre": "jiyidong", "target": target, "images": [{"container": "sidecar", "image": "a/b:1"}]}]});
    w.put(&placement("differs", "differs", overrides)).await?;
    w.placement_reason("differs", "OverrideFailed").await?;
    let said = w.message("differs").await?;
    ensure!(said.contains("there is no container sidecar, there are: c"), "{said}");
    ensure!(
        before == [generation("jishi").await?, generation("jiyidong").await?],
        "something was applied"
    );
    w.put(&placement("differs", "differs", json!({"overrides": null})))
        .await?;
    w.placement_reason("differs", "Running").await?;
    let elsewhere = in_jiyidong(json!({"centre": "baicheng"}));
    let file = w.file(&placement("differs", "differs", elsewhere))?;
    w.refused(
        "hub",
        crate::stage::LI,
        &["apply", "-f", &file],
        "each names one of the centres",
    )
    .await?;
    w.delete(&["dap", "differs"]).await?;
    w.delete(&["deploy", "differs"]).await
}

/// One that applies, and that the centre's API server would not take: nothing of the placement goes there, and the other centre
/// has all of it.
pub(crate) async fn an_override_that_the_server_refuses(w: &World) -> Result<()> {
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "differs", "namespace": NS,
        "labels": {"app": "differs"}}, "data": {"key": "value"}});
    w.put(&config).await?;
    w.put(&deployment("differs", "differs", 4)).await?;
    let policy = |value: &str| {
        let path = "/spec/template/spec/containers/0/imagePullPolicy";
        in_jiyidong(json!({"jsonPatch": [{"op": "add", "path": path, "value": value}]}))
    };
    w.put(&placement("differs", "differs", policy("Sometimes"))).await?;
    w.placement_reason("differs", "OverrideFailed").await?;
    let said = w.message("differs").await?;
    ensure!(
        said.starts_with("jiyidong: Deployment differs: ") && said.contains("Unsupported value: \"Sometimes\""),
        "{said}"
    );
    w.field(
        "jishi",
        &["deploy", "differs"],
        "/status/readyReplicas",
        &json!(2),
        PATIENCE,
    )
    .await?;
    for what in [["deploy", "differs"], ["configmap", "differs"]] {
        ensure!(w.is_there("jishi", &what).await?, "{what:?} is not in jishi");
        ensure!(!w.is_there("jiyidong", &what).await?, "{what:?} is in jiyidong");
    }
    w.put(&placement("differs", "differs", policy("Always"))).await?;
    w.copies("differs", "differs", [2, 2]).await?;
    // What stands stays as it is when a later one is refused.
    let stands = w.get("jiyidong", &["deploy", "differs", "-n", NS]).await?;
    w.put(&placement("differs", "differs", policy("Never mind"))).await?;
    w.placement_reason("differs", "OverrideFailed").await?;
    let still = w.get("jiyidong", &["deploy", "differs", "-n", NS]).await?;
    ensure!(
        still["metadata"]["generation"] == stands["metadata"]["generation"],
        "it changed"
    );
    w.put(&placement("differs", "differs", json!({"overrides": null})))
        .await?;
    w.placement_reason("differs", "Running").await?;
    w.delete(&["dap", "differs"]).await?;
    w.delete(&["deploy/differs", "configmap/differs"]).await
}

pub(crate) async fn an_arm_image_on_x86(w: &World) -> Result<()> {
    let mut object = deployment("arm", "arm", 2);
    object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.invalid/ocr:1.2-arm64");
    w.put(&object).await?;
    w.put(&placement("arm", "arm", json!({}))).await?;
    w.placement_reason("arm", "ArchitectureMismatch").await?;
    let said = w.message("arm").await?;
    ensure!(
        said.contains("arm64 only") && said.contains("pool x86 has amd64"),
        "{said}"
    );
    for centre in METRO {
        ensure!(!w.is_there(centre, &["deploy", "arm"]).await?, "placed in {centre}");
    }
    // The declared architecture decides as well.
    let mut object = deployment("arm", "arm", 2);
    object["spec"]["template"]["spec"]["nodeSelector"] = json!({"kubernetes.io/arch": "arm64"});
    w.put(&object).await?;
    eventually(PATIENCE, "the selector is named", || async {
        let said = w.message("arm").await?;
        ensure!(said.contains("(nodeSelector)"), "{said}");
        Ok(())
    })
    .await?;
    w.put(&deployment("arm", "arm", 2)).await?;
    w.copies("arm", "arm", [1, 1]).await?;
    w.delete(&["dap", "arm"]).await?;
    w.delete(&["deploy", "arm"]).await
}

/// Pods that ask for a card where no node has one would wait for ever: they are refused before anything is placed.
pub(crate) async fn a_card_on_x86(w: &World) -> Result<()> {
    let mut object = deployment("card", "card", 2);
    object["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = json!("1");
    w.put(&object).await?;
    w.put(&placement("card", "card", json!({}))).await?;
    w.placement_reason("card", "PoolMismatch").await?;
    let said = w.message("card").await?;
    ensure!(
        said.contains("Deployment card asks for 1 nvidia.com/gpu in each pod, pool x86 has no cards"),
        "{said}"
    );
    for centre in METRO {
        ensure!(!w.is_there(centre, &["deploy", "card"]).await?, "placed in {centre}");
    }
    w.put(&deployment("card", "card", 2)).await?;
    w.copies("card", "card", [1, 1]).await?;
    w.delete(&["dap", "card"]).await?;
    w.delete(&["deploy", "card"]).await
}

/// A centre that a company lends: systems of level 3 do not go there, others do.
pub(crate) async fn data_level_on_a_social_centre(w: &World) -> Result<()> {
    const OTHER: &str = "dept-jyt";
    let wu = Some("wu.gang");
    let own = |what: &str| json!({"spec": {"ownership": what}});
    let centre = async |ownership: &str| {
        let patch = own(ownership).to_string();
        let args = ["patch", "dcn", "jiyidong", "--type=merge", "-p", &patch];
        w.ok("hub", Some("zhao.min"), &args).await.map(drop)
    };
    let mut request = small_request(OTHER, "level", 2);
    request["spec"]["compliance"]["mlpsLevel"] = json!(3);
    w.apply("hub", wu, &request).await?;
    w.request_reason(OTHER, "level", "Active").await?;
    centre("Social").await?;
    let there = |mut object: Value| {
        object["metadata"]["namespace"] = json!(OTHER);
        object
    };
    w.apply("hub", wu, &there(deployment("level", "level", 2))).await?;
    w.apply("hub", wu, &there(placement("level", "level", json!({}))))
        .await?;
    w.ready_reason(&["dap", "level", "-n", OTHER], "DataNotAllowed").await?;
    ensure!(
        w.get("jishi", &["deploy", "-n", OTHER]).await?["items"] == json!([]),
        "half-placed"
    );
    centre("Government").await?;
    w.ready_reason(&["dap", "level", "-n", OTHER], "Running").await?;
    for what in [["dap", "level"], ["deploy", "level"]] {
        w.ok("hub", wu, &["delete", what[0], what[1], "-n", OTHER, "--timeout=60s"])
            .await?;
    }
    Ok(())
}
