//! The operator's own code, asked about one request at a time and remembered: what `cycle` settles, gives back, applies and lets
//! go, what `restore` takes over into a new ledger, what a ledger sums up, and whether an amount fits.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use crds::{LedgerState, ResourceRequest, Resources, label};
use jiff::Timestamp;
use plan::cycle::{Reading, Snapshot, cycle, restore};
use plan::ledger::{Holding, Ledger, Record as RealRecord};
use plan::quota::{Grant, Part, PoolGrant, fits_beyond, from_stored, to_stored};
use plan::request::Request as RealRequest;
use serde_json::json;

use crate::state::{Amounts, CAPACITY, NAMES, POOLS, Record, Request};

const POOL_NAMES: [&str; POOLS] = ["p", "q"];
const CENTRE: &str = "c";
/// Id of the record that is open, and of any other one.
const OPEN: &str = "1";
const OTHER: &str = "2";
const UID: &str = "u";
/// Different amounts.
const SIZE: usize = (CAPACITY as usize + 1).pow(2);
/// Facts of a request that are true or not.
const FACTS: usize = 5;

/// What is added to the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change([i8; POOLS]);

impl Change {
    /// The sums after it.
    pub(crate) fn of(self, sums: Amounts) -> Amounts {
        Amounts(std::array::from_fn(|pool| {
            sums.0[pool].saturating_add_signed(self.0[pool])
        }))
    }
}

/// What the operator makes of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answer {
    /// SETTLE: what the sums become, where the record ends.
    pub(crate) settles: Option<Change>,
    /// END: what an ended grant is lowered to, where no record is open.
    pub(crate) opens: Option<Amounts>,
    /// APPLY: what the allocation then holds, and what it held before as long as that counts.
    pub(crate) applies: Option<(Amounts, Amounts)>,
    /// CLEAR: whether what it held before counts no more.
    pub(crate) clears: bool,
    /// Whether the finalizer may go.
    pub(crate) lets_go: bool,
    /// LOST: from and to of the record that a new ledger takes over.
    pub(crate) restores: Option<(Amounts, Amounts)>,
}

/// The answer to a copy that was read after the ledger, which has this record of it or none.
pub(crate) fn answer(record: Option<Record>, request: Request) -> Answer {
    static ANSWERS: LazyLock<Vec<OnceLock<Answer>>> = LazyLock::new(|| {
        (0..(SIZE * SIZE + 1) * SIZE * SIZE * (1 << FACTS))
            .map(|_| OnceLock::new())
            .collect()
    });
    let facts = [
        request.record != 0,
        record.is_some_and(|r| r.id == request.record),
        request.confirmed == record.map_or(request.record, |r| r.id),
        request.ended,
        request.deleting,
    ];
    let change = record.map_or(SIZE * SIZE, |r| number(r.from) * SIZE + number(r.to));
    let amounts = (change * SIZE + number(request.holds)) * SIZE + number(request.before);
    let place = facts.iter().fold(amounts, |place, fact| place * 2 + usize::from(*fact));
    *ANSWERS[place].get_or_init(|| work_out(record, request, facts))
}

fn number(amounts: Amounts) -> usize {
    let numbers = amounts.0.iter().map(|n| usize::from(*n));
    numbers.fold(0, |sum, n| sum * (usize::from(CAPACITY) + 1) + n)
}

fn work_out(record: Option<Record>, request: Request, facts: [bool; FACTS]) -> Answer {
    let request = Arc::new(RealRequest::read(object(&request, record, facts), true).unwrap());
    let ledger = ledger(record);
    let snapshot = snapshot(ledger.clone(), vec![Arc::clone(&request)]);
    let plan = cycle(&snapshot);
    let next = plan.swap.unwrap_or_else(|| ledger.clone());
    let stays = next.records.get(UID).is_some_and(|r| r.id == OPEN);
    // The same cycle may open the next record of this request.
    let opened = next.records.get(UID).filter(|_| !stays);
    let mut written = plan.apply.iter().map(|a| &a.allocation);
    let written = written.find(|a| a.record == OPEN);
    let mut new = Ledger::default();
    restore(&mut new, &[request], snapshot.now);
    Answer {
        settles: (record.is_some() && !stays).then(|| difference(&ledger, &next)),
        opens: opened.map(|r| amounts(&r.to)),
        applies: written.map(|a| {
            let of = |pools| amounts(&from_stored(pools).unwrap());
            (of(&a.pools), of(&a.before))
        }),
        clears: !plan.clear.is_empty(),
        lets_go: !plan.unguard.is_empty(),
        restores: new.records.get(UID).map(|r| (amounts(&r.from), amounts(&r.to))),
    }
}

/// SETTLE of a record whose request is gone.
pub(crate) fn gone(record: Record) -> Change {
    static GONE: LazyLock<Vec<OnceLock<Change>>> =
        LazyLock::new(|| (0..SIZE * SIZE).map(|_| OnceLock::new()).collect());
    let place = number(record.from) * SIZE + number(record.to);
    *GONE[place].get_or_init(|| {
        let ledger = ledger(Some(record));
        let mut snapshot = snapshot(ledger.clone(), Vec::new());
        snapshot.gone = [UID.to_owned()].into();
        let next = cycle(&snapshot).swap.unwrap();
        assert!(next.records.is_empty(), "{:?}", next.records);
        difference(&ledger, &next)
    })
}

/// What opening a record adds.
pub(crate) fn opens(record: Record) -> Change {
    static OPENED: LazyLock<Vec<OnceLock<Change>>> =
        LazyLock::new(|| (0..SIZE * SIZE).map(|_| OnceLock::new()).collect());
    let place = number(record.from) * SIZE + number(record.to);
    *OPENED[place].get_or_init(|| {
        let before = Ledger::default();
        let mut ledger = before.clone();
        ledger.open(UID, real_record(record));
        difference(&before, &ledger)
    })
}

/// In which pools a grant fits that charges `to` instead of `from`, where so much is charged already.
pub(crate) fn fits(to: Amounts, from: Amounts, charged: Amounts) -> [bool; POOLS] {
    let room = |pool: usize| Resources {
        cpu: i128::from(CAPACITY) - i128::from(charged.0[pool]),
        ..Resources::ZERO
    };
    std::array::from_fn(|pool| fits_beyond(amount(to.0[pool]), amount(from.0[pool]), room(pool)))
}

/// Each request by uid, with what it holds.
pub(crate) type Held = [Option<(u8, Amounts)>; NAMES];
type Records = [Option<Record>; NAMES];

/// The sums of a recount.
pub(crate) fn recounted(records: Records, held: Held) -> Amounts {
    static RECOUNTED: LazyLock<Mutex<HashMap<(Records, Held), Amounts>>> = LazyLock::new(Mutex::default);
    *RECOUNTED.lock().unwrap().entry((records, held)).or_insert_with(|| {
        let mut ledger = Ledger::default();
        for record in records.into_iter().flatten() {
            ledger.records.insert(record.uid.to_string(), real_record(record));
        }
        let held = held.into_iter().flatten();
        let held: Vec<_> = held.map(|(uid, holds)| (uid.to_string(), grant(holds))).collect();
        let holdings = held.iter().map(|(uid, grant)| Holding {
            uid,
            tenant: "t",
            grant,
        });
        drop(ledger.recount(holdings));
        charged(&ledger)
    })
}

fn amount(n: u8) -> Resources {
    Resources {
        cpu: n.into(),
        ..Resources::ZERO
    }
}

fn grant(amounts: Amounts) -> Grant {
    let pools = POOL_NAMES.iter().zip(amounts.0).filter(|(_, n)| *n > 0);
    let pool = |(name, n): (&&'static str, u8)| {
        let (share, survival) = (amount(n), amount(n));
        let centres = [(CENTRE, Part { share, survival })].into();
        (*name, PoolGrant { n: share, centres })
    };
    pools.map(pool).collect()
}

fn amounts(grant: &Grant) -> Amounts {
    let n = |name: &str| grant.get(name).map_or(0, |pool| pool.n.cpu);
    Amounts(POOL_NAMES.map(|name| u8::try_from(n(name)).unwrap()))
}

fn charged(ledger: &Ledger) -> Amounts {
    let of = |name: &str| ledger.centre(name, CENTRE).map_or(0, |c| c.charged.cpu);
    Amounts(POOL_NAMES.map(|name| u8::try_from(of(name)).unwrap()))
}

fn difference(before: &Ledger, after: &Ledger) -> Change {
    let of = |ledger: &Ledger, name: &str| ledger.centre(name, CENTRE).map_or(0, |c| c.charged.cpu);
    Change(POOL_NAMES.map(|name| i8::try_from(of(after, name) - of(before, name)).unwrap()))
}

fn real_record(record: Record) -> RealRecord {
    RealRecord {
        id: OPEN.to_owned(),
        tenant: "t".to_owned(),
        from: grant(record.from),
        to: grant(record.to),
        ..RealRecord::default()
    }
}

/// An open ledger with this record at most, and the sums that belong to it.
fn ledger(record: Option<Record>) -> Ledger {
    let mut ledger = Ledger {
        state: LedgerState::Open,
        ..Ledger::default()
    };
    ledger.records.extend(record.map(|r| (UID.to_owned(), real_record(r))));
    drop(ledger.recount([]));
    ledger
}

fn snapshot(ledger: Ledger, requests: Vec<Arc<RealRequest>>) -> Snapshot {
    Snapshot {
        reading: Reading::Decide,
        now: Timestamp::UNIX_EPOCH,
        ledger,
        requests,
        ..Snapshot::default()
    }
}

fn object(request: &Request, record: Option<Record>, facts: [bool; FACTS]) -> ResourceRequest {
    let [granted, named, confirmed, ended, deleting] = facts;
    let id = if named || record.is_none() { OPEN } else { OTHER };
    let at = Timestamp::UNIX_EPOCH.to_string();
    let allocation = json!({
        "record": id, "ledger": "l", "epoch": 1,
        "ended": ended.then_some(&at),
        "pools": to_stored(&grant(request.holds)),
        "before": to_stored(&grant(request.before)),
    });
    let row = json!({
        "name": CENTRE, "record": if confirmed { OPEN } else { OTHER }, "epoch": 1, "reason": "Applied", "reportedAt": at,
    });
    let status = json!({"allocation": granted.then_some(allocation), "centres": [row]});
    let object = json!({
        "apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {
            "name": "a", "namespace": "t", "uid": UID, "creationTimestamp": at,
            "finalizers": [label::CHARGED], "deletionTimestamp": deleting.then_some(&at),
        },
        "spec": {"displayName": "x", "type": "New"},
        "status": status,
    });
    serde_json::from_value(object).unwrap()
}
