//! A writer: one numbered record every 50 ms, each answered by the sink.

use std::net::SocketAddrV4;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::record::{Log, Write};
use super::{PodArgs, boot_ms};

/// Between two records.
const PACE: Duration = Duration::from_millis(50);
/// A record that is not answered within this is given up, and with it its connection. It may land all the same.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// A connection to the sink.
struct Line {
    answers: BufReader<OwnedReadHalf>,
    to: OwnedWriteHalf,
}

impl Line {
    async fn open(sink: SocketAddrV4) -> Result<Self> {
        let stream = TcpStream::connect(sink).await.context("no way to the sink")?;
        stream.set_nodelay(true)?;
        let (from, to) = stream.into_split();
        Ok(Self {
            answers: BufReader::new(from),
            to,
        })
    }

    /// Sends a record and waits for its number.
    async fn send(&mut self, write: &Write) -> Result<()> {
        let mut text = serde_json::to_vec(write)?;
        text.push(b'\n');
        self.to.write_all(&text).await?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).await?;
        if answer.trim() != write.n.to_string() {
            bail!("the sink answered {answer:?}");
        }
        Ok(())
    }
}

/// Writes until it is asked to end.
pub(crate) async fn write(sink: SocketAddrV4, log: &Path, args: &PodArgs) -> Result<()> {
    let mut log = Log::open(log)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut line = None;
    let mut n = 0;
    loop {
        tokio::select! {
            biased;
            _ = terminate.recv() => return Ok(()),
            _ = pace.tick() => {}
        }
        if line.is_none() {
            line = timeout(PATIENCE, Line::open(sink)).await.ok().and_then(Result::ok);
        }
        let Some(open) = &mut line else { continue };
        n += 1;
        let mut write = Write {
            scope: args.scope.clone(),
            epoch: args.epoch,
            place: args.place.name().to_owned(),
            pod: args.pod.clone(),
            n,
            sent: boot_ms()?,
            acked: None,
        };
        if let Ok(Ok(())) = timeout(PATIENCE, open.send(&write)).await {
            write.acked = Some(boot_ms()?);
        } else {
            line = None;
        }
        log.add(&write)?;
    }
}
