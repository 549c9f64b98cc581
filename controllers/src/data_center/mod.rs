//! Data centres: whether their agent reports.

use std::sync::Arc;
use std::time::Duration;

use crds::{DataCenter, centre_reason as reason, condition, set_condition};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher::Config;
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::cache::{Cache, NotReady};
use crate::call::{CallError, call};
use crate::events::Events;
use crate::pass::{Passes, Rhythm, drive};

/// How often ages are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Runs until `stop`.
///
/// # Errors
/// A cache that never filled.
pub async fn run(client: Client, events: Events, passes: Passes, stop: CancellationToken) -> Result<(), NotReady> {
    let changed = Arc::new(Notify::new());
    let (centres, task) = Cache::<DataCenter>::start(client.clone(), Config::default(), Arc::clone(&changed));
    centres.ready(Duration::from_secs(30)).await?;
    let pass = async || {
        let mut first = Ok(Some(LOOK));
        for centre in centres.list() {
            if let Err(error) = write(&client, &events, &centre, Timestamp::now()).await {
                first = first.and(Err(error));
            }
        }
        first
    };
    tokio::select! {
        () = drive("data-center", Rhythm::default(), &passes, changed, stop, pass) => Ok(()),
        _ = task => Ok(()),
    }
}

async fn write(client: &Client, events: &Events, centre: &DataCenter, now: Timestamp) -> Result<(), CallError> {
    let (why, message) = plan::centre_health::health(centre, now);
    let old = centre.status.clone().unwrap_or_default();
    let mut conditions = old.conditions.clone();
    let generation = centre.metadata.generation;
    let ready = why == reason::REPORTING;
    set_condition(
        &mut conditions,
        condition::READY,
        Some(ready),
        why,
        message.clone(),
        generation,
        now,
    );
    if conditions == old.conditions && old.observed_generation == generation {
        return Ok(());
    }
    let api: Api<DataCenter> = Api::all(client.clone());
    let name = centre.name_any();
    // No resourceVersion: the agent writes its report beside us, and these two fields are ours alone.
    let patch = json!({"status": {"conditions": conditions, "observedGeneration": generation}});
    match call(
        "write a centre's status",
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)),
    )
    .await
    {
        Err(error) if error.is_not_found() => return Ok(()),
        other => other?,
    };
    tracing::info!(centre = name, reason = why, "centre");
    events.publish(centre, !ready, why, &message);
    Ok(())
}
