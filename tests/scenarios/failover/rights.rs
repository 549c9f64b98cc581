//! An exclusive placement in peace: under which right it runs, and what the centre refuses.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::ground::{AGENTS, EXAM, OUTLASTS, exclusive, real};
use crate::stage::{LI, NS};
use crate::world::World;

const AGENT: Option<&str> = Some("xiangyun:centre:jishi");

pub(crate) async fn an_exclusive_placement_runs_under_a_right(w: &World) -> Result<()> {
    w.put(&real(EXAM, "writer", 1)).await?;
    w.put(&exclusive(EXAM)).await?;
    w.writes_in(EXAM, "jishi").await?;
    let placement = w.placement_reason(EXAM, "Running").await?;
    let epoch = &placement["status"]["epoch"];
    ensure!(epoch["incarnation"] == 1 && epoch["counter"] == 1, "{epoch}");
    ensure!(
        placement["status"]["active"] == json!(["jishi"]),
        "{}",
        placement["status"]["active"]
    );
    w.armed(EXAM, "Armed").await?;
    let found = w.get("jishi", &["deploy", EXAM, "-n", NS]).await?;
    for at in ["/metadata", "/spec/template/metadata"] {
        let metadata = found.pointer(at).context("metadata")?;
        ensure!(
            metadata["annotations"]["xiangyun.io/right"] == "1.1",
            "{at}: {metadata}"
        );
        ensure!(metadata["labels"]["xiangyun.io/exclusive"] == EXAM, "{at}: {metadata}");
    }
    // Armed by what its row says of the gates, which may have come after what was read above.
    let placement = w.get("hub", &["dap", EXAM, "-n", NS]).await?;
    let row = placement["status"]["centres"].as_array().into_iter().flatten();
    let row = row
        .clone()
        .find(|row| row["name"] == "jishi")
        .context("a row of jishi")?;
    ensure!(row["right"]["counter"] == 1, "{row}");
    ensure!(row["fence"] == json!({"nodes": 1, "ready": 1}), "{}", row["fence"]);
    Ok(())
}

/// What an agent of jishi would write whose right has ended.
fn stale(name: &str, found: &Value) -> Value {
    let mut late = found.clone();
    late["metadata"] = json!({"name": name, "namespace": NS, "labels": found["metadata"]["labels"],
        "annotations": {"xiangyun.io/right": "1.0"}});
    if let Some(fields) = late.as_object_mut() {
        fields.remove("status");
    }
    late
}

pub(crate) async fn what_is_written_late_is_refused(w: &World) -> Result<()> {
    let found = w.get("jishi", &["deploy", EXAM, "-n", NS]).await?;
    let forced = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=xiangyun-agent",
        "-f",
    ];
    let late = w.file(&stale(EXAM, &found))?;
    w.refused(
        "jishi",
        AGENT,
        &[&forced[..], &[&late]].concat(),
        "1.0 < 1.1 (StaleEpoch)",
    )
    .await?;
    // Under another name nothing stood before, and the record says it.
    let late = w.file(&stale("exam-again", &found))?;
    w.refused(
        "jishi",
        AGENT,
        &[&forced[..], &[&late]].concat(),
        "the lowest that may run",
    )
    .await?;
    let bare = json!({"metadata": {"annotations": {"xiangyun.io/right": null}}}).to_string();
    let patch = ["patch", "deploy", EXAM, "-n", NS, "--type=merge", "-p", &bare];
    w.refused("jishi", LI, &patch, "StaleEpoch").await?;
    let scale = ["scale", "deploy", EXAM, "-n", NS, "--replicas=3"];
    w.refused("jishi", LI, &scale, "ExclusiveScale").await?;
    w.writes_in(EXAM, "jishi").await
}

/// Whichever agent leads: when it is killed its gate shuts for a moment, the other one goes on with the same right, and no
/// pod is started anew.
pub(crate) async fn a_killed_agent_restarts_no_pod(w: &World) -> Result<()> {
    let pods = ["pods", "-n", NS, "-l", "xiangyun.io/exclusive=exam"];
    let uids = async || -> Result<Vec<Value>> {
        let found = w.get("jishi", &pods).await?;
        let all = found["items"].as_array().context("pods")?;
        Ok(all.iter().map(|pod| pod["metadata"]["uid"].clone()).collect())
    };
    let before = uids().await?;
    for agent in AGENTS {
        w.cloud.kill(agent).await?;
        w.goes_on(EXAM, OUTLASTS).await?;
        w.cloud.start_process(agent).await?;
    }
    let after = uids().await?;
    ensure!(before == after, "{before:?}, then {after:?}");
    w.nobody_wrote_twice()
}
