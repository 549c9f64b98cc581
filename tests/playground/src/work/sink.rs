//! What writers write to. Its log says which records landed and when.

use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use clap::Args;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::boot_ms;
use super::record::{Landed, Log, Write};

/// Its log in the folder of writes.
pub(crate) const FILE: &str = "sink.jsonl";

/// What `playground sink` is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct SinkArgs {
    #[arg(long)]
    listen: SocketAddrV4,
    #[arg(long)]
    log: PathBuf,
}

/// Takes records until it is killed.
pub(crate) async fn run(args: SinkArgs) -> Result<()> {
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("{}", args.listen))?;
    let log = Arc::new(Mutex::new(Log::open(&args.log)?));
    loop {
        let (stream, from) = listener.accept().await?;
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            if let Err(error) = take(stream, &log).await {
                println!("{from}: {error:#}");
            }
        });
    }
}

/// A record counts once it is in the log; only then is it answered.
async fn take(stream: TcpStream, log: &Mutex<Log>) -> Result<()> {
    stream.set_nodelay(true)?;
    let (from, mut to) = stream.into_split();
    let mut lines = BufReader::new(from).lines();
    while let Some(line) = lines.next_line().await? {
        let write: Write = serde_json::from_str(&line).context("no record")?;
        let n = write.n;
        let landed = boot_ms()?;
        log.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(&Landed { write, landed })?;
        to.write_all(format!("{n}\n").as_bytes()).await?;
    }
    Ok(())
}
