//! What is known of a cloud on disk: `DIR/state.json`. It is enough to clean up after any crash.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::mode::Mode;
use crate::place::{Place, Profile};
use crate::process::{Condition, Identity, Spec};

/// File name of the state inside DIR.
const FILE: &str = "state.json";

/// The folder as the state knows it, whether it exists or not.
pub(crate) fn absolute(dir: &Path) -> Result<PathBuf> {
    let dir = std::path::absolute(dir)?;
    if let Ok(found) = dir.canonicalize() {
        return Ok(found);
    }
    let parent = dir.parent().and_then(|parent| parent.canonicalize().ok());
    Ok(match (parent, dir.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => dir,
    })
}

/// A cloud. Written by `up` until the supervisor runs, and by the supervisor alone from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    /// Four hexadecimal digits that are part of every interface and namespace name.
    pub(crate) id: String,
    /// Number of the /20 of 198.18.0.0/16, 0 to 15.
    pub(crate) subnet: u8,
    pub(crate) profile: Profile,
    pub(crate) mode: Mode,
    /// Tied to a test: whoever finds it without a supervisor may remove it.
    pub(crate) temporary: bool,
    pub(crate) dir: PathBuf,
    /// Folder with the binaries.
    pub(crate) tools: PathBuf,
    pub(crate) bridge: String,
    pub(crate) places: BTreeMap<Place, PlaceNet>,
    #[serde(default)]
    pub(crate) runners: Runners,
    /// Owner of the processes. Until it runs, the process that starts the cloud.
    pub(crate) supervisor: Identity,
    pub(crate) processes: BTreeMap<String, Process>,
}

/// Nodes whose pods are real processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Runners {
    /// How many of them each metro centre has.
    pub(crate) nodes: u8,
    /// Whether a gate stands on each.
    pub(crate) gates: bool,
}

/// The network of one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlaceNet {
    pub(crate) netns: String,
    /// The host's end of the pair whose other end is `eth0` of the place.
    pub(crate) veth: String,
    pub(crate) address: Ipv4Addr,
}

/// A process that was started at least once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) spec: Spec,
    pub(crate) running: Option<Identity>,
    /// Why it must not be started again by itself.
    pub(crate) held: Held,
    /// How it ended last.
    pub(crate) exit: Option<String>,
    pub(crate) starts: u32,
}

/// Whether a process may come back, and who may bring it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Held {
    No,
    /// Killed by a fault: `heal` brings it back.
    Killed,
    /// Stopped on purpose: only an explicit start brings it back.
    Stopped,
}

impl Process {
    pub(crate) fn condition(&self) -> Condition {
        self.running.map_or(Condition::Gone, Identity::condition)
    }
}

impl State {
    /// Reads the state of the cloud in `dir`.
    pub(crate) fn load(dir: &Path) -> Result<Self> {
        let file = dir.join(FILE);
        if !file.exists() {
            bail!("no cloud in {}: start one with `playground up`", dir.display());
        }
        Self::read(&file)
    }

    /// Reads a state from any file.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("cannot read {}", file.display()))
    }

    /// Whether `dir` holds a state file.
    pub(crate) fn exists(dir: &Path) -> bool {
        dir.join(FILE).exists()
    }

    /// Writes the state.
    pub(crate) fn save(&self) -> Result<()> {
        self.write(&self.dir.join(FILE))
    }

    /// Writes the state, and a copy of it beside the lock: DIR may be deleted by hand.
    pub(crate) fn save_with_copy(&self) -> Result<()> {
        self.write(&crate::net::copy_file(self.subnet))?;
        self.save()
    }

    /// A reader sees the old or the new file, never a half.
    fn write(&self, file: &Path) -> Result<()> {
        let next = file.with_extension("next");
        let text = serde_json::to_string_pretty(self).context("cannot encode the state")?;
        std::fs::write(&next, text).with_context(|| format!("cannot write {}", next.display()))?;
        std::fs::rename(&next, file).with_context(|| format!("cannot replace {}", file.display()))
    }

    pub(crate) fn net(&self, place: Place) -> Result<&PlaceNet> {
        self.places
            .get(&place)
            .with_context(|| format!("profile {:?} has no place {place}", self.profile))
    }

    pub(crate) fn address(&self, place: Place) -> Result<Ipv4Addr> {
        Ok(self.net(place)?.address)
    }

    /// The start of a command line that runs in a place.
    pub(crate) fn prefix(&self, place: Place) -> Result<Vec<String>> {
        Ok(self.mode.prefix(&self.net(place)?.netns))
    }

    /// The socket of the supervisor. Not in DIR, whose path may be longer than a socket's may be.
    pub(crate) fn socket(&self) -> PathBuf {
        crate::net::run_dir().join(format!("{}.sock", self.id))
    }

    pub(crate) fn supervisor_alive(&self) -> bool {
        self.supervisor.condition() != Condition::Gone
    }

    /// Log file of a process.
    pub(crate) fn log(&self, process: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{process}.log"))
    }

    /// File with the offset of a place's clock, in seconds.
    pub(crate) fn clock(&self, place: Place) -> PathBuf {
        self.dir.join("clock").join(place.name())
    }

    /// File with what a process is asked to do besides its job: a fail point of an operator, what a relay withholds.
    pub(crate) fn order(&self, process: &str) -> PathBuf {
        self.dir.join("orders").join(process)
    }

    /// Audit log of an API server.
    pub(crate) fn audit(&self, process: &str) -> PathBuf {
        self.dir.join("audit").join(format!("{process}.log"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Stage;
    use crate::ready::Ready;

    #[test]
    fn state_survives_the_disk() {
        let dir = std::env::temp_dir().join(format!("xy-state-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let spec = Spec {
            name: "etcd@jishi".into(),
            place: Place::Jishi,
            stage: Stage::Store,
            program: "/bin/etcd".into(),
            args: vec!["--name".into(), "a b".into()],
            ready: Ready::Port(Ipv4Addr::LOCALHOST, 2379),
            restart: false,
            netns: None,
            pod: None,
        };
        let running = Some(Identity { pid: 7, started: 99 });
        let process = Process {
            spec,
            running,
            held: Held::Killed,
            exit: Some("signal: 9".into()),
            starts: 2,
        };
        let (bridge, places) = crate::net::plan("0a1b", 3, Profile::Quota, Mode::Netns);
        let state = State {
            id: "0a1b".into(),
            subnet: 3,
            profile: Profile::Quota,
            mode: Mode::Netns,
            temporary: true,
            dir: dir.clone(),
            tools: "/tools".into(),
            bridge,
            places,
            runners: Runners::default(),
            supervisor: Identity { pid: 8, started: 100 },
            processes: BTreeMap::from([("etcd@jishi".into(), process)]),
        };
        state.save().unwrap();
        assert_eq!(State::load(&dir).unwrap(), state);
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(State::load(&dir).unwrap_err().to_string().contains("playground up"));
    }
}
