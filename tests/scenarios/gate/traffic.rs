//! Traffic between the namespaces: small, paced, and bounded by the life of its ground.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use gate::clock::boot_time;
use playground::eventually;

use crate::ground::{Ground, OTHER4, OTHER6, POD4, POD6, SOON};
use crate::namespace::Namespace;

const PORT: u16 = 7000;
/// Between two packets of one sender.
const PACE: Duration = Duration::from_millis(5);

/// Now, on CLOCK_BOOTTIME in milliseconds.
pub(crate) fn now() -> u64 {
    boot_time().map_or(0, |time| time.0)
}

/// A plain HTTP answer, headers and all.
pub(crate) fn get(address: &str, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Answers every datagram with itself, and every byte of a stream, while it is held.
pub(crate) struct Echo {
    /// When the last packet came in, on CLOCK_BOOTTIME in milliseconds.
    heard: Arc<AtomicU64>,
    #[expect(dead_code, reason = "its end ends the threads")]
    alive: Vec<Sender<()>>,
}

impl Echo {
    /// At the four addresses of the pod.
    pub(crate) fn of_pod(ground: &Ground<'_>) -> Result<Self> {
        Self::up(&ground.pod, [POD4, POD6, OTHER4, OTHER6].to_vec())
    }

    /// At some addresses of a namespace. Each has sockets of its own, so that an answer comes from where it was asked.
    pub(crate) fn up(namespace: &Namespace, addresses: Vec<IpAddr>) -> Result<Self> {
        let sockets = namespace.inside(move || -> io::Result<Vec<_>> {
            let each = addresses.into_iter().map(|address| (address, PORT));
            each.map(|at| Ok((UdpSocket::bind(at)?, TcpListener::bind(at)?)))
                .collect()
        });
        let heard = Arc::new(AtomicU64::new(0));
        let mut alive = Vec::new();
        for (udp, tcp) in sockets?? {
            udp.set_read_timeout(Some(Duration::from_millis(100)))?;
            tcp.set_nonblocking(true)?;
            let (held, over) = channel();
            alive.push(held);
            let at = Arc::clone(&heard);
            std::thread::spawn(move || {
                let mut buffer = [0; 64];
                while !ended(&over, Duration::ZERO) {
                    if let Ok((_, from)) = udp.recv_from(&mut buffer) {
                        at.store(now(), Ordering::Relaxed);
                        drop(udp.send_to(&buffer, from));
                    }
                }
            });
            let (held, over) = channel();
            alive.push(held);
            let at = Arc::clone(&heard);
            std::thread::spawn(move || {
                while !ended(&over, PACE) {
                    if let Ok((stream, _)) = tcp.accept() {
                        let at = Arc::clone(&at);
                        std::thread::spawn(move || repeat(stream, &at));
                    }
                }
            });
        }
        Ok(Self { heard, alive })
    }

    /// When the last packet came in, 0 if none ever did.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }
}

/// Waits for the end, at most so long.
fn ended(over: &Receiver<()>, within: Duration) -> bool {
    !matches!(
        over.recv_timeout(within),
        Err(std::sync::mpsc::RecvTimeoutError::Timeout)
    )
}

fn repeat(mut stream: TcpStream, heard: &AtomicU64) {
    drop(stream.set_nonblocking(false));
    let mut byte = [0; 1];
    while stream.read_exact(&mut byte).is_ok() {
        heard.store(now(), Ordering::Relaxed);
        if stream.write_all(&byte).is_err() {
            return;
        }
    }
}

/// Sends to an address again and again and notes what comes back.
pub(crate) struct Talk {
    /// How many came back, and when the last one did.
    back: Arc<(AtomicU64, AtomicU64)>,
    /// When the first one did.
    first: Arc<AtomicU64>,
    #[expect(dead_code, reason = "its end ends the thread")]
    alive: Sender<()>,
}

impl Talk {
    /// Datagrams, with or without an answer.
    pub(crate) fn datagrams(from: &Namespace, to: IpAddr) -> Result<Self> {
        let socket = from.inside(move || {
            let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
            UdpSocket::bind((any, 0))
        })??;
        socket.set_read_timeout(Some(PACE))?;
        Ok(Self::start(move || {
            // Where the address is shut the node itself refuses to send.
            drop(socket.send_to(b"?", (to, PORT)));
            socket.recv(&mut [0; 64]).is_ok()
        }))
    }

    /// One stream that is established now, a byte there and the same byte back.
    pub(crate) fn stream(from: &Namespace, to: IpAddr) -> Result<Self> {
        let connect = move || TcpStream::connect_timeout(&(to, PORT).into(), Duration::from_secs(5));
        let mut stream = from.inside(connect)??;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PACE))?;
        stream.set_write_timeout(Some(PACE))?;
        let mut waits = false;
        Ok(Self::start(move || {
            if !waits {
                waits = stream.write_all(b"?").is_ok();
            }
            let back = stream.read_exact(&mut [0; 1]).is_ok();
            waits &= !back;
            back
        }))
    }

    fn start(mut one: impl FnMut() -> bool + Send + 'static) -> Self {
        let back = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let (alive, over) = channel();
        let first = Arc::new(AtomicU64::new(0));
        let (count, at) = (Arc::clone(&back), Arc::clone(&first));
        std::thread::spawn(move || {
            while !ended(&over, PACE) {
                if one() {
                    let now = now();
                    let _ = at.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
                    count.1.store(now, Ordering::Relaxed);
                    count.0.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { back, first, alive }
    }

    /// How many came back.
    pub(crate) fn count(&self) -> u64 {
        self.back.0.load(Ordering::Relaxed)
    }

    /// When the last one came back, on CLOCK_BOOTTIME in milliseconds.
    pub(crate) fn last(&self) -> u64 {
        self.back.1.load(Ordering::Relaxed)
    }

    /// Waits until more comes back.
    pub(crate) async fn flows(&self, what: &str) -> Result<()> {
        let before = self.count();
        eventually(SOON, &format!("{what} flows"), || async {
            ensure!(self.count() > before + 3, "{} came back", self.count() - before);
            Ok(())
        })
        .await
    }

    /// Waits until nothing has come back for half a second.
    pub(crate) async fn stops(&self, what: &str) -> Result<()> {
        eventually(SOON, &format!("{what} stops"), || async {
            let quiet = now().saturating_sub(self.last());
            ensure!(quiet > 500, "the last one came back {quiet} ms ago");
            Ok(())
        })
        .await
    }
}

/// Talks to the pod from the peer, in both families, while something else is waited for.
pub(crate) struct Watch(Vec<(IpAddr, Talk)>);

impl Watch {
    pub(crate) fn of(ground: &Ground<'_>, addresses: &[IpAddr]) -> Result<Self> {
        let each = addresses
            .iter()
            .map(|to| Ok((*to, Talk::datagrams(&ground.peer, *to)?)));
        each.collect::<Result<_>>().map(Self).context("cannot send")
    }

    pub(crate) async fn all_flow(&self) -> Result<()> {
        for (to, talk) in &self.0 {
            talk.flows(&to.to_string()).await?;
        }
        Ok(())
    }

    pub(crate) async fn all_stop(&self) -> Result<()> {
        for (to, talk) in &self.0 {
            talk.stops(&to.to_string()).await?;
        }
        Ok(())
    }

    /// Prints when the first packet came back from each.
    pub(crate) fn told_since(&self, what: &str, began: u64) {
        for (to, talk) in &self.0 {
            let first = talk.first.load(Ordering::Relaxed).saturating_sub(began);
            println!("{to} open {first} ms after {what}");
        }
    }

    /// Nothing ever came back since this watch began.
    pub(crate) fn nothing_came(&self) -> Result<()> {
        for (to, talk) in &self.0 {
            let count = talk.count();
            if count > 0 {
                bail!("{count} packets came back from {to}");
            }
        }
        Ok(())
    }
}
