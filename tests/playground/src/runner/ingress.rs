//! What stands before the pods of a place: takes requests at the place's address and hands each on to a pod that is ready.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::place::port;

/// Longer heads are refused.
const LONGEST_HEAD: usize = 8192;
/// For the head, and for a pod to take the connection.
const PATIENCE: Duration = Duration::from_secs(2);
const NOBODY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A pod that takes requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    pub(crate) namespace: String,
    pub(crate) app: Option<String>,
    pub(crate) scope: String,
    pub(crate) address: SocketAddrV4,
}

/// The pods of a place that take requests, by node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backends {
    nodes: Arc<Mutex<BTreeMap<String, Vec<Backend>>>>,
    turn: Arc<AtomicUsize>,
}

impl Backends {
    /// Says which pods of a node take requests from now on.
    pub(crate) fn publish(&self, node: &str, pods: Vec<Backend>) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.insert(node.to_owned(), pods);
    }

    /// One of those that a path names, in turn: `/NAMESPACE/APP`, where APP may be a placement, `/NAMESPACE`, or any.
    fn choose(&self, path: &str) -> Option<SocketAddrV4> {
        let mut parts = path.split(['/', '?']).filter(|part| !part.is_empty());
        let (namespace, app) = (parts.next(), parts.next());
        let fits = |pod: &&Backend| {
            let named = |app: &str| pod.app.as_deref() == Some(app) || pod.scope == format!("{}/{app}", pod.namespace);
            namespace.is_none_or(|wanted| wanted == pod.namespace) && app.is_none_or(named)
        };
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<&Backend> = nodes.values().flatten().filter(fits).collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        Some(all.get(turn.checked_rem(all.len())?)?.address)
    }
}

/// Serves until its process ends.
pub(crate) async fn serve(address: Ipv4Addr, backends: Backends) -> Result<()> {
    let listener = TcpListener::bind((address, port::INGRESS)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let backends = backends.clone();
        tokio::spawn(async move {
            // A request that breaks is seen by whoever made it.
            let _ = pass_on(stream, &backends).await;
        });
    }
}

async fn pass_on(mut near: TcpStream, backends: &Backends) -> Result<()> {
    let head = timeout(PATIENCE, head(&mut near)).await.context("no head")??;
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let path = line.split_whitespace().nth(1).unwrap_or("/");
    let Some(address) = backends.choose(path) else {
        return near.write_all(NOBODY).await.context("cannot refuse");
    };
    let Ok(Ok(mut far)) = timeout(PATIENCE, TcpStream::connect(address)).await else {
        return near.write_all(NOBODY).await.context("cannot refuse");
    };
    far.write_all(&head).await?;
    tokio::io::copy_bidirectional(&mut near, &mut far).await?;
    Ok(())
}

/// The first piece of a connection, to the end of its first head.
pub(crate) async fn head(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = stream.read(&mut piece).await?;
        if length == 0 || head.len() > LONGEST_HEAD {
            bail!("no request");
        }
        head.extend_from_slice(piece.get(..length).unwrap_or_default());
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_whose_pods_answer() {
        let backends = Backends::default();
        let pod = |namespace: &str, app: &str, last: u8| Backend {
            namespace: namespace.into(),
            app: Some(app.into()),
            scope: format!("{namespace}/{app}-placed"),
            address: SocketAddrV4::new(Ipv4Addr::new(198, 18, 2, last), 8080),
        };
        assert_eq!(backends.choose("/"), None);
        backends.publish("run-001", vec![pod("a", "web", 66), pod("b", "web", 67)]);
        backends.publish("run-002", vec![pod("a", "web", 130)]);
        let last = |path: &str| backends.choose(path).map(|a| a.ip().octets()[3]);
        assert_eq!(last("/b/web"), Some(67));
        assert_eq!(last("/b/web-placed?x=1"), Some(67));
        assert_eq!(last("/c"), None);
        assert_eq!(last("/a/other"), None);
        let mut both = [last("/a"), last("/a")];
        both.sort_unstable();
        assert_eq!(both, [Some(66), Some(130)], "in turn");
    }
}
