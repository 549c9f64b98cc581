//! Notices: what becomes of a tenant's moves is posted to its contacts, signed, at least once. A move never waits for that.

mod send;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crds::{Contact, DualActivePlacement, Failover, Tenant, label};
use futures::StreamExt as _;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher::Config;
use kube::{Api, ResourceExt as _};
use plan::notice;
use prometheus::{IntCounterVec, Opts, Registry};
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cache::{Cache, NotReady, Reader};
use crate::call::{CallError, call};
use crate::operator::Common;
use crate::pass::{Rhythm, drive};
use send::{Key, Notice, post};

/// Notices under way at once.
const AT_ONCE: usize = 8;
/// First wait after a delivery that failed; it doubles.
const RETRY: Duration = Duration::from_secs(2);
/// Longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Tries of one contact. Whoever did not answer for that long is left out, so that the others' notices are done with.
const TRIES: u32 = 24;

/// Notices by what became of them.
///
/// # Errors
/// A name that is registered already.
pub fn figures(registry: &Registry) -> prometheus::Result<IntCounterVec> {
    let opts = Opts::new("xiangyun_notices_total", "Notices to contacts of tenants by outcome");
    let figures = IntCounterVec::new(opts, &["outcome"])?;
    registry.register(Box::new(figures.clone()))?;
    Ok(figures)
}

/// Uid of the move, what is told, and the contact's name.
type Letter = (String, &'static str, String);

/// What became of a letter in this process.
#[derive(Clone, Copy)]
enum Fate {
    /// It was taken.
    Delivered,
    /// It was tried so often, and is tried again then.
    Failed(u32, Instant),
    /// It is not tried any more.
    GivenUp,
}

impl Fate {
    const fn is_over(self) -> bool {
        matches!(self, Self::Delivered | Self::GivenUp)
    }
}

struct Controller {
    common: Common,
    figures: IntCounterVec,
    key: Key,
    failovers: Cache<Failover>,
    tenants: Cache<Tenant>,
    fates: BTreeMap<Letter, Fate>,
}

/// Runs until it is stopped. Without a key nobody is told, which is said once.
///
/// # Errors
/// A cache that never filled.
pub async fn run(common: Common, figures: IntCounterVec, key_file: Option<PathBuf>) -> Result<(), NotReady> {
    let Some(key) = key_file.as_deref().and_then(key) else {
        tracing::info!("without a key for notices no contact is told of moves; name one with --notify-key-file");
        common.stop.cancelled().await;
        return Ok(());
    };
    let changed = Arc::new(Notify::new());
    let client = common.client.clone();
    let (failovers, failovers_task) = Cache::start(client.clone(), Config::default(), Arc::clone(&changed));
    let contacts = Reader {
        read: Ok,
        news: |a: &Tenant, b: &Tenant| a.spec.contacts != b.spec.contacts,
    };
    let (tenants, tenants_task) = Cache::read(client, Config::default(), vec![Arc::clone(&changed)], contacts);
    failovers.ready().await?;
    tenants.ready().await?;
    let (passes, stop) = (common.passes.clone(), common.stop.clone());
    let mut controller = Controller {
        common,
        figures,
        key,
        failovers,
        tenants,
        fates: BTreeMap::new(),
    };
    tokio::select! {
        () = drive("notify", Rhythm::default(), &passes, changed, stop, async || controller.pass().await) => Ok(()),
        _ = failovers_task => Ok(()),
        _ = tenants_task => Ok(()),
    }
}

/// The key in the file.
fn key(file: &Path) -> Option<Key> {
    match std::fs::read(file) {
        Ok(bytes) if !bytes.trim_ascii().is_empty() => Some(Key::new(bytes.trim_ascii())),
        Ok(_) => {
            tracing::error!(file = %file.display(), "the key of notices is empty; no contact is told of moves");
            None
        }
        Err(error) => {
            tracing::error!(file = %file.display(), %error, "the key of notices cannot be read; no contact is told of moves");
            None
        }
    }
}

impl Controller {
    /// Posts what is due, and marks the moves of which everybody was told.
    async fn pass(&mut self) -> Result<Option<Duration>, CallError> {
        let tenants = self.tenants.shared();
        let contacts: BTreeMap<String, &[Contact]> = tenants
            .iter()
            .map(|t| (t.name_any(), t.spec.contacts.as_slice()))
            .collect();
        let failovers = self.failovers.shared();
        let open: Vec<(&Failover, &'static str, &[Contact])> = failovers
            .iter()
            .filter_map(|f| {
                let event = notice::untold(f)?;
                let namespace = f.namespace().unwrap_or_default();
                Some((f.as_ref(), event, contacts.get(&namespace).copied().unwrap_or_default()))
            })
            .collect();
        self.deliver(&open).await;
        let mut first = Ok(());
        for (failover, event, contacts) in &open {
            let over = |c: &Contact| self.fates.get(&letter(failover, event, c)).is_some_and(|f| f.is_over());
            if contacts.iter().all(over) {
                first = first.and(self.mark(failover, event).await);
            }
        }
        // What is marked, or gone, is not remembered.
        let known: BTreeSet<(String, &str)> = open
            .iter()
            .map(|(f, event, _)| (f.uid().unwrap_or_default(), *event))
            .collect();
        self.fates
            .retain(|(uid, event, _), _| known.contains(&(uid.clone(), *event)));
        let next = self.fates.values().filter_map(|fate| match fate {
            Fate::Failed(_, due) => Some(due.saturating_duration_since(Instant::now())),
            _ => None,
        });
        first.map(|()| next.min())
    }

    async fn deliver(&mut self, open: &[(&Failover, &'static str, &[Contact])]) {
        let now = Instant::now();
        let mut due = Vec::new();
        for (failover, event, contacts) in open {
            let of = |c: &Contact| (letter(failover, event, c), c.webhook.clone());
            let waits = |l: &Letter| match self.fates.get(l) {
                None => true,
                Some(Fate::Failed(_, at)) => *at <= now,
                Some(_) => false,
            };
            let letters: Vec<_> = contacts.iter().map(of).filter(|(l, _)| waits(l)).collect();
            if letters.is_empty() {
                continue;
            }
            let body = notice::body(failover, event, self.declared(failover).await.as_deref()).to_string();
            due.extend(letters.into_iter().map(|(letter, to)| (letter, to, body.clone())));
        }
        let key = &self.key;
        let posts = due.into_iter().map(|(letter, to, body)| async move {
            let notice = Notice {
                to: &to,
                id: format!("{}/{}", letter.0, letter.1),
                body,
            };
            let outcome = post(key, notice).await;
            (letter, outcome)
        });
        let outcomes: Vec<_> = futures::stream::iter(posts).buffer_unordered(AT_ONCE).collect().await;
        for (letter, outcome) in outcomes {
            let tries = match self.fates.get(&letter) {
                Some(Fate::Failed(tries, _)) => tries + 1,
                _ => 1,
            };
            let (uid, event, contact) = &letter;
            let fate = match outcome {
                Ok(()) => {
                    tracing::info!(uid, event, contact, "a contact was told of a move");
                    Fate::Delivered
                }
                Err(error) if tries >= TRIES => {
                    tracing::error!(uid, event, contact, %error, tries, "a contact could not be told of a move");
                    Fate::GivenUp
                }
                Err(error) => {
                    tracing::warn!(uid, event, contact, %error, tries, "a contact is not told yet");
                    let wait = RETRY.saturating_mul(1 << tries.min(10)).min(LONGEST_WAIT);
                    Fate::Failed(tries, Instant::now() + wait)
                }
            };
            let outcome = match fate {
                Fate::Delivered => "delivered",
                Fate::Failed(..) => "failed",
                Fate::GivenUp => "given-up",
            };
            self.figures.with_label_values(&[outcome]).inc();
            self.fates.insert(letter, fate);
        }
    }

    /// The declared RTO; left out of the notice where the placement cannot be read.
    async fn declared(&self, failover: &Failover) -> Option<String> {
        let namespace = failover.namespace().unwrap_or_default();
        let api: Api<DualActivePlacement> = Api::namespaced(self.common.client.clone(), &namespace);
        let found = call("read a placement", api.get_opt(&failover.spec.placement_ref.name)).await;
        Some(found.ok()??.spec.failover.unwrap_or_default().rto)
    }

    /// Writes on the move what its contacts were told.
    async fn mark(&self, failover: &Failover, event: &str) -> Result<(), CallError> {
        let namespace = failover.namespace().unwrap_or_default();
        let api: Api<Failover> = Api::namespaced(self.common.client.clone(), &namespace);
        let metadata =
            json!({"uid": failover.uid(), "annotations": {label::NOTIFIED: notice::marked(failover, event)}});
        let patch = Patch::Merge(json!({"metadata": metadata}));
        let (name, params) = (failover.name_any(), PatchParams::default());
        match call("mark a move as told", api.patch(&name, &params, &patch)).await {
            Err(error) if error.is_outdated() => Ok(()),
            other => other.map(drop),
        }
    }
}

fn letter(failover: &Failover, event: &'static str, contact: &Contact) -> Letter {
    (failover.uid().unwrap_or_default(), event, contact.name.clone())
}
