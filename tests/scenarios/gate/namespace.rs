//! Network namespaces that live exactly as long as a process of this test.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CloneFlags, setns};
use playground::eventually;

/// One namespace. It ends with the process that holds it, and that one with this test.
pub(crate) struct Namespace {
    holder: Child,
}

impl Namespace {
    /// A new one, with its loopback up.
    pub(crate) async fn new() -> Result<Self> {
        let holder = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "unshare", "--net", "--", "sleep", "600"])
            .stdin(Stdio::null())
            .spawn()
            .context("cannot run setpriv")?;
        let namespace = Self { holder };
        let own = std::fs::metadata("/proc/self/ns/net")?.ino();
        eventually(Duration::from_secs(10), "a network namespace", || async {
            let theirs = std::fs::metadata(namespace.path())?.ino();
            ensure!(theirs != own, "unshare needs root");
            Ok(())
        })
        .await?;
        namespace.ok("ip", &["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.holder.id()
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.pid())
    }

    /// The start of a command line that runs in it.
    pub(crate) fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.path()))
            .arg("--")
            .stdin(Stdio::null());
        // The network tools live in sbin, which is not on everybody's path.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
        command
    }

    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Result<Output> {
        let output = self.enter().arg(program).args(args).output();
        output.with_context(|| format!("cannot run {program}"))
    }

    /// What it printed; fails when the program does.
    pub(crate) fn ok(&self, program: &str, args: &[&str]) -> Result<String> {
        let output = self.run(program, args)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} {args:?}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// One transaction of nft; whether it was accepted.
    pub(crate) fn nft(&self, dir: &std::path::Path, transaction: &str) -> Result<bool> {
        let file = dir.join("transaction.nft");
        std::fs::write(&file, transaction)?;
        Ok(self.run("nft", &["-f", &file.to_string_lossy()])?.status.success())
    }

    /// Does something on a thread inside, such as opening a socket, which then stays inside.
    pub(crate) fn inside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let net = File::open(self.path())?;
        let thread = std::thread::spawn(move || -> Result<T> {
            setns(net, CloneFlags::CLONE_NEWNET)?;
            Ok(work())
        });
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("the thread inside ended badly"))?
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}
