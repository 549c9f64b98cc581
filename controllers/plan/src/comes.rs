//! What if this request comes: who fits into the room that is free now, and would not fit beside it.

use crate::admission::{Case, Standing, if_approved};
use crate::ledger::{Ledger, Record};
use crate::market::{Choice, Market, grant};
use crate::request::Request;
use crate::subtree::Subtrees;

/// Those of `others` that would be granted now if everybody agreed to them, and not after `case` took what it chose. What
/// waits for room anyway is not among them.
pub fn crowded_out<'a>(
    case: &Case<'_>,
    choices: &[Choice],
    others: &[Case<'a>],
    standing: &Standing,
    market: Market<'_>,
) -> Vec<&'a Request> {
    let ledger = granted(case, choices, market);
    let subtrees = Subtrees::of(&ledger);
    let after = Market {
        ledger: &ledger,
        subtrees: &subtrees,
        ..market
    };
    let fits = |other: &Case<'_>, market| {
        let found = if_approved(other, standing, market);
        found.is_ok_and(|(choices, refusal)| !choices.is_empty() && refusal.is_none())
    };
    let others = others.iter().filter(|o| fits(o, market) && !fits(o, after));
    others.map(|o| o.request).collect()
}

/// The ledger once the request holds what it chose.
fn granted(case: &Case<'_>, choices: &[Choice], market: Market<'_>) -> Ledger {
    let mut ledger = market.ledger.clone();
    let to = grant(choices);
    let record = Record {
        tenant: case.request.tenant().to_owned(),
        from: case.target.map(|t| t.holds.clone()).unwrap_or_default(),
        to: to.clone(),
        ..Record::default()
    };
    ledger.open(case.request.uid(), record);
    ledger.settle(case.request.uid(), &to);
    ledger
}
