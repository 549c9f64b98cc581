//! One pool over two centres, one department, an operator that runs cycle after cycle, and agents that do as they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{Intake, LedgerState, QuotaLedgerSpec, Resources, label};
use jiff::{SignedDuration, Timestamp};
use plan::ceilings::Ceiling;
use plan::check::{grants_broken, violations};
use plan::cycle::{Reading, Snapshot, cycle};
use plan::ledger::Ledger;
use plan::pool::{Capacity, Pool, Sort};
use plan::quota::Slot;
use plan::reclaim::{Policy, Survey};
use plan::request::Request;
use plan::request_status::status;
use plan::tenants::TenantFacts;
use serde_json::{Value, json};

const CENTRES: [&str; 2] = ["jishi", "jiyidong"];
const TENANT: &str = "dept";

/// So many vCPU, and a Gi for each.
pub(crate) fn cpu(vcpu: i128) -> Resources {
    Resources {
        cpu: vcpu * 1000,
        memory: vcpu << 30,
        ..Resources::ZERO
    }
}

pub(crate) struct World {
    pub(crate) pool: Pool,
    pub(crate) ledger: Ledger,
    pub(crate) ledger_bytes: usize,
    tenant: TenantFacts,
    requests: BTreeMap<String, Request>,
    policies: Vec<Policy>,
    /// Whether the centres have a metric source.
    pub(crate) measured: bool,
    start: Timestamp,
    now: Timestamp,
    version: u64,
}

impl World {
    /// A pool that can commit so many vCPU in each centre.
    pub(crate) fn new(vcpu: i128) -> Self {
        let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let pool = Pool {
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
            capacity: BTreeMap::new(),
            overcommit: 1000,
            reserve: None,
            policy: plan::approvals::Policy::default(),
            intake: Intake::Open,
            hold_after: SignedDuration::from_hours(72),
        };
        let mut world = Self {
            pool,
            ledger: Ledger {
                state: LedgerState::Open,
                ..Ledger::default()
            },
            ledger_bytes: 0,
            tenant: TenantFacts {
                grace_days: 14,
                ..TenantFacts::default()
            },
            requests: BTreeMap::new(),
            policies: Vec::new(),
            measured: true,
            start,
            now: start,
            version: 0,
        };
        world.capacity(vcpu);
        world.ceiling(1000);
        world
    }

    pub(crate) fn capacity(&mut self, vcpu: i128) {
        self.version += 1;
        let capacity = Capacity {
            gross: cpu(vcpu),
            known: true,
            report: i64::try_from(self.version).unwrap(),
            ..Capacity::default()
        };
        self.pool.capacity = CENTRES.map(|c| (c.to_owned(), capacity.clone())).into();
    }

    pub(crate) fn ceiling(&mut self, vcpu: i128) {
        self.tenant.generation += 1;
        self.tenant.ceilings = Arc::new([("x86", Ceiling::plain(cpu(vcpu)))].into());
    }

    pub(crate) fn intake(&mut self, intake: Intake) {
        self.tenant.intake = intake;
    }

    /// So many days after the start.
    pub(crate) fn on_day(&mut self, days: i64) {
        self.now = self.start + SignedDuration::from_hours(24 * days);
    }

    fn put(&mut self, name: &str, spec: &Value) {
        self.version += 1;
        // Each of them a second after the other, so that their order is theirs.
        let created = self.now + SignedDuration::from_secs(i64::try_from(self.version).unwrap());
        let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
            "metadata": {"name": name, "namespace": TENANT, "uid": name, "resourceVersion": self.version.to_string(),
                "creationTimestamp": created.to_string(), "finalizers": [label::CHARGED]},
            "spec": spec});
        let request = Request::read(serde_json::from_value(object).unwrap(), true).unwrap();
        self.requests.insert(name.to_owned(), request);
    }

    /// A year, a month on trial, or ten days.
    pub(crate) fn ask(&mut self, name: &str, kind: &str, vcpu: i128) {
        let (term, until) = match kind {
            "Trial" => (json!({"trialDays": 30}), Value::Null),
            "Emergency" | "Exception" => (Value::Null, json!("2026-03-11")),
            _ => (json!({"months": 12}), Value::Null),
        };
        let resources = if vcpu > 0 { amounts(vcpu) } else { Value::Null };
        self.put(
            name,
            &json!({"displayName": name, "type": kind, "resources": resources, "term": term, "until": until}),
        );
    }

    pub(crate) fn change(&mut self, name: &str, target: &str, vcpu: i128) {
        let spec = json!({"displayName": name, "type": "Change", "resources": amounts(vcpu), "allocationRef": {"name": target}});
        self.put(name, &spec);
    }

    pub(crate) fn renew(&mut self, name: &str, target: &str, months: i32) {
        let spec = json!({"displayName": name, "type": "Renew", "term": {"months": months}, "allocationRef": {"name": target}});
        self.put(name, &spec);
    }

    pub(crate) fn release(&mut self, target: &str) {
        let spec = json!({"displayName": "r", "type": "Release", "allocationRef": {"name": target}});
        self.put(&format!("release-{target}"), &spec);
    }

    /// Its history ends.
    pub(crate) fn forget(&mut self, name: &str) {
        self.requests.remove(name);
    }

    /// Another value in a spec, as if it had been written so.
    pub(crate) fn set(&mut self, name: &str, change: &Value) {
        let mut spec = serde_json::to_value(&self.request(name).object().spec).unwrap();
        for (key, value) in change.as_object().unwrap() {
            spec[key] = value.clone();
        }
        self.put(name, &spec);
    }

    /// So many vCPU run in each centre.
    pub(crate) fn use_in_each(&mut self, name: &str, vcpu: i128) {
        let now = self.now;
        for centre in CENTRES {
            self.row(name, centre, Some(vcpu), now);
        }
    }

    fn row(&mut self, name: &str, centre: &str, used: Option<i128>, now: Timestamp) {
        let request = self.requests.get_mut(name).unwrap();
        let record = request.record().unwrap_or_default().to_owned();
        let mut object = crds::ResourceRequest::clone(request.object());
        let status = object.status.get_or_insert_default();
        let old = status.centres.iter().find(|r| r.name == centre).cloned();
        let old = old.unwrap_or_default();
        status.centres.retain(|r| r.name != centre);
        let used = used.map(|n| {
            vec![crds::PoolAmounts {
                pool: "x86".into(),
                amounts: cpu(n).to_amounts(),
            }]
        });
        status.centres.push(crds::CentreRow {
            name: centre.into(),
            record,
            epoch: 1,
            used: used.unwrap_or(old.used),
            utilization: old.utilization,
            reason: "Applied".into(),
            message: None,
            reported_at: now.to_string(),
        });
        *request = Request::read(object, true).unwrap();
    }

    /// A policy of 30 days with 14 days of notice and 7 of grace, as if it had been written so.
    pub(crate) fn policy(&mut self, change: &Value) {
        let mut spec = json!({"displayName": "idle", "window": "30d", "cpuP95Below": "10%", "memP95Below": "30%",
            "action": "Shrink"});
        for (key, value) in change.as_object().unwrap() {
            spec[key] = value.clone();
        }
        let policy = serde_json::from_value(json!({"metadata": {"name": "idle"}, "spec": spec})).unwrap();
        self.policies = vec![Policy::read(&policy).unwrap()];
    }

    /// So many thousandths of a vCPU, and 1Mi for each, are really used in each centre; `None` is not known.
    pub(crate) fn uses(&mut self, name: &str, milli: Option<i128>) {
        let request = self.requests.get_mut(name).unwrap();
        let mut object = crds::ResourceRequest::clone(request.object());
        for row in &mut object.status.as_mut().unwrap().centres {
            let used = milli.map(|cpu| crds::PoolUse {
                pool: "x86".into(),
                window: "30d".into(),
                p95: Resources {
                    cpu,
                    memory: cpu << 20,
                    ..Resources::ZERO
                }
                .to_amounts(),
            });
            row.utilization = used.into_iter().collect();
        }
        *request = Request::read(object, true).unwrap();
    }

    pub(crate) fn keep(&mut self, name: &str, target: &str) {
        self.put(
            name,
            &json!({"displayName": name, "type": "Keep", "requestedBy": "li.na", "reason": "year end",
            "allocationRef": {"name": target}}),
        );
    }

    fn centres(&self) -> Vec<crds::DataCenter> {
        let source = json!([{"name": "p", "endpoints": ["http://p:9090"]}]);
        let centre = |name: &str| {
            let sources = if self.measured { source.clone() } else { json!([]) };
            let report = json!({"number": 1, "reportedAt": self.now.to_string()});
            serde_json::from_value(json!({"metadata": {"name": name}, "status": {"report": report},
                "spec": {"displayName": name, "role": "Primary", "operator": "o", "metricSources": sources}}))
            .unwrap()
        };
        CENTRES.map(centre).to_vec()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let requests: Vec<_> = self.requests.values().cloned().map(Arc::new).collect();
        Snapshot {
            reading: Reading::Decide,
            now: self.now,
            epoch: 1,
            ledger: self.ledger.clone(),
            ledger_uid: "l".into(),
            ledger_bytes: self.ledger_bytes,
            pools: [("x86".to_owned(), self.pool.clone())].into(),
            tenants: [(TENANT.to_owned(), self.tenant.clone())].into(),
            standing: [(TENANT.to_owned(), Ok(()))].into(),
            survey: Arc::new(Survey::new(self.policies.clone(), &self.centres(), &requests)),
            requests,
            gone: BTreeSet::new(),
            approvals: Vec::new(),
        }
    }

    /// Cycle after cycle until nothing changes; the agents apply and say so, statuses are written.
    pub(crate) fn settle(&mut self) {
        for _ in 0..30 {
            let before = (self.ledger.clone(), format!("{:?}", self.requests));
            self.once();
            let requests: Vec<Request> = self.requests.values().cloned().collect();
            let mut wrong = violations(&self.ledger, &requests, true);
            wrong.extend(grants_broken(&requests));
            assert!(wrong.is_empty(), "{wrong:?}");
            if before == (self.ledger.clone(), format!("{:?}", self.requests)) {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    fn once(&mut self) {
        let snapshot = self.snapshot();
        let plan = cycle(&snapshot);
        if let Some(next) = &plan.swap {
            let before = self.ledger.sequence;
            self.ledger = Ledger::try_from(&QuotaLedgerSpec::from(next)).unwrap();
            // A swap that only proves that nobody was in between changes nothing that is looked at.
            if plan.apply.is_empty() && next.records == snapshot.ledger.records && next.pools == snapshot.ledger.pools {
                self.ledger.sequence = before;
            }
        }
        for apply in &plan.apply {
            let name = snapshot.requests[apply.request].name().to_owned();
            let request = self.requests.get_mut(&name).unwrap();
            let mut object = crds::ResourceRequest::clone(request.object());
            object.status.get_or_insert_default().allocation = Some(apply.allocation.clone());
            *request = Request::read(object, true).unwrap();
        }
        for index in &plan.end {
            let name = snapshot.requests[*index].name().to_owned();
            let request = self.requests.get_mut(&name).unwrap();
            let mut object = crds::ResourceRequest::clone(request.object());
            let allocation = object.status.as_mut().unwrap().allocation.as_mut().unwrap();
            allocation.ended = Some(self.now.to_string());
            *request = Request::read(object, true).unwrap();
        }
        let granted: Vec<String> = self
            .requests
            .values()
            .filter(|r| r.allocation().is_some())
            .map(|r| r.name().to_owned())
            .collect();
        for name in granted {
            for centre in CENTRES {
                self.row(&name, centre, None, self.now);
            }
        }
        let snapshot = self.snapshot();
        let plan = cycle(&snapshot);
        for (index, request) in snapshot.requests.iter().enumerate() {
            let mut object = crds::ResourceRequest::clone(request.object());
            object.status = Some(status(request, plan.assessment(index), &snapshot));
            let request = Request::read(object, true).unwrap();
            self.requests.insert(request.name().to_owned(), request);
        }
    }

    pub(crate) fn request(&self, name: &str) -> &Request {
        &self.requests[name]
    }

    /// vCPU of its grant.
    pub(crate) fn holds(&self, name: &str) -> i128 {
        self.request(name).holds.get("x86").map_or(0, |g| g.n.cpu / 1000)
    }

    /// vCPU charged in the primary centre.
    pub(crate) fn charged(&self) -> i128 {
        self.ledger.centre("x86", "jishi").map_or(0, |c| c.charged.cpu / 1000)
    }

    /// Reason of its condition Ready.
    pub(crate) fn reason(&self, name: &str) -> &str {
        let status = self.request(name).object().status.as_ref().unwrap();
        &crds::find_condition(&status.conditions, "Ready").unwrap().reason
    }
}

fn amounts(vcpu: i128) -> Value {
    json!({"cpu": vcpu.to_string(), "memory": format!("{vcpu}Gi")})
}
