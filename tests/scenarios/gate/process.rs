//! The gate as a process.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use playground::eventually;
use tempfile::TempDir;

use crate::ground::{Ground, SOON};

/// Nobody, on every Debian.
const USER: &str = "65534";

/// The program, where an ordinary user may run it: a build folder may be closed to others.
pub(crate) struct Programs {
    folder: TempDir,
}

impl Programs {
    pub(crate) fn copied() -> Result<Self> {
        let own = std::env::current_exe()?;
        let built = own
            .ancestors()
            .nth(2)
            .context("the folder of the programs")?
            .join("xiangyun-gate");
        let folder = tempfile::Builder::new().prefix("xy-gate-bin-").tempdir()?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        std::fs::copy(&built, folder.path().join("xiangyun-gate"))
            .with_context(|| format!("{} is not built: run `cargo build`", built.display()))?;
        Ok(Self { folder })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("xiangyun-gate")
    }

    /// What the program prints.
    pub(crate) fn gate(&self, args: &[&str]) -> Result<String> {
        let output = Command::new(self.path()).args(args).output()?;
        ensure!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// A running gate.
pub(crate) struct Gate {
    child: Child,
    log: PathBuf,
}

impl Gate {
    /// Starts it in the node, as an ordinary user with those capabilities and no other.
    pub(crate) fn start(ground: &Ground<'_>, capabilities: &[&str]) -> Result<Self> {
        let capabilities = [&["-all"], capabilities].concat().join(",");
        let log = ground.file("gate.log");
        let output = File::options().create(true).append(true).open(&log)?;
        let mut command = ground.node.enter();
        command.args([
            "setpriv",
            "--pdeathsig",
            "KILL",
            "--reuid",
            USER,
            "--regid",
            USER,
            "--clear-groups",
        ]);
        for set in ["--inh-caps", "--ambient-caps", "--bounding-set"] {
            command.arg(format!("{set}={capabilities}"));
        }
        let child = command
            .args(["--no-new-privs", "--"])
            .arg(ground.programs.path())
            .args(["run", "--node", "node-1", "--playground"])
            .args(["--agent", &format!("unix:{}", ground.file("agent.sock").display())])
            .arg("--ranges-file")
            .arg(ground.file("ranges"))
            .arg("--boot-file")
            .arg(ground.file("boot.nft"))
            .arg("--held-dir")
            .arg(ground.file("held"))
            .arg("--fail-point-file")
            .arg(ground.file("held/fail-point"))
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .context("cannot run nsenter")?;
        Ok(Self { child, log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A line of `/proc/PID/status`.
    pub(crate) fn status(&self, name: &str) -> Result<String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(line.context("no such line")?.trim().to_owned())
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.pid())?);
        Ok(kill(pid, signal)?)
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until it is stopped.
    pub(crate) async fn stopped(&self) -> Result<()> {
        eventually(SOON, "the gate is stopped", || async {
            let state = self.status("State")?;
            ensure!(state.starts_with('T'), "{state}");
            Ok(())
        })
        .await
    }

    /// Waits until its log, over all starts, holds those words.
    pub(crate) async fn says(&self, words: &str) -> Result<()> {
        eventually(SOON, &format!("the log says {words:?}"), || async {
            let log = std::fs::read_to_string(&self.log)?;
            ensure!(log.contains(words), "it says: {log}");
            Ok(())
        })
        .await
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
