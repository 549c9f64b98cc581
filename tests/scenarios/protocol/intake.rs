//! A tenant that is held or drained: it and all below it are granted no more, and everybody else is.

use anyhow::{Result, ensure};
use crds::request_reason as reason;
use playground::eventually;
use serde_json::{Value, json};

use crate::life::{asks, change, renew};
use crate::tree::{remove, tenant};
use crate::world::{PATIENCE, World};

const HELD: &str = "held-city";
const BELOW: &str = "held-county";

/// Sets what the tenant may still be granted, and waits until decisions go by that.
async fn intake(w: &World, value: &str) -> Result<()> {
    w.patch(&format!("dept/{HELD}"), &json!({"spec": {"intake": value}}))
        .await?;
    eventually(PATIENCE, &format!("its intake is {value}"), || async {
        let found: Value = serde_json::from_str(&w.kubectl("hub", None, &["get", "dept", HELD, "-o", "json"]).await?)?;
        let conditions = found["status"]["conditions"].as_array().into_iter().flatten();
        let adopted = conditions.filter(|c| c["type"] == "Adopted");
        let seen = adopted.map(|c| &c["observedGeneration"]).next();
        ensure!(seen == Some(&found["metadata"]["generation"]), "{}", found["status"]);
        Ok(())
    })
    .await
}

/// Waits until a request says in both languages that its tenant takes nothing in, and who does not.
async fn suspended(w: &World, tenant: &str, name: &str, intake: &str) -> Result<()> {
    w.stands(name, 0, reason::TENANT_SUSPENDED).await?;
    let path = "jsonpath={.status.conditions[?(@.type==\"Ready\")].message}";
    let words = [
        format!("the platform team set intake {intake} for tenant {HELD}; what was granted stays"),
        format!(" | 平台组已对租户 {HELD} 设置 {intake}，已授予的不受影响"),
    ];
    eventually(PATIENCE, &format!("{name} says why"), || async {
        let found = w
            .kubectl("hub", None, &["get", "rreq", name, "-n", tenant, "-o", path])
            .await?;
        ensure!(words.iter().all(|words| found.contains(words)), "{found}");
        Ok(())
    })
    .await
}

pub(crate) async fn hold_and_drain_a_tenant(w: &World) -> Result<()> {
    tenant(w, HELD, "jilin", [16, 0, 0]).await?;
    tenant(w, BELOW, HELD, [16, 0, 0]).await?;
    w.create_in(HELD, "stopped-a", asks("New", 8)).await?;
    w.stands("stopped-a", 8, reason::ACTIVE).await?;

    intake(w, "Hold").await?;
    w.create_in(HELD, "stopped-b", asks("New", 4)).await?;
    w.create_in(BELOW, "stopped-c", asks("New", 4)).await?;
    suspended(w, HELD, "stopped-b", "Hold").await?;
    suspended(w, BELOW, "stopped-c", "Hold").await?;
    // The rest of the province goes on; so does what was granted: less of it, and for longer.
    w.create("others", asks("New", 4)).await?;
    w.stands("others", 4, reason::ACTIVE).await?;
    w.create_in(HELD, "stopped-less", change("stopped-a", 4)).await?;
    w.stands("stopped-less", 0, reason::COMPLETED).await?;
    w.stands("stopped-a", 4, reason::ACTIVE).await?;
    w.create_in(HELD, "stopped-longer", renew("stopped-a")).await?;
    w.stands("stopped-longer", 0, reason::COMPLETED).await?;

    intake(w, "Drain").await?;
    suspended(w, HELD, "stopped-b", "Drain").await?;
    w.create_in(HELD, "stopped-again", renew("stopped-a")).await?;
    suspended(w, HELD, "stopped-again", "Drain").await?;
    w.create_in(HELD, "stopped-least", change("stopped-a", 2)).await?;
    w.stands("stopped-a", 2, reason::ACTIVE).await?;

    // Lifted: whoever waited is served.
    intake(w, "Open").await?;
    w.stands("stopped-again", 0, reason::COMPLETED).await?;
    w.stands("stopped-b", 4, reason::ACTIVE).await?;
    w.stands("stopped-c", 4, reason::ACTIVE).await?;
    w.clear("others").await?;
    remove(w, BELOW, &["stopped-c"], &[]).await?;
    remove(w, HELD, &["stopped-a", "stopped-b"], &[]).await
}
