//! The same number of writes of the same size, by a bare loop to the same servers, while the operators are stopped.

use std::time::Instant;

use anyhow::{Context as _, Result};
use crds::{DualActivePlacement, Failover};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::ground::{Ground, TENANT, at_once, deployment, name};

const OPERATORS: [&str; 2] = ["operator@jishi", "operator@jiyidong"];
/// Where the bare loop's Deployments are: no agent looks at them.
const SCRATCH: &str = "default";
/// Label of its moves.
const MARK: &str = "bench";

fn bare(i: usize) -> String {
    format!("bare-{i:04}")
}

/// Whether as many copies are ready as should be, as its controller saw it last.
fn settled(one: &Deployment) -> bool {
    let (spec, status) = (one.spec.as_ref(), one.status.as_ref());
    let wanted = spec.and_then(|s| s.replicas).unwrap_or_default();
    let seen = status.and_then(|s| s.observed_generation) == one.metadata.generation;
    seen && status.and_then(|s| s.ready_replicas).unwrap_or_default() == wanted
}

impl Ground {
    /// What cannot be avoided when the other centre takes over. Seconds until all is ready, and until all was written.
    pub(super) async fn raw_failover(&self, moves: &[Failover]) -> Result<(f64, f64)> {
        let there = self.scratch("jiyidong", 0).await?;
        self.bare_moves(moves, &[(&there, 1)]).await
    }

    /// What cannot be avoided on the way back: the one side rises, then the other one falls. The copies that fall are those
    /// that rose before.
    pub(super) async fn raw_failback(&self, moves: &[Failover]) -> Result<(f64, f64)> {
        let here = self.scratch("jishi", 0).await?;
        let there = self.scratch("jiyidong", 1).await?;
        self.bare_moves(moves, &[(&here, 1), (&there, 0)]).await
    }

    /// The bare Deployments of a centre with so many copies each, all settled.
    async fn scratch(&self, centre: &str, copies: usize) -> Result<Api<Deployment>> {
        let api: Api<Deployment> = Api::namespaced(self.cloud.client(centre, None).await?, SCRATCH);
        at_once(0..self.number, |i| apply(&api, i, copies)).await?;
        self.until(&api, "the bare ones stand", self.number, settled).await?;
        Ok(api)
    }

    async fn bare_moves(&self, moves: &[Failover], sides: &[(&Api<Deployment>, usize)]) -> Result<(f64, f64)> {
        let stopped: Vec<&str> = OPERATORS
            .into_iter()
            .filter(|operator| {
                self.cloud
                    .condition(operator)
                    .is_ok_and(|c| c == playground::Condition::Running)
            })
            .collect();
        for operator in &stopped {
            self.cloud.stop_process(operator).await?;
        }
        let model = moves.first().context("no move")?;
        let listed = self.placements.list(&ListParams::default()).await?;
        let stored = &listed.items;
        let begin = Instant::now();
        for (round, (api, copies)) in sides.iter().enumerate() {
            at_once(0..self.number, |i| async move {
                if round == 0 {
                    self.bare_move(model, i).await?;
                }
                self.bare_decision(stored.get(i).context("a placement")?).await?;
                apply(api, i, *copies).await
            })
            .await?;
        }
        let written = begin.elapsed().as_secs_f64();
        for (api, _) in sides {
            self.until(api, "the bare ones are ready", self.number, settled).await?;
        }
        let took = begin.elapsed().as_secs_f64();
        println!("bare: written after {written:.1} s, ready after {took:.1} s");
        let marked = ListParams::default().labels(MARK);
        self.failovers
            .delete_collection(&DeleteParams::default(), &marked)
            .await?;
        for operator in &stopped {
            self.cloud.start_process(operator).await?;
        }
        Ok((took, written))
    }

    /// A move like that one, and its status.
    async fn bare_move(&self, model: &Failover, i: usize) -> Result<()> {
        // One of the operator's alone has an incident; a comment of that length stands for it.
        let comment = model.spec.incident.clone().unwrap_or_default();
        let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Failover",
            "metadata": {"name": format!("{}-bare", name(i)), "namespace": TENANT, "labels": {MARK: "yes"}},
            "spec": {"placementRef": {"name": name(i)}, "type": "Planned", "from": model.spec.from, "to": model.spec.to,
                "comment": comment}});
        let object: Failover = serde_json::from_value(object)?;
        let made = self.failovers.create(&PostParams::default(), &object).await?;
        let metadata = json!({"uid": made.metadata.uid, "resourceVersion": made.metadata.resource_version});
        let patch = Patch::Merge(json!({"metadata": metadata, "status": model.status}));
        let name = made.metadata.name.context("a name")?;
        self.failovers
            .patch_status(&name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// The operator's part of a placement's status, with the one field changed that it leaves as it finds it.
    async fn bare_decision(&self, stored: &DualActivePlacement) -> Result<()> {
        let mut status = stored.status.clone().unwrap_or_default();
        let moment = controllers::clock::Clock::default().now();
        for condition in &mut status.conditions {
            condition.last_transition_time.0 = moment;
        }
        let mut status = json!(status);
        if let Some(fields) = status.as_object_mut() {
            fields.remove("centres");
        }
        let patch: Patch<Value> = Patch::Merge(json!({"metadata": {"uid": stored.metadata.uid}, "status": status}));
        let name = stored.name_any();
        self.placements
            .patch_status(&name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }
}

async fn apply(api: &Api<Deployment>, i: usize, copies: usize) -> Result<()> {
    let object = deployment(&bare(i), SCRATCH, copies, false)?;
    let params = PatchParams::apply("bench").force();
    api.patch(&bare(i), &params, &Patch::Apply(&object)).await?;
    Ok(())
}
