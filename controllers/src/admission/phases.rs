//! Phases of expansion: what is said of each, and how far the plan is. Their capacity moves with the ledger's swap, like
//! that of any pool.

use std::collections::BTreeMap;
use std::time::Duration;

use crds::{
    ExpansionPhase, ExpansionPhaseStatus, PhaseStage, condition, find_condition, phase_reason, request_reason as reason,
};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use plan::cycle::{CyclePlan, Snapshot};
use plan::phase::simulate::{starts, with};
use plan::phase::status::{Around, status};
use plan::phase::totals;
use serde_json::json;
use tokio::time::Instant;

use super::observe::Caches;
use super::{Error, Options, Write};
use crate::call::call;

/// A simulation costs as much as a cycle, so its answer may be this old.
const LOOK: Duration = Duration::from_secs(5);

/// How many requests each phase would start, by uid and generation of the phase.
#[derive(Default)]
pub(super) struct Unblocks {
    at: Option<Instant>,
    counts: BTreeMap<(String, i64), i64>,
}

impl Unblocks {
    fn look(&mut self, snapshot: &Snapshot, plan: &CyclePlan, phases: &[ExpansionPhase]) {
        let known = phases.iter().all(|p| self.counts.contains_key(&key(p)));
        if known && self.at.is_some_and(|at| at.elapsed() < LOOK) {
            return;
        }
        let short = [reason::WAITING_FOR_QUOTA, reason::EXCEEDS_MAX_QUOTA];
        let refusals = plan.assessments.iter().flatten().filter_map(|a| a.refusal.as_ref());
        let somebody_waits = refusals.into_iter().any(|r| short.contains(&r.reason));
        let count = |phase: &ExpansionPhase| {
            if !somebody_waits || phase.spec.stage == PhaseStage::Accepted {
                return 0;
            }
            let found = starts(snapshot, with(&snapshot.pools, phase));
            i64::try_from(found.len()).unwrap_or(i64::MAX)
        };
        self.counts = phases.iter().map(|p| (key(p), count(p))).collect();
        self.at = Some(Instant::now());
    }
}

fn key(phase: &ExpansionPhase) -> (String, i64) {
    let generation = phase.metadata.generation.unwrap_or_default();
    (phase.uid().unwrap_or_default(), generation)
}

/// Statuses that differ, and the figures of the plan.
pub(super) async fn publish(
    options: &Options,
    caches: &Caches,
    unblocks: &mut Unblocks,
    snapshot: &Snapshot,
    plan: &CyclePlan,
) -> Result<(), Error> {
    let (pools, centres, phases) = (caches.pools.list(), caches.centres.list(), caches.phases.list());
    let totals = totals(&phases);
    options.metrics.plan(totals);
    unblocks.look(snapshot, plan, &phases);
    let around = Around {
        pools: &pools,
        centres: &centres,
        phases: &phases,
        ledger: &snapshot.ledger,
        totals,
    };
    let mut writes: Vec<Write<'_>> = Vec::new();
    for phase in &phases {
        let wanted = status(phase, around, unblocks.counts.get(&key(phase)).copied(), snapshot.now);
        if phase.status.as_ref() != Some(&wanted) {
            writes.push(Box::pin(write(options, phase, wanted)));
        }
    }
    super::all(writes, &options.metrics, "published").await?;
    Ok(())
}

async fn write(options: &Options, phase: &ExpansionPhase, wanted: ExpansionPhaseStatus) -> Result<(), Error> {
    let (name, uid, version) = (phase.name_any(), phase.uid(), phase.resource_version());
    let api: Api<ExpansionPhase> = Api::all(options.client.clone());
    let patch = json!({"status": wanted, "metadata": {"uid": uid, "resourceVersion": version}});
    call(
        "write a phase's status",
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)),
    )
    .await?;
    let ready = |s: &ExpansionPhaseStatus| find_condition(&s.conditions, condition::READY).cloned();
    let (before, after) = (phase.status.as_ref().and_then(ready), ready(&wanted));
    let Some(after) = after.filter(|a| before.is_none_or(|b| b.reason != a.reason)) else {
        return Ok(());
    };
    tracing::info!(phase = name, reason = after.reason, "phase");
    let warning = [
        phase_reason::BELOW_COMMITTED,
        phase_reason::POOL_MISSING,
        phase_reason::NODES_SHORT,
        phase_reason::MISCONFIGURED,
    ];
    let warning = warning.contains(&after.reason.as_str());
    options.events.publish(phase, warning, &after.reason, &after.message);
    Ok(())
}
