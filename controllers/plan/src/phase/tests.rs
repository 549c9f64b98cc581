use std::sync::Arc;

use crds::{
    Amounts, DataCenter, ExpansionPhaseStatus, LedgerState, QuotaPool, condition, find_condition,
    phase_reason as reason,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::simulate::{starts, with};
use super::status::{Around, status};
use super::*;
use crate::ceilings::Ceiling;
use crate::cycle::{CyclePlan, Snapshot, cycle};
use crate::ledger::Ledger;
use crate::pool::Pool;
use crate::request::Request;
use crate::tenants::TenantFacts;

mod grown;

const NOW: &str = "2026-03-01T00:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn cpu(vcpu: i128) -> Resources {
    Resources {
        cpu: vcpu * 1000,
        ..Resources::ZERO
    }
}

/// A pool of 100 vCPU in each of two centres: declared, or 80 on nodes without a phase and 20 on nodes of phase-2.
fn pool(source: &str) -> QuotaPool {
    let centre = |name: &str| match source {
        "Declared" => json!({"name": name, "source": "Declared", "amounts": {"cpu": "100"}}),
        _ => json!({"name": name, "source": "Nodes"}),
    };
    serde_json::from_value(json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "QuotaPool",
        "metadata": {"name": "x86", "generation": 1},
        "spec": {"displayName": "池", "architecture": "amd64", "zone": "GovExtranet",
            "reserve": {"percent": 10}, "centres": [centre("jishi"), centre("jiyidong")]}}))
    .unwrap()
}

fn centres() -> Vec<DataCenter> {
    let pools = json!([{"name": "x86", "readyNodes": 5, "allocatable": {"cpu": "80"},
        "phases": [{"name": "phase-2", "allocatable": {"cpu": "20"}}]}]);
    let centre = |name: &str| {
        json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DataCenter", "metadata": {"name": name},
            "spec": {"displayName": name, "role": "Primary", "operator": "JishiMedia"},
            "status": {"report": {"number": 7, "reportedAt": NOW, "pools": pools}}})
    };
    ["jishi", "jiyidong"]
        .map(|name| serde_json::from_value(centre(name)).unwrap())
        .to_vec()
}

fn phase(stage: &str, vcpu: &str, more: &Value) -> ExpansionPhase {
    let row = |centre: &str| json!({"pool": "x86", "centre": centre, "amounts": {"cpu": vcpu}});
    let mut phase = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ExpansionPhase",
        "metadata": {"name": "phase-2", "generation": 3},
        "spec": {"displayName": "二期", "number": 2, "stage": stage, "delivers": [row("jishi"), row("jiyidong")],
            "acceptance": {"reportNo": "A-1", "date": "2026-02-01", "by": "zhao.min"}}});
    for (key, value) in more.as_object().into_iter().flatten() {
        phase["spec"][key] = value.clone();
    }
    serde_json::from_value(phase).unwrap()
}

fn accepted(vcpu: &str) -> ExpansionPhase {
    phase("Accepted", vcpu, &Value::Null)
}

fn gross(source: &str, phases: &[ExpansionPhase]) -> Resources {
    let pool = Pool::read(&pool(source), &centres(), phases, now()).unwrap();
    pool.capacity["jishi"].gross
}

/// An open ledger, two tenants' worth of requests that need nobody's approval, and these phases.
fn snapshot(source: &str, phases: &[ExpansionPhase], asks: &[(&str, &str)]) -> Snapshot {
    let pool = Pool::read(&pool(source), &centres(), phases, now()).unwrap();
    let tenant = TenantFacts {
        generation: 1,
        ceilings: Arc::new([("x86", Ceiling::plain(cpu(100_000)))].into()),
        ..TenantFacts::default()
    };
    let request = |(name, vcpu): &(&str, &str)| {
        let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
            "metadata": {"name": name, "namespace": "dept", "uid": name, "finalizers": ["xiangyun.io/charged"]},
            "spec": {"displayName": name, "type": "New", "requestedBy": "li.na",
                "project": {"approvalNo": "1", "funding": "AnnualBudget"}, "pools": [{"name": "x86", "amounts": {"cpu": vcpu}}],
                "compliance": {"classified": false, "mlpsLevel": 2}, "term": {"months": 12}}});
        Request::read(serde_json::from_value(object).unwrap(), false).unwrap()
    };
    Snapshot {
        now: now(),
        epoch: 1,
        ledger: Ledger {
            state: LedgerState::Open,
            ..Ledger::default()
        },
        pools: BTreeMap::from([("x86".to_owned(), pool)]),
        tenants: BTreeMap::from([("dept".to_owned(), tenant)]),
        standing: BTreeMap::from([("dept".to_owned(), Ok(()))]),
        requests: asks.iter().map(request).map(Into::into).collect(),
        ..Snapshot::default()
    }
}

/// The phase that made room for each request, by uid of the one that asked, as the ledger that the cycle makes has it.
fn told(plan: &CyclePlan) -> BTreeMap<String, String> {
    let records = plan.swap.iter().flat_map(|ledger| &ledger.records);
    records
        .filter_map(|(uid, r)| Some((r.change.as_ref().unwrap_or(uid).clone(), r.phase.clone()?)))
        .collect()
}

#[test]
fn a_phase_counts_once_it_is_accepted_and_never_more_than_its_nodes() {
    for stage in ["Planned", "Delivered"] {
        let waits = phase(stage, "50", &Value::Null);
        assert_eq!(gross("Declared", std::slice::from_ref(&waits)), cpu(100));
        assert_eq!(gross("Nodes", &[waits]), cpu(80));
    }
    assert_eq!(gross("Declared", &[accepted("50")]), cpu(150));
    assert_eq!(gross("Nodes", &[accepted("50")]), cpu(100));
    assert_eq!(gross("Nodes", &[accepted("15")]), cpu(95));
}

#[test]
fn what_existed_moves_nothing() {
    let existing = phase("Accepted", "100", &json!({"existing": true, "target": {"cpu": "1000"}}));
    assert_eq!(gross("Declared", std::slice::from_ref(&existing)), cpu(100));
    // Its nodes may carry its label.
    assert_eq!(gross("Nodes", std::slice::from_ref(&existing)), cpu(100));
    let totals = totals(&[existing, phase("Planned", "400", &Value::Null)]);
    assert_eq!((totals.accepted, totals.target), (cpu(200), cpu(1000)));
}

#[test]
fn nodes_of_an_unknown_phase_wait() {
    let read = |phases: &[ExpansionPhase]| Pool::read(&pool("Nodes"), &centres(), phases, now()).unwrap();
    let waiting = read(&[]).capacity["jishi"].waiting.clone();
    assert_eq!(waiting, BTreeMap::from([("phase-2".to_owned(), cpu(20))]));
    assert!(read(&[accepted("20")]).capacity["jishi"].waiting.is_empty());
}

#[test]
fn capacity_moves_in_one_swap_and_grants_follow_in_it() {
    let asks = [("fits", "60"), ("large", "80")];
    let mut world = snapshot("Declared", &[phase("Delivered", "100", &Value::Null)], &asks);
    let before = cycle(&world).swap.unwrap();
    assert!(before.records.contains_key("fits") && !before.records.contains_key("large"));
    assert!(before.pools["x86"].phases.is_empty());
    world.pools = snapshot("Declared", &[accepted("100")], &[]).pools;
    world.ledger = before;
    let plan = cycle(&world);
    let after = plan.swap.as_ref().unwrap();
    for centre in ["jishi", "jiyidong"] {
        assert_eq!(after.centre("x86", centre).unwrap().committable, cpu(180));
    }
    assert!(after.records.contains_key("large"));
    assert_eq!(
        told(&plan),
        BTreeMap::from([("large".to_owned(), "phase-2".to_owned())])
    );
    // The same again changes nothing.
    world.ledger = after.clone();
    world.requests.clear();
    let again = cycle(&world);
    assert!(again.swap.is_none());
}

#[test]
fn a_grant_that_fits_anyway_owes_nothing_to_the_phase() {
    let mut world = snapshot("Declared", &[], &[]);
    world.ledger = cycle(&world).swap.unwrap();
    let with_requests = snapshot("Declared", &[accepted("100")], &[("a-small", "40"), ("b-more", "100")]);
    world.pools = with_requests.pools;
    world.requests = with_requests.requests;
    let plan = cycle(&world);
    assert_eq!(plan.swap.as_ref().unwrap().records.len(), 2);
    assert_eq!(told(&plan).keys().collect::<Vec<_>>(), ["b-more"]);
}

#[test]
fn a_simulation_tells_who_would_start() {
    let planned = phase("Planned", "100", &Value::Null);
    let world = snapshot(
        "Declared",
        std::slice::from_ref(&planned),
        &[("a", "60"), ("b", "80"), ("c", "100")],
    );
    let found = starts(&world, with(&world.pools, &planned));
    // 180 vCPU: a starts anyway, b fits, and c does not fit beside both.
    assert_eq!(found.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["b"]);
    let twice = with(&with(&world.pools, &planned), &planned);
    assert_eq!(twice["x86"].capacity["jishi"].gross, cpu(200));
}

/// 40 vCPU are held, and all that fits is asked for them instead, or more.
fn with_a_change(vcpu: &str) -> Snapshot {
    let mut world = snapshot("Declared", &[], &[("held", "40"), ("larger", vcpu)]);
    let larger = world.requests.pop().unwrap();
    let mut ledger = cycle(&world).swap.unwrap();
    let grant = ledger.records["held"].to.clone();
    ledger.settle("held", &grant);
    let mut held = world.requests[0].object().as_ref().clone();
    held.status.get_or_insert_default().allocation = Some(crds::Allocation {
        pools: crate::quota::to_stored(&grant),
        ..crds::Allocation::default()
    });
    let mut change = larger.object().as_ref().clone();
    change.spec.type_ = crds::RequestType::Change;
    change.spec.allocation_ref = Some(crds::AllocationRef { name: "held".into() });
    world.ledger = ledger;
    world.requests = [held, change]
        .map(|object| Arc::new(Request::read(object, false).unwrap()))
        .to_vec();
    world
}

#[test]
fn a_change_that_waits_starts_with_the_phase() {
    let mut world = with_a_change("120");
    let waits = cycle(&world);
    let refusal = waits.assessment(1).unwrap().refusal.as_ref().unwrap();
    assert_eq!(refusal.reason, crds::request_reason::EXCEEDS_MAX_QUOTA);
    let planned = phase("Planned", "100", &Value::Null);
    let found = starts(&world, with(&world.pools, &planned));
    let [start] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(start.name, "larger");
    assert_eq!(start.grant["x86"].n, cpu(120));
    // 40 are charged already.
    assert_eq!(start.adds("x86", "jishi"), cpu(80));

    world.pools = snapshot("Declared", &[accepted("100")], &[]).pools;
    let plan = cycle(&world);
    assert_eq!(
        told(&plan),
        BTreeMap::from([("larger".to_owned(), "phase-2".to_owned())])
    );
    // One that fits into what was there before owes nothing to the phase: 80 are 40 more, and 50 were free.
    let mut world = with_a_change("80");
    assert!(starts(&world, with(&world.pools, &planned)).is_empty());
    world.pools = snapshot("Declared", &[accepted("100")], &[]).pools;
    let plan = cycle(&world);
    assert!(plan.swap.as_ref().unwrap().records.contains_key("held"));
    assert_eq!(told(&plan), BTreeMap::new());
}

#[test]
fn changes_of_one_grant_start_one_after_the_other() {
    let mut world = with_a_change("120");
    let mut next = world.requests[1].object().as_ref().clone();
    next.metadata.uid = Some("next".into());
    next.metadata.name = Some("next".into());
    let amounts = crds::Resources::to_amounts(cpu(150));
    next.spec.pools.as_mut().unwrap()[0].amounts = amounts;
    world.requests.push(Arc::new(Request::read(next, false).unwrap()));
    let planned = phase("Planned", "100", &Value::Null);
    let found = starts(&world, with(&world.pools, &planned));
    let added: Vec<_> = found
        .iter()
        .map(|s| (s.name.as_str(), s.adds("x86", "jishi")))
        .collect();
    assert_eq!(added, [("larger", cpu(80)), ("next", cpu(30))]);
}

/// Status with so much charged in each centre.
fn charged(source: &str, phase: &ExpansionPhase, charged: i128) -> ExpansionPhaseStatus {
    let phases = std::slice::from_ref(phase);
    let (pools, centres) = ([pool(source)], centres());
    let mut ledger = Ledger::default();
    ledger.adopt_pool(&Pool::read(&pools[0], &centres, phases, now()).unwrap());
    for slot in ledger.pools.get_mut("x86").unwrap().centres.values_mut() {
        slot.charged = cpu(charged);
    }
    let around = Around {
        pools: &pools,
        centres: &centres,
        phases,
        ledger: &ledger,
        totals: totals(phases),
    };
    status(phase, around, Some(0), now())
}

fn ready(status: &ExpansionPhaseStatus) -> (&str, &str, &str) {
    let ready = find_condition(&status.conditions, condition::READY).unwrap();
    let accepted = find_condition(&status.conditions, condition::ACCEPTED).unwrap();
    (&accepted.status, &ready.status, &ready.reason)
}

fn committed(status: &ExpansionPhaseStatus) -> Amounts {
    status.rows[0].committed.clone()
}

#[test]
fn what_was_granted_against_a_phase_is_its_least() {
    // 100 declared and 100 accepted, a tenth kept back: 150 charged need 166.667 gross.
    let status = charged("Declared", &accepted("100"), 150);
    assert_eq!(ready(&status), ("True", "True", reason::COUNTED));
    assert_eq!(Resources::try_from(&committed(&status)).unwrap().cpu, 66_667);
    assert!(committed(&charged("Declared", &accepted("100"), 90)).0.is_empty());
    // One that is not accepted has nothing to lose.
    let delivered = charged("Declared", &phase("Delivered", "100", &Value::Null), 50);
    assert!(committed(&delivered).0.is_empty());
    assert_eq!(ready(&delivered), ("False", "False", reason::AWAITING_ACCEPTANCE));
    // Of 80 + 20 on nodes 85 are charged: 14.445 of the 20 are needed, though 50 were accepted.
    let short = charged("Nodes", &accepted("50"), 85);
    assert_eq!(ready(&short), ("True", "False", reason::NODES_SHORT));
    assert_eq!(Resources::try_from(&committed(&short)).unwrap().cpu, 14_445);
}

#[test]
fn a_phase_that_was_taken_back_says_what_is_committed() {
    let status = charged("Declared", &phase("Delivered", "100", &Value::Null), 150);
    assert_eq!(ready(&status), ("False", "False", reason::BELOW_COMMITTED));
    let words = &find_condition(&status.conditions, condition::READY).unwrap().message;
    assert!(words.contains("charged cpu 150, committable cpu 90"), "{words}");
    // Nothing of a phase may go while the pool cannot hold what is charged.
    let over = charged("Declared", &accepted("100"), 1000);
    assert_eq!(Resources::try_from(&committed(&over)).unwrap().cpu, 100_000);
}

#[test]
fn other_reasons() {
    let planned = charged("Declared", &phase("Planned", "1", &json!({"due": "2026-12-31"})), 0);
    assert_eq!(ready(&planned).2, reason::PLANNED);
    let rows = json!([{"pool": "x86", "centre": "baicheng", "amounts": {"cpu": "1"}}]);
    let missing = charged("Declared", &phase("Accepted", "1", &json!({"delivers": rows})), 0);
    assert_eq!(ready(&missing).2, reason::POOL_MISSING);
    let rows = json!([{"pool": "x86", "centre": "jishi", "amounts": {"cpu": "one"}}]);
    let unreadable = charged("Declared", &phase("Accepted", "1", &json!({"delivers": rows})), 0);
    assert_eq!(ready(&unreadable).2, reason::MISCONFIGURED);
}
