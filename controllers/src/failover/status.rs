//! What is written about moves: their statuses, which words counted, and what is known of the centres.

use std::sync::Arc;

use crds::{
    DataCenter, DataCenterStatus, DualActivePlacement, Failover, FailoverApproval, FailoverPhase, FailoverStatus,
    QuotaPool, WitnessState, approval_reason, condition, failover_approval_reason, failover_reason as reason,
    find_condition, set_condition,
};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt as _};
use plan::failover::approvals::words;
use plan::failover::centres::{headroom, serving, settled};
use plan::failover::facts::Known;
use plan::failover::witness::{About, next};
use serde_json::{Value, json};

use super::apply::of_incident;
use super::observe::beats;
use super::{Controller, Said};
use crate::call::{CallError, call};
use crate::merge::merge_patch;

/// What needs nobody's attention.
const CALM: [&str; 4] = [reason::VERIFIED, reason::STARTING, reason::DRAINING, reason::QUEUED];

fn precondition<K: Resource>(object: &K) -> Value {
    let meta = object.meta();
    json!({"uid": meta.uid, "resourceVersion": meta.resource_version})
}

fn why(status: &FailoverStatus) -> Option<(&str, &str)> {
    let said = find_condition(&status.conditions, condition::COMPLETE)?;
    Some((said.reason.as_str(), said.message.as_str()))
}

impl Controller {
    /// Writes a move's status where it differs; answers whether it stands there now.
    pub(super) async fn write(
        &self,
        failover: &Failover,
        placement: Option<&DualActivePlacement>,
        status: &FailoverStatus,
    ) -> Result<bool, CallError> {
        if failover.status.as_ref() == Some(status) {
            return Ok(true);
        }
        let before = failover.status.as_ref().map(|s| json!(s)).unwrap_or_default();
        let patch = json!({"metadata": precondition(failover), "status": merge_patch(&before, json!(status))});
        let namespace = failover.namespace().unwrap_or_default();
        let api: Api<Failover> = Api::namespaced(self.client.clone(), &namespace);
        let name = failover.name_any();
        let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
        match call("write a failover", api.patch_status(&name, &params, &patch)).await {
            // Somebody else wrote, or it is gone: the watch shows it, and the next pass decides on that.
            Err(error) if error.is_outdated() => return Ok(false),
            other => drop(other?),
        }
        self.announce(failover, placement, status);
        Ok(true)
    }

    /// Tells on the move and on its placement what changed.
    fn announce(&self, failover: &Failover, placement: Option<&DualActivePlacement>, status: &FailoverStatus) {
        let Some((reason, message)) = why(status) else { return };
        let before = failover.status.as_ref().and_then(why).map(|(reason, _)| reason);
        if (failover.phase(), before) == (status.phase, Some(reason)) {
            return;
        }
        tracing::info!(
            namespace = failover.namespace(),
            failover = failover.name_any(),
            incident = failover.spec.incident,
            phase = ?status.phase,
            reason,
            message,
            "failover"
        );
        let note = of_incident(failover, message);
        let warning = !CALM.contains(&reason);
        self.events.publish(failover, warning, reason, &note);
        if let Some(placement) = placement {
            self.events.publish(placement, warning, reason, &note);
        }
        if status.phase == FailoverPhase::Succeeded {
            self.figures.succeeded(failover, placement, status);
        }
    }

    /// Whether each word counts.
    pub(super) async fn tell_approvals(&self, said: &Said, now: Timestamp) -> Result<(), CallError> {
        let mut first = Ok(());
        for word in self.words.shared() {
            let namespace = word.namespace().unwrap_or_default();
            let about = (namespace.clone(), word.spec.failover_ref.name.clone());
            let verdict = said.get(&about).and_then(|o| o.counted.get(&word.name_any()).copied());
            let verdict = verdict.unwrap_or(Err(failover_approval_reason::FAILOVER_NOT_FOUND));
            let written = self.tell_approval(&word, verdict, now).await;
            first = first.and(written);
        }
        first
    }

    async fn tell_approval(
        &self,
        word: &FailoverApproval,
        verdict: Result<(), &'static str>,
        now: Timestamp,
    ) -> Result<(), CallError> {
        let reason = verdict.err().unwrap_or(approval_reason::COUNTED);
        let mut status = word.status.clone().unwrap_or_default();
        let known = find_condition(&status.conditions, condition::COUNTED);
        // What was counted once stays so, whatever becomes of its move.
        if known.is_some_and(|c| c.reason == reason || c.status == "True") {
            return Ok(());
        }
        let generation = word.metadata.generation;
        let counted = Some(verdict.is_ok());
        let message = words(reason);
        set_condition(
            &mut status.conditions,
            condition::COUNTED,
            counted,
            reason,
            message,
            generation,
            now,
        );
        let namespace = word.namespace().unwrap_or_default();
        let api: Api<FailoverApproval> = Api::namespaced(self.client.clone(), &namespace);
        let patch = Patch::Merge(json!({"metadata": precondition(word), "status": status}));
        let name = word.name_any();
        let params = PatchParams::default();
        match call("write a failover approval", api.patch_status(&name, &params, &patch)).await {
            Err(error) if error.is_outdated() => {}
            other => drop(other?),
        }
        tracing::info!(namespace, approval = name, reason, "failover approval");
        Ok(())
    }

    /// Writes what is known of each centre, and goes on with that.
    pub(super) async fn tell_centres(
        &self,
        known: &mut Known,
        placements: &[Arc<DualActivePlacement>],
        now: Timestamp,
    ) -> Result<(), CallError> {
        let pools: Vec<Arc<QuotaPool>> = self.pools.shared();
        let seen = self.sight.fresh();
        let beats = seen.as_deref().map(beats);
        for centre in self.sight.centres.shared() {
            let name = centre.name_any();
            let about = known.centres.get(&name);
            let Some(about) = about.filter(|c| c.role != crds::CentreRole::Member) else {
                continue;
            };
            let before = about.witness.clone();
            let returned = before.as_ref().is_some_and(|w| w.state == WitnessState::Returned);
            let witness = match &beats {
                Some(beats) => next(
                    &About {
                        name: &name,
                        before: before.as_ref(),
                        reports: about.reports,
                        settled: returned && settled(&name, known, placements, now),
                    },
                    beats,
                    now,
                ),
                // Blind: what was known stays. Without an arbiter nothing is said.
                None => before.clone().filter(|_| self.sight.deciding.is_some()),
            };
            if let Some(slot) = known.centres.get_mut(&name) {
                slot.witness.clone_from(&witness);
            }
            let lost = witness.as_ref().is_some_and(|w| w.state == WitnessState::Lost);
            let old = centre.status.clone().unwrap_or_default();
            let status = DataCenterStatus {
                serving: Some(if lost { 0 } else { serving(&name, known, placements) }),
                headroom: headroom(&name, &pools).filter(|_| !lost),
                witness,
                ..old.clone()
            };
            if status != old {
                self.tell_centre(&centre, &old, &status).await?;
            }
        }
        Ok(())
    }

    /// A conflict over the witness ends the pass: nothing is concluded from a loss that is not written down. The rest is only
    /// shown, has no other writer, and changes with every placement that moves: what agents report meanwhile is no reason to
    /// stand still.
    async fn tell_centre(
        &self,
        centre: &DataCenter,
        old: &DataCenterStatus,
        status: &DataCenterStatus,
    ) -> Result<(), CallError> {
        let own = |s: &DataCenterStatus| json!({"witness": s.witness, "serving": s.serving, "headroom": s.headroom});
        let shows = old.witness == status.witness;
        let metadata = if shows {
            json!({"uid": centre.metadata.uid})
        } else {
            precondition(centre)
        };
        let patch = json!({"metadata": metadata, "status": merge_patch(&own(old), own(status))});
        let api: Api<DataCenter> = Api::all(self.client.clone());
        let name = centre.name_any();
        let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
        let written = api.patch_status(&name, &params, &patch);
        match call("write what is known of a centre", written).await {
            Err(error) if shows && error.is_outdated() => {}
            other => drop(other?),
        }
        let state = |s: &DataCenterStatus| s.witness.as_ref().map(|w| w.state);
        let Some(witness) = status.witness.as_ref().filter(|_| state(old) != state(status)) else {
            return Ok(());
        };
        let incident = witness.incident.clone().unwrap_or_default();
        tracing::info!(centre = name, state = ?witness.state, incident, "witness");
        let (reason, message) = said(&name, witness.state);
        let note = if incident.is_empty() {
            message
        } else {
            format!("[{incident}] {message}")
        };
        let warning = !matches!(witness.state, WitnessState::Granted | WitnessState::Returned);
        self.events.publish(centre, warning, reason, &note);
        Ok(())
    }
}

/// What a centre's state means, in one word and in a sentence.
fn said(centre: &str, state: WitnessState) -> (&'static str, String) {
    match state {
        WitnessState::Granted => ("CentreGranted", format!("{centre} is heard | {centre} 心跳正常")),
        WitnessState::Lost => (
            "CentreLost",
            format!(
                "two observers saw {centre} silent for the whole time; placements move as their policies say | 两个观察方确认 {centre} 失联，各部署按策略切换"
            ),
        ),
        WitnessState::Returned => (
            "CentreReturned",
            format!(
                "{centre} is heard again; what was moved away is not back yet | {centre} 已恢复，迁出的部署尚未回切"
            ),
        ),
        WitnessState::Degraded => (
            "CentreDegraded",
            format!(
                "{centre} beats, but its agents do not reach its API server; nothing moves while it beats, repair that server | {centre} 心跳正常但接口不可达，暂不切换，请恢复其 API server"
            ),
        ),
        WitnessState::AgentDown => (
            "CentreAgentDown",
            format!(
                "the agents of {centre} are silent while its API server answers; nothing moves, start them | {centre} 代理失联但接口可达，不自动切换，请恢复代理"
            ),
        ),
    }
}
