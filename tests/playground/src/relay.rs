//! A TCP relay that stands in the way of connections: it passes everything on later, or takes everything and passes
//! nothing on. The kernels in use have no netem. nftables sends connections here ([`crate::fault`]); where they wanted to
//! go is asked from the kernel.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

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
}

/// Serves until it is killed.
pub(crate) async fn run(args: RelayArgs) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, args.port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A connection that breaks is none of ours to report: both ends see it.
            let _ = match args.delay {
                Some(delay) => pass_on(stream, Duration::from_millis(delay)).await,
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

async fn pass_on(near: TcpStream, delay: Duration) -> Result<()> {
    let far = connect(wanted(&near)?).await?;
    for stream in [&near, &far] {
        stream.set_nodelay(true)?;
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::try_join!(later(near_read, far_write, delay), later(far_read, near_write, delay))?;
    Ok(())
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

/// Copies one direction, each piece `delay` after it came.
async fn later(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Duration,
) -> std::io::Result<()> {
    let (put, mut take) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
    let read = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            let piece = buffer.get(..length).unwrap_or_default().to_vec();
            if put.send((Instant::now() + delay, piece)).await.is_err() || length == 0 {
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
