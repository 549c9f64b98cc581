//! How the places of a cloud are kept apart, and what that needs of the machine.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::state::State;

/// How places are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One network namespace a place. The host reaches them all.
    #[default]
    Netns,
    /// The same inside a user namespace, for an ordinary user; only who enters it reaches them.
    Rootless,
    /// One address of 127.0.0.0/8 a place; no network faults.
    Loopback,
}

/// Told to the second self of a rootless `up`.
const INSIDE: &str = "XIANGYUN_PLAYGROUND_INSIDE";
/// Runs in the new namespaces first: a /run of our own for named namespaces, and a loopback that works.
const PREPARE: &str = "mount -t tmpfs tmpfs /run && ip link set lo up && exec \"$0\" \"$@\"";

impl Mode {
    /// What namespaces mean for this user: root has them, an ordinary user has them inside a user namespace.
    pub(crate) fn of_namespaces() -> Self {
        if std::env::var_os(INSIDE).is_some() || !nix::unistd::geteuid().is_root() {
            Self::Rootless
        } else {
            Self::Netns
        }
    }

    /// Says what is missing before anything is created.
    pub(crate) fn preflight(self) -> Result<()> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let sbin = ["/usr/sbin", "/sbin"].map(Into::into);
        let found = |tool: &str| {
            std::env::split_paths(&path)
                .chain(sbin.clone())
                .any(|dir| dir.join(tool).is_file())
        };
        let needed: &[(&str, &str)] = match self {
            Self::Loopback => &[("setpriv", "util-linux")],
            Self::Netns => &[
                ("ip", "iproute2"),
                ("nft", "nftables"),
                ("setpriv", "util-linux"),
                ("nsenter", "util-linux"),
            ],
            Self::Rootless => &[
                ("ip", "iproute2"),
                ("nft", "nftables"),
                ("setpriv", "util-linux"),
                ("unshare", "util-linux"),
                ("nsenter", "util-linux"),
            ],
        };
        for (tool, package) in needed {
            if !found(tool) {
                bail!(
                    "`{tool}` is missing: install it with `apt-get install {package}` | 缺少 {tool}，请安装 {package}"
                );
            }
        }
        Ok(())
    }

    /// The start of a command line that runs in a place.
    pub(crate) fn prefix(self, netns: &str) -> Vec<String> {
        match self {
            Self::Loopback => Vec::new(),
            Self::Netns | Self::Rootless => ["ip", "netns", "exec", netns].map(str::to_owned).to_vec(),
        }
    }

    /// The same without a view of the file system of its own, so that namespaces that are made there exist everywhere.
    pub(crate) fn entering(netns: &str) -> Vec<String> {
        vec![
            "nsenter".to_owned(),
            format!("--net=/run/netns/{netns}"),
            "--".to_owned(),
        ]
    }

    /// Refuses what only namespaces can do.
    pub(crate) fn needs_namespaces(self) -> Result<()> {
        if self == Self::Loopback {
            bail!(
                "this cloud runs on loopback, where places share one network: only kill, freeze, thaw and clock; start \
                 one with --net netns | 本地回环模式不支持网络故障，请用 --net netns 启动"
            );
        }
        Ok(())
    }
}

/// Starts this very command line again inside a user namespace of its own, if it is not there yet. Returns only where
/// there is nothing to do, or where it cannot be done.
pub(crate) fn enter_new(mode: Mode, tools_dir: Option<&Path>) -> Result<()> {
    if mode != Mode::Rootless || std::env::var_os(INSIDE).is_some() {
        return Ok(());
    }
    mode.preflight()?;
    // What must be built is built here: there is no way to the module proxy from inside.
    crate::tools::ensure(tools_dir)?;
    let unshare = ["--user", "--map-root-user", "--net", "--mount"];
    let allowed = Command::new("unshare").args(unshare).arg("true").output();
    if !allowed.is_ok_and(|o| o.status.success()) {
        bail!(
            "this machine lets ordinary users make no namespaces: use --net loopback, or run it as root | \
             本机不允许普通用户创建命名空间，请用 --net loopback 或以 root 运行"
        );
    }
    let own = std::env::current_exe().context("where am I?")?;
    let mut again = Command::new("unshare");
    again.args(unshare).args(["sh", "-c", PREPARE]).arg(own);
    again
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .env("PATH", path_with_sbin());
    Err(again.exec()).context("cannot run `unshare`")
}

/// Continues this command line inside the namespaces of a rootless cloud, if there is one in `dir` and it runs.
pub(crate) fn enter(dir: &Path) -> Result<()> {
    let inside = std::env::var_os(INSIDE).is_some();
    let Ok(state) = State::load(&dir.canonicalize().unwrap_or_else(|_| dir.to_owned())) else {
        return Ok(());
    };
    if inside || state.mode != Mode::Rootless || !state.supervisor_alive() {
        return Ok(());
    }
    let own = std::env::current_exe().context("where am I?")?;
    let mut again = Command::new("nsenter");
    again.args(["--preserve-credentials", "--user", "--net", "--mount", "--target"]);
    again.arg(state.supervisor.pid.to_string()).arg("--").arg(own);
    again
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .env("PATH", path_with_sbin());
    Err(again.exec()).context("cannot run `nsenter`")
}

/// The network tools live in sbin, which is not on an ordinary user's path.
fn path_with_sbin() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}
