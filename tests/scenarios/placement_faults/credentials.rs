//! The company that runs a centre loses its credentials: its agents are let in nowhere, and the other centre goes on.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::json;

use crate::ground::Ground;
use crate::world::{CORRECTED, PATIENCE, World};

const AGENTS: [&str; 2] = ["agent-1@jishi", "agent-2@jishi"];
/// Of what the agents of jishi show everywhere, and of what another authority signed, which no API server knows.
const OWN: &str = "xiangyun-centre-jishi";
const STRANGER: &str = "etcd-jishi";
/// Certificate and key.
const PARTS: [&str; 2] = ["crt", "key"];

fn file(w: &World, name: &str, part: &str) -> PathBuf {
    w.cloud.dir().join("pki").join(format!("{name}.{part}"))
}

/// Programs read their certificate when they start.
async fn begin_anew(w: &World) -> Result<()> {
    for agent in AGENTS {
        w.cloud.kill(agent).await?;
        w.cloud.start_process(agent).await?;
    }
    Ok(())
}

/// Both agents of jishi with a certificate that nobody takes. What runs there runs on, it is said that nothing is heard of it,
/// and in jiyidong a new template and an edit by hand are answered as ever.
pub(crate) async fn one_operator_without_credentials(w: &World) -> Result<()> {
    let ground = Ground::lay(w, "unknown").await?;
    for part in PARTS {
        let own = file(w, OWN, part);
        std::fs::copy(&own, file(w, "kept", part)).with_context(|| own.display().to_string())?;
        std::fs::copy(file(w, STRANGER, part), &own)?;
    }
    begin_anew(w).await?;
    ground.template(6).await?;
    let replicas = async |centre: &str, copies: i64, within: Duration| {
        let at = "/spec/replicas";
        w.field(centre, &ground.what(), at, &json!(copies), within).await
    };
    replicas("jiyidong", 3, PATIENCE).await?;
    let edit = json!({"spec": {"replicas": 0}});
    w.patch("jiyidong", None, &ground.what(), &edit).await?;
    replicas("jiyidong", 3, CORRECTED).await?;
    w.placement_reason("unknown", "CentreUnknown").await?;
    let said = w.message("unknown").await?;
    ensure!(said.starts_with("jishi does not report"), "{said}");
    w.ready_reason(&["dcn", "jishi"], "ReportStale").await?;
    // Refused by both of its servers, and neither started a thing.
    eventually(PATIENCE, "its agents say why", || async {
        let log = std::fs::read_to_string(w.cloud.log(AGENTS[0])?)?;
        ensure!(log.contains("Unauthorized"), "they do not");
        Ok(())
    })
    .await?;
    replicas("jishi", 2, CORRECTED).await?;
    ensure!(ground.changes()?[0] == 0, "{:?}", ground.changes()?);
    for part in PARTS {
        std::fs::rename(file(w, "kept", part), file(w, OWN, part))?;
    }
    begin_anew(w).await?;
    ground.copies([3, 3]).await?;
    ground.clear().await
}
