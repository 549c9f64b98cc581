//! What an operator reads and writes, in the order of `book.rs`, and a store that refuses stale writes.

use crate::decide::decide;
use crate::real;
use crate::rules::{Rule, Rules};
use crate::scenarios::Setup;
use crate::state::{Amounts, Late, Ledger, Operator, Read, Record, Request, World};
use crate::steps::spend;

impl Operator {
    /// What it has in its hands after a swap, or instead of one: what was read before is older than the ledger that it made.
    pub(crate) fn holds(&mut self, ledger: Option<Ledger>) {
        self.ledger = ledger;
        self.listed = false;
        self.reads.iter_mut().flatten().for_each(|r| r.after = false);
    }
}

pub(crate) fn read_ledger(w: &mut World, o: usize) -> Option<()> {
    let ledger = w.ledger?;
    w.operators[o].holds(Some(ledger));
    Some(())
}

/// All requests of a batch, at one moment.
pub(crate) fn list(w: &mut World, o: usize, setup: &Setup) {
    let after = w.operators[o].ledger.is_some();
    for name in 0..setup.wants.len() {
        let (request, own) = (w.requests[name], false);
        w.operators[o].reads[name] = Some(Read { request, after, own });
    }
    w.operators[o].listed = true;
}

pub(crate) fn store(w: &mut World, mut next: Ledger, read_version: u8, rules: Rules) -> Option<Ledger> {
    let stored = w.ledger.filter(|l| l.uid == next.uid)?;
    if stored.version != read_version && rules.has(Rule::SwapOnItsVersion) {
        return None;
    }
    next.version = stored.version + 1;
    w.ledger = Some(next);
    Some(next)
}

pub(crate) fn swap(w: &mut World, o: usize, setup: &Setup) -> Option<()> {
    let next = decide(w, o, setup)?;
    let version = w.operators[o].ledger?.version;
    let stored = store(w, next, version, setup.rules);
    // After a conflict no decision outlives its swap.
    w.operators[o].holds(stored);
    Some(())
}

pub(crate) fn swap_late(w: &mut World, o: usize, setup: &Setup) -> Option<()> {
    if w.late.is_some() || w.budget.late == 0 {
        return None;
    }
    let next = decide(w, o, setup)?;
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
    w.operators[o] = Operator::default();
    Some(())
}

/// What APPLY of a record writes into a copy. Without the rule the real code is told that nothing ended.
fn allocation(copy: Request, record: Record, rules: Rules) -> Option<(Amounts, Amounts)> {
    let ends = rules.has(Rule::EndedNeverRises);
    let told = Request {
        ended: copy.ended && ends,
        deleting: copy.deleting && ends,
        ..copy
    };
    real::answer(Some(record), told).applies
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
    allocation(request, record, rules).map(|_| (request, record))
}

/// Answers what is stored then, where it was written.
fn write(w: &mut World, name: usize, copy: Request, record: Record, rules: Rules) -> Option<Request> {
    let (holds, before) = allocation(copy, record, rules)?;
    let stored = w.requests[name].as_mut()?;
    let same = stored.uid == copy.uid && stored.version == copy.version;
    if same || !rules.has(Rule::ApplyOnItsVersion) {
        stored.record = record.id;
        stored.holds = holds;
        stored.before = before;
        stored.version += 1;
        return Some(*stored);
    }
    None
}

pub(crate) fn apply(w: &mut World, o: usize, name: usize, setup: &Setup) -> Option<()> {
    let (copy, record) = allowed(w, o, name, setup.rules)?;
    let written = write(w, name, copy, record, setup.rules);
    // Whatever came of it, this copy is old now.
    w.operators[o].reads[name] = written.map(|request| Read {
        request: Some(request),
        after: false,
        own: true,
    });
    Some(())
}

pub(crate) fn apply_late(w: &mut World, o: usize, name: usize, setup: &Setup) -> Option<()> {
    let (copy, record) = allowed(w, o, name, setup.rules)?;
    give_up(w, o, Late::Apply(name, copy, record))
}

pub(crate) fn land(w: &mut World, setup: &Setup) -> Option<()> {
    match w.late.take()? {
        Late::Swap(next, version) => drop(store(w, next, version, setup.rules)),
        Late::Apply(name, copy, record) => drop(write(w, name, copy, record, setup.rules)),
    }
    Some(())
}

/// A copy on which CLEAR or END may go further: no record of it is in the ledger that was read after it.
fn without_record(w: &World, o: usize, name: usize, reads_first: bool) -> Option<Request> {
    let operator = &w.operators[o];
    let ledger = operator.ledger.filter(|l| !l.counting)?;
    let read = operator.reads[name].filter(|r| !r.after || !reads_first)?;
    let request = read.request?;
    let free = ledger.records[name].is_none_or(|r| r.uid != request.uid);
    free.then_some(request)
}

/// The last lowering is settled: the ledger that was swapped after the request was read has no record of it.
pub(crate) fn clear(w: &mut World, o: usize, name: usize, setup: &Setup) -> Option<()> {
    let request = without_record(w, o, name, setup.rules.has(Rule::ClearReadsRequestFirst))?;
    // Of one that ended the code opens the next record in the same swap, or lets it go; here it may do either first.
    let told = Request {
        ended: false,
        deleting: false,
        ..request
    };
    let clears = real::answer(None, told).clears;
    let stored = w.requests[name]
        .as_mut()
        .filter(|stored| clears && **stored == request)?;
    stored.before = Amounts::NONE;
    stored.version += 1;
    Some(())
}

/// The finalizer goes: nothing is held, and the ledger that was read has no record.
pub(crate) fn let_go(w: &mut World, o: usize, name: usize, setup: &Setup) -> Option<()> {
    let request = without_record(w, o, name, setup.rules.has(Rule::LetGoReadsRequestFirst))?;
    let lets_go = real::answer(None, request).lets_go;
    if lets_go && w.requests[name] == Some(request) {
        w.requests[name] = None;
    }
    lets_go.then_some(())
}
