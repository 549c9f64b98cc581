//! What an operator decides on what it has read.

use crate::rules::{Rule, Rules};
use crate::state::{CAPACITY, Ledger, Record, Request, World};
use crate::sums::{opened, settled};

/// The ledger that an operator would store: everything settled and opened that its reads allow.
pub(crate) fn decide(w: &World, o: usize, rules: Rules) -> Option<Ledger> {
    let operator = &w.operators[o];
    let ledger = operator.ledger.filter(|l| !l.counting)?;
    let mut next = ledger;
    let reads = || {
        operator
            .reads
            .iter()
            .enumerate()
            .filter_map(|(name, read)| Some((name, (*read)?)))
    };
    // First all that is given back, then what it is given to.
    for (name, read) in reads().filter(|(_, r)| r.after || r.own || !rules.has(Rule::SettleReadsLedgerFirst)) {
        if let Some(record) = next.records[name]
            && (!read.own
                || read
                    .request
                    .is_some_and(|r| r.uid == record.uid && r.record == record.id))
            && let Some(holds) = evidence(record, read.request, rules)
        {
            next.charged = settled(next.charged, record, holds);
            next.records[name] = None;
        }
    }
    for (name, read) in reads().filter(|(_, r)| r.after || !rules.has(Rule::OpenReadsLedgerFirst)) {
        if let Some(request) = read.request {
            open(&mut next, name, request, rules);
        }
    }
    next.sequence += 1;
    (next.records != ledger.records).then_some(next)
}

/// What the request is proven to hold, where that ends the record.
fn evidence(record: Record, request: Option<Request>, rules: Rules) -> Option<u8> {
    let Some(request) = request.filter(|r| r.uid == record.uid) else {
        return Some(0);
    };
    let applied = request.record == record.id && request.holds == record.to;
    if record.to > record.from {
        let irrevocable = request.ended || request.deleting || !rules.has(Rule::VoidOnlyWhenIrrevocable);
        let void = irrevocable && request.holds == record.from;
        return if applied {
            Some(record.to)
        } else {
            void.then_some(record.from)
        };
    }
    let confirmed = request.confirmed == record.id || !rules.has(Rule::LoweringWaitsForTheCentre);
    (applied && confirmed).then_some(record.to)
}

fn open(next: &mut Ledger, name: usize, request: Request, rules: Rules) {
    if next.records[name].is_some() {
        return;
    }
    let to = match (request.ended, request.deleting) {
        (true, _) if request.holds > 0 => 0,
        (false, false) if request.asks != request.holds => request.asks,
        _ => return,
    };
    if to > request.holds && next.charged + to - request.holds > CAPACITY {
        return;
    }
    let record = Record {
        // The sequence alone begins anew with each ledger.
        id: next.uid * 16 + next.sequence + 1,
        uid: request.uid,
        from: request.holds,
        to,
    };
    next.charged = if rules.has(Rule::HoldTheLarger) {
        opened(next.charged, record)
    } else {
        next.charged + to - request.holds
    };
    next.records[name] = Some(record);
}
