//! Every revision of the ledger and of the requests, in the one order that etcd gave them. The store itself is watched:
//! it is not restarted when an API server is, and no revision is left out.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::ByteString;
use playground::{Cloud, Place};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::judge::{Change, Judge};

/// Where the API server keeps our kinds.
const PREFIX: &str = "/registry/xiangyun.io/";

/// A watch of the store from its first revision on, and the judge who sees it all.
pub(crate) struct History {
    judge: Arc<Mutex<Judge>>,
    _watch: Child,
}

impl History {
    pub(crate) fn watch(cloud: &Cloud) -> Result<Self> {
        let pki = |flag: &str, file: &str| format!("--{flag}={}", cloud.dir().join("pki").join(file).display());
        let mut watch = Command::new(cloud.tool("etcdctl")?)
            .arg(format!("--endpoints=https://{}:12379", cloud.address(Place::Hub)?))
            .args([
                pki("cacert", "etcd-ca.crt"),
                pki("cert", "etcd-hub.crt"),
                pki("key", "etcd-hub.key"),
            ])
            .args(["watch", "--prefix", PREFIX, "--rev=1", "--write-out=json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run etcdctl")?;
        let mut lines = BufReader::new(watch.stdout.take().context("its output")?).lines();
        let judge = Arc::new(Mutex::new(Judge::default()));
        let told = Arc::clone(&judge);
        tokio::spawn(async move {
            let ended = loop {
                match lines.next_line().await {
                    Ok(Some(line)) => match changes(&line) {
                        Ok(changes) => {
                            let mut judge = told.lock().unwrap_or_else(PoisonError::into_inner);
                            for change in changes {
                                judge.see(change);
                            }
                        }
                        Err(error) => break format!("{error:#}: {line}"),
                    },
                    Ok(None) => break "it ended".to_owned(),
                    Err(error) => break error.to_string(),
                }
            };
            let mut judge = told.lock().unwrap_or_else(PoisonError::into_inner);
            judge.wrong.push(format!("the watch of the store: {ended}"));
        });
        Ok(Self { judge, _watch: watch })
    }

    /// Asks the judge; fails when anything was wrong at any revision so far.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&Judge) -> T) -> Result<T> {
        let judge = self.judge.lock().unwrap_or_else(PoisonError::into_inner);
        if !judge.wrong.is_empty() {
            bail!("{} violations: {}", judge.wrong.len(), judge.wrong.join("\n"));
        }
        Ok(question(&judge))
    }
}

/// One answer of the watch: the changes of one or several revisions.
fn changes(line: &str) -> Result<Vec<Change>> {
    let mut answer: Value = serde_json::from_str(line)?;
    let events = answer["Events"].take();
    let Value::Array(events) = events else {
        return Ok(Vec::new());
    };
    events.into_iter().map(change).collect()
}

fn change(mut event: Value) -> Result<Change> {
    let deleted = event["type"] == 1 || event["type"] == "DELETE";
    let revision = event["kv"]["mod_revision"].as_i64().context("a revision")?;
    let key: ByteString = serde_json::from_value(event["kv"]["key"].take())?;
    let key = String::from_utf8(key.0)?;
    let object = if deleted {
        None
    } else {
        let value: ByteString = serde_json::from_value(event["kv"]["value"].take())?;
        Some(serde_json::from_slice(&value.0).with_context(|| key.clone())?)
    };
    Ok(Change {
        revision,
        key: key.strip_prefix(PREFIX).context("one of ours")?.to_owned(),
        object,
    })
}
