//! The gate of a node: the real program in the node's own network.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::ranges::RunnerNode;
use crate::command::run;
use crate::place::port;
use crate::process::{Spec, Stage};
use crate::ready::Ready;
use crate::state::State;
use crate::workers;

/// The program that cargo built beside this one.
pub(crate) fn binary() -> Result<PathBuf> {
    workers::find("xiangyun-gate").context("the `xiangyun-gate` program is not built: run `cargo build`")
}

/// Name of the gate's process.
pub(crate) fn name(node: &RunnerNode) -> String {
    format!("gate-{}@{}", node.name, node.place)
}

/// What belongs to the gate on the node.
fn folder(dir: &Path, node: &RunnerNode) -> PathBuf {
    dir.join("gates").join(format!("{}-{}", node.place, node.name))
}

/// What a node does when it starts, before anything else: shuts the range.
pub(crate) async fn boot(dir: &Path, node: &RunnerNode, program: &Path) -> Result<()> {
    let folder = folder(dir, node);
    std::fs::create_dir_all(folder.join("held")).with_context(|| format!("cannot create {}", folder.display()))?;
    let program = program.to_string_lossy();
    let range = node.exclusive_range();
    let printed = run(&program, &["boot", "--exclusive-range", &range]).await?;
    std::fs::write(folder.join("boot.nft"), printed).context("cannot write what is loaded at boot")?;
    let inside = [
        "netns",
        "exec",
        &node.netns,
        &program,
        "boot",
        "--load",
        "--exclusive-range",
        &range,
    ];
    run("ip", &inside).await.map(drop)
}

/// The gate's process. It asks the agents of its place.
pub(crate) fn spec(state: &State, node: &RunnerNode, program: &Path) -> Spec {
    let folder = folder(&state.dir, node);
    let (_, outside) = node.outside;
    let agents = (1..=state.profile.agents()).map(|agent| format!("http://{outside}:{}", port::PERMITS + agent));
    let agents: Vec<String> = agents.collect();
    let args = vec![
        "run".to_owned(),
        format!("--node={}", node.name),
        format!("--exclusive-range={}", node.exclusive_range()),
        format!("--agent={}", agents.join(",")),
        format!("--held-dir={}", folder.join("held").display()),
        format!("--boot-file={}", folder.join("boot.nft").display()),
        format!("--metrics-addr={}:{}", node.address, port::GATE),
        "--playground".to_owned(),
        format!("--fail-point-file={}", state.order(&name(node)).display()),
    ];
    Spec {
        name: name(node),
        place: node.place,
        stage: Stage::Machinery,
        program: program.to_owned(),
        args,
        ready: Ready::Http(node.address, port::GATE, "/healthz".to_owned()),
        restart: true,
        netns: Some(node.netns.clone()),
        pod: None,
    }
}
