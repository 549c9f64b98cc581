//! A node with a pod behind it and a peer, joined by veth pairs; addresses are of 198.18.0.0/15 and of fd00::/8.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use playground::eventually;
use serde_json::Value;
use tempfile::TempDir;

use crate::agent::Agent;
use crate::namespace::Namespace;
use crate::process::{Gate, Programs};

/// Nobody waits longer for anything.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) const PEER: Ipv4Addr = Ipv4Addr::new(198, 19, 1, 2);
/// The pod of the exclusive scope.
pub(crate) const POD4: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 19, 2, 20));
pub(crate) const POD6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x19, 2, 0, 0, 0, 0, 0x14));
/// An ordinary pod.
pub(crate) const OTHER4: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 19, 2, 40));
pub(crate) const OTHER6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x19, 2, 0, 0, 0, 0, 0x40));
/// From which exclusive pods of the node get their addresses.
const RANGES: &str = "# exclusive pods of this node\n198.19.2.16/28\nfd00:19:2::10/124\n";

pub(crate) struct Ground<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) agent: Agent,
    pub(crate) node: Namespace,
    pub(crate) peer: Namespace,
    pub(crate) pod: Namespace,
    dir: TempDir,
}

impl<'a> Ground<'a> {
    /// A node that was just started: its table is loaded from the file, no gate runs.
    pub(crate) async fn laid(programs: &'a Programs) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("xy-gate-").tempdir()?;
        let held = dir.path().join("held");
        std::fs::create_dir(&held)?;
        // The gate is an ordinary user.
        for (path, mode) in [(dir.path(), 0o755), (&held, 0o777)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        }
        std::fs::write(dir.path().join("ranges"), RANGES)?;
        let printed = programs.gate(&["boot", "--ranges-file", &dir.path().join("ranges").to_string_lossy()])?;
        std::fs::write(dir.path().join("boot.nft"), printed)?;
        let (node, peer, pod) = (
            Namespace::new().await?,
            Namespace::new().await?,
            Namespace::new().await?,
        );
        let agent = Agent::up(&dir.path().join("agent.sock"))?;
        let ground = Self {
            programs,
            agent,
            node,
            peer,
            pod,
            dir,
        };
        ground.load()?;
        ground.wire()?;
        Ok(ground)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// What nftables.service does before the network is up.
    pub(crate) fn load(&self) -> Result<()> {
        self.node
            .ok("nft", &["-f", &self.file("boot.nft").to_string_lossy()])
            .map(drop)
    }

    fn wire(&self) -> Result<()> {
        let node = &self.node;
        for (name, end, subnet) in [("peer", &self.peer, 1), ("pod", &self.pod, 2)] {
            let pid = end.pid().to_string();
            let pair = ["link", "add", name, "type", "veth", "peer", "name", "eth0"];
            node.ok("ip", &pair)?;
            node.ok("ip", &["link", "set", "eth0", "netns", &pid])?;
            node.ok("ip", &["address", "add", &format!("198.19.{subnet}.1/24"), "dev", name])?;
            node.ok(
                "ip",
                &[
                    "address",
                    "add",
                    &format!("fd00:19:{subnet}::1/64"),
                    "dev",
                    name,
                    "nodad",
                ],
            )?;
            node.ok("ip", &["link", "set", name, "up"])?;
        }
        let forward = "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding";
        node.ok("sh", &["-c", forward])?;
        let peer = [IpAddr::V4(PEER), "fd00:19:1::2".parse()?];
        for (end, subnet, addresses) in [
            (&self.peer, 1, &peer[..]),
            (&self.pod, 2, &[POD4, POD6, OTHER4, OTHER6]),
        ] {
            end.ok("ip", &["link", "set", "eth0", "up"])?;
            for address in addresses {
                let prefix = if address.is_ipv4() { 24 } else { 64 };
                let address = format!("{address}/{prefix}");
                end.ok("ip", &["address", "add", &address, "dev", "eth0", "nodad"])?;
            }
            end.ok("ip", &["route", "add", "default", "via", &format!("198.19.{subnet}.1")])?;
            end.ok(
                "ip",
                &["-6", "route", "add", "default", "via", &format!("fd00:19:{subnet}::1")],
            )?;
        }
        Ok(())
    }

    /// The node loses power and comes back: whatever it held in memory is gone, its disk and the pod are not.
    pub(crate) async fn reboot(&mut self) -> Result<()> {
        // The pairs end with the namespace that made them.
        self.node = Namespace::new().await?;
        for end in [&self.peer, &self.pod] {
            eventually(SOON, "the old link is gone", || async {
                ensure!(
                    !end.run("ip", &["link", "show", "eth0"])?.status.success(),
                    "it is there"
                );
                Ok(())
            })
            .await?;
        }
        self.load()?;
        self.wire()
    }

    /// The gate of the node, as an ordinary user with one capability.
    pub(crate) fn gate(&self) -> Result<Gate> {
        Gate::start(self, &["+net_admin"])
    }

    /// Addresses that have a permit, or a ticket.
    pub(crate) fn elements(&self, set: &str) -> Result<Vec<Value>> {
        let listing = self
            .node
            .ok("nft", &["-j", "list", "set", "inet", "xiangyun_gate", set])?;
        let listing: Value = serde_json::from_str(&listing)?;
        let set = listing["nftables"].as_array().context("a listing")?;
        let set = set.iter().find_map(|object| object.get("set")).context("a set")?;
        Ok(set["elem"].as_array().cloned().unwrap_or_default())
    }

    /// Waits until a set is empty.
    pub(crate) async fn ran_out(&self, set: &str) -> Result<()> {
        eventually(SOON, &format!("{set} is empty"), || async {
            let elements = self.elements(set)?;
            ensure!(elements.is_empty(), "{elements:?}");
            Ok(())
        })
        .await
    }

    /// What the gate says of itself.
    pub(crate) fn readyz(&self) -> Result<Value> {
        let text = self
            .node
            .inside(|| crate::traffic::get("127.0.0.1:9402", "/readyz"))??;
        let Some((_, body)) = text.split_once("\r\n\r\n") else {
            bail!("{text}")
        };
        Ok(serde_json::from_str(body)?)
    }

    /// Waits until the gate is ready, or is not for that reason.
    pub(crate) async fn ready(&self, reason: Option<&str>) -> Result<()> {
        eventually(SOON, &format!("readyz says {reason:?}"), || async {
            let report = self.readyz()?;
            ensure!(
                report["reason"].as_str() == reason && report["ready"] == reason.is_none(),
                "{report}"
            );
            Ok(())
        })
        .await
    }
}
