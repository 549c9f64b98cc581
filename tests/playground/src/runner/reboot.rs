//! A node that is looked into, or switched off and on.

use std::process::{Output, Stdio};

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
        let node = &find(&state, place, node)?;
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
                supervisor::ask(&state, &Request::Revive(name.clone())).await?;
            }
        }
        if let Some(gate) = gate {
            supervisor::ask(&state, &Request::Again(gate.clone())).await?;
            self.ready(&self.process(&gate)?.spec, READY).await?;
        }
        Ok(())
    }

    /// Runs a command in the network of such a node to its end; the exit code is the caller's to judge.
    pub async fn exec_on_node(&self, place: Place, node: &str, program: &str, args: &[&str]) -> Result<Output> {
        let node = find(&self.state()?, place, node)?;
        let mut command = tokio::process::Command::new("ip");
        command.args(["netns", "exec", &node.netns, program]).args(args);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
            .output()
            .await
            .with_context(|| format!("cannot run `{program}`"))
    }
}

fn find(state: &State, place: Place, node: &str) -> Result<RunnerNode> {
    let found = RunnerNode::of(state, place)?.into_iter().find(|n| n.name == node);
    found.with_context(|| format!("{place} has no node {node} with real processes"))
}

/// Names of the processes of a node's pods.
fn pods(state: &State, node: &RunnerNode) -> impl Iterator<Item = String> {
    let of_node = state.processes.values().filter(|p| {
        let pod = p.spec.pod.as_ref();
        p.spec.place == node.place && pod.is_some_and(|pod| pod.node == node.name)
    });
    of_node.map(|p| p.spec.name.clone())
}
