//! A TCP relay that stands in the way of connections: it passes everything on later, or takes everything and passes
//! nothing on, or withholds what it is told to. The kernels in use have no netem. nftables sends connections here ([`crate::fault`]); where they wanted to
//! go is asked from the kernel.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// Mark of the relay's own connections, which are not sent to it again.
pub(crate) const MARK: u32 = 0x7879;
/// Pieces under way in one direction; more wait in the sender.
const PIECES: usize = 1024;

/// What `playground relay` is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct RelayArgs {
    /// Port to listen on
    #[arg(long)]
    port: u16,
    /// Milliseconds that each piece is held back, in each direction; without it nothing is passed on
    #[arg(long)]
    delay: Option<u64>,
    /// File that may name what is withheld
    #[arg(long)]
    order_file: Option<PathBuf>,
}

/// What a relay withholds of what passes: as a client sees it, a write that was not answered and landed, or that will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withhold {
    /// Whatever a client sends from now on arrives, and its connection is never answered again.
    Answers,
    /// Whatever a client sends from now on is held back.
    Requests,
    /// What is held back stays so; all else passes. Without an order it is passed on, whether or not the client is
    /// still there.
    Held,
}

impl Withhold {
    /// As the order file says it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Requests => "requests",
            Self::Held => "held",
        }
    }

    fn ordered(file: Option<&Path>) -> Option<Self> {
        let text = std::fs::read_to_string(file?).ok()?;
        let all = [Self::Answers, Self::Requests, Self::Held];
        all.into_iter().find(|order| order.name() == text.trim())
    }
}

/// Begins a line of the log for each connection that is withheld something.
pub(crate) const WITHHELD: &str = "withheld";
/// How often a held-back request looks whether it may go on.
const LOOK: Duration = Duration::from_millis(20);
/// What follows a held-back piece follows this much later.
const BEHIND: Duration = Duration::from_secs(1);

/// Serves until it is killed.
pub(crate) async fn run(args: RelayArgs) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, args.port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let args = args.clone();
        tokio::spawn(async move {
            // A connection that breaks is none of ours to report: both ends see it.
            let _ = match args.delay {
                Some(delay) => match connect_as_wanted(&stream).await {
                    Ok(far) => pass_on(stream, far, Duration::from_millis(delay), args.order_file.as_deref()).await,
                    Err(error) => Err(error),
                },
                None => swallow(stream).await,
            };
        });
    }
}

async fn swallow(mut stream: TcpStream) -> Result<()> {
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    // The other end may have closed its half only; nothing ever answers it.
    std::future::pending().await
}

async fn pass_on(near: TcpStream, far: TcpStream, delay: Duration, order: Option<&Path>) -> Result<()> {
    for stream in [&near, &far] {
        stream.set_nodelay(true)?;
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let order = &Order {
        file: order,
        deaf: AtomicBool::new(false),
        held: AtomicBool::new(false),
    };
    tokio::try_join!(
        later(near_read, far_write, delay, Towards::Server, order),
        later(far_read, near_write, delay, Towards::Client, order)
    )?;
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Towards {
    Server,
    Client,
}

/// What one connection is withheld.
struct Order<'a> {
    file: Option<&'a Path>,
    deaf: AtomicBool,
    held: AtomicBool,
}

impl Order<'_> {
    /// What may go on of a piece, as soon as it may. An empty piece is the end of its direction.
    async fn filter(&self, towards: Towards, piece: Vec<u8>) -> Option<Vec<u8>> {
        if towards == Towards::Client {
            self.held.store(false, Ordering::Relaxed);
            return (!self.deaf.load(Ordering::Relaxed)).then_some(piece);
        }
        // A server gives up a request whose client hangs up. What a client sends behind one that was held may say so, and
        // comes later, or never, as long as the held one is not answered.
        if self.held.load(Ordering::Relaxed) {
            if piece.is_empty() {
                return None;
            }
            sleep(BEHIND).await;
        }
        if piece.is_empty() {
            return Some(piece);
        }
        match Withhold::ordered(self.file) {
            Some(Withhold::Answers) => note(&self.deaf, Withhold::Answers),
            Some(Withhold::Requests) => {
                note(&self.held, Withhold::Requests);
                while Withhold::ordered(self.file).is_some() {
                    sleep(LOOK).await;
                }
            }
            Some(Withhold::Held) | None => {}
        }
        Some(piece)
    }
}

/// Says once for each connection that it is withheld something.
fn note(connection: &AtomicBool, what: Withhold) {
    if !connection.swap(true, Ordering::Relaxed) {
        println!("{WITHHELD} {}", what.name());
    }
}

async fn connect_as_wanted(near: &TcpStream) -> Result<TcpStream> {
    connect(wanted(near)?).await
}

/// Where the connection wanted to go before it was sent here.
fn wanted(stream: &TcpStream) -> Result<SocketAddr> {
    let address = getsockopt(stream, sockopt::OriginalDst).context("not sent here by nftables")?;
    let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
    Ok(SocketAddr::new(IpAddr::V4(ip), u16::from_be(address.sin_port)))
}

async fn connect(to: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    setsockopt(&socket, sockopt::Mark, &MARK)?;
    Ok(socket.connect(to).await?)
}

/// Copies one direction, each piece `delay` after it came, as far as the order lets it.
async fn later(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Duration,
    towards: Towards,
    order: &Order<'_>,
) -> std::io::Result<()> {
    let (put, mut take) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
    let read = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            let due = Instant::now() + delay;
            let piece = buffer.get(..length).unwrap_or_default().to_vec();
            let Some(piece) = order.filter(towards, piece).await else {
                if length == 0 {
                    std::future::pending::<()>().await;
                }
                continue;
            };
            if put.send((due, piece)).await.is_err() || length == 0 {
                return Ok(());
            }
        }
    };
    let write = async move {
        while let Some((due, piece)) = take.recv().await {
            sleep_until(due).await;
            if piece.is_empty() {
                return to.shutdown().await;
            }
            to.write_all(&piece).await?;
        }
        Ok(())
    };
    tokio::try_join!(read, write).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let address = listener.local_addr().unwrap();
        let (opened, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        (opened.unwrap(), accepted.unwrap().0)
    }

    async fn says(stream: &mut TcpStream, text: &str) {
        let mut read = vec![0; text.len()];
        tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut read))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), text);
    }

    #[tokio::test]
    async fn requests_and_answers_are_withheld_as_ordered() {
        let order = std::env::temp_dir().join(format!("xy-relay-{}", std::process::id()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let ((mut client, near), (far, mut server)) = (pair(&listener).await, pair(&listener).await);
        let file = order.clone();
        let relay = tokio::spawn(async move { pass_on(near, far, Duration::ZERO, Some(&file)).await });
        client.write_all(b"one").await.unwrap();
        says(&mut server, "one").await;
        server.write_all(b"ONE").await.unwrap();
        says(&mut client, "ONE").await;

        std::fs::write(&order, "requests").unwrap();
        client.write_all(b"late").await.unwrap();
        let mut byte = [0];
        let silence = tokio::time::timeout(LOOK * 5, server.read(&mut byte)).await;
        assert!(silence.is_err(), "it is held back");
        std::fs::remove_file(&order).unwrap();
        says(&mut server, "late").await;
        server.write_all(b"LATE").await.unwrap();
        says(&mut client, "LATE").await;

        std::fs::write(&order, "answers").unwrap();
        client.write_all(b"lost").await.unwrap();
        says(&mut server, "lost").await;
        std::fs::remove_file(&order).unwrap();
        server.write_all(b"LOST").await.unwrap();
        let silence = tokio::time::timeout(LOOK * 5, client.read(&mut byte)).await;
        assert!(silence.is_err(), "it is lost for good");
        relay.abort();
    }
}
