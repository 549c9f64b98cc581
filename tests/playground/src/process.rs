//! One process: what it is, how it is recognised later, and how it is signalled.

use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::place::Place;
use crate::ready::Ready;

/// Everything needed to start a process, and to start it again with the same arguments and data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spec {
    /// Unique in the cloud, such as `apiserver@jishi`.
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) stage: Stage,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) ready: Ready,
    /// Start it again when it ends by itself, as a Deployment would.
    pub(crate) restart: bool,
    /// Network namespace inside its place, where it is not the place's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) netns: Option<String>,
    /// The pod that it is the container of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pod: Option<PodRef>,
}

/// Which pod a process belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PodRef {
    /// Its node, such as `run-001`.
    pub(crate) node: String,
    pub(crate) uid: String,
    pub(crate) address: std::net::Ipv4Addr,
}

/// The order in which processes are started; each stage is ready before the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    Store,
    Server,
    Machinery,
    Ours,
}

impl Stage {
    pub(crate) const ALL: [Self; 4] = [Self::Store, Self::Server, Self::Machinery, Self::Ours];
}

/// What a process does right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It runs.
    Running,
    /// It exists and is stopped by SIGSTOP.
    Frozen,
    /// It does not exist.
    Gone,
}

/// A process that exists or existed: the start time guards against a reused pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// Clock ticks after boot, from `/proc/PID/stat`.
    pub(crate) started: u64,
}

impl Identity {
    /// The identity of the process that has this pid now.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let (_, started) = stat(pid).with_context(|| format!("no process {pid}"))?;
        Ok(Self { pid, started })
    }

    /// What this very process does; another one with the same pid counts as gone.
    pub(crate) fn condition(self) -> Condition {
        match stat(self.pid) {
            Some((state, started)) if started == self.started => match state {
                'Z' | 'X' => Condition::Gone,
                'T' | 't' => Condition::Frozen,
                _ => Condition::Running,
            },
            _ => Condition::Gone,
        }
    }

    /// Sends a signal to the process; one that is gone is left alone.
    pub(crate) fn signal(self, signal: Signal) -> Result<()> {
        if self.condition() == Condition::Gone {
            return Ok(());
        }
        let pid = Pid::from_raw(i32::try_from(self.pid).context("pid out of range")?);
        match signal::kill(pid, signal) {
            Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
            Err(e) => Err(e).with_context(|| format!("cannot send {signal} to process {}", self.pid)),
        }
    }

    /// Resident memory in bytes, 0 when it is gone.
    pub(crate) fn resident_bytes(self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let kib = status
            .lines()
            .find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok());
        kib.unwrap_or(0_u64) * 1024
    }
}

/// State letter and start time of a pid.
fn stat(pid: u32) -> Option<(char, u64)> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(line: &str) -> Option<(char, u64)> {
    // The command's name is in parentheses and may itself hold spaces and parentheses.
    let (_, rest) = line.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    // Field 22 of the line; the state was field 3.
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_survives_a_hostile_name() {
        let line = "42 (a) T 1 (b) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3";
        assert_eq!(parse_stat(line), Some(('S', 98765)));
    }

    #[test]
    fn another_process_with_the_same_pid_is_gone() {
        let own = Identity::of(std::process::id()).unwrap();
        assert_eq!(own.condition(), Condition::Running);
        assert_eq!(
            Identity {
                started: own.started + 1,
                ..own
            }
            .condition(),
            Condition::Gone
        );
        assert!(own.resident_bytes() > 0);
    }
}
