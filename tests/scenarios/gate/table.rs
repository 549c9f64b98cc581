//! The table itself: what the kernel promises, what is not ours, and what somebody did to it.

use anyhow::{Context as _, Result, ensure};

use crate::agent::Says;
use crate::ground::{Ground, POD4, POD6};
use crate::process::Programs;
use crate::traffic::{Echo, Watch};

const TICKET: &str = "element inet xiangyun_gate tickets4 { 198.19.2.20 . 0x1";
const PERMIT: &str = "element inet xiangyun_gate permits4 { 198.19.2.20";

/// What everything rests on: the delete of an element that ran out fails and takes the whole transaction with it, also
/// when it runs out about then; and a ticket is of one round.
pub(crate) async fn a_ticket_that_ran_out_opens_nothing(programs: &Programs) -> Result<()> {
    let ground = Ground::laid(programs).await?;
    let nft = |text: &str| ground.node.nft(ground.dir(), text);
    // Long enough for any machine, where it is not the end of it that matters.
    let long = "timeout 60s";
    let open = format!("delete {TICKET} }}\nadd {PERMIT} {long} }}\n");
    ensure!(!nft(&open)?, "opened without a ticket");
    ensure!(nft(&format!("add {TICKET} {long} }}\n"))?);
    ensure!(
        nft(&open)? && ground.elements("permits4")?.len() == 1,
        "not opened with a ticket"
    );
    ensure!(!nft(&open)?, "a ticket counts twice");
    // Extended, while the permit stands and not later.
    let extend = format!("delete {TICKET} }}\ndelete {PERMIT} }}\nadd {PERMIT} timeout 200ms }}\n");
    ensure!(
        nft(&format!("add {TICKET} {long} }}\n"))? && nft(&extend)?,
        "not extended"
    );
    ground.ran_out("permits4").await?;
    ensure!(
        nft(&format!("add {TICKET} {long} }}\n"))? && !nft(&extend)?,
        "extended what ran out"
    );
    ensure!(
        ground.elements("permits4")?.is_empty() && ground.elements("tickets4")?.len() == 1,
        "half of it was done"
    );
    // The ticket of another round is none.
    ensure!(!nft(&open.replace("0x1", "0x2"))?, "opened with the ticket of another");
    ensure!(nft(&format!("delete {TICKET} }}\n"))?);
    // About then: either all of it or nothing.
    let (mut opened, mut failed, mut ms) = (0, 0, 20_u64);
    for _ in 0..100 {
        nft(&format!("add {TICKET} timeout {ms}ms }}\n"))?;
        let done = nft(&open)?;
        ensure!(
            ground.elements("permits4")?.len() == usize::from(done),
            "half of it was done, {ms} ms"
        );
        ensure!(done == nft(&format!("delete {PERMIT} }}\n"))?);
        // Towards the edge, wherever this machine has it.
        if done {
            ensure!(
                ground.elements("tickets4")?.is_empty(),
                "opened and the ticket is still there"
            );
            (opened, ms) = (opened + 1, (ms - ms.div_ceil(10)).max(4));
        } else {
            (failed, ms) = (failed + 1, ms + ms.div_ceil(10));
        }
    }
    println!("tickets of about {ms} ms: {opened} opened, {failed} had run out, none in between");
    ensure!(opened >= 10 && failed >= 10, "not at the edge");
    Ok(())
}

/// Everything of other tables, byte for byte, with handles.
fn foreign(ground: &Ground<'_>) -> Result<String> {
    let all = ground.node.ok("nft", &["-a", "list", "ruleset"])?;
    let mut ours = false;
    let kept = all.split_inclusive('\n').filter(|line| {
        ours |= line.starts_with("table inet xiangyun_gate ");
        let keep = !ours;
        ours &= !line.starts_with('}');
        keep
    });
    Ok(kept.collect())
}

const FOREIGN: &str = "table inet firewall {
  set friends { type ipv4_addr; flags interval; elements = { 198.19.1.0/24 }; }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established accept
    ip saddr @friends accept
  }
}
table ip nat {
  chain post {
    type nat hook postrouting priority srcnat; policy accept;
    oifname nowhere masquerade
  }
}
table inet xiangyun_gate_not {
  chain closed { type filter hook input priority -351; policy accept; }
}
table bridge xiangyun_gate {
  chain closed { }
}
";

/// Loaded, opened, shut, tampered with and restored: other tables, also ones with nearly our name, do not change.
pub(crate) async fn a_foreign_table_is_untouched(programs: &Programs) -> Result<()> {
    let ground = Ground::laid(programs).await?;
    ensure!(ground.node.nft(ground.dir(), FOREIGN)?, "the tables were refused");
    let before = foreign(&ground)?;
    ensure!(
        before.contains("table ip nat") && before.contains("table bridge xiangyun_gate"),
        "{before}"
    );
    let _at_pod = Echo::of_pod(&ground)?;
    let watch = Watch::of(&ground, &[POD4, POD6])?;
    ground.agent.says(Says::Left { counter: 7, ms: 60_000 });
    let gate = ground.gate()?;
    watch.all_flow().await?;
    ground.agent.says(Says::Nothing);
    watch.all_stop().await?;
    ensure!(ground.node.nft(ground.dir(), "delete table inet xiangyun_gate\n")?);
    gate.says("restored closed").await?;
    ground.load()?;
    gate.kill()?;
    let after = foreign(&ground)?;
    ensure!(before == after, "before:\n{before}\nafter:\n{after}");
    ensure!(
        ground
            .node
            .ok("nft", &["list", "tables"])?
            .contains("inet xiangyun_gate\n")
    );
    Ok(())
}

/// What somebody might do, each of which opens something.
const TAMPERINGS: [(&str, &str); 9] = [
    ("table deleted", "delete table inet xiangyun_gate"),
    ("ruleset flushed", "flush ruleset"),
    ("table dormant", "add table inet xiangyun_gate { flags dormant; }"),
    ("rules flushed", "flush chain inet xiangyun_gate closed"),
    ("one hook flushed", "flush chain inet xiangyun_gate forward"),
    ("accepted first", "insert rule inet xiangyun_gate closed accept"),
    ("nothing governed", "flush set inet xiangyun_gate governed4"),
    (
        "a permit for an hour",
        "add element inet xiangyun_gate permits4 { 198.19.2.20 timeout 1h }",
    ),
    (
        "another priority",
        "delete table inet xiangyun_gate; add table inet xiangyun_gate; \
         add chain inet xiangyun_gate forward { type filter hook forward priority 0; }",
    ),
];

pub(crate) async fn a_tampered_table_is_restored_closed(programs: &Programs) -> Result<()> {
    let ground = Ground::laid(programs).await?;
    let _at_pod = Echo::of_pod(&ground)?;
    let _gate = ground.gate()?;
    ground.ready(None).await?;
    for (what, tampering) in TAMPERINGS {
        let restored =
            || std::fs::read_to_string(ground.file("gate.log")).map(|log| log.matches("restored closed").count());
        let before = restored()?;
        ensure!(ground.node.nft(ground.dir(), &format!("{tampering}\n"))?, "{what}");
        let began = std::time::Instant::now();
        playground::eventually(crate::ground::SOON, what, || async {
            ensure!(restored()? == before + 1, "not restored");
            Ok(())
        })
        .await?;
        println!("{what}: restored within {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
        let watch = Watch::of(&ground, &[POD4, POD6])?;
        ground.agent.asked_again(2).await?;
        watch.nothing_came().context(what)?;
        ensure!(restored()? == before + 1, "{what}: restored twice");
        ground.ready(None).await?;
    }
    // A node is not ready whose next boot would load something else.
    std::fs::write(ground.file("boot.nft"), "flush ruleset\n")?;
    ground.ready(Some("BootFileDiffers")).await
}
