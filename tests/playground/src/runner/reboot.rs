//! A node that is switched off and on.

use anyhow::{Context, Result};

use super::{RunnerNode, gates, net};
use crate::cloud::{Cloud, READY};
use crate::place::Place;
use crate::state::State;
use crate::supervisor::{self, Request};

impl Cloud {
    /// Reboots a node whose pods are real processes, such as `run-001`: they and the gate are killed, the node's network is
    /// made anew and shut, then the gate and the pods start again. Pods that end meanwhile stay ended.
    pub async fn reboot_node(&self, place: Place, node: &str) -> Result<()> {
        let state = self.state()?;
        let nodes = RunnerNode::of(&state, place)?;
        let node = nodes.iter().find(|n| n.name == node);
        let node = node.with_context(|| format!("{place} has no such node with real processes"))?;
        let pods: Vec<String> = pods(&state, node).collect();
        let gate = gates::name(node);
        let gate = state.processes.contains_key(&gate).then_some(gate);
        for name in pods.iter().chain(&gate) {
            supervisor::ask(&state, &Request::Kill(name.clone())).await?;
        }
        net::lay_node(node).await?;
        if state.runners.gates {
            gates::boot(&state.dir, node, &gates::binary()?).await?;
        }
        let state = self.state()?;
        for name in &pods {
            let Some(process) = state.processes.get(name) else {
                continue;
            };
            if let Some(pod) = &process.spec.pod {
                net::lay_pod(node, pod.address).await?;
                supervisor::ask(&state, &Request::Again(name.clone())).await?;
            }
        }
        if let Some(gate) = gate {
            supervisor::ask(&state, &Request::Again(gate.clone())).await?;
            self.ready(&self.process(&gate)?.spec, READY).await?;
        }
        Ok(())
    }
}

/// Names of the processes of a node's pods.
fn pods(state: &State, node: &RunnerNode) -> impl Iterator<Item = String> {
    let of_node = state.processes.values().filter(|p| {
        let pod = p.spec.pod.as_ref();
        p.spec.place == node.place && pod.is_some_and(|pod| pod.node == node.name)
    });
    of_node.map(|p| p.spec.name.clone())
}
