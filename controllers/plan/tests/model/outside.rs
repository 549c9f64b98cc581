//! What departments, centres and hands do.

use crate::rules::Rule;
use crate::scenarios::Setup;
use crate::state::{Amounts, Request, World};
use crate::steps::spend;

pub(crate) fn create(w: &mut World, name: usize, setup: &Setup) -> Option<()> {
    if w.requests[name].is_some() {
        return None;
    }
    spend(&mut w.budget.creations)?;
    w.next_uid += 1;
    w.requests[name] = Some(Request {
        uid: w.next_uid,
        version: 1,
        asks: setup.wants[name][0],
        ..Request::default()
    });
    Some(())
}

/// A change is another object: it does not touch the one whose grant it speaks of.
pub(crate) fn change(w: &mut World, name: usize, setup: &Setup) -> Option<()> {
    let request = w.requests[name].as_mut().filter(|r| !r.ended && !r.deleting)?;
    let [first, other] = setup.wants[name];
    let asks = if request.asks == other { first } else { other };
    if asks == request.asks {
        return None;
    }
    spend(&mut w.budget.changes)?;
    request.asks = asks;
    Some(())
}

pub(crate) fn end(w: &mut World, name: usize) -> Option<()> {
    let request = w.requests[name].as_mut().filter(|r| r.record != 0 && !r.ended)?;
    spend(&mut w.budget.ends)?;
    request.ended = true;
    request.version += 1;
    Some(())
}

/// Deletion ends a grant, too.
pub(crate) fn delete(w: &mut World, name: usize, setup: &Setup) -> Option<()> {
    let request = w.requests[name].as_mut().filter(|r| !r.deleting)?;
    spend(&mut w.budget.deletions)?;
    request.deleting = true;
    request.ended = request.record != 0;
    request.version += 1;
    if !setup.rules.has(Rule::KeptWhileCharged) {
        w.requests[name] = None;
    }
    Some(())
}

/// Somebody deletes it and takes the finalizer away: it is gone, whatever it holds and whatever is under way.
pub(crate) fn vanish_by_hand(w: &mut World, name: usize) -> Option<()> {
    w.requests[name]?;
    spend(&mut w.budget.by_hand)?;
    w.requests[name] = None;
    w.orphaned[name] = w.in_force[name];
    Some(())
}

/// The agent brings the centre to what the allocation says, and says so; what is gone lets in nothing.
pub(crate) fn centre_applies(w: &mut World, name: usize) {
    w.orphaned[name] = Amounts::NONE;
    w.in_force[name] = Amounts::NONE;
    if let Some(request) = w.requests[name].as_mut() {
        w.in_force[name] = request.holds;
        if request.confirmed != request.record {
            request.confirmed = request.record;
            request.version += 1;
        }
    }
}
