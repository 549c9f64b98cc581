//! A ledger that is lost, and RECOUNT.

use crate::operator::store;
use crate::real;
use crate::rules::{Rule, Rules};
use crate::scenarios::Setup;
use crate::state::{Amounts, Ledger, NAMES, Record, Request, World};
use crate::steps::spend;

pub(crate) fn create_ledger(w: &mut World, o: usize, setup: &Setup) -> Option<()> {
    if w.ledger.is_some() {
        return None;
    }
    w.next_uid += 1;
    let ledger = Ledger {
        uid: w.next_uid,
        version: 1,
        counting: setup.rules.has(Rule::NewLedgerIsCounted),
        charged: Amounts::NONE,
        sequence: 0,
        records: [None; NAMES],
    };
    w.ledger = Some(ledger);
    w.operators[o].holds(Some(ledger));
    w.operators[o].reads = [None; NAMES];
    Some(())
}

pub(crate) fn stamp(w: &mut World, o: usize, name: usize) -> Option<()> {
    let ledger = w.operators[o].ledger.filter(|l| l.counting)?;
    let request = w.requests[name].as_mut().filter(|r| r.stamp != ledger.uid)?;
    request.stamp = ledger.uid;
    request.version += 1;
    Some(())
}

pub(crate) fn recount(w: &mut World, o: usize, setup: &Setup) -> Option<()> {
    let (operator, rules) = (&w.operators[o], setup.rules);
    let mut next = operator.ledger?;
    let reads = operator.reads;
    let after = !rules.has(Rule::RecountListsAfterTheLedger) || operator.listed;
    if !after || reads[..setup.wants.len()].iter().any(Option::is_none) {
        return None;
    }
    let requests = reads.map(|read| read.and_then(|r| r.request));
    if next.counting {
        let stamped = requests.iter().flatten().all(|r| r.stamp == next.uid);
        if !stamped && rules.has(Rule::NewLedgerIsStamped) {
            return None;
        }
        if rules.has(Rule::NewLedgerRestoresLowerings) {
            next.records = requests.map(|r| r.and_then(restored));
        }
    } else {
        spend(&mut w.budget.recounts)?;
    }
    let version = next.version;
    next.charged = real::recounted(next.records, requests.map(|r| r.map(|r| (r.uid, r.holds))));
    next.counting = false;
    next.sequence += 1;
    let stored = store(w, next, version, Rules::default());
    w.operators[o].holds(stored);
    Some(())
}

/// The record of a lowering that the centre has not confirmed, from what the request itself says.
fn restored(request: Request) -> Option<Record> {
    let (from, to) = real::answer(None, request).restores?;
    Some(Record {
        id: request.record,
        uid: request.uid,
        from,
        to,
    })
}
