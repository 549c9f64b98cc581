//! When a process counts as ready.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One attempt never takes longer than this.
const ATTEMPT: Duration = Duration::from_secs(3);

/// The condition that is polled after a start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Ready {
    /// The port accepts connections.
    Port(Ipv4Addr, u16),
    /// A plain HTTP GET answers 200.
    Http(Ipv4Addr, u16, String),
    /// As soon as it runs.
    Started,
    /// `/readyz` of an API server answers to the administrator (anonymous `/healthz` says yes too early).
    Apiserver(PathBuf),
}

impl Ready {
    /// One attempt: `Ok` when the process is ready, otherwise why it is not.
    pub(crate) async fn check(&self) -> Result<()> {
        let attempt = async {
            match self {
                Self::Started => Ok(()),
                Self::Port(address, port) => connect(*address, *port).await.map(drop),
                Self::Http(address, port, path) => http_ok(*address, *port, path).await,
                Self::Apiserver(kubeconfig) => {
                    let request = http::Request::get("/readyz").body(Vec::new())?;
                    crate::access::client(kubeconfig)
                        .await?
                        .request_text(request)
                        .await
                        .map(drop)
                        .context("/readyz")
                }
            }
        };
        timeout(ATTEMPT, attempt).await.context("no answer")?
    }
}

async fn connect(address: Ipv4Addr, port: u16) -> Result<TcpStream> {
    TcpStream::connect(SocketAddr::from((address, port)))
        .await
        .with_context(|| format!("{address}:{port}"))
}

async fn http_ok(address: Ipv4Addr, port: u16, path: &str) -> Result<()> {
    let mut stream = connect(address, port).await?;
    stream
        .write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.lines().next().unwrap_or_default();
    if status.split_whitespace().nth(1) != Some("200") {
        bail!("http://{address}:{port}{path} says {status:?}");
    }
    Ok(())
}
