//! What is refused after it was placed reaches no centre, and what changes hands is handed over.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::stage::{NS, config_map, deployment, placement};
use crate::witness::{Witness, agent};
use crate::world::{METRO, PATIENCE, World};

const HELD: [&str; 2] = ["deploy", "held"];
const SETTINGS: [&str; 2] = ["configmap", "held"];
const PASSED: [&str; 2] = ["deploy", "passed"];
const IMAGE: &str = "/spec/template/spec/containers/0/image";
const CPU: &str = "/spec/template/spec/containers/0/resources/limits/cpu";
/// Renewals of each centre's lease that make up a window of watching, two seconds each.
const WINDOW: usize = 3;

/// Four copies of that image, each with so many vCPU.
fn held(image: &str, cpu: &str) -> Value {
    let mut object = deployment("held", "held", 4);
    let container = &mut object["spec"]["template"]["spec"]["containers"][0];
    container["image"] = json!(image);
    for part in ["requests", "limits"] {
        container["resources"][part]["cpu"] = json!(cpu);
    }
    object
}

fn settings(value: &str) -> Value {
    let mut object = config_map("held", "held");
    object["data"]["key"] = json!(value);
    object
}

/// Version of the ConfigMap and generation of the Deployment in each centre.
async fn versions(w: &World) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for centre in METRO {
        let map = w.get(centre, &[&SETTINGS[..], &["-n", NS]].concat()).await?;
        let deployment = w.get(centre, &[&HELD[..], &["-n", NS]].concat()).await?;
        all.push(map["metadata"]["resourceVersion"].clone());
        all.push(deployment["metadata"]["generation"].clone());
    }
    Ok(all)
}

/// The template is refused for that reason, and neither it nor what is beside it gets anywhere.
async fn is_refused(w: &World, template: &Value, reason: &str) -> Result<()> {
    let before = versions(w).await?;
    w.put(template).await?;
    w.placement_reason("held", reason).await?;
    let said = w.message("held").await?;
    ensure!(said.contains("nothing was changed"), "{said}");
    w.put(&settings(reason)).await?;
    for centre in METRO {
        Witness::of(w, centre)?.renewed(&agent(centre), WINDOW).await?;
    }
    let after = versions(w).await?;
    ensure!(before == after, "{reason}: {before:?} became {after:?}");
    Ok(())
}

/// Nothing half-placed: neither an image of other processors nor pods for which there is no room reach a centre.
pub(crate) async fn a_refused_template_reaches_no_centre(w: &World) -> Result<()> {
    w.put(&held("registry.invalid/c:1", "1")).await?;
    w.put(&settings("first")).await?;
    w.put(&placement("held", "held", json!({}))).await?;
    w.copies("held", "held", [2, 2]).await?;
    is_refused(w, &held("registry.invalid/c:2-arm64", "1"), "ArchitectureMismatch").await?;
    // Two of them ask for 40 of 32 vCPU in each centre.
    is_refused(w, &held("registry.invalid/c:2", "20"), "GrantTooSmall").await?;
    // An edit by hand beside it is put right all the same.
    let by_hand = json!({"data": {"key": "by-hand"}});
    w.put(&settings("first")).await?;
    w.patch("jishi", Some("li.na"), &SETTINGS, &by_hand).await?;
    w.field("jishi", &SETTINGS, "/data/key", &json!("first"), PATIENCE)
        .await?;
    w.put(&settings("second")).await?;
    w.put(&held("registry.invalid/c:3", "2")).await?;
    for centre in METRO {
        w.field(centre, &HELD, IMAGE, &json!("registry.invalid/c:3"), PATIENCE)
            .await?;
        w.field(centre, &HELD, CPU, &json!("2"), PATIENCE).await?;
        w.field(centre, &SETTINGS, "/data/key", &json!("second"), PATIENCE)
            .await?;
    }
    w.copies("held", "held", [2, 2]).await?;
    w.delete(&["dap", "held"]).await?;
    w.delete(&["deploy/held", "configmap/held"]).await
}

/// Uids of the pods in a centre, sorted.
async fn pods(w: &World, centre: &str) -> Result<Vec<String>> {
    let all = w.get(centre, &["pods", "-l", "name=passed", "-n", NS]).await?;
    let all = all["items"].as_array().into_iter().flatten();
    let mut uids: Vec<String> = all.map(|p| p["metadata"]["uid"].to_string()).collect();
    uids.sort();
    Ok(uids)
}

/// The only object of a placement goes to an older one, whose grant has no room for it twice: same object, same pods.
pub(crate) async fn the_last_object_is_handed_over(w: &World) -> Result<()> {
    let (older, newer) = ("a-older", "b-newer");
    w.put(&placement(older, "older", json!({}))).await?;
    w.placement_reason(older, "NothingSelected").await?;
    w.put(&deployment("passed", "newer", 40)).await?;
    w.put(&placement(newer, "newer", json!({}))).await?;
    w.copies(newer, "passed", [20, 20]).await?;
    let mut before = Vec::new();
    for centre in METRO {
        before.push((w.uid(centre, &PASSED).await?, pods(w, centre).await?));
    }
    w.put(&deployment("passed", "older", 40)).await?;
    let label = "/metadata/labels/xiangyun.io~1placement";
    for centre in METRO {
        w.field(centre, &PASSED, label, &json!(older), PATIENCE).await?;
    }
    w.placement_reason(newer, "NothingSelected").await?;
    w.copies(older, "passed", [20, 20]).await?;
    for (centre, before) in METRO.into_iter().zip(before) {
        let after = (w.uid(centre, &PASSED).await?, pods(w, centre).await?);
        ensure!(before == after, "made anew in {centre}: {before:?} became {after:?}");
    }
    // The one that gave it away takes nothing with it.
    w.delete(&["dap", newer]).await?;
    w.copies(older, "passed", [20, 20]).await?;
    w.delete(&["dap", older]).await?;
    for centre in METRO {
        w.is_gone(centre, &PASSED).await?;
    }
    w.delete(&PASSED).await
}
