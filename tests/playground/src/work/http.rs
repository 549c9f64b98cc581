//! The HTTP server of a pod.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{interval, timeout};

use super::{PodArgs, boot_ms};
use crate::runner::request_head;

/// Between two lines of the log.
const COUNT: Duration = Duration::from_secs(1);
/// For what is under way when it is asked to end.
const LAST: Duration = Duration::from_secs(1);
/// For a request to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers `PLACE POD EPOCH` and says each second how often it did.
pub(crate) async fn serve(address: SocketAddrV4, args: &PodArgs) -> Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("{address}"))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let said = format!("{} {} {}\n", args.place, args.name, args.epoch);
    let said: Arc<str> = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}",
        said.len()
    )
    .into();
    let count = Arc::new(AtomicU64::new(0));
    let busy = Arc::new(tokio::sync::Semaphore::new(MOST));
    let mut tick = interval(COUNT);
    let mut before = 0;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = tick.tick() => log(&count, &mut before)?,
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let (said, count, busy) = (Arc::clone(&said), Arc::clone(&count), Arc::clone(&busy));
                tokio::spawn(async move {
                    let Ok(_one) = busy.acquire().await else { return };
                    // Whoever asked sees that it broke.
                    let _ = timeout(PATIENCE, answer(stream, &said, &count)).await;
                });
            }
        }
    }
    drop(listener);
    let _ = timeout(LAST, busy.acquire_many(u32::try_from(MOST)?)).await;
    log(&count, &mut before)
}

/// Requests at a time.
const MOST: usize = 256;

fn log(count: &AtomicU64, before: &mut u64) -> Result<()> {
    let requests = count.load(Ordering::Relaxed);
    if requests != *before {
        println!("{}", json!({"boot": boot_ms()?, "requests": requests}));
        *before = requests;
    }
    Ok(())
}

async fn answer(mut stream: TcpStream, said: &str, count: &AtomicU64) -> Result<()> {
    let head = request_head(&mut stream).await?;
    stream.write_all(said.as_bytes()).await?;
    // Whether it is ready is asked by the kubelet, and is no request.
    if !head.starts_with(b"GET /ready ") {
        count.fetch_add(1, Ordering::Relaxed);
    }
    stream.shutdown().await.context("cannot close")
}
