//! A custom kind that a place does not serve or cannot list, or that nobody may read or write there.

use anyhow::{Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::definitions::{converted, converted_by_nobody, definition, object, placeable};
use crate::stage::{NS, config_map, placement};
use crate::world::{METRO, PATIENCE, World};

const PLATFORM: Option<&str> = Some("zhao.min");

async fn row(w: &World, name: &str, centre: &str) -> Result<Value> {
    let found = w.get("hub", &["dap", name, "-n", NS]).await?;
    let rows = found["status"]["centres"].as_array().cloned().unwrap_or_default();
    Ok(rows.into_iter().find(|r| r["name"] == centre).unwrap_or_default())
}

pub(crate) async fn crd_missing_in_one_centre(w: &World) -> Result<()> {
    w.apply("hub", PLATFORM, &placeable("Gadget", json!({}))).await?;
    w.hub_roles("Gadget").await?;
    for centre in METRO {
        w.centre_role(centre, "Gadget").await?;
    }
    for cluster in ["hub", "jishi"] {
        w.apply(cluster, None, &definition("Gadget", "example.org")).await?;
    }
    w.put_new(&object(
        "example.org/v1",
        "Gadget",
        "one",
        "gadgets",
        &json!({"size": 1}),
    ))
    .await?;
    w.put(&config_map("gadgets", "gadgets")).await?;
    w.put(&placement("gadgets", "gadgets", json!({}))).await?;
    w.says(
        "gadgets",
        "KindMissing",
        "jiyidong does not serve gadgets.example.org in version v1",
    )
    .await?;
    eventually(PATIENCE, "jishi is not held up", || async {
        let row = row(w, "gadgets", "jishi").await?;
        ensure!(row["reason"] == "Applied", "{row}");
        Ok(())
    })
    .await?;
    ensure!(w.is_there("jishi", &["gadget", "one"]).await?, "not in jishi");
    // The rest goes on, and what is said stays the same.
    let before = row(w, "gadgets", "jiyidong").await?;
    ensure!(before["reason"] == "KindMissing", "{before}");
    let mut map = config_map("gadgets", "gadgets");
    map["data"]["key"] = json!("newer");
    w.put(&map).await?;
    for centre in METRO {
        w.field(
            centre,
            &["configmap", "gadgets"],
            "/data/key",
            &json!("newer"),
            PATIENCE,
        )
        .await?;
    }
    ensure!(
        row(w, "gadgets", "jiyidong").await? == before,
        "the row was written again"
    );
    installed_and_away(w).await
}

/// Once the centre serves the kind the object is there; taken away under it, the same is said again.
async fn installed_and_away(w: &World) -> Result<()> {
    w.apply("jiyidong", None, &definition("Gadget", "example.org")).await?;
    w.placement_reason("gadgets", "Running").await?;
    w.field("jiyidong", &["gadget", "one"], "/spec/size", &json!(1), PATIENCE)
        .await?;
    // Away again while it is placed: the same, and back.
    w.ok(
        "jiyidong",
        None,
        &["delete", "crd", "gadgets.example.org", "--timeout=60s"],
    )
    .await?;
    w.says("gadgets", "KindMissing", "jiyidong does not serve").await?;
    w.apply("jiyidong", None, &definition("Gadget", "example.org")).await?;
    w.placement_reason("gadgets", "Running").await?;
    w.delete(&["dap", "gadgets"]).await?;
    for centre in METRO {
        w.is_gone(centre, &["gadget", "one"]).await?;
        w.is_gone(centre, &["configmap", "gadgets"]).await?;
    }
    w.delete(&["gadget/one", "configmap/gadgets"]).await
}

pub(crate) async fn kind_and_role_missing(w: &World) -> Result<()> {
    w.put(&config_map("gizmos", "gizmos")).await?;
    let refs = json!({"matchLabels": {"app": "gizmos"}, "refs": [{"kind": "Gizmo.example.org", "name": "one"}]});
    w.put(&placement("gizmos", "gizmos", json!({ "select": refs }))).await?;
    w.says(
        "gizmos",
        "KindMissing",
        "no PlaceableKind says how Gizmo.example.org is placed",
    )
    .await?;
    for centre in METRO {
        w.field(centre, &["configmap", "gizmos"], "/data/key", &json!("value"), PATIENCE)
            .await?;
    }
    // Without a role the API server does not even say whether it serves the kind.
    w.apply("hub", PLATFORM, &placeable("Gizmo", json!({}))).await?;
    w.says(
        "gizmos",
        "RoleMissing",
        "label xiangyun.io/aggregate-to-controller=true",
    )
    .await?;
    w.ready_reason(&["pkind", "gizmos.example.org"], "RoleMissing").await?;
    w.hub_roles("Gizmo").await?;
    w.says("gizmos", "KindMissing", "the hub does not serve gizmos.example.org")
        .await?;
    for cluster in ["hub", METRO[0], METRO[1]] {
        w.apply(cluster, None, &definition("Gizmo", "example.org")).await?;
    }
    w.says("gizmos", "TemplateMissing", "Gizmo.example.org one").await?;
    w.put_new(&object("example.org/v1", "Gizmo", "one", "gizmos", &json!({})))
        .await?;
    w.says("gizmos", "RoleMissing", "label xiangyun.io/aggregate-to-centre=true")
        .await?;
    for centre in METRO {
        w.centre_role(centre, "Gizmo").await?;
    }
    w.placement_reason("gizmos", "Running").await?;
    for centre in METRO {
        ensure!(w.is_there(centre, &["gizmo", "one"]).await?, "not in {centre}");
    }
    w.delete(&["dap", "gizmos"]).await?;
    for centre in METRO {
        w.is_gone(centre, &["gizmo", "one"]).await?;
    }
    w.delete(&["gizmo/one", "configmap/gizmos"]).await
}

/// A placement of one Doodad and a ConfigMap runs in both centres.
async fn doodads(w: &World) -> Result<()> {
    w.apply("hub", PLATFORM, &placeable("Doodad", json!({}))).await?;
    w.hub_roles("Doodad").await?;
    for centre in METRO {
        w.centre_role(centre, "Doodad").await?;
    }
    for cluster in ["hub", "jishi"] {
        w.apply(cluster, None, &definition("Doodad", "example.org")).await?;
    }
    w.apply("jiyidong", None, &converted("Doodad", json!({"strategy": "None"})))
        .await?;
    let one = object("example.org/v1", "Doodad", "one", "doodads", &json!({"size": 1}));
    w.put_new(&one).await?;
    w.put(&config_map("doodads", "doodads")).await?;
    w.put(&placement("doodads", "doodads", json!({}))).await?;
    w.placement_reason("doodads", "Running").await.map(drop)
}

/// The conversion webhook of a centre's CRD is away when its agents start: that kind is said by name and stays as it is, and
/// everything else goes on.
pub(crate) async fn crd_that_cannot_be_listed(w: &World) -> Result<()> {
    doodads(w).await?;
    let uid = async || {
        let found = w.get("jiyidong", &["doodads.v2.example.org", "one", "-n", NS]).await?;
        anyhow::Ok(found["metadata"]["uid"].clone())
    };
    let before = uid().await?;
    w.apply("jiyidong", None, &converted_by_nobody("Doodad")).await?;
    let list = ["get", "doodads.v1.example.org", "-n", NS];
    eventually(PATIENCE, "nobody can list them", || {
        w.refused("jiyidong", None, &list, "webhook")
    })
    .await?;
    for number in [1, 2] {
        let agent = format!("agent-{number}@jiyidong");
        w.cloud.kill(&agent).await?;
        w.cloud.start_process(&agent).await?;
    }
    w.says(
        "doodads",
        "KindMissing",
        "jiyidong cannot list doodads.example.org in version v1",
    )
    .await?;
    let mut map = config_map("doodads", "doodads");
    map["data"]["key"] = json!("newer");
    w.put(&map).await?;
    for centre in METRO {
        let what = ["configmap", "doodads"];
        w.field(centre, &what, "/data/key", &json!("newer"), PATIENCE).await?;
    }
    ensure!(uid().await? == before, "it was made anew");
    // It is taken up by itself, and nothing was made twice.
    w.apply("jiyidong", None, &converted("Doodad", json!({"strategy": "None"})))
        .await?;
    w.placement_reason("doodads", "Running").await?;
    ensure!(uid().await? == before, "it was made anew");
    w.delete(&["dap", "doodads"]).await?;
    for centre in METRO {
        w.is_gone(centre, &["doodad", "one"]).await?;
        w.is_gone(centre, &["configmap", "doodads"]).await?;
    }
    w.delete(&["doodad/one", "configmap/doodads"]).await
}
