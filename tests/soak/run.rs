//! One run: an exclusive placement of its own, a fault, the way back, and what was written meanwhile.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::{Value, json};
use tokio::time::interval;

use crate::faults::Fault;
use crate::ground::{HUB, exclusive, real};
use crate::stage::NS;
use crate::world::World;

/// After the fault everything is as before within this.
const AFTERWARDS: Duration = Duration::from_secs(240);

/// Times of the arbiter that are about half of those that are shipped. A permit lasts as long: it is the gate's own.
pub(crate) fn scaled() -> Value {
    json!({"ttlMs": 5_500, "beatMs": 700, "callMs": 700, "ratePpm": 10_000, "guardMs": 2_500, "permitMs": 2_000})
}

/// The line of a run. One that did not come to its end says why; its writers are judged all the same.
pub(crate) async fn one(w: &World, number: usize, scaled: bool) -> Value {
    let (fault, lasts) = Fault::of(number, scaled);
    let name = format!("soak-{number}");
    let went = goes(w, &name, fault, lasts).await;
    let judged = w.cloud.judge_writes().unwrap_or_default();
    let verdict = judged.get(&format!("{NS}/{name}")).cloned().unwrap_or_default();
    let moves = moves(w, &name).await.unwrap_or_default();
    let rto = |kind: &str| {
        let of_kind = moves.iter().find(|m| m["spec"]["type"] == kind);
        of_kind.map(|m| m["status"]["rtoSeconds"].clone()).unwrap_or_default()
    };
    json!({
        "run": number,
        "timing": if scaled { "scaled" } else { "default" },
        "fault": format!("{fault:?}"),
        "seconds": lasts.as_secs_f32(),
        "writes": verdict.writes,
        "silenceMs": verdict.silence.map(playground::Silence::ms),
        "violations": verdict.violations.len(),
        "failoverRto": rto("Unplanned"),
        "failbackRto": rto("Failback"),
        "error": went.err().map(|error| format!("{error:#}; moves: {}", told(&moves))),
    })
}

/// Where each move stands, and why: the cloud is gone when somebody reads the line.
fn told(moves: &[Value]) -> String {
    let one = |m: &Value| {
        let (name, phase) = (&m["metadata"]["name"], &m["status"]["phase"]);
        let ready = m["status"]["conditions"].as_array().and_then(|all| all.last());
        let why = ready.map(|c| format!("{} {}", c["reason"], c["message"]));
        format!("{name} {phase} {}", why.unwrap_or_default())
    };
    moves.iter().map(one).collect::<Vec<_>>().join(", ")
}

async fn moves(w: &World, name: &str) -> Result<Vec<Value>> {
    let found = w.get(HUB, &["failovers", "-n", NS]).await?;
    let all = found["items"].as_array().context("moves")?;
    let own = all.iter().filter(|m| m["spec"]["placementRef"]["name"] == name);
    Ok(own.cloned().collect())
}

async fn goes(w: &World, name: &str, fault: Fault, lasts: Duration) -> Result<()> {
    let mut placement = exclusive(name);
    placement["spec"]["failback"] = json!({"mode": "Automatic", "stabilization": "0s"});
    w.put(&real(name, "writer", 1)).await?;
    w.put(&placement).await?;
    w.writes_in(name, "jishi").await?;
    w.armed(name, "Armed").await?;
    fault.begin(w).await?;
    let mut time = interval(lasts);
    time.tick().await;
    time.tick().await;
    w.cloud.heal(None).await?;
    eventually(AFTERWARDS, "every centre is heard, and nothing is away", || async {
        for centre in ["jishi", "jiyidong", "baicheng"] {
            let found = w.get(HUB, &["dcn", centre]).await?;
            let state = &found["status"]["witness"]["state"];
            ensure!(state == "Granted", "{centre} is {state}");
        }
        Ok(())
    })
    .await?;
    w.writes_in(name, "jishi").await?;
    w.delete(&["dap", name]).await?;
    w.delete(&["deploy", name]).await
}
