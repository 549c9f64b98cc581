//! What an operator decides on what it has read.

use crate::real;
use crate::rules::{Rule, Rules};
use crate::scenarios::Setup;
use crate::state::{Amounts, Ledger, Record, Request, World};

/// The ledger that an operator would store: everything settled and opened that its reads allow.
pub(crate) fn decide(w: &World, o: usize, setup: &Setup) -> Option<Ledger> {
    let (operator, rules) = (&w.operators[o], setup.rules);
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
        // As `refresh` of book.rs does it: an own answer counts for its own record alone.
        if let Some(record) = next.records[name]
            && (!read.own
                || read
                    .request
                    .is_some_and(|r| r.uid == record.uid && r.record == record.id))
            && let Some(change) = settles(record, read.request, rules)
        {
            next.charged = change.of(next.charged);
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

/// What SETTLE adds to the sums, where it is proven that the record ends. Without a rule the real code is told what is not so.
fn settles(record: Record, request: Option<Request>, rules: Rules) -> Option<real::Change> {
    let Some(mut request) = request.filter(|r| r.uid == record.uid) else {
        return Some(real::gone(record));
    };
    if !rules.has(Rule::VoidOnlyWhenIrrevocable) {
        request.deleting = true;
    }
    if !rules.has(Rule::LoweringWaitsForTheCentre) {
        request.confirmed = record.id;
    }
    real::answer(Some(record), request).settles
}

/// What a change or a grant asks wants a whole market to be judged, with tenants, ceilings and approvals: here only what is
/// free in the pools is in the way.
fn open(next: &mut Ledger, name: usize, request: Request, rules: Rules) {
    if next.records[name].is_some() {
        return;
    }
    let asks = (!request.ended && !request.deleting).then_some(request.asks);
    let given_back = real::answer(None, request).opens;
    let Some(mut to) = given_back.or(asks) else { return };
    let fits = real::fits(to, request.holds, next.charged);
    if !rules.has(Rule::AllOrNothing) {
        let part = |pool: usize| if fits[pool] { to.0[pool] } else { request.holds.0[pool] };
        to = Amounts(std::array::from_fn(part));
    } else if fits.contains(&false) {
        return;
    }
    if to == request.holds {
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
        real::opens(record).of(next.charged)
    } else {
        next.charged.plus(to).minus(request.holds)
    };
    next.records[name] = Some(record);
}
