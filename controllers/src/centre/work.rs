//! The loops of an agent that leads, and what each of them is given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::FutureExt as _;
use plan::centre::requests::Known;
use plan::centre::stage::Stage;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use super::observe::{Caches, Signals};
use super::own_rows::{self, OwnRows};
use super::right::Rights;
use super::{APPLYING, Options, RHYTHM, answers, apply, grants, placement, report, requests, usage};
use crate::pass::{Crowd, Passes, drive};

/// What lives as long as the process.
pub(super) struct Agent {
    pub(super) options: Options,
    pub(super) caches: Caches,
    pub(super) signals: Signals,
    pub(super) metrics: Metrics,
    pub(super) passes: Passes,
    pub(super) rights: Option<Rights>,
}

/// The loops, until `stop`. Their state is new each time: what another replica did meanwhile is read again.
pub(super) async fn work(agent: Arc<Agent>, stage: Stage, stop: CancellationToken) {
    let changed = || Arc::new(Notify::new());
    let (grants_changed, rows_changed, report_changed) = (changed(), changed(), changed());
    let placed_changed = changed();
    let (outcome, outcomes) = watch::channel(Arc::new(grants::Outcome::default()));
    let placed_outcome = watch::channel(Arc::new(placement::Outcome::default()));
    let placements = placed_outcome.1.clone();
    let mut grants = agent.grants(stage, placements.clone(), (outcome, Arc::clone(&rows_changed)));
    let (known, usage) = watch::channel(None);
    let mut answers = agent.answers(outcomes, usage);
    let (usage_changed, requests_changed) = (changed(), changed());
    let mut usage = agent.usage(known, Arc::clone(&rows_changed));
    let mut reports = agent.reports(stage);
    let all = [&grants_changed, &report_changed, &placed_changed];
    let all: Vec<_> = all.into_iter().map(Arc::clone).collect();
    let (placed, one) = (vec![Arc::clone(&placed_changed)], vec![Arc::clone(&report_changed)]);
    let placing = (placed_changed, Arc::clone(&requests_changed));
    let signals = agent.signals.clone();
    tokio::join!(
        drive(
            "grants",
            RHYTHM,
            &agent.passes,
            Arc::clone(&grants_changed),
            stop.clone(),
            async move || grants.pass().boxed().await
        ),
        drive(
            "rows",
            RHYTHM,
            &agent.passes,
            rows_changed,
            stop.clone(),
            async move || answers.pass().boxed().await
        ),
        drive(
            "report",
            RHYTHM,
            &agent.passes,
            report_changed,
            stop.clone(),
            async move || reports.pass().boxed().await
        ),
        drive(
            "usage",
            RHYTHM,
            &agent.passes,
            Arc::clone(&usage_changed),
            stop.clone(),
            async move || usage.pass().boxed().await
        ),
        place(&agent, stage, placing, placed_outcome, &stop),
        // A confirmed placement carries its namespace.
        carry(placements, stage, Arc::clone(&grants_changed), stop.clone()),
        tell(signals.policies, vec![usage_changed, requests_changed], stop.clone()),
        tell(signals.hub, all.clone(), stop.clone()),
        tell(signals.centre, all, stop.clone()),
        tell(signals.placements, placed, stop.clone()),
        tell(signals.nodes, one, stop.clone()),
    );
}

/// What became of the placements, from the loop that decides to those that go by it.
type Placed = (
    watch::Sender<Arc<placement::Outcome>>,
    watch::Receiver<Arc<placement::Outcome>>,
);

/// The loops of placements: what stands, what requests it gets, and the rows that say so.
async fn place(
    agent: &Agent,
    stage: Stage,
    (changed, requests_changed): (Arc<Notify>, Arc<Notify>),
    (outcome, outcomes): Placed,
    stop: &CancellationToken,
) {
    let decided = Arc::new(Notify::new());
    let mut placements = agent.placements(stage, &changed, (outcome, Arc::clone(&decided)));
    let (told, known) = watch::channel(Arc::new(Known::default()));
    let mut counting = agent.counting(told, Arc::clone(&decided));
    let mut rows = agent.placement_rows(outcomes, known);
    tokio::join!(
        drive(
            "requests",
            RHYTHM,
            &agent.passes,
            requests_changed,
            stop.clone(),
            async move || counting.pass().boxed().await
        ),
        drive(
            "placements",
            APPLYING,
            &agent.passes,
            changed,
            stop.clone(),
            async move || placements.pass().boxed_local().await
        ),
        drive(
            "placement-rows",
            RHYTHM,
            &agent.passes,
            decided,
            stop.clone(),
            async move || rows.pass().boxed_local().await
        ),
    );
}

impl Agent {
    fn grants(
        &self,
        stage: Stage,
        placed: watch::Receiver<Arc<placement::Outcome>>,
        (outcome, decided): (watch::Sender<Arc<grants::Outcome>>, Arc<Notify>),
    ) -> grants::Grants {
        grants::Grants {
            stage,
            placed,
            centre: self.options.centre.clone(),
            hub: self.options.hub.clone(),
            caches: self.caches.clone(),
            writer: apply::Writer {
                cluster: self.options.cluster.clone(),
                metrics: self.metrics.clone(),
            },
            outcome,
            decided,
            floors: None,
            last: BTreeMap::new(),
            gone: BTreeSet::new(),
            failures: 0,
        }
    }

    fn answers(
        &self,
        outcome: watch::Receiver<Arc<grants::Outcome>>,
        usage: watch::Receiver<usage::Known>,
    ) -> answers::Answers {
        answers::Answers {
            rows: self.own_rows(),
            caches: self.caches.clone(),
            outcome,
            usage,
            clock: self.options.clock.clone(),
        }
    }

    fn own_rows<K: own_rows::Rowed>(&self) -> OwnRows<K> {
        OwnRows::new(
            self.options.centre.clone(),
            self.options.hub.clone(),
            self.metrics.clone(),
        )
    }

    fn usage(&self, known: watch::Sender<usage::Known>, decided: Arc<Notify>) -> usage::Measurements {
        usage::Measurements {
            centre: self.options.centre.clone(),
            caches: self.caches.clone(),
            known,
            decided,
            metrics: self.metrics.clone(),
            source: None,
            asked: usage::Asks::default(),
        }
    }

    fn placements(
        &self,
        stage: Stage,
        changed: &Arc<Notify>,
        decided: (watch::Sender<Arc<placement::Outcome>>, Arc<Notify>),
    ) -> placement::Placements {
        let clients = (self.options.hub.clone(), self.options.cluster.clone());
        let centre = self.options.centre.clone();
        placement::Placements::new(
            (centre, stage),
            clients,
            (
                self.caches.clone(),
                self.metrics.clone(),
                self.options.fail_points.clone(),
            ),
            self.rights.clone(),
            changed,
            decided,
        )
    }

    fn counting(&self, known: watch::Sender<Arc<Known>>, decided: Arc<Notify>) -> requests::Counting {
        requests::Counting::new(
            self.options.centre.clone(),
            (self.caches.clone(), self.metrics.clone()),
            (known, decided),
        )
    }

    fn placement_rows(
        &self,
        outcome: watch::Receiver<Arc<placement::Outcome>>,
        requests: watch::Receiver<Arc<Known>>,
    ) -> placement::Rows {
        placement::Rows {
            own: self.own_rows(),
            outcome,
            requests,
            clock: self.options.clock.clone(),
            crowd: Crowd::default(),
            held: BTreeSet::new(),
        }
    }

    fn reports(&self, stage: Stage) -> report::Reports {
        report::Reports {
            stage,
            centre: self.options.centre.clone(),
            hub: self.options.hub.clone(),
            cluster: self.options.cluster.clone(),
            caches: self.caches.clone(),
            clock: self.options.clock.clone(),
            metrics: self.metrics.clone(),
            last: None,
            stored: None,
            unreadable: Vec::new(),
        }
    }
}

/// In a member cloud, tells the loop of grants that placements were looked at.
async fn carry(
    mut placed: watch::Receiver<Arc<placement::Outcome>>,
    stage: Stage,
    grants: Arc<Notify>,
    stop: CancellationToken,
) {
    if stage.records_all() {
        return;
    }
    let each = async {
        while placed.changed().await.is_ok() {
            grants.notify_one();
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = each => {}
    }
}

/// Passes a signal on to every loop that it concerns.
async fn tell(signal: Arc<Notify>, loops: Vec<Arc<Notify>>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = signal.notified() => loops.iter().for_each(|l| l.notify_one()),
        }
    }
}
