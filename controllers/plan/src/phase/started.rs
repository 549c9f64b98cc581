//! Which requests start because a phase of expansion was accepted. That is decided as the ledger's swap is made and stored
//! in it, so it does not matter how many swaps the grants take, nor which process writes them.

use std::collections::BTreeMap;

use crds::{ResourceRequestStatus, condition};
use jiff::SignedDuration;

use crate::cycle::{CyclePlan, Snapshot, approved_at};
use crate::ledger::{CentreEntry, Growth, Ledger, PoolEntry, Record};
use crate::placement::message::halves;
use crate::quota::{Grant, PoolGrant, fits_beyond};
use crate::request::Request;

/// Longer than a queue takes to start, at five swaps a second.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// Notes the phases that a swap takes in, and on each record that it opens the phase that made room for it: the request
/// joined the queue before the ledger took that phase in, and does not fit into what was there before.
pub(crate) fn mark(snapshot: &Snapshot, ledger: &mut Ledger, plan: &CyclePlan) {
    grow(snapshot, ledger);
    if ledger.pools.values().all(|p| p.growths.is_empty()) {
        return;
    }
    for (uid, phase) in owed(snapshot, ledger, plan) {
        if let Some(record) = ledger.records.get_mut(&uid) {
            record.phase = Some(phase);
        }
    }
    end(snapshot, ledger);
}

/// A pool that the ledger has not adopted yet, because one of them is new, does not say what was there before.
fn grow(snapshot: &Snapshot, ledger: &mut Ledger) {
    for (name, entry) in &mut ledger.pools {
        let Some(known) = snapshot.ledger.pools.get(name).filter(|p| p.generation > 0) else {
            continue;
        };
        let Some(phase) = entry.phases.difference(&known.phases).next().cloned() else {
            continue;
        };
        entry.growths.retain(|g| g.phase != phase);
        let before = known.centres.iter().map(|(centre, c)| (centre.clone(), c.committable));
        entry.growths.push(Growth {
            phase,
            at: snapshot.now,
            before: before.collect(),
        });
    }
}

/// Uids of records that the swap opens, and their phases. Grants are looked at in the order in which they were made: one that
/// fits into what was there before owes nothing to a phase.
fn owed(snapshot: &Snapshot, ledger: &Ledger, plan: &CyclePlan) -> Vec<(String, String)> {
    let new = opened(&snapshot.ledger, ledger);
    let served = |index: &usize| {
        let request = snapshot.requests.get(*index)?;
        let (uid, record) = new.get(request.uid()).copied()?;
        let since = plan.assessment(*index).and_then(|a| approved_at(request, a));
        Some((since, uid, record))
    };
    let opened: Vec<_> = plan.order.iter().filter_map(served).collect();
    if opened.is_empty() {
        return Vec::new();
    }
    let mut charged = ledger.clone();
    for (_, uid, record) in &opened {
        charged.settle(uid, &record.from);
    }
    let mut out = Vec::new();
    for (since, uid, record) in opened {
        let phase = record.to.iter().find_map(|(pool, grant)| {
            let growths = &ledger.pools.get(&**pool)?.growths;
            let made_room = |g: &&Growth| since <= Some(g.at) && !fits(pool, grant, &record.from, g, &charged);
            growths.iter().rev().find(made_room).map(|g| g.phase.clone())
        });
        out.extend(phase.map(|phase| (uid.to_owned(), phase)));
        charged.open(uid, record.clone());
    }
    out
}

/// The records that the swap opened, and whose grants they alter, by uid of the request that asked.
pub(super) fn opened<'a>(before: &Ledger, after: &'a Ledger) -> BTreeMap<&'a str, (&'a str, &'a Record)> {
    let new = after
        .records
        .iter()
        .filter(|(uid, _)| !before.records.contains_key(*uid));
    new.map(|(uid, record)| (record.change.as_deref().unwrap_or(uid), (uid.as_str(), record)))
        .collect()
}

/// Whether what is added to `from` had room in the capacity before the growth, beside what `ledger` charges.
fn fits(pool: &str, grant: &PoolGrant, from: &Grant, growth: &Growth, ledger: &Ledger) -> bool {
    grant.centres.iter().all(|(centre, part)| {
        let held = from.get(pool).and_then(|g| g.centres.get(centre));
        let held = held.map(|p| p.charge()).unwrap_or_default();
        let committable = growth.before.get(&**centre).copied().unwrap_or_default();
        let charged = ledger.centre(pool, centre).map(|c| c.charged).unwrap_or_default();
        fits_beyond(part.charge(), held, committable.minus(charged))
    })
}

/// Whoever waited for a phase has started once a swap comes that grants nothing while no grant is under way: what is granted
/// later has other reasons. Where grants never pause, a day has to do. No swap is made for this.
fn end(snapshot: &Snapshot, ledger: &mut Ledger) {
    let before = &snapshot.ledger;
    if *ledger == *before {
        return;
    }
    for entry in ledger.pools.values_mut() {
        entry.growths.retain(|g| snapshot.now.duration_since(g.at) < LONGEST);
    }
    if raises(before) || raises(ledger) {
        return;
    }
    for (name, entry) in &mut ledger.pools {
        if before.pools.get(name).is_some_and(|known| !grew(known, entry)) {
            entry.growths.clear();
        }
    }
}

fn raises(ledger: &Ledger) -> bool {
    ledger.records.values().any(Record::raises)
}

fn grew(known: &PoolEntry, entry: &PoolEntry) -> bool {
    let rose = |(centre, now): (&String, &CentreEntry)| {
        let was = known.centres.get(centre).map(|c| c.committable).unwrap_or_default();
        !now.committable.fits(was)
    };
    known.phases != entry.phases || entry.centres.iter().any(rose)
}

/// The request that starts with a record of `uid`, and the phase that made room for it, where one did.
pub fn started<'a>(snapshot: &'a Snapshot, uid: &str, record: &'a Record) -> Option<(&'a Request, &'a str)> {
    let phase = record.phase.as_deref()?;
    let asked = record.change.as_deref().unwrap_or(uid);
    let request = snapshot.requests.iter().find(|r| r.uid() == asked)?;
    Some((&**request, phase))
}

/// The same of the records that a swap settles on a copy that was read. Whoever wrote that allocation may have ended, or never
/// have had its answer, before it told: what is told twice is no harm.
pub fn untold<'a>(snapshot: &'a Snapshot, plan: &CyclePlan) -> Vec<(&'a Request, &'a str)> {
    let Some(after) = &plan.swap else {
        return Vec::new();
    };
    let settled = |uid: &str, id: &str| after.records.get(uid).is_none_or(|r| r.id != id);
    let read = |uid: &str, id: &str| {
        let request = snapshot.requests.iter().find(|r| r.uid() == uid);
        request.is_some_and(|r| !r.own && r.record() == Some(id))
    };
    let records = snapshot.ledger.records.iter().filter(|(_, r)| r.phase.is_some());
    records
        .filter(|(uid, r)| settled(uid, &r.id) && read(uid, &r.id))
        .filter_map(|(uid, r)| started(snapshot, uid, r))
        .collect()
}

/// What a request is told that starts with a phase, `English | 中文`.
pub fn words(phase: &str) -> String {
    format!("{phase} was accepted and made room for it | {phase} 扩容到位，据此开通")
}

/// Says with the charge which phase made room for it: an event may be lost, a condition stays.
pub fn explain(status: &mut ResourceRequestStatus, phase: &str) {
    let words = words(phase);
    let (en, zh) = halves(&words);
    let mut conditions = status.conditions.iter_mut();
    let reserved = conditions.find(|c| c.type_ == condition::QUOTA_RESERVED && c.status == "True");
    if let Some(reserved) = reserved.filter(|c| !c.message.contains(en)) {
        let (held, held_zh) = halves(&reserved.message);
        reserved.message = format!("{held}; {en} | {held_zh}；{zh}");
    }
}
