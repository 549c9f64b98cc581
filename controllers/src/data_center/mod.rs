//! Data centres: whether their agent reports.

use std::sync::Arc;
use std::time::Duration;

use crds::{DataCenter, MemberStage, centre_reason as reason, condition, set_condition};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher::Config;
use kube::{Api, Client, ResourceExt as _};
use plan::centre::stage::{Stage, all_lent};
use prometheus::Registry;
use serde_json::json;
use tokio::sync::Notify;

use crate::cache::{Cache, NotReady};
use crate::call::{CallError, call};
use crate::events::Events;
use crate::operator::Common;
use crate::pass::{Rhythm, drive};
use crate::rows::{Rows, count, in_unit};

/// The stages of a member cloud: each is counted where there is none, too.
const STAGES: [MemberStage; 3] = [MemberStage::Observed, MemberStage::Advised, MemberStage::Scheduled];
/// How often ages are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Figures of the centres.
#[derive(Clone, Debug)]
pub struct Figures {
    ready: Rows,
    reported: Rows,
    members: Rows,
    lent: Rows,
}

impl Figures {
    /// Registers them.
    ///
    /// # Errors
    /// A name that is registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let labels = &["centre"];
        let ready = "1 where the centre's agent reports, 0 where its report is too old or missing";
        let reported = "Time of the last report of the centre's agent";
        let members = "Member clouds by the stage to which they have joined";
        let lent = "What a member cloud lends of a pool: vCPU, bytes or cards";
        Ok(Self {
            ready: Rows::new(registry, "xiangyun_centre_ready", ready, labels)?,
            reported: Rows::new(registry, "xiangyun_centre_report_timestamp_seconds", reported, labels)?,
            members: Rows::new(registry, "xiangyun_members", members, &["stage"])?,
            lent: Rows::new(registry, "xiangyun_member_lent", lent, &["pool", "centre", "resource"])?,
        })
    }

    fn observe(&self, centres: &[DataCenter], now: Timestamp) {
        let labels = |centre: &DataCenter| vec![centre.name_any()];
        let ready = |c: &DataCenter| plan::centre_health::health(c, now).0 == reason::REPORTING;
        self.ready
            .replace(centres.iter().map(|c| (labels(c), f64::from(u8::from(ready(c))))));
        let reported = |c: &DataCenter| {
            let at = &c.status.as_ref()?.report.as_ref()?.reported_at;
            let at: Timestamp = at.parse().ok()?;
            Some((labels(c), at.as_duration().as_secs_f64()))
        };
        self.reported.replace(centres.iter().filter_map(reported));
        self.observe_members(centres);
    }

    fn observe_members(&self, centres: &[DataCenter]) {
        let joined = |stage| {
            let there = centres.iter().filter(|c| Stage::of(c) == Stage::Member(stage));
            (vec![format!("{stage:?}")], count(there.count()))
        };
        self.members.replace(STAGES.map(joined));
        let lent = centres.iter().filter_map(|c| Some((c.name_any(), all_lent(c)?)));
        let rows = lent.flat_map(|(centre, pools)| {
            pools.into_iter().flat_map(move |(pool, amounts)| {
                let centre = centre.clone();
                let row = move |(resource, value): (&str, i128)| {
                    let labels = vec![pool.clone(), centre.clone(), resource.to_owned()];
                    (labels, in_unit(resource, value))
                };
                amounts.iter().map(row).collect::<Vec<_>>()
            })
        });
        self.lent.replace(rows);
    }
}

/// Runs until it is stopped.
///
/// # Errors
/// A cache that never filled.
pub async fn run(common: Common, figures: Figures) -> Result<(), NotReady> {
    let Common {
        client,
        events,
        clock,
        passes,
        stop,
    } = common;
    let changed = Arc::new(Notify::new());
    let (centres, task) = Cache::<DataCenter>::start(client.clone(), Config::default(), Arc::clone(&changed));
    centres.ready().await?;
    let pass = async || {
        let mut first = Ok(Some(LOOK));
        let (centres, now) = (centres.list(), clock.now());
        figures.observe(&centres, now);
        for centre in centres {
            if let Err(error) = write(&client, &events, &centre, now).await {
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
    let (why, message) = plan::centre_health::ready(centre, now);
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
