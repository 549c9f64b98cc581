//! The rounds of the thread: store what has to be stored, beat, stop what may no longer run, acknowledge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arbiter::agent::{Agent, Barred};
use arbiter::row::{Epoch, Phase};
use arbiter::txn::Txn;
use crds::label;
use futures::StreamExt as _;
use kube::Client;
use kube::runtime::watcher;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::fencing::Fencing;
use super::pods::ExclusivePod;
use super::record::{self, Stored};
use super::{Known, Options, Rights, observing, permits};
use crate::cache::Cache;
use crate::quorum::{Answer, Config, Store, Unanswered, boot};

/// Between two rounds; a right that ran out is found this late at the most, and the gates need no round for it.
const TICK: Duration = Duration::from_millis(200);
/// Transactions that are sent at once.
const AT_ONCE: usize = 32;

/// So long a place beats on whose API server does not answer: one that is restarted or upgraded is back by then, and what
/// runs is not moved for that.
const AILING: Duration = Duration::from_secs(60);
/// It says so after this: a process that slept for a moment has its lease again by then, six to eight seconds later.
const SAID: Duration = Duration::from_secs(10);

/// What the thread does, for as long as the process lives. It ends where it cannot begin, or cannot serve the gates.
pub(super) async fn run(rights: Rights, options: Options, changed: Arc<Notify>) {
    let Options {
        config,
        permits,
        kubeconfig,
    } = options;
    let store = config.connect().await.map_err(|error| error.to_string());
    let cluster = crate::client::connect(kubeconfig.as_deref()).await;
    let (store, cluster) = match (store, cluster) {
        (Ok(store), Ok(cluster)) => (Arc::new(store), cluster),
        (store, cluster) => {
            let (store, cluster) = (store.err(), cluster.err());
            tracing::error!(?store, ?cluster, "no way to the arbiter, or to the centre");
            return;
        }
    };
    let exclusive = watcher::Config::default().labels(label::EXCLUSIVE);
    let (pods, watched) = Cache::<ExclusivePod>::start(cluster.clone(), exclusive, Arc::default());
    let observing = observing::run(rights.centre.clone(), Arc::clone(&store), config.clone());
    let serving = permits::serve(rights.clone(), pods.clone(), permits);
    let beats = Beats::new(rights, store, cluster, config, pods, changed);
    tokio::select! {
        () = beats.run() => {}
        () = observing => {}
        outcome = serving => tracing::error!(?outcome, "the gates cannot be answered"),
        _ = watched => {}
    }
}

/// What is sent next about the place itself.
enum Sign {
    /// Who beats for the place now?
    Look(Txn),
    Beat(Txn),
}

struct Beats {
    rights: Rights,
    store: Arc<Store>,
    cluster: Client,
    config: Config,
    pods: Cache<ExclusivePod>,
    changed: Arc<Notify>,
    stored: Stored,
    /// Since when this process leads.
    began: Duration,
    /// Since when it has no lease, where it had one.
    ailing: Option<Duration>,
    next: Duration,
    runs: BTreeSet<(String, Epoch)>,
    fencing: Fencing,
}

impl Beats {
    fn new(
        rights: Rights,
        store: Arc<Store>,
        cluster: Client,
        config: Config,
        pods: Cache<ExclusivePod>,
        changed: Arc<Notify>,
    ) -> Self {
        let fencing = Fencing::new(cluster.clone(), rights.gated, &config.timing);
        Self {
            rights,
            store,
            cluster,
            config,
            pods,
            changed,
            stored: Stored::default(),
            began: Duration::ZERO,
            ailing: None,
            next: Duration::ZERO,
            runs: BTreeSet::new(),
            fencing,
        }
    }

    async fn run(mut self) {
        loop {
            self.round().await;
            self.tell();
            sleep(TICK).await;
        }
    }

    async fn round(&mut self) {
        let leads = self.rights.leads();
        if leads.until <= boot() {
            return self.ail().await;
        }
        self.ailing = None;
        let begun = {
            let known = self.rights.known();
            known.agent.is_some() && known.epoch == leads.epoch
        };
        if !begun && !self.begin(leads.epoch).await {
            return;
        }
        if let Some(agent) = self.rights.known().agent.as_mut() {
            agent.ails(false);
        }
        let sign = self.sign();
        let (this, record) = (&*self, self.to_store());
        let (answered, stored) = tokio::join!(this.send(sign), this.keep(record));
        if let Some(claimed) = answered {
            self.rights.known().claimed = claimed;
        }
        match stored {
            Some(Ok(stored)) => self.recorded(stored),
            Some(Err(error)) => {
                tracing::warn!(%error, "the record is not stored; it is read again");
                return self.resign();
            }
            None => {}
        }
        self.drain();
        self.fence().await;
        self.say().await;
    }

    /// Its lease ran out, and with it every right. Where nobody else took over, it says for a while that the centre lives.
    async fn ail(&mut self) {
        let now = boot();
        let since = *self.ailing.get_or_insert(now);
        {
            let mut known = self.rights.known();
            let beats = known.claimed && now < since + AILING;
            let Some(agent) = known.agent.as_mut().filter(|_| beats) else {
                drop(known);
                return self.resign();
            };
            agent.ails(now >= since + SAID);
        }
        let sign = self.sign();
        self.send(sign).await;
    }

    /// Knows nothing any more: somebody else may lead in this centre.
    fn resign(&mut self) {
        let mut known = self.rights.known();
        known.agent = None;
        known.answered.clear();
        known.claimed = false;
    }

    /// Begins anew with what the centre has stored.
    async fn begin(&mut self, epoch: i64) -> bool {
        self.resign();
        match record::read(&self.cluster).await {
            Ok(stored) => self.stored = stored,
            Err(error) => {
                tracing::warn!(%error, "the record cannot be read");
                return false;
            }
        }
        let centre = &self.rights.centre;
        let session = format!("{centre}-{}", uuid::Uuid::new_v4().simple());
        let record = self.stored.record.clone();
        let agent = Agent::new(centre, &session, self.config.timing, record, self.rights.gated);
        (self.began, self.next) = (boot(), Duration::ZERO);
        self.fencing.begin();
        let mut known = self.rights.known();
        known.guards.clone_from(&self.stored.guards);
        known.agent = Some(agent);
        known.epoch = epoch;
        tracing::info!(session, number = self.stored.record.number, "beats for the centre");
        true
    }

    fn sign(&mut self) -> Option<Sign> {
        let mut known = self.rights.known();
        let Known { agent, claimed, .. } = &mut *known;
        let agent = agent.as_ref()?;
        if agent.barred() == Some(Barred::SessionLost) {
            *claimed = false;
        }
        let now = boot();
        if now < self.next {
            return None;
        }
        let timing = &self.config.timing;
        let (wait, sign) = if *claimed {
            (timing.beat(), Sign::Beat(agent.beat()))
        } else {
            (timing.call(), Sign::Look(agent.look()))
        };
        self.next = now + wait;
        Some(sign)
    }

    /// Sends it. Answers whether this process beats for the place now, where that is known.
    async fn send(&self, sign: Option<Sign>) -> Option<bool> {
        match sign? {
            Sign::Beat(txn) => {
                let answer = self.ask(&txn).await?;
                self.learn(&answer);
                None
            }
            Sign::Look(txn) => {
                let seen = self.ask(&txn).await?;
                let claim = self.rights.known().agent.as_ref()?.claim(&seen.outcome);
                let claimed = self.store.commit(&claim).await.ok()?;
                if claimed.outcome.succeeded {
                    self.learn(&claimed);
                }
                Some(claimed.outcome.succeeded)
            }
        }
    }

    async fn ask(&self, txn: &Txn) -> Option<Answer> {
        let sent = boot();
        let answer = self.store.commit(txn).await;
        let copied = matches!(answer, Err(Unanswered::Copied { .. }));
        let before = {
            let mut known = self.rights.known();
            known.asked = sent;
            std::mem::replace(&mut known.copied, copied)
        };
        match &answer {
            Err(error) if copied && !before => tracing::error!(%error, "not heard"),
            Err(error) => tracing::debug!(%error, "a beat without an answer"),
            Ok(_) => {}
        }
        answer.ok()
    }

    fn learn(&self, answer: &Answer) {
        let mut known = self.rights.known();
        let Known { agent, sure, .. } = &mut *known;
        if let Some(agent) = agent {
            agent.answered(&answer.outcome, answer.sent);
            if answer.outcome.succeeded {
                *sure = answer.sent.max(*sure);
            }
        }
    }

    /// What the centre has to store before anything is done about it.
    fn to_store(&self) -> Option<(arbiter::record::Record, BTreeSet<String>)> {
        let known = self.rights.known();
        let record = known.agent.as_ref()?.to_record();
        let guards = known
            .guarded
            .union(&self.stored.guards)
            .cloned()
            .collect::<BTreeSet<_>>();
        (record.is_some() || guards != self.stored.guards)
            .then(|| (record.unwrap_or(&self.stored.record).clone(), guards))
    }

    async fn keep(
        &self,
        record: Option<(arbiter::record::Record, BTreeSet<String>)>,
    ) -> Option<Result<Stored, record::Unknown>> {
        let (record, guards) = record?;
        Some(record::store(&self.cluster, &self.stored, &record, &guards).await)
    }

    fn recorded(&mut self, stored: Stored) {
        let mut known = self.rights.known();
        if let Some(agent) = known.agent.as_mut().filter(|_| stored.record != self.stored.record) {
            let (number, restored) = (stored.record.number, agent.restored());
            tracing::info!(number, restored, "record stored");
            agent.recorded(stored.record.clone());
        }
        known.guards.clone_from(&stored.guards);
        self.stored = stored;
    }

    /// Gives up what it was asked to give up.
    fn drain(&self) {
        let mut known = self.rights.known();
        let Some(agent) = known.agent.as_mut() else { return };
        let asked = agent.rows().filter(|(_, row)| row.phase == Phase::Draining);
        let asked: Vec<String> = asked.map(|(scope, _)| scope.to_owned()).collect();
        for scope in asked {
            agent.stop(&scope);
        }
    }

    async fn fence(&mut self) {
        let without: BTreeMap<String, Epoch> = {
            let (known, until, now) = (self.rights.known(), self.rights.leads().until, boot());
            let waits = self.rights.waits(&known, now);
            let Some(agent) = known.agent.as_ref().filter(|_| !waits) else {
                return;
            };
            let scopes = agent
                .rows()
                .map(|(scope, _)| scope)
                .chain(agent.stored().scopes.keys().map(String::as_str));
            let idle = scopes.filter(|scope| agent.right(scope, now, until).is_none());
            idle.map(|scope| (scope.to_owned(), agent.floor(scope))).collect()
        };
        self.fencing.see(&self.pods.shared());
        self.fencing.stop(&without).await;
    }

    /// Acknowledges, unpins, claims: whatever the arbiter waits for from this centre.
    async fn say(&self) {
        let txns = self.answers();
        let sent = txns.into_iter().map(|txn| async move { self.store.commit(&txn).await });
        let answers: Vec<Result<Answer, Unanswered>> =
            futures::stream::iter(sent).buffer_unordered(AT_ONCE).collect().await;
        for answer in answers.into_iter().flatten() {
            self.learn(&answer);
        }
    }

    fn answers(&self) -> Vec<Txn> {
        let gates = self.rights.gates();
        let pods = self.pods.shared();
        let mut known = self.rights.known();
        let Known { agent, answered, .. } = &mut *known;
        let Some(agent) = agent.as_mut() else {
            return Vec::new();
        };
        let asked = agent.rows().map(|(scope, row)| (scope.to_owned(), row.phase));
        let asked: Vec<(String, Phase)> = asked.collect();
        let mut txns: Vec<Txn> = agent.claims();
        for (scope, phase) in asked {
            if phase == Phase::Unpinning {
                txns.extend(agent.unpin(&scope));
            }
            let since = answered.get(&scope).copied().unwrap_or_default().max(self.began);
            if self
                .fencing
                .is_silent(&scope, agent.floor(&scope), since, (&pods, &gates))
            {
                txns.extend(agent.acknowledge(&scope));
            }
        }
        txns
    }

    /// Wakes the loop of placements where something else may run now.
    fn tell(&mut self) {
        let runs: BTreeSet<(String, Epoch)> = {
            let (known, until, now) = (self.rights.known(), self.rights.leads().until, boot());
            if self.rights.waits(&known, now) {
                return;
            }
            let rows = known.agent.iter().flat_map(Agent::rows);
            let rights = rows.filter_map(|(scope, _)| {
                let right = known.agent.as_ref()?.right(scope, now, until)?;
                Some((scope.to_owned(), right.epoch))
            });
            rights.collect()
        };
        if runs != self.runs {
            for (scope, epoch) in self.runs.difference(&runs) {
                tracing::info!(scope, %epoch, "may no longer run here");
            }
            for (scope, epoch) in runs.difference(&self.runs) {
                tracing::info!(scope, %epoch, "may run here");
                self.fencing.runs(scope);
            }
            self.runs = runs;
            self.changed.notify_one();
        }
    }
}
