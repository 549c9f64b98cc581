//! LOST: what a new ledger takes over from the one that is lost.

use std::sync::Arc;

use jiff::Timestamp;

use super::{CyclePlan, Snapshot, settle};
use crate::ledger::{Ledger, Record};
use crate::request::Request;

/// The records of lowerings that a centre may not have carried out yet, from what the requests themselves say. The lost
/// ledger charged the larger amount; so does the new one, until the centres confirm. `requests` are those of the recount: read
/// after the new ledger was named on each of them, so that what the centres confirmed is evidence for it.
pub fn restore(ledger: &mut Ledger, requests: &[Arc<Request>], now: Timestamp) {
    for request in requests.iter().filter(|r| !r.before.is_empty()) {
        let Some(allocation) = request.allocation() else {
            continue;
        };
        let record = Record {
            id: allocation.record.clone(),
            name: request.name().to_owned(),
            tenant: request.tenant().to_owned(),
            from: request.before.clone(),
            to: request.holds.clone(),
            starts: allocation.from.clone(),
            until: allocation.until.clone(),
            change: None,
            phase: None,
        };
        ledger.records.insert(request.uid().to_owned(), record);
    }
    let snapshot = Snapshot {
        now,
        ledger: ledger.clone(),
        requests: requests.to_vec(),
        ..Snapshot::default()
    };
    settle::settle(&snapshot, ledger, &mut CyclePlan::default());
}
