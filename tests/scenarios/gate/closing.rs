//! What shuts, and how fast.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use gate::bounds::PERMIT_MS;
use playground::eventually;

use crate::agent::Says;
use crate::ground::{Ground, POD4, POD6, SOON};
use crate::process::Programs;
use crate::traffic::{Echo, Talk, Watch};

/// From one question to the next, in milliseconds.
const CYCLE: u64 = 500;

/// On a busy machine nft may take longer than a gate allows for, and who watches here may be late; in milliseconds. A gate
/// that does not go by the agent's word is later still.
const LATE: u64 = 250;

/// A foreign rule that lets everything pass that is established, as firewalls do.
const ESTABLISHED: &str = "table inet firewall {
  chain forward { type filter hook forward priority filter; policy accept; ct state established,related accept; }
}
";

/// Streams are cut, although another table would let them pass, within the agent's last word and within G and a cycle.
pub(crate) async fn an_established_stream_is_cut_when_the_agent_dies(programs: &Programs) -> Result<()> {
    let cases = [
        ("killed", 60_000, POD4),
        ("killed", 60_000, POD6),
        ("silent", 60_000, POD4),
        ("killed", 1_500, POD4),
    ];
    for (how, left, to) in cases {
        let ground = Ground::laid(programs).await?;
        ensure!(ground.node.nft(ground.dir(), ESTABLISHED)?, "the firewall was refused");
        let at_pod = Echo::of_pod(&ground)?;
        ground.agent.says(Says::Left { counter: 7, ms: left });
        let _gate = ground.gate()?;
        Watch::of(&ground, &[POD4, POD6])?.all_flow().await?;
        let stream = Talk::stream(&ground.peer, to)?;
        stream.flows("the stream").await?;
        ground.agent.asked_again(2).await?;
        if how == "killed" {
            ground.agent.dies()?;
        } else {
            ground.agent.says(Says::Silence);
        }
        let answered = ground.agent.answered();
        stream.stops("the stream").await?;
        let (back, heard) = (stream.last() - answered, at_pod.heard() - answered);
        println!(
            "agent {how}, left {left} ms, {to}: last byte at the peer {back} ms, at the pod {heard} ms after the last answer"
        );
        ensure!(
            back.max(heard) <= left + LATE && back.max(heard) <= PERMIT_MS + CYCLE,
            "too late"
        );
        // It was open until nearly then: permits are not just missing.
        ensure!(back + CYCLE >= left.min(PERMIT_MS), "too early");
    }
    Ok(())
}

/// No process is needed to shut, and a restart neither drops a permit that stands nor needs one.
pub(crate) async fn gate_killed_stays_shut(programs: &Programs) -> Result<()> {
    let ground = Ground::laid(programs).await?;
    let _at_pod = Echo::of_pod(&ground)?;
    ground.agent.says(Says::Left { counter: 7, ms: 60_000 });
    let watch = Watch::of(&ground, &[POD4, POD6])?;
    let gate = ground.gate()?;
    watch.all_flow().await?;
    gate.kill()?;
    let killed = ground.agent.answered();
    // Whoever loads the table again meanwhile does not shut what is open, nor open what is shut.
    ground.load()?;
    let ranges = ground.file("ranges").display().to_string();
    let load = ["boot", "--load", "--ranges-file", &ranges];
    ground.node.ok(&programs.path().to_string_lossy(), &load)?;
    ensure!(ground.elements("permits4")?.len() == 1, "a permit was dropped");
    watch.all_stop().await?;
    ground.load()?;
    let fresh = Watch::of(&ground, &[POD4, POD6])?;
    fresh.all_stop().await?;
    fresh.nothing_came()?;
    let talk = Talk::datagrams(&ground.peer, POD4)?;
    let gate = ground.gate()?;
    talk.flows("the pod").await?;
    println!("killed; open again {} ms after its last answer", talk.last() - killed);
    // Killed and started again at once: no gap that a person would see.
    gate.kill()?;
    let _gate = ground.gate()?;
    ground.agent.asked_again(2).await?;
    talk.flows("the pod").await?;
    ensure!(ground.elements("permits4")?.len() == 1);
    let log = std::fs::read_to_string(ground.file("gate.log"))?;
    ensure!(!log.contains("restored"), "{log}");
    Ok(())
}

/// Power is lost while the pod is open. The node comes up shut, before and without any process.
pub(crate) async fn node_rebooted(programs: &Programs) -> Result<()> {
    let mut ground = Ground::laid(programs).await?;
    let _at_pod = Echo::of_pod(&ground)?;
    ground.agent.says(Says::Left { counter: 7, ms: 60_000 });
    let gate = ground.gate()?;
    Watch::of(&ground, &[POD4, POD6])?.all_flow().await?;
    gate.kill()?;
    ground.reboot().await?;
    let watch = Watch::of(&ground, &[POD4, POD6])?;
    let open = Watch::of(&ground, &[crate::ground::OTHER4, crate::ground::OTHER6])?;
    open.all_flow().await?;
    watch.all_stop().await?;
    watch.nothing_came()?;
    ensure!(ground.elements("permits4")?.is_empty() && ground.elements("permits6")?.is_empty());
    // The epoch is on the disk still, and a gate opens again.
    ensure!(std::fs::read_to_string(ground.file("held/held.json"))?.contains("\"counter\":7"));
    let _gate = ground.gate()?;
    watch.all_flow().await
}

/// An agent that goes back, as after a restore, opens nothing: not in the running gate, nor in one started anew.
pub(crate) async fn a_stale_epoch_is_refused(programs: &Programs) -> Result<()> {
    let ground = Ground::laid(programs).await?;
    let _at_pod = Echo::of_pod(&ground)?;
    let held = ground.file("held/held.json");
    let pod: &[IpAddr] = &[POD4, POD6];
    ground.agent.says(Says::Left { counter: 8, ms: 60_000 });
    // On disk before the first permit: the gate dies between the two.
    ground
        .agent
        .arms(2, ground.file("held/fail-point"), "before-write exit".to_owned());
    let watch = Watch::of(&ground, pod)?;
    let gate = ground.gate()?;
    eventually(SOON, "the gate died", || async {
        let state = gate.status("State")?;
        ensure!(state.starts_with('Z'), "{state}");
        Ok(())
    })
    .await?;
    ensure!(std::fs::read_to_string(&held)?.contains("\"counter\":8"));
    watch.nothing_came()?;
    drop(gate);
    let gate = ground.gate()?;
    watch.all_flow().await?;
    ground.agent.says(Says::Left { counter: 7, ms: 60_000 });
    gate.says("StaleEpoch 7 < 8").await?;
    watch.all_stop().await?;
    gate.kill()?;
    std::fs::write(ground.file("gate.log"), "")?;
    let again = Watch::of(&ground, pod)?;
    let gate = ground.gate()?;
    gate.says("StaleEpoch 7 < 8").await?;
    ground.agent.asked_again(2).await?;
    again.nothing_came()?;
    ground.agent.says(Says::Left { counter: 9, ms: 60_000 });
    again.all_flow().await?;
    ensure!(std::fs::read_to_string(&held)?.contains("\"counter\":9"));
    gate.kill()?;
    // What is damaged is not empty: nothing opens, and the node says so.
    watch.all_stop().await?;
    std::fs::write(&held, "{")?;
    let last = Watch::of(&ground, pod)?;
    let _gate = ground.gate()?;
    ground.ready(Some("HeldUnknown")).await?;
    last.nothing_came()
}
