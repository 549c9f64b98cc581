//! What is shut, what opens, and what that takes.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use playground::eventually;

use crate::agent::Says;
use crate::ground::{Ground, OTHER4, OTHER6, PEER, POD4, POD6, SOON};
use crate::process::{Gate, Programs};
use crate::traffic::{Echo, Talk, Watch};

const LONG: Says = Says::Left { counter: 7, ms: 60_000 };

/// Ways through the node's own address: before packets reach a hook, or after, their address is translated.
const SERVICE: &str = "table ip services {
  chain before { type nat hook prerouting priority dstnat; ip daddr 198.19.9.9 dnat to 198.19.2.20; }
  chain here { type nat hook output priority -100; ip daddr 198.19.9.9 dnat to 198.19.2.20; }
}
";

/// No process runs, and there never was one: the pod is shut both ways, also behind a Service and for the node itself. An
/// ordinary pod is not.
pub(crate) async fn closed_at_boot(programs: &Programs) -> Result<()> {
    let ground = Ground::laid(programs).await?;
    ensure!(ground.node.nft(ground.dir(), SERVICE)?, "the Service was refused");
    ground.node.ok("ip", &["route", "add", "198.19.9.9", "dev", "pod"])?;
    let service: IpAddr = "198.19.9.9".parse()?;
    let at_pod = Echo::up(&ground.pod, vec![POD4, POD6])?;
    let _at_other = Echo::up(&ground.pod, vec![OTHER4, OTHER6])?;
    let at_peer = Echo::up(&ground.peer, vec![PEER.into()])?;
    let shut = Watch::of(&ground, &[POD4, POD6, service])?;
    let by_node = [POD4, POD6, service].map(|to| Talk::datagrams(&ground.node, to));
    let by_node: Vec<Talk> = by_node.into_iter().collect::<Result<_>>()?;
    let open = Watch::of(&ground, &[OTHER4, OTHER6])?;
    open.all_flow().await?;
    open.all_flow().await?;
    ensure!(ground.elements("permits4")?.is_empty());
    shut.nothing_came()?;
    for talk in &by_node {
        ensure!(talk.count() == 0, "the node reaches the pod");
    }
    ensure!(at_pod.heard() == 0, "the pod receives");
    // The pod sends from its first address, the governed one.
    let before = at_peer.heard();
    let outward = Talk::datagrams(&ground.pod, PEER.into())?;
    open.all_flow().await?;
    ensure!(
        outward.count() == 0 && at_peer.heard() == before,
        "the pod reaches the peer"
    );
    Ok(())
}

/// IPv4 and IPv6, from the peer, through a Service and from the pod.
pub(crate) async fn opens_with_a_permit(programs: &Programs) -> Result<()> {
    let ground = Ground::laid(programs).await?;
    ensure!(ground.node.nft(ground.dir(), SERVICE)?, "the Service was refused");
    let (_at_pod, _at_peer) = (Echo::of_pod(&ground)?, Echo::up(&ground.peer, vec![PEER.into()])?);
    ground.agent.says(LONG);
    let watch = Watch::of(&ground, &[POD4, POD6, "198.19.9.9".parse()?])?;
    let outward = Talk::datagrams(&ground.pod, PEER.into())?;
    let began = crate::traffic::now();
    let gate = ground.gate()?;
    watch.all_flow().await?;
    outward.flows("what the pod sends").await?;
    watch.told_since("the gate was started", began);
    ground.ready(None).await?;
    // It stays open: three rounds later nothing was refused and nothing restored.
    ground.agent.asked_again(3).await?;
    watch.all_flow().await?;
    let metrics = ground
        .node
        .inside(|| crate::traffic::get("127.0.0.1:9402", "/metrics"))??;
    for line in [
        "xiangyun_gate_ready 1",
        "xiangyun_gate_permits 2",
        "xiangyun_gate_restored_total 0",
    ] {
        ensure!(metrics.contains(line), "no {line} in {metrics}");
    }
    // A time that is not given any more is not extended.
    ground.agent.says(Says::Nothing);
    watch.all_stop().await?;
    gate.says("\"message\":\"shut\"").await
}

/// It is an ordinary user with one capability; without that one it opens nothing and is not ready.
pub(crate) async fn only_cap_net_admin(programs: &Programs) -> Result<()> {
    let ground = Ground::laid(programs).await?;
    let _at_pod = Echo::of_pod(&ground)?;
    ground.agent.says(LONG);
    let watch = Watch::of(&ground, &[POD4, POD6])?;
    let without = Gate::start(&ground, &[])?;
    ground.ready(Some("TableDiffers")).await?;
    watch.nothing_came()?;
    without.kill()?;
    let gate = ground.gate()?;
    watch.all_flow().await?;
    let net_admin = 1_u64 << 12;
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        let bits = u64::from_str_radix(&gate.status(set)?, 16)?;
        ensure!(bits == net_admin, "{set} is {bits:x}");
    }
    ensure!(gate.status("NoNewPrivs")? == "1");
    ensure!(gate.status("Uid")?.split_whitespace().all(|uid| uid == "65534"));
    // A second one on the node does not even begin.
    let second = Gate::start(&ground, &["+net_admin"])?;
    eventually(SOON, "the second gate ends", || async {
        let state = second.status("State")?;
        ensure!(state.starts_with('Z'), "{state}");
        Ok(())
    })
    .await?;
    watch.all_flow().await
}
