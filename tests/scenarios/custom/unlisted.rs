//! A kind that breaks after it was listed.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::definitions::{converted, converted_by_nobody, definition, object, placeable};
use crate::stage::{NS, config_map, placement};
use crate::world::{METRO, PATIENCE, World, condition};

/// A list counts for two minutes while the server answers with errors.
const STALE: Duration = Duration::from_secs(240);
const KIND: &str = "Thing";

/// A placement of one Thing and a ConfigMap runs in both centres. In the hub each answer about the Thing has to be converted.
async fn things(w: &World) -> Result<()> {
    w.apply("hub", Some("zhao.min"), &placeable(KIND, json!({}))).await?;
    w.hub_roles(KIND).await?;
    w.apply("hub", None, &converted(KIND, json!({"strategy": "None"})))
        .await?;
    for centre in METRO {
        w.centre_role(centre, KIND).await?;
        w.apply(centre, None, &definition(KIND, "example.org")).await?;
    }
    w.put_new(&object("example.org/v1", KIND, "one", "things", &json!({"size": 1})))
        .await?;
    w.put(&config_map("things", "things")).await?;
    w.put(&placement("things", "things", json!({}))).await?;
    w.placement_reason("things", "Running").await.map(drop)
}

/// The hub's conversion webhook goes away under programs that watch: the plugin shows the rest at once, the placement says it
/// within minutes, everything else goes on, and nothing is taken away.
pub(crate) async fn the_hub_stops_listing(w: &World) -> Result<()> {
    things(w).await?;
    let before = w.uid("jishi", &["thing", "one"]).await?;
    w.apply("hub", None, &converted_by_nobody(KIND)).await?;
    let list = ["get", "things.v1.example.org", "-n", NS];
    eventually(PATIENCE, "nobody can list them", || {
        w.refused("hub", None, &list, "webhook")
    })
    .await?;
    the_plugin_shows_the_rest(w).await?;
    eventually(STALE, "the placement says it", || async {
        let found = w.get("hub", &["dap", "things", "-n", NS]).await?;
        let ready = condition(&found, "Ready").cloned().unwrap_or_default();
        let said = ready["message"].as_str().unwrap_or_default();
        ensure!(
            ready["reason"] == "KindMissing" && said.contains("the hub cannot list things.example.org in version v1"),
            "{ready}"
        );
        Ok(())
    })
    .await?;
    let mut map = config_map("things", "things");
    map["data"]["key"] = json!("newer");
    w.put(&map).await?;
    for centre in METRO {
        let what = ["configmap", "things"];
        w.field(centre, &what, "/data/key", &json!("newer"), PATIENCE).await?;
    }
    ensure!(w.uid("jishi", &["thing", "one"]).await? == before, "it was made anew");
    w.apply("hub", None, &converted(KIND, json!({"strategy": "None"})))
        .await?;
    w.placement_reason("things", "Running").await?;
    ensure!(w.uid("jishi", &["thing", "one"]).await? == before, "it was made anew");
    w.delete(&["dap", "things"]).await?;
    for centre in METRO {
        w.is_gone(centre, &["thing", "one"]).await?;
        w.is_gone(centre, &["configmap", "things"]).await?;
    }
    w.delete(&["thing/one", "configmap/things"]).await
}

async fn the_plugin_shows_the_rest(w: &World) -> Result<()> {
    let args = ["status", "dap/things", "-n", NS, "-o", "json"];
    let output = w.plugin("li.na", &args).await?;
    let error = String::from_utf8_lossy(&output.stderr);
    let page: Value = serde_json::from_slice(&output.stdout).with_context(|| error.into_owned())?;
    let notes = page["notes"].as_array().cloned().unwrap_or_default();
    let named = |note: &Value| {
        let note = note.as_str().unwrap_or_default();
        note.starts_with("Thing.example.org: the hub cannot list it")
    };
    ensure!(notes.iter().any(named), "{page}");
    ensure!(page["centres"].as_array().is_some_and(|c| c.len() == 2), "{page}");
    Ok(())
}
