//! A gate that is stopped at any step, and goes on when its answer is long out of date.

use anyhow::{Result, ensure};
use gate::bounds::PERMIT_MS;
use gate::fail_point::Step;
use nix::sys::signal::Signal;

use crate::agent::Says;
use crate::ground::{Ground, POD4, POD6};
use crate::process::Programs;
use crate::traffic::{Echo, Talk, Watch};

const LONG: Says = Says::Left { counter: 7, ms: 60_000 };

/// An nft that is under way when its gate is stopped still writes, and who watches here may be late; in milliseconds.
const LATE: u64 = 500;

/// Stopped after the tickets, after the answer and before the write, for longer than a ticket lives. The answer in its
/// hands has a minute left; the agent has since taken it back. Nothing opens.
pub(crate) async fn sigstop_at_every_step(programs: &Programs) -> Result<()> {
    // The first question has no ticket yet; the second round has, and in that one it is stopped.
    for (step, before_question) in [(Step::Ticketed, 1), (Step::Answered, 2), (Step::BeforeWrite, 2)] {
        let ground = Ground::laid(programs).await?;
        let _at_pod = Echo::of_pod(&ground)?;
        ground.agent.says(LONG);
        let stop = format!("{} stop", step.name());
        ground.agent.arms(before_question, ground.file("held/fail-point"), stop);
        let watch = Watch::of(&ground, &[POD4, POD6])?;
        let gate = ground.gate()?;
        gate.stopped().await?;
        ensure!(ground.elements("tickets4")?.len() == 1, "no ticket at {}", step.name());
        ground.agent.says(Says::Nothing);
        ground.ran_out("tickets4").await?;
        ground.ran_out("tickets6").await?;
        gate.signal(Signal::SIGCONT)?;
        if step != Step::Ticketed {
            // It tried, and the kernel refused: the ticket had run out.
            gate.says("not written").await?;
        }
        ground.agent.asked_again(3).await?;
        watch.nothing_came()?;
        println!("stopped at {}: nothing opened", step.name());
        // It is none the worse for it.
        ground.agent.says(LONG);
        watch.all_flow().await?;
    }
    Ok(())
}

/// Stopped while a stream runs, at the step before the write as well, where it holds an extension in its hands.
pub(crate) async fn sigstop_under_a_stream(programs: &Programs) -> Result<()> {
    for at in [None, Some("before-write stop")] {
        let ground = Ground::laid(programs).await?;
        let at_pod = Echo::of_pod(&ground)?;
        ground.agent.says(LONG);
        let gate = ground.gate()?;
        Watch::of(&ground, &[POD4, POD6])?.all_flow().await?;
        let stream = Talk::stream(&ground.peer, POD4)?;
        stream.flows("the stream").await?;
        match at {
            None => gate.signal(Signal::SIGSTOP)?,
            Some(stop) => std::fs::write(ground.file("held/fail-point"), stop)?,
        }
        gate.stopped().await?;
        let stopped = crate::traffic::now();
        ground.agent.says(Says::Nothing);
        stream.stops("the stream").await?;
        let (back, heard) = (
            stream.last().saturating_sub(stopped),
            at_pod.heard().saturating_sub(stopped),
        );
        println!(
            "stopped {}: last byte at the peer {back} ms, at the pod {heard} ms after",
            at.unwrap_or("anywhere")
        );
        ensure!(back.max(heard) <= PERMIT_MS + LATE, "too late");
        ground.ran_out("permits4").await?;
        ground.ran_out("tickets4").await?;
        let (count, heard) = (stream.count(), at_pod.heard());
        gate.signal(Signal::SIGCONT)?;
        ground.agent.asked_again(3).await?;
        ensure!(stream.count() == count && at_pod.heard() == heard, "it opened late");
    }
    Ok(())
}
