//! The store, the two operators, and what may happen to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{CentreRow, LedgerState, QuotaLedgerSpec, RequestType, ResourceRequest};
use jiff::Timestamp;
use plan::check::{ceilings_broken, grants_broken, order_broken, recounted, violations};
use plan::cycle::{CyclePlan, Reading, Snapshot, cycle};
use plan::ledger::Ledger;
use plan::request::Request;
use proptest::prelude::*;

use crate::broken::Broken;
use crate::fixtures::{CENTRES, Facts, POOLS};
use crate::{Mix, REQUESTS, Step, decisions};

/// What an operator has in its hands.
#[derive(Default)]
struct Operator {
    snapshot: Snapshot,
    plan: CyclePlan,
    ledger_version: u64,
    swapped: bool,
}

impl Operator {
    /// The requests at those places that were read from the server itself.
    fn fresh(&self, places: &[usize]) -> Vec<Request> {
        let read = places.iter().map(|i| &self.snapshot.requests[*i]);
        read.filter(|r| r.fresh).map(|r| Request::clone(r)).collect()
    }

    /// The same, once what it decided was swapped in.
    fn after_swap(&self, places: &[usize]) -> Vec<Request> {
        if self.swapped { self.fresh(places) } else { Vec::new() }
    }
}

pub(crate) struct World {
    version: u64,
    pub(crate) ledger: Ledger,
    ledger_version: u64,
    requests: BTreeMap<String, ResourceRequest>,
    history: Vec<BTreeMap<String, ResourceRequest>>,
    operators: [Operator; 2],
    /// The rule that is broken, if any.
    broken: Option<Broken>,
    facts: Facts,
    /// What was decided wrongly.
    wrong: Vec<String>,
}

impl World {
    pub(crate) fn new(mix: Mix, broken: Option<Broken>) -> Self {
        let ledger = Ledger {
            state: LedgerState::Open,
            ..Ledger::default()
        };
        let operators = [Operator::default(), Operator::default()];
        Self {
            version: 1,
            ledger,
            ledger_version: 1,
            requests: BTreeMap::new(),
            history: Vec::new(),
            operators,
            broken,
            facts: Facts::new(mix),
            wrong: Vec::new(),
        }
    }

    fn bump(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    /// A write that carries the resourceVersion it was decided on.
    fn write(&mut self, read: &Request, change: impl FnOnce(&mut ResourceRequest)) {
        let version = self.bump();
        if let Some(stored) = self.requests.get_mut(read.name()) {
            if stored.metadata.uid.as_deref() == Some(read.uid())
                && (stored.metadata.resource_version.as_deref() == Some(read.version())
                    || self.broken == Some(Broken::ApplyOnAnyVersion))
            {
                change(stored);
                stored.metadata.resource_version = Some(version);
            }
        }
    }

    fn snapshot(&self, requests: &BTreeMap<String, ResourceRequest>, reading: Reading) -> Snapshot {
        Snapshot {
            reading,
            now: Timestamp::UNIX_EPOCH,
            epoch: 1,
            ledger: self.ledger.clone(),
            ledger_uid: "l".into(),
            ledger_bytes: 0,
            pools: POOLS.map(|p| (p.to_owned(), self.facts.pool(p))).into(),
            tenants: self.facts.tenants().collect(),
            standing: self.facts.tenants().map(|(name, _)| (name, Ok(()))).collect(),
            requests: requests
                .values()
                .map(|r| Request::read(r.clone(), reading == Reading::Decide).unwrap().into())
                .collect(),
            gone: BTreeSet::new(),
            approvals: Vec::new(),
            survey: std::sync::Arc::default(),
        }
    }

    pub(crate) fn run(&mut self, step: Step) {
        self.history.push(self.requests.clone());
        match step {
            Step::Create(i, ask) => {
                self.version += 1;
                let request = self.facts.asks(i, ask, self.version);
                self.requests.entry(format!("r{i}")).or_insert(request);
            }
            Step::Delete(i) => {
                let version = self.bump();
                if let Some(r) = self.requests.get_mut(&format!("r{i}")) {
                    let at = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH);
                    r.metadata.deletion_timestamp = Some(at);
                    r.metadata.resource_version = Some(version);
                }
            }
            Step::Release(i) => self.speak_of(i, RequestType::Release, None),
            Step::Change(i, n) => self.speak_of(i, RequestType::Change, Some(n)),
            Step::Renew(i) => self.speak_of(i, RequestType::Renew, None),
            Step::CentresConfirm(i) => self.rows(i, "Applied"),
            Step::CentreDoubts(i) => self.rows(i, "StaleEpoch"),
            Step::Read(o, age) => self.read(o, age),
            Step::Swap(o) => self.swap(o),
            Step::Apply(o, i) => self.apply(o, i),
            Step::End(o) => {
                let o = &self.operators[o];
                for read in o.fresh(&o.plan.end) {
                    self.write(&read, |r| {
                        r.status.as_mut().unwrap().allocation.as_mut().unwrap().ended = Some("now".into());
                    });
                }
            }
            Step::Unguard(o) => self.let_go(o),
            Step::Clear(o) => self.clear(o),
            Step::Lose => self.lose(),
            Step::Crash(o) => self.operators[o] = Operator::default(),
            Step::Recount(o) => {
                self.operators[o] = Operator::default();
                let requests = self.read_all();
                let next = recounted(&self.ledger, &requests);
                if next != self.ledger {
                    self.ledger = next;
                    self.ledger_version += 1;
                }
            }
            Step::TenantMoves => self.facts.tenant_moves(),
            Step::CapacityChanges => self.facts.capacity_changes(),
            Step::CardsScatter => self.facts.scattered = !self.facts.scattered,
        }
    }

    fn let_go(&mut self, o: usize) {
        let o = &self.operators[o];
        for read in o.after_swap(&o.plan.unguard) {
            let stored = self.requests.get(read.name());
            if stored.is_some_and(|s| s.metadata.resource_version.as_deref() == Some(read.version())) {
                self.requests.remove(read.name());
            }
        }
    }

    fn clear(&mut self, o: usize) {
        let o = &self.operators[o];
        for read in o.after_swap(&o.plan.clear) {
            self.write(&read, |r| {
                r.status.as_mut().unwrap().allocation.as_mut().unwrap().before.clear();
            });
        }
    }

    /// The ledger is lost; a new one is named on every request, counts them, and opens.
    fn lose(&mut self) {
        for name in self.requests.keys().cloned().collect::<Vec<_>>() {
            let version = self.bump();
            self.requests.get_mut(&name).unwrap().metadata.resource_version = Some(version);
        }
        // What it adopted is adopted again before anything is sold; here it is kept.
        self.ledger.records.clear();
        self.ledger.sequence += 1000;
        let requests: Vec<_> = self.read_all().into_iter().map(Arc::new).collect();
        plan::cycle::restore(&mut self.ledger, &requests, Timestamp::UNIX_EPOCH);
        self.ledger = recounted(&self.ledger, &self.read_all());
        self.ledger_version += 1;
    }

    /// A request of that kind that is there already is replaced by a new one.
    fn speak_of(&mut self, i: usize, kind: RequestType, n: Option<u8>) {
        self.version += 1;
        let target = self.requests.get(&format!("r{i}"));
        let need = target.and_then(|t| t.spec.resources.as_ref());
        let cards = need.is_some_and(|need| need.accelerators.is_some());
        let request = self.facts.speaks_of(i, kind, n, cards, self.version);
        self.requests.insert(
            Request::read(request.clone(), false).unwrap().name().to_owned(),
            request,
        );
    }

    /// The agents say that they applied what is written and that nothing is used, or that they have seen a newer leader.
    fn rows(&mut self, i: usize, reason: &str) {
        let version = self.bump();
        let Some(r) = self.requests.get_mut(&format!("r{i}")) else {
            return;
        };
        let Some(record) = r
            .status
            .as_ref()
            .and_then(|s| s.allocation.as_ref())
            .map(|a| a.record.clone())
        else {
            return;
        };
        let row = |name: &str| CentreRow {
            name: name.to_owned(),
            record: record.clone(),
            epoch: 1,
            used: Vec::new(),
            utilization: Vec::new(),
            reason: reason.into(),
            message: None,
            reported_at: Timestamp::UNIX_EPOCH.to_string(),
        };
        r.status.get_or_insert_default().centres = CENTRES.map(row).to_vec();
        r.metadata.resource_version = Some(version);
    }

    /// Nominate on a cache of some age, read the ledger, then the requests, decide.
    fn read(&mut self, o: usize, age: u8) {
        let past = self.history.len().saturating_sub(1 + usize::from(age));
        let cached = self.history[past].clone();
        let epoch = i64::try_from(o + 1).unwrap();
        let mut nominate = Snapshot {
            epoch,
            ..self.snapshot(&cached, Reading::Nominate)
        };
        let truth = nominate.clone();
        if let Some(broken) = self.broken {
            broken.reads(&mut nominate);
        }
        let nominated = cycle(&nominate);
        self.wrong.extend(order_broken(&truth, &nominated));
        let again = if self.broken == Some(Broken::StaleCopiesDecide) {
            &cached
        } else {
            &self.requests
        };
        let mut snapshot = self.snapshot(again, Reading::Decide);
        snapshot.epoch = epoch;
        snapshot.requests.retain(|r| nominated.touched.contains(r.uid()));
        let stale = self.snapshot(&cached, Reading::Nominate).requests;
        snapshot
            .requests
            .extend(stale.into_iter().filter(|r| !nominated.touched.contains(r.uid())));
        let found: BTreeSet<&str> = snapshot.requests.iter().filter(|r| r.fresh).map(|r| r.uid()).collect();
        snapshot.gone = nominated
            .touched
            .iter()
            .filter(|uid| !found.contains(uid.as_str()))
            .cloned()
            .collect();
        if let Some(broken) = self.broken {
            broken.reads(&mut snapshot);
        }
        let mut plan = cycle(&snapshot);
        if let Some(broken) = self.broken {
            broken.decides(&snapshot, &mut plan);
        }
        self.wrong.extend(decisions::wrong(&self.facts, &snapshot, &plan));
        self.operators[o] = Operator {
            snapshot,
            plan,
            ledger_version: self.ledger_version,
            swapped: false,
        };
    }

    fn swap(&mut self, o: usize) {
        let operator = &mut self.operators[o];
        let Some(next) = &operator.plan.swap else { return };
        let current = operator.ledger_version == self.ledger_version;
        if (current || self.broken == Some(Broken::SwapOnAnyVersion)) && !operator.swapped {
            // Through the stored form, as over the wire.
            self.ledger = Ledger::try_from(&QuotaLedgerSpec::from(next)).unwrap();
            self.ledger_version += 1;
            operator.swapped = true;
        }
    }

    fn apply(&mut self, o: usize, i: usize) {
        let operator = &self.operators[o];
        if !operator.swapped {
            return;
        }
        let Some(apply) = operator.plan.apply.get(i).cloned() else {
            return;
        };
        let read = operator.snapshot.requests[apply.request].clone();
        self.write(&read, |r| {
            r.status.get_or_insert_default().allocation = Some(apply.allocation);
        });
    }

    pub(crate) fn read_all(&self) -> Vec<Request> {
        self.requests
            .values()
            .map(|r| Request::read(r.clone(), true).unwrap())
            .collect()
    }

    pub(crate) fn check(&self) -> Result<(), TestCaseError> {
        let (truth, requests) = (self.facts.truth(&self.ledger), self.read_all());
        let mut wrong = violations(&truth, &requests, self.facts.capacity_fell());
        wrong.extend(ceilings_broken(&truth, &requests, &["gpu"].into()));
        wrong.extend(grants_broken(&requests));
        wrong.extend(self.wrong.iter().cloned());
        prop_assert!(wrong.is_empty(), "{}", wrong.join("; "));
        for request in requests {
            let changes = request.allocation().map(|a| a.changes.clone()).unwrap_or_default();
            let once: BTreeSet<&String> = changes.iter().collect();
            prop_assert_eq!(once.len(), changes.len(), "a change was counted twice");
        }
        Ok(())
    }

    /// The newer operator works alone until nothing changes.
    pub(crate) fn rest(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..40 {
            let before = (self.ledger.clone(), self.requests.clone());
            for step in [
                Step::Read(1, 0),
                Step::Swap(1),
                Step::End(1),
                Step::Unguard(1),
                Step::Clear(1),
            ] {
                self.run(step);
            }
            for i in 0..2 * REQUESTS {
                self.run(Step::Apply(1, i));
            }
            for i in 0..REQUESTS {
                let status = self.requests.get(&format!("r{i}")).and_then(|r| r.status.clone());
                let unconfirmed = status.is_some_and(|s| {
                    s.allocation.is_some_and(|a| {
                        s.centres.iter().any(|c| c.record != a.record || c.reason != "Applied") || s.centres.is_empty()
                    })
                });
                if unconfirmed {
                    self.run(Step::CentresConfirm(i));
                }
            }
            self.check()?;
            if before == (self.ledger.clone(), self.requests.clone()) {
                return Ok(());
            }
        }
        Err(TestCaseError::fail("it never comes to rest"))
    }
}
