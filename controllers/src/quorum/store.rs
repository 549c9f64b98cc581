//! The arbiter's store: etcd, asked at one endpoint of each place at once. With a cut between two places and the leader in
//! one of them, the other one's own endpoints give no error; they hang. One answer from anywhere is enough.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arbiter::row::Incarnation;
use arbiter::timing::Timing;
use arbiter::txn::{Compare, Kv, Op, Outcome, Txn, key};
use etcd_client as etcd;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::boot;

/// Who we are to the store, in PEM.
#[derive(Clone)]
pub struct Identity {
    /// Authority of the store.
    pub authority: Vec<u8>,
    /// Certificate of the client.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
}

/// Why a transaction has no answer. It may have landed, or land later.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// No endpoint answered in time.
    #[error(
        "no endpoint of the arbiter answered within {0:?}; it may land later | 仲裁存储在 {0:?} 内均未应答，写入可能稍后生效"
    )]
    Timeout(Duration),
    /// The last endpoint's error, where none succeeded.
    #[error("the arbiter: {0} | 仲裁存储：{0}")]
    Failed(#[from] Box<etcd::Error>),
    /// The store was restored from a copy and not begun anew.
    #[error(
        "the arbiter's store {found:x} is a copy of {named:x}: it counts for nothing until `xiangyun arbiter restore` began it anew (StoreCopied) | 仲裁存储 {found:x} 是 {named:x} 的副本，须先执行 `xiangyun arbiter restore`"
    )]
    Copied {
        /// The store that it says it is.
        named: u64,
        /// The store that it is.
        found: u64,
    },
    /// There is no endpoint.
    #[error("the arbiter has no endpoint: name one of each place | 未配置仲裁存储地址，请为每个中心填写")]
    NoEndpoint,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What it says.
    pub outcome: Outcome,
    /// Before it was sent, by [`boot`].
    pub sent: Duration,
    /// When it had returned.
    pub returned: Duration,
    /// Through whose endpoint.
    pub through: String,
    /// The store's own id.
    pub store: u64,
}

/// Connections to the store.
pub struct Store {
    places: Vec<(String, Vec<etcd::Client>)>,
    call: Duration,
    turn: AtomicUsize,
}

impl Store {
    /// Connects to the endpoints of each place: URLs by the place's name. A place's endpoints take turns.
    ///
    /// # Errors
    /// A URL or a certificate that cannot be read.
    pub async fn connect(
        endpoints: &BTreeMap<String, Vec<String>>,
        identity: &Identity,
        timing: &Timing,
    ) -> Result<Self, Unanswered> {
        let tls = etcd::TlsOptions::new()
            .ca_certificate(etcd::Certificate::from_pem(&identity.authority))
            .identity(etcd::Identity::from_pem(&identity.certificate, &identity.key));
        // A connection that a cut left behind is found out before the next beat is due.
        let options = etcd::ConnectOptions::new()
            .with_tls(tls)
            .with_connect_timeout(timing.call())
            .with_timeout(timing.call())
            .with_keep_alive(timing.beat(), timing.call())
            .with_keep_alive_while_idle(true);
        let mut places = Vec::new();
        for (place, urls) in endpoints {
            let mut clients = Vec::new();
            for url in urls {
                let client = etcd::Client::connect([url], Some(options.clone())).await;
                clients.push(client.map_err(Box::new)?);
            }
            places.push((place.clone(), clients));
        }
        Ok(Self {
            places,
            call: timing.call(),
            turn: AtomicUsize::new(0),
        })
    }

    /// Sends a transaction to one endpoint of each place at once. The first success is the answer: where a transaction may
    /// land only once, its own copies are refused after it. A refusal is the answer when nobody says anything else, and
    /// even then a copy may have landed whose answer was lost: whoever must know reads.
    ///
    /// # Errors
    /// None answered within the time of a call, or the store that answered is a copy. Whatever was sent may land all the
    /// same.
    pub async fn commit(&self, txn: &Txn) -> Result<Answer, Unanswered> {
        let answer = self.ask(txn).await?;
        let life = answer
            .outcome
            .get(&key::incarnation())
            .and_then(Kv::parse::<Incarnation>);
        let (named, found) = (life.map_or(0, |life| life.store), answer.store);
        if named != 0 && named != found {
            return Err(Unanswered::Copied { named, found });
        }
        Ok(answer)
    }

    /// The same of whatever store answers.
    pub(super) async fn ask(&self, txn: &Txn) -> Result<Answer, Unanswered> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let sent = boot();
        let mut calls = FuturesUnordered::new();
        for (place, clients) in &self.places {
            let Some(client) = clients.get(turn % clients.len().max(1)) else {
                continue;
            };
            let mut client = client.kv_client();
            let txn = wire(txn);
            calls.push(async move { (place, client.txn(txn).await) });
        }
        let end = tokio::time::Instant::now() + self.call;
        let mut answer: Result<(String, u64, Outcome), Unanswered> = Err(Unanswered::NoEndpoint);
        while !matches!(&answer, Ok((_, _, outcome)) if outcome.succeeded) {
            match tokio::time::timeout_at(end, calls.next()).await {
                Ok(Some((place, Ok(response)))) => {
                    let store = response.header().map_or(0, etcd::ResponseHeader::cluster_id);
                    answer = Ok((place.clone(), store, outcome(&response)));
                }
                Ok(Some((_, Err(error)))) => answer = answer.or(Err(Unanswered::Failed(Box::new(error)))),
                Ok(None) => break,
                Err(_) => {
                    answer = answer.or(Err(Unanswered::Timeout(self.call)));
                    break;
                }
            }
        }
        let (through, store, outcome) = answer?;
        let returned = boot();
        Ok(Answer {
            outcome,
            sent,
            returned,
            through,
            store,
        })
    }
}

fn wire(txn: &Txn) -> etcd::Txn {
    let compares = txn.compares.iter().map(|compare| match compare {
        Compare::Unchanged { key, revision } => {
            let revision = i64::try_from(*revision).unwrap_or(i64::MAX);
            etcd::Compare::mod_revision(key.as_str(), etcd::CompareOp::Equal, revision)
        }
        Compare::Value { key, value } => etcd::Compare::value(key.as_str(), etcd::CompareOp::Equal, value.as_str()),
    });
    let steps = |ops: &[Op]| ops.iter().map(step).collect::<Vec<_>>();
    etcd::Txn::new()
        .when(compares.collect::<Vec<_>>())
        .and_then(steps(&txn.then))
        .or_else(steps(&txn.otherwise))
}

fn step(op: &Op) -> etcd::TxnOp {
    match op {
        Op::Put { key, value } => etcd::TxnOp::put(key.as_str(), value.as_str(), None),
        Op::Range { prefix } => {
            let options = etcd::GetOptions::new().with_prefix();
            etcd::TxnOp::get(prefix.as_str(), Some(options))
        }
    }
}

/// What is no UTF-8 is none of ours and left out.
fn outcome(response: &etcd::TxnResponse) -> Outcome {
    let mut read = Vec::new();
    for answered in response.op_responses() {
        let etcd::TxnOpResponse::Get(found) = answered else {
            continue;
        };
        read.extend(found.kvs().iter().filter_map(|kv| {
            Some(Kv {
                key: kv.key_str().ok()?.to_owned(),
                value: kv.value_str().ok()?.to_owned(),
                revision: u64::try_from(kv.mod_revision()).ok()?,
            })
        }));
    }
    Outcome {
        succeeded: response.succeeded(),
        read,
    }
}
