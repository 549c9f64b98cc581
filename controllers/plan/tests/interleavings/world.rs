//! The store, the two operators, and what may happen to them.

use std::collections::{BTreeMap, BTreeSet};

use crds::{CentreRow, LedgerState, QuotaLedgerSpec, ResourceRequest, Resources, label};
use jiff::Timestamp;
use plan::ceilings::Ceiling;
use plan::check::{ceilings_broken, recounted, violations};
use plan::cycle::{CyclePlan, Reading, Snapshot, cycle};
use plan::ledger::Ledger;
use plan::pool::{Capacity, Pool, Sort};
use plan::quota::Slot;
use plan::request::Request;
use plan::tenants::TenantFacts;
use proptest::prelude::*;
use serde_json::json;

use crate::{REQUESTS, Step};

const CENTRES: [&str; 2] = ["jishi", "jiyidong"];

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
}

pub(crate) struct World {
    version: u64,
    pub(crate) ledger: Ledger,
    ledger_version: u64,
    requests: BTreeMap<String, ResourceRequest>,
    history: Vec<BTreeMap<String, ResourceRequest>>,
    operators: [Operator; 2],
}

fn x86() -> Pool {
    let n = |vcpu: i128| Resources {
        cpu: vcpu * 1000,
        memory: vcpu << 30,
        ..Resources::ZERO
    };
    let capacity = Capacity {
        gross: n(20),
        known: true,
        ..Capacity::default()
    };
    Pool {
        name: "x86".into(),
        generation: 1,
        sort: Sort::Compute(crds::Architecture::Amd64),
        zone: crds::Zone::GovExtranet,
        slots: CENTRES
            .map(|c| Slot {
                name: c.into(),
                weight: 1,
                primary: c == "jishi",
            })
            .to_vec(),
        capacity: CENTRES.map(|c| (c.to_owned(), capacity.clone())).into(),
        overcommit: 1000,
        reserve: None,
        policy: plan::approvals::Policy::default(),
        intake: crds::Intake::Open,
        hold_after: jiff::SignedDuration::from_hours(72),
    }
}

impl World {
    pub(crate) fn new() -> Self {
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
                && stored.metadata.resource_version.as_deref() == Some(read.version())
            {
                change(stored);
                stored.metadata.resource_version = Some(version);
            }
        }
    }

    fn snapshot(&self, requests: &BTreeMap<String, ResourceRequest>, reading: Reading) -> Snapshot {
        let ceiling = Resources {
            cpu: 30_000,
            memory: 30 << 30,
            ..Resources::ZERO
        };
        let facts = TenantFacts {
            generation: 1,
            ceilings: [("x86".to_owned(), Ceiling::plain(ceiling))].into(),
            ..TenantFacts::default()
        };
        Snapshot {
            reading,
            now: Timestamp::UNIX_EPOCH,
            epoch: 1,
            ledger: self.ledger.clone(),
            ledger_uid: "l".into(),
            pools: [("x86".to_owned(), x86())].into(),
            tenants: [("t".to_owned(), facts)].into(),
            standing: [("t".to_owned(), Ok(()))].into(),
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
            Step::Create(i, n) => self.create(i, n),
            Step::Delete(i) => {
                let version = self.bump();
                if let Some(r) = self.requests.get_mut(&format!("r{i}")) {
                    let at = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH);
                    r.metadata.deletion_timestamp = Some(at);
                    r.metadata.resource_version = Some(version);
                }
            }
            Step::Release(i) => self.speak_of(i, "Release", None),
            Step::Change(i, n) => {
                self.speak_of(
                    i,
                    "Change",
                    Some(json!({"cpu": n.to_string(), "memory": format!("{n}Gi")})),
                );
            }
            Step::Renew(i) => self.speak_of(i, "Renew", None),
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
            Step::Unguard(o) => {
                let o = &self.operators[o];
                for read in o.fresh(&o.plan.unguard) {
                    let stored = self.requests.get(read.name());
                    if stored.is_some_and(|s| s.metadata.resource_version.as_deref() == Some(read.version())) {
                        self.requests.remove(read.name());
                    }
                }
            }
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
        }
    }

    /// A request that speaks of another one's grant. One of that kind that is there already is replaced by a new one.
    fn speak_of(&mut self, i: usize, kind: &str, resources: Option<serde_json::Value>) {
        let version = self.bump();
        let name = format!("{kind}{i}").to_lowercase();
        let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
            "metadata": {"name": name, "namespace": "t", "uid": format!("{name}-{version}"), "resourceVersion": version},
            "spec": {"displayName": "x", "type": kind, "allocationRef": {"name": format!("r{i}")}, "resources": resources,
                "term": (kind == "Renew").then(|| json!({"months": 1}))}});
        self.requests.insert(name, serde_json::from_value(object).unwrap());
    }

    fn create(&mut self, i: usize, n: u8) {
        let version = self.bump();
        let name = format!("r{i}");
        if self.requests.contains_key(&name) {
            return;
        }
        let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
            "metadata": {"name": name, "namespace": "t", "uid": format!("{name}-{version}"), "resourceVersion": version,
                "finalizers": [label::CHARGED]},
            "spec": {"displayName": "x", "type": "New", "resources": {"cpu": n.to_string(), "memory": format!("{n}Gi")},
                "survival": if n.is_multiple_of(3) { "None" } else { "Full" }}});
        self.requests.insert(name, serde_json::from_value(object).unwrap());
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
        let nominate = Snapshot {
            epoch,
            ..self.snapshot(&cached, Reading::Nominate)
        };
        let nominated = cycle(&nominate);
        let mut snapshot = self.snapshot(&self.requests, Reading::Decide);
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
        let plan = cycle(&snapshot);
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
        if operator.ledger_version == self.ledger_version && !operator.swapped {
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
        let wrong = violations(&self.ledger, &self.read_all(), false);
        prop_assert!(wrong.is_empty(), "{wrong:?}");
        let wrong = ceilings_broken(&self.ledger, &self.read_all(), &BTreeSet::new());
        prop_assert!(wrong.is_empty(), "{wrong:?}");
        for request in self.read_all() {
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
            for step in [Step::Read(1, 0), Step::Swap(1), Step::End(1), Step::Unguard(1)] {
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
