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

/// Folders that a cloud makes in DIR.
const FOLDERS: [&str; 11] = [
    "arbiter",
    "audit",
    "cache",
    "clock",
    "data",
    "gates",
    "kubeconfigs",
    "logs",
    "orders",
    "pki",
    "writes",
];

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
    end(&state).await?;
    std::fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))
}

/// Ends the cloud that is, or was, in `dir`.
pub(crate) async fn down(dir: &Path) -> Result<()> {
    match net::lost(dir) {
        Some(lost) if !State::exists(dir) => teardown_lost(&lost).await,
        _ => teardown(dir).await,
    }
}

/// The same for a cloud whose folder was deleted by hand. What its last processes wrote there goes too, but a new
/// cloud, or somebody's files, stay.
pub(crate) async fn teardown_lost(state: &State) -> Result<()> {
    end(state).await?;
    if !State::exists(&state.dir) {
        for folder in FOLDERS.iter().map(|name| state.dir.join(name)).filter(|f| f.exists()) {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        // Only when nothing else is in it.
        let _ = std::fs::remove_dir(&state.dir);
    }
    Ok(())
}

/// Ends everything of a cloud that is not in its folder.
async fn end(state: &State) -> Result<()> {
    if state.supervisor.pid != std::process::id() {
        state.supervisor.signal(Signal::SIGKILL)?;
        gone(&[state.supervisor]).await?;
    }
    // The supervisor may have recorded more until it ended.
    let copy = State::read(&net::copy_file(state.subnet)).ok();
    let copy = copy
        .filter(|copied| copied.id == state.id)
        .or_else(|| State::load(&state.dir).ok());
    let state = copy.as_ref().unwrap_or(state);
    let processes: Vec<Identity> = state.processes.values().filter_map(|p| p.running).collect();
    for process in &processes {
        process.signal(Signal::SIGKILL)?;
    }
    gone(&processes).await?;
    net::remove(state).await?;
    if state.socket().exists() {
        std::fs::remove_file(state.socket()).context("cannot remove the supervisor's socket")?;
    }
    net::release(state)
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
