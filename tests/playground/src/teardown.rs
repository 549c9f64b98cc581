//! Removal of every trace of a cloud, from nothing but its state file.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::access::eventually;
use crate::net;
use crate::process::{Condition, Identity};
use crate::state::State;

/// How long killed processes may take to vanish (a large one returns its memory first).
const GONE: Duration = Duration::from_secs(15);

/// Ends all processes of the cloud in `dir` and removes its network, its lock and the folder.
pub(crate) async fn teardown(dir: &Path) -> Result<()> {
    let state = State::load(dir)?;
    if state.dir != dir {
        bail!(
            "the cloud in {} was moved from {}: move it back first",
            dir.display(),
            state.dir.display()
        );
    }
    if state.supervisor.pid != std::process::id() {
        state.supervisor.signal(Signal::SIGKILL)?;
        gone(&[state.supervisor]).await?;
    }
    // The supervisor may have recorded more until it ended.
    let state = State::load(dir)?;
    let processes: Vec<Identity> = state.processes.values().filter_map(|p| p.running).collect();
    for process in &processes {
        process.signal(Signal::SIGKILL)?;
    }
    gone(&processes).await?;
    net::remove(&state).await?;
    if state.socket().exists() {
        std::fs::remove_file(state.socket()).context("cannot remove the supervisor's socket")?;
    }
    net::release(&state)?;
    std::fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))
}

async fn gone(processes: &[Identity]) -> Result<()> {
    eventually(GONE, "killed processes are gone", || async {
        match processes.iter().find(|p| p.condition() != Condition::Gone) {
            Some(left) => bail!("process {} is still there", left.pid),
            None => Ok(()),
        }
    })
    .await
}

/// [`teardown`] for places that cannot wait, such as `Drop`.
pub(crate) fn teardown_blocking(dir: &Path) -> Result<()> {
    let dir = dir.to_owned();
    let worker = std::thread::spawn(move || -> Result<()> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(teardown(&dir))
    });
    match worker.join() {
        Ok(result) => result,
        Err(_) => bail!("the clean-up panicked"),
    }
}
