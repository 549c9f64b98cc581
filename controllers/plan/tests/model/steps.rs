//! What may happen next in a world, and what the world is afterwards.

use crate::decide::decide;
use crate::rules::{Rule, Rules};
use crate::state::{CAPACITY, Late, Ledger, NAMES, OPERATORS, Read, Record, Request, World};
use crate::sums::opened;

/// One thing that happens. Numbers are an operator, then a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create(usize),
    Change(usize),
    End(usize),
    Delete(usize),
    VanishByHand(usize),
    CentreApplies(usize),
    LedgerIsLost,
    ReadLedger(usize),
    List(usize),
    Swap(usize),
    SwapLate(usize),
    Apply(usize, usize),
    ApplyLate(usize, usize),
    Land,
    Clear(usize, usize),
    LetGo(usize, usize),
    CreateLedger(usize),
    Stamp(usize, usize),
    Recount(usize),
    Crash(usize),
}

/// Every step, whether or not it is possible now.
pub(crate) fn all() -> Vec<Step> {
    let mut steps = vec![Step::LedgerIsLost, Step::Land];
    for name in 0..NAMES {
        steps.extend([
            Step::Create(name),
            Step::Change(name),
            Step::End(name),
            Step::Delete(name),
            Step::VanishByHand(name),
            Step::CentreApplies(name),
        ]);
    }
    for o in 0..OPERATORS {
        steps.extend([
            Step::ReadLedger(o),
            Step::List(o),
            Step::Swap(o),
            Step::SwapLate(o),
            Step::CreateLedger(o),
            Step::Recount(o),
            Step::Crash(o),
        ]);
        for name in 0..NAMES {
            steps.extend([
                Step::Apply(o, name),
                Step::ApplyLate(o, name),
                Step::Clear(o, name),
                Step::LetGo(o, name),
                Step::Stamp(o, name),
            ]);
        }
    }
    steps
}

/// The world after a step; `None` where it is not possible, or changes nothing.
pub(crate) fn take(world: &World, step: Step, rules: Rules) -> Option<World> {
    let mut next = *world;
    let possible = match step {
        Step::Create(name) => create(&mut next, name),
        Step::Change(name) => change(&mut next, name),
        Step::End(name) => end(&mut next, name),
        Step::Delete(name) => delete(&mut next, name, rules),
        Step::VanishByHand(name) => vanish_by_hand(&mut next, name),
        Step::CentreApplies(name) => {
            centre_applies(&mut next, name);
            Some(())
        }
        Step::LedgerIsLost => spend(&mut next.budget.losses).map(|()| next.ledger = None),
        Step::ReadLedger(o) => read_ledger(&mut next, o),
        Step::List(o) => {
            list(&mut next, o);
            Some(())
        }
        Step::Swap(o) => swap(&mut next, o, rules),
        Step::SwapLate(o) => swap_late(&mut next, o, rules),
        Step::Apply(o, name) => apply(&mut next, o, name, rules),
        Step::ApplyLate(o, name) => apply_late(&mut next, o, name, rules),
        Step::Land => next.late.take().map(|late| land(&mut next, late, rules)),
        Step::Clear(o, name) => clear(&mut next, o, name, rules),
        Step::LetGo(o, name) => let_go(&mut next, o, name, rules),
        Step::CreateLedger(o) => create_ledger(&mut next, o, rules),
        Step::Stamp(o, name) => stamp(&mut next, o, name),
        Step::Recount(o) => recount(&mut next, o, rules),
        Step::Crash(o) => spend(&mut next.budget.crashes).map(|()| next.operators[o] = Default::default()),
    };
    // It does not matter which operator is which.
    next.operators.sort_unstable();
    possible.filter(|()| next != *world).map(|()| next)
}

fn spend(budget: &mut u8) -> Option<()> {
    *budget = budget.checked_sub(1)?;
    Some(())
}

fn create(w: &mut World, name: usize) -> Option<()> {
    if w.requests[name].is_some() {
        return None;
    }
    spend(&mut w.budget.creations)?;
    w.next_uid += 1;
    w.requests[name] = Some(Request {
        uid: w.next_uid,
        version: 1,
        record: 0,
        asks: CAPACITY,
        holds: 0,
        before: 0,
        ended: false,
        deleting: false,
        stamp: 0,
        confirmed: 0,
    });
    Some(())
}

/// A change is another object: it does not touch the one whose grant it speaks of.
fn change(w: &mut World, name: usize) -> Option<()> {
    let request = w.requests[name].as_mut().filter(|r| !r.ended && !r.deleting)?;
    spend(&mut w.budget.changes)?;
    request.asks = if request.asks == 1 { CAPACITY } else { 1 };
    Some(())
}

fn end(w: &mut World, name: usize) -> Option<()> {
    let request = w.requests[name].as_mut().filter(|r| r.record != 0 && !r.ended)?;
    spend(&mut w.budget.ends)?;
    request.ended = true;
    request.version += 1;
    Some(())
}

/// Deletion ends a grant, too.
fn delete(w: &mut World, name: usize, rules: Rules) -> Option<()> {
    let request = w.requests[name].as_mut().filter(|r| !r.deleting)?;
    spend(&mut w.budget.deletions)?;
    request.deleting = true;
    request.ended = request.record != 0;
    request.version += 1;
    if !rules.has(Rule::KeptWhileCharged) {
        w.requests[name] = None;
    }
    Some(())
}

/// Somebody deletes it and takes the finalizer away: it is gone, whatever it holds and whatever is under way.
fn vanish_by_hand(w: &mut World, name: usize) -> Option<()> {
    w.requests[name]?;
    spend(&mut w.budget.by_hand)?;
    w.requests[name] = None;
    w.orphaned[name] = w.in_force[name];
    Some(())
}

/// The agent brings the centre to what the allocation says, and says so; what is gone lets in nothing.
fn centre_applies(w: &mut World, name: usize) {
    w.orphaned[name] = 0;
    let Some(request) = w.requests[name].as_mut() else {
        w.in_force[name] = 0;
        return;
    };
    w.in_force[name] = request.holds;
    if request.confirmed != request.record {
        request.confirmed = request.record;
        request.version += 1;
    }
}

fn read_ledger(w: &mut World, o: usize) -> Option<()> {
    let operator = &mut w.operators[o];
    operator.ledger = Some(w.ledger?);
    operator.listed = false;
    operator.reads.iter_mut().flatten().for_each(|r| r.after = false);
    Some(())
}

/// All requests of a batch, at one moment.
fn list(w: &mut World, o: usize) {
    let after = w.operators[o].ledger.is_some();
    w.operators[o].reads = w.requests.map(|request| {
        let own = false;
        Some(Read { request, after, own })
    });
    w.operators[o].listed = true;
}

fn store(w: &mut World, mut next: Ledger, read_version: u8, rules: Rules) -> Option<Ledger> {
    let stored = w.ledger.filter(|l| l.uid == next.uid)?;
    if stored.version != read_version && rules.has(Rule::SwapOnItsVersion) {
        return None;
    }
    next.version = stored.version + 1;
    w.ledger = Some(next);
    Some(next)
}

fn swap(w: &mut World, o: usize, rules: Rules) -> Option<()> {
    let next = decide(w, o, rules)?;
    let version = w.operators[o].ledger?.version;
    let stored = store(w, next, version, rules);
    let operator = &mut w.operators[o];
    // After a conflict no decision outlives its swap.
    operator.ledger = stored;
    operator.listed = false;
    // What was read before the swap is older than the ledger that it made.
    operator.reads.iter_mut().flatten().for_each(|r| r.after = false);
    Some(())
}

fn swap_late(w: &mut World, o: usize, rules: Rules) -> Option<()> {
    let next = decide(w, o, rules)?;
    let version = w.operators[o].ledger?.version;
    give_up(w, o, Late::Swap(next, version))
}

/// The sender no longer waits, and begins anew.
fn give_up(w: &mut World, o: usize, late: Late) -> Option<()> {
    if w.late.is_some() {
        return None;
    }
    spend(&mut w.budget.late)?;
    w.late = Some(late);
    w.operators[o] = Default::default();
    Some(())
}

/// The copy and record of an APPLY that the operator's reads allow.
fn allowed(w: &World, o: usize, name: usize, rules: Rules) -> Option<(Request, Record)> {
    let operator = &w.operators[o];
    let record = operator.ledger.filter(|l| !l.counting)?.records[name]?;
    let read = operator.reads[name]?;
    if read.after && rules.has(Rule::ApplyReadsRequestFirst) {
        return None;
    }
    let request = read.request.filter(|r| r.uid == record.uid)?;
    let done = request.record == record.id;
    let over = record.to > record.from && (request.ended || request.deleting) && rules.has(Rule::EndedNeverRises);
    (!done && !over).then_some((request, record))
}

/// Answers what is stored then, where it was written.
fn write(w: &mut World, name: usize, copy: Request, record: Record, rules: Rules) -> Option<Request> {
    let stored = w.requests[name].as_mut()?;
    let same = stored.uid == copy.uid && stored.version == copy.version;
    if same || !rules.has(Rule::ApplyOnItsVersion) {
        stored.record = record.id;
        stored.holds = record.to;
        stored.before = if record.to < record.from { record.from } else { 0 };
        stored.version += 1;
        return Some(*stored);
    }
    None
}

fn apply(w: &mut World, o: usize, name: usize, rules: Rules) -> Option<()> {
    let (copy, record) = allowed(w, o, name, rules)?;
    let written = write(w, name, copy, record, rules);
    // Whatever came of it, this copy is old now.
    w.operators[o].reads[name] = written.map(|request| Read {
        request: Some(request),
        after: false,
        own: true,
    });
    Some(())
}

fn apply_late(w: &mut World, o: usize, name: usize, rules: Rules) -> Option<()> {
    let (copy, record) = allowed(w, o, name, rules)?;
    give_up(w, o, Late::Apply(name, copy, record))
}

fn land(w: &mut World, late: Late, rules: Rules) {
    match late {
        Late::Swap(next, version) => drop(store(w, next, version, rules)),
        Late::Apply(name, copy, record) => drop(write(w, name, copy, record, rules)),
    }
}

/// The last lowering is settled: the ledger that was swapped after the request was read has no record of it.
fn clear(w: &mut World, o: usize, name: usize, rules: Rules) -> Option<()> {
    let operator = &w.operators[o];
    let ledger = operator.ledger.filter(|l| !l.counting)?;
    let read = operator.reads[name].filter(|r| !r.after || !rules.has(Rule::ClearReadsRequestFirst))?;
    let request = read.request.filter(|r| r.before > 0)?;
    let settled = ledger.records[name].is_none_or(|r| r.uid != request.uid);
    let stored = w.requests[name]
        .as_mut()
        .filter(|stored| settled && **stored == request)?;
    stored.before = 0;
    stored.version += 1;
    Some(())
}

/// The finalizer goes: nothing is held, and the ledger that was read has no record.
fn let_go(w: &mut World, o: usize, name: usize, rules: Rules) -> Option<()> {
    let operator = &w.operators[o];
    let ledger = operator.ledger.filter(|l| !l.counting)?;
    let read = operator.reads[name].filter(|r| !r.after || !rules.has(Rule::LetGoReadsRequestFirst))?;
    let request = read.request.filter(|r| r.deleting && r.holds == 0)?;
    let free = ledger.records[name].is_none_or(|r| r.uid != request.uid);
    if free && w.requests[name] == Some(request) {
        w.requests[name] = None;
    }
    free.then_some(())
}

fn create_ledger(w: &mut World, o: usize, rules: Rules) -> Option<()> {
    if w.ledger.is_some() {
        return None;
    }
    w.next_uid += 1;
    let ledger = Ledger {
        uid: w.next_uid,
        version: 1,
        counting: rules.has(Rule::NewLedgerIsCounted),
        charged: 0,
        sequence: 0,
        records: [None; NAMES],
    };
    w.ledger = Some(ledger);
    w.operators[o].ledger = Some(ledger);
    w.operators[o].listed = false;
    w.operators[o].reads = [None; NAMES];
    Some(())
}

fn stamp(w: &mut World, o: usize, name: usize) -> Option<()> {
    let ledger = w.operators[o].ledger.filter(|l| l.counting)?;
    let request = w.requests[name].as_mut().filter(|r| r.stamp != ledger.uid)?;
    request.stamp = ledger.uid;
    request.version += 1;
    Some(())
}

fn recount(w: &mut World, o: usize, rules: Rules) -> Option<()> {
    let operator = &w.operators[o];
    let mut next = operator.ledger?;
    let reads = operator.reads;
    let after = !rules.has(Rule::RecountListsAfterTheLedger) || operator.listed;
    let requests = || reads.iter().flatten().filter_map(|r| r.request);
    if !after || reads.iter().any(Option::is_none) {
        return None;
    }
    if next.counting {
        let stamped = requests().all(|r| r.stamp == next.uid);
        if !stamped && rules.has(Rule::NewLedgerIsStamped) {
            return None;
        }
        if rules.has(Rule::NewLedgerRestoresLowerings) {
            next.records = reads.map(|read| read.and_then(|r| r.request).and_then(restored));
        }
    } else {
        spend(&mut w.budget.recounts)?;
    }
    let version = next.version;
    let open = |r: &Request| next.records.iter().flatten().any(|record| record.uid == r.uid);
    let held: u8 = requests().filter(|r| !open(r)).map(|r| r.holds).sum();
    let records = next
        .records
        .iter()
        .flatten()
        .map(|r| opened(0, Record { from: 0, ..*r }).max(r.from));
    next.charged = held + records.sum::<u8>();
    next.counting = false;
    next.sequence += 1;
    let stored = store(w, next, version, Rules::default());
    w.operators[o].ledger = stored;
    w.operators[o].listed = false;
    w.operators[o].reads.iter_mut().flatten().for_each(|r| r.after = false);
    Some(())
}

/// The record of a lowering that the centre has not confirmed, from what the request itself says.
fn restored(request: Request) -> Option<Record> {
    let unconfirmed = request.before > 0 && request.confirmed != request.record;
    unconfirmed.then_some(Record {
        id: request.record,
        uid: request.uid,
        from: request.before,
        to: request.holds,
    })
}
