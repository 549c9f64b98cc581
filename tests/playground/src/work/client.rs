//! A client from outside that asks at a steady rate and counts every answer.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use futures::future::{join_all, select_ok};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::boot_ms;
use super::record::Log;
use super::traffic::{Turns, Weights, published, weights};
use crate::access;
use crate::cluster::kubeconfig;
use crate::place::port;
use crate::state::State;
use crate::users::ADMIN;

/// A request that is not answered within this has failed.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks at what is published.
const LOOK: Duration = Duration::from_millis(500);
const MOST_PER_SECOND: u32 = 1000;

/// What `playground client` is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClientArgs {
    /// The placement to ask, NAMESPACE/NAME
    #[arg(long)]
    pub(crate) placement: String,
    /// Requests a second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_PER_SECOND)))]
    pub(crate) rate: u32,
    /// File for one JSON line a request
    #[arg(long)]
    pub(crate) log: PathBuf,
}

/// What a client counted. Times are milliseconds on CLOCK_BOOTTIME.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// Requests while nothing was published for the placement; they count as failed.
    pub nowhere: u64,
    /// Requests that were sent, with those that had nowhere to go.
    pub sent: u64,
    /// Those that were answered with 200.
    pub ok: u64,
    /// Those that were not.
    pub failed: u64,
    /// The first request that failed.
    pub first_failure: Option<u64>,
    /// The last one.
    pub last_failure: Option<u64>,
    /// When the first one was answered.
    pub first_ok: Option<u64>,
    /// When the last one was.
    pub last_ok: Option<u64>,
    /// The longest time between two good answers.
    pub longest_without_ms: u64,
    /// By centre.
    pub centres: BTreeMap<String, CentreCount>,
}

/// What a client counted of one centre.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CentreCount {
    /// Requests.
    pub sent: u64,
    /// Answered with 200.
    pub ok: u64,
    /// Not so.
    pub failed: u64,
    /// The last request that was sent there.
    pub last_sent: u64,
}

impl Counted {
    /// One request that was sent at `at` and ended at `ended`.
    fn add(&mut self, centre: Option<&str>, ok: bool, at: u64, ended: u64) {
        self.sent += 1;
        match centre {
            None => self.nowhere += 1,
            Some(centre) => {
                let of = self.centres.entry(centre.to_owned()).or_default();
                of.sent += 1;
                of.ok += u64::from(ok);
                of.failed += u64::from(!ok);
                of.last_sent = of.last_sent.max(at);
            }
        }
        if ok {
            self.ok += 1;
            self.first_ok.get_or_insert(ended);
            let before = self.last_ok.unwrap_or(ended);
            self.longest_without_ms = self.longest_without_ms.max(ended.saturating_sub(before));
            self.last_ok = Some(before.max(ended));
        } else {
            self.failed += 1;
            self.first_failure = Some(self.first_failure.map_or(at, |first| first.min(at)));
            self.last_failure = Some(self.last_failure.map_or(at, |last| last.max(at)));
        }
    }
}

struct Shared {
    weights: Weights,
    counted: Counted,
    log: Log,
}

type Book = Arc<Mutex<Shared>>;

fn lock(book: &Book) -> MutexGuard<'_, Shared> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks until it is asked to end; then prints what it counted, one JSON line.
pub(crate) async fn run(dir: &Path, args: ClientArgs) -> Result<()> {
    let state = State::load(dir)?;
    let (namespace, name) = args
        .placement
        .split_once('/')
        .context("a placement is NAMESPACE/NAME")?;
    let mut hubs = Vec::new();
    for place in state.profile.hub_places() {
        hubs.push(access::client(&kubeconfig(&state, &format!("hub@{place}"), ADMIN)).await?);
    }
    let addresses: BTreeMap<String, Ipv4Addr> = state
        .places
        .iter()
        .map(|(place, net)| (place.to_string(), net.address))
        .collect();
    let book: Book = Arc::new(Mutex::new(Shared {
        weights: Weights::new(),
        counted: Counted::default(),
        log: Log::open(&args.log)?,
    }));
    let mut terminate = signal(SignalKind::terminate())?;
    let path = format!("/{namespace}/{name}");
    let ends = async {
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = tokio::signal::ctrl_c() => Ok(()),
            asked = ask_on(&book, &addresses, args.rate, &path) => asked,
            () = look_on(&book, &hubs, namespace, name) => bail!("nobody looks"),
        }
    };
    ends.await?;
    println!("{}", serde_json::to_string(&lock(&book).counted)?);
    Ok(())
}

/// Sends requests at a steady rate, whether or not those before were answered.
async fn ask_on(book: &Book, addresses: &BTreeMap<String, Ipv4Addr>, rate: u32, path: &str) -> Result<()> {
    let mut pace = interval(Duration::from_secs(1) / rate.max(1));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turns = Turns::default();
    loop {
        pace.tick().await;
        let at = boot_ms()?;
        let centre = turns.next(&lock(book).weights);
        let address = centre.as_ref().and_then(|centre| addresses.get(centre).copied());
        let (book, path) = (Arc::clone(book), path.to_owned());
        tokio::spawn(async move {
            let ok = match address {
                Some(address) => timeout(PATIENCE, get(address, &path))
                    .await
                    .is_ok_and(|got| got.is_ok()),
                None => false,
            };
            let Ok(ended) = boot_ms() else { return };
            let mut shared = lock(&book);
            shared.counted.add(centre.as_deref(), ok, at, ended);
            let line = json!({"at": at, "ended": ended, "centre": centre, "ok": ok});
            if let Err(error) = shared.log.add(&line) {
                eprintln!("{error:#}");
            }
        });
    }
}

/// One request through the ingress of a place.
async fn get(place: Ipv4Addr, path: &str) -> Result<()> {
    let mut stream = TcpStream::connect(SocketAddrV4::new(place, port::INGRESS)).await?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        bail!("{}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}

/// Looks at what is published, at whichever server of the hub answers first. Without an answer the last one counts on.
async fn look_on(book: &Book, hubs: &[kube::Client], namespace: &str, name: &str) {
    let placement = format!("/apis/xiangyun.io/v1alpha1/namespaces/{namespace}/dualactiveplacements/{name}");
    let slices = format!(
        "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector=xiangyun.io%2Fplacement%3D{name}"
    );
    loop {
        let looks = hubs.iter().map(|hub| {
            Box::pin(async {
                let all = join_all([
                    read(hub, &placement),
                    read(hub, "/apis/xiangyun.io/v1alpha1/datacenters"),
                    read(hub, &slices),
                ])
                .await;
                let mut all = all.into_iter().collect::<Result<Vec<Value>>>()?.into_iter();
                Ok::<_, anyhow::Error>((all.next(), all.next(), all.next()))
            })
        });
        if let Ok(((Some(placement), Some(centres), Some(slices)), _)) = select_ok(looks).await {
            let new = published(items(&slices)).unwrap_or_else(|| weights(&placement, items(&centres)));
            let mut shared = lock(book);
            if shared.weights != new {
                println!("{}", json!({"boot": boot_ms().unwrap_or_default(), "weights": new}));
                shared.weights = new;
            }
        }
        sleep(LOOK).await;
    }
}

fn items(list: &Value) -> &[Value] {
    let items = list.get("items").and_then(Value::as_array);
    items.map_or(&[], Vec::as_slice)
}

async fn read(hub: &kube::Client, path: &str) -> Result<Value> {
    let request = http::Request::get(path).body(Vec::new())?;
    Ok(timeout(PATIENCE, hub.request::<Value>(request))
        .await
        .context("no answer")??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_counted_where_it_went() {
        let mut counted = Counted::default();
        counted.add(Some("jishi"), true, 100, 105);
        counted.add(Some("jishi"), false, 150, 1_150);
        counted.add(None, false, 200, 200);
        counted.add(Some("jiyidong"), true, 12_000, 12_010);
        // Answers come in any order.
        counted.add(Some("jiyidong"), true, 11_990, 12_002);
        assert_eq!(
            (counted.sent, counted.ok, counted.failed, counted.nowhere),
            (5, 3, 2, 1)
        );
        assert_eq!((counted.first_failure, counted.last_failure), (Some(150), Some(200)));
        assert_eq!((counted.longest_without_ms, counted.last_ok), (11_905, Some(12_010)));
        assert_eq!(counted.centres["jishi"].failed, 1);
        assert_eq!(counted.centres["jiyidong"].last_sent, 12_000);
        let text = serde_json::to_string(&counted).unwrap();
        assert_eq!(serde_json::from_str::<Counted>(&text).unwrap(), counted);
    }
}
