//! Nodes whose pods are real processes, in the place of some of the simulated ones.

mod gates;
mod heartbeat;
mod ingress;
mod kubelet;
mod net;
mod ranges;
mod reboot;
mod status;
mod wanted;

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use futures::future::join_all;

use self::ingress::Backends;
use self::kubelet::Kubelet;
use self::ranges::{MOST, RunnerNode};
use crate::access;
use crate::cloud::Options;
use crate::cluster::kubeconfig;
use crate::nodes;
use crate::place::{Place, RUNNER_PLACES, port};
use crate::process::{Spec, Stage};
use crate::ready::Ready;
use crate::state::{Runners, State};
use crate::users::RUNNER;
use crate::workers;

pub(crate) use self::ingress::head as request_head;

/// What `playground runner` is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunnerArgs {
    /// The place whose nodes it keeps
    place: Place,
}

impl Options {
    /// The nodes with real processes that are asked for.
    pub(crate) fn runners(&self) -> Result<Runners> {
        let runners = Runners {
            nodes: self.runners,
            gates: self.gates,
        };
        if runners.nodes == 0 {
            if runners.gates {
                bail!("gates stand on nodes with real processes: ask for --runners too");
            }
            return Ok(runners);
        }
        self.mode.needs_namespaces()?;
        if !nodes::exist(self.profile) {
            bail!("profile {:?} has no nodes: use `full`", self.profile);
        }
        if runners.nodes > MOST {
            bail!(
                "{} nodes with real processes: a place has room for {MOST}",
                runners.nodes
            );
        }
        Ok(runners)
    }
}

/// Makes the networks of all such nodes, shut where they have gates.
pub(crate) async fn lay(state: &State) -> Result<()> {
    for node in RunnerNode::all(state)? {
        net::lay_node(&node).await?;
        if state.runners.gates {
            gates::boot(&state.dir, &node, &gates::binary()?).await?;
        }
    }
    Ok(())
}

/// The processes that such nodes need: kubelets, the sink of writers, gates.
pub(crate) fn specs(state: &State) -> Result<Vec<Spec>> {
    if state.runners.nodes == 0 {
        return Ok(Vec::new());
    }
    let mut all = vec![crate::work::sink_spec(state)?];
    for place in RUNNER_PLACES {
        all.push(spec(state, place)?);
    }
    if state.runners.gates {
        let program = gates::binary()?;
        all.extend(
            RunnerNode::all(state)?
                .iter()
                .map(|node| gates::spec(state, node, &program)),
        );
    }
    Ok(all)
}

fn spec(state: &State, place: Place) -> Result<Spec> {
    Ok(Spec {
        name: format!("runner@{place}"),
        place,
        stage: Stage::Machinery,
        program: workers::own()?,
        args: vec![
            format!("--dir={}", state.dir.display()),
            "runner".to_owned(),
            place.name().to_owned(),
        ],
        ready: Ready::Port(state.address(place)?, port::INGRESS),
        restart: true,
        // It makes namespaces, which must exist for others too.
        netns: Some(state.net(place)?.netns.clone()),
        pod: None,
    })
}

/// The kubelets and the ingress of a place, until they are killed.
pub(crate) async fn run(dir: &Path, args: RunnerArgs) -> Result<()> {
    let state = State::load(dir)?;
    let place = args.place;
    let client = access::client(&kubeconfig(&state, place.name(), RUNNER)).await?;
    let backends = Backends::default();
    let sink = SocketAddrV4::new(state.address(crate::work::SINK_PLACE)?, port::SINK);
    let nodes = RunnerNode::of(&state, place)?;
    let alive = nodes.iter().map(|node| heartbeat::keep(client.clone(), node.clone()));
    let program = std::env::current_exe().context("where am I?")?;
    let kubelets = nodes.iter().map(|node| {
        let kubelet = Kubelet {
            dir: state.dir.clone(),
            node: node.clone(),
            client: client.clone(),
            program: program.clone(),
            sink,
            backends: backends.clone(),
            given: BTreeMap::new(),
            last: BTreeMap::new(),
            misses: BTreeMap::new(),
        };
        kubelet.run()
    });
    tokio::select! {
        ended = ingress::serve(state.address(place)?, backends.clone()) => ended.context("the ingress"),
        _ = join_all(alive) => bail!("no node"),
        _ = join_all(kubelets) => bail!("no kubelet"),
    }
}
