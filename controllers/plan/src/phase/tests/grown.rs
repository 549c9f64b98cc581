//! Requests that start with a phase, in whatever swap and by whatever process.

use crds::{LedgerPool, QuotaLedgerSpec, ResourceRequestStatus, set_condition};

use super::super::started::{explain, untold};
use super::*;
use crate::cycle::{Reading, moves_capacity};

/// The swap is made, and its allocations are written and read again.
fn carry_out(world: &mut Snapshot, plan: &CyclePlan) {
    for apply in &plan.apply {
        let mut object = world.requests[apply.request].object().as_ref().clone();
        object.status.get_or_insert_default().allocation = Some(apply.allocation.clone());
        world.requests[apply.request] = Arc::new(Request::read(object, true).unwrap());
    }
    if let Some(next) = &plan.swap {
        world.ledger = next.clone();
    }
}

/// All 90 vCPU of each centre are granted, and these requests wait.
fn full(asks: &[(&str, &str)]) -> Snapshot {
    let mut all = vec![("full", "90")];
    all.extend_from_slice(asks);
    let mut world = snapshot("Declared", &[], &all);
    for _ in 0..2 {
        let plan = cycle(&world);
        carry_out(&mut world, &plan);
    }
    assert!(world.ledger.records.is_empty());
    assert_eq!(world.ledger.free("x86", "jishi"), Resources::ZERO);
    world
}

fn accept(world: &mut Snapshot, vcpu: &str) {
    world.pools = snapshot("Declared", &[accepted(vcpu)], &[]).pools;
}

/// Something else changes, and nothing is granted.
fn another_swap(world: &mut Snapshot) {
    let tenant = TenantFacts {
        generation: 1,
        ..TenantFacts::default()
    };
    world.tenants.insert("other".into(), tenant);
    world.standing.insert("other".into(), Ok(()));
    let plan = cycle(world);
    assert!(plan.swap.is_some());
    carry_out(world, &plan);
}

fn growths(world: &Snapshot) -> usize {
    world.ledger.pools["x86"].growths.len()
}

fn by_phase(names: &[&str]) -> BTreeMap<String, String> {
    let pair = |name: &&str| ((*name).to_owned(), "phase-2".to_owned());
    names.iter().map(pair).collect()
}

#[test]
fn five_hundred_start_in_two_swaps_and_each_is_told() {
    let names: Vec<String> = (0..500).map(|n| format!("r{n:03}")).collect();
    let asks: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let mut world = full(&asks);
    accept(&mut world, "1000");
    let (mut all, mut swaps) = (BTreeMap::new(), 0);
    loop {
        let plan = cycle(&world);
        if plan.swap.is_none() {
            break;
        }
        swaps += usize::from(!plan.apply.is_empty());
        all.extend(told(&plan));
        carry_out(&mut world, &plan);
    }
    assert_eq!(swaps, 2);
    assert_eq!(all, by_phase(&asks.iter().map(|(name, _)| *name).collect::<Vec<_>>()));
    // It costs no swap of its own to forget it.
    assert_eq!(growths(&world), 1);
    another_swap(&mut world);
    assert_eq!(growths(&world), 0);
}

#[test]
fn a_phase_may_be_taken_in_before_anybody_is_looked_at() {
    let mut world = full(&[("waits", "50")]);
    accept(&mut world, "100");
    world.reading = Reading::Decide;
    let fresh = |world: &mut Snapshot, fresh| {
        for request in &mut world.requests {
            Arc::make_mut(request).fresh = fresh;
        }
    };
    fresh(&mut world, false);
    let plan = cycle(&world);
    carry_out(&mut world, &plan);
    assert_eq!(world.ledger.centre("x86", "jishi").unwrap().committable, cpu(180));
    assert!(world.ledger.records.is_empty());
    fresh(&mut world, true);
    assert_eq!(told(&cycle(&world)), by_phase(&["waits"]));
}

fn created(name: &str, at: &str) -> Arc<Request> {
    let found = snapshot("Declared", &[], &[(name, "40")]);
    let mut object = serde_json::to_value(found.requests[0].object().as_ref()).unwrap();
    object["metadata"]["creationTimestamp"] = json!(at);
    Arc::new(Request::read(serde_json::from_value(object).unwrap(), false).unwrap())
}

#[test]
fn whoever_comes_after_the_phase_is_not_told() {
    let mut world = full(&[]);
    accept(&mut world, "100");
    let plan = cycle(&world);
    carry_out(&mut world, &plan);
    world.now = "2026-03-01T00:00:10Z".parse().unwrap();
    world.requests.push(created("early", "2026-02-28T00:00:00Z"));
    world.requests.push(created("late", "2026-03-01T00:00:05Z"));
    let plan = cycle(&world);
    assert_eq!(plan.swap.as_ref().unwrap().records.len(), 2);
    assert_eq!(told(&plan), by_phase(&["early"]));
}

#[test]
fn what_starts_later_for_another_reason_is_not_told() {
    let mut world = full(&[("large", "150")]);
    accept(&mut world, "100");
    let plan = cycle(&world);
    carry_out(&mut world, &plan);
    assert!(world.ledger.records.is_empty() && growths(&world) == 1);
    // Others come and go, and long after that what is held is given back.
    another_swap(&mut world);
    for centre in world.ledger.pools.get_mut("x86").unwrap().centres.values_mut() {
        centre.charged = Resources::ZERO;
    }
    let plan = cycle(&world);
    assert!(plan.swap.as_ref().unwrap().records.contains_key("large"));
    assert_eq!(told(&plan), BTreeMap::new());
}

#[test]
fn the_next_process_tells_what_the_last_one_granted() {
    let mut world = full(&[("waits", "50")]);
    accept(&mut world, "100");
    let granted = cycle(&world);
    let swapped = granted.swap.as_ref().unwrap();
    let stored = Ledger::try_from(&QuotaLedgerSpec::from(swapped)).unwrap();
    assert_eq!(stored, *swapped);
    // It ended before it wrote the allocation.
    let mut next = world.clone();
    next.ledger = stored;
    let plan = cycle(&next);
    assert_eq!((told(&plan), plan.apply.len()), (by_phase(&["waits"]), 1));
    // Or after that.
    carry_out(&mut world, &granted);
    let plan = cycle(&world);
    assert!(plan.swap.as_ref().unwrap().records.is_empty());
    let found: Vec<_> = untold(&world, &plan)
        .into_iter()
        .map(|(r, phase)| (r.name(), phase))
        .collect();
    assert_eq!(found, [("waits", "phase-2")]);
    // Whoever had the answer to the own write told it then.
    let waits = world.requests.iter_mut().find(|r| r.name() == "waits").unwrap();
    Arc::make_mut(waits).own = true;
    let plan = cycle(&world);
    assert!(plan.swap.as_ref().unwrap().records.is_empty());
    assert!(untold(&world, &plan).is_empty());
}

#[test]
fn a_ledger_that_knows_no_growth_is_read() {
    let old = json!({"name": "x86", "generation": 1, "centres": [], "phases": ["phase-2"]});
    let spec = QuotaLedgerSpec {
        pools: vec![serde_json::from_value::<LedgerPool>(old).unwrap()],
        ..QuotaLedgerSpec::default()
    };
    let ledger = Ledger::try_from(&spec).unwrap();
    assert!(ledger.pools["x86"].growths.is_empty());
}

#[test]
fn the_charge_says_once_what_made_room() {
    let mut status = ResourceRequestStatus::default();
    let charged = "charged in the ledger | 已计入台账";
    let kind = condition::QUOTA_RESERVED;
    set_condition(
        &mut status.conditions,
        kind,
        Some(true),
        "Reserved",
        charged,
        None,
        now(),
    );
    for _ in 0..2 {
        explain(&mut status, "phase-2");
    }
    assert_eq!(
        find_condition(&status.conditions, kind).unwrap().message,
        "charged in the ledger; phase-2 was accepted and made room for it | 已计入台账；phase-2 扩容到位，据此开通"
    );
}

/// The cache of a new leader is late, and still has what was lowered since.
#[test]
fn an_older_phase_is_not_taken_up_from_a_cache() {
    let mut world = full(&[]);
    accept(&mut world, "70");
    let plan = cycle(&world);
    carry_out(&mut world, &plan);
    assert!(!moves_capacity(&world));
    accept(&mut world, "100");
    assert!(moves_capacity(&world));
    world.pools = snapshot("Declared", &[], &[]).pools;
    assert!(moves_capacity(&world));
}
