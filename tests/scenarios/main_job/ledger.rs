//! The ledger, as the steps look at it.

use anyhow::{Context as _, Result, ensure};
use crds::{QuotaLedgerSpec, Resources};
use plan::ledger::Ledger;
use playground::eventually;
use serde_json::Value;

use crate::world::{METRO, PATIENCE, World};

/// What is charged in a pool in each metro centre, once no change is under way.
pub(crate) async fn charged(w: &World, pool: &str) -> Result<[Resources; 2]> {
    let ledger: QuotaLedgerSpec = serde_json::from_value(is_quiet(w).await?["spec"].take())?;
    let ledger = Ledger::try_from(&ledger)?;
    Ok(METRO.map(|centre| ledger.centre(pool, centre).map(|c| c.charged).unwrap_or_default()))
}

/// The ledger, once no change is under way in it.
pub(crate) async fn is_quiet(w: &World) -> Result<Value> {
    eventually(PATIENCE, "no change is under way", || async {
        let ledger = w.get("hub", &["quotaledger", "province"]).await?;
        let open = ledger["spec"]["records"].as_array().map_or(0, Vec::len);
        ensure!(open == 0, "{open} records are open");
        Ok(ledger)
    })
    .await
}

/// The version of a ledger.
pub(crate) fn version(ledger: &Value) -> Result<String> {
    let version = ledger["metadata"]["resourceVersion"].as_str();
    Ok(version.context("a version")?.to_owned())
}
