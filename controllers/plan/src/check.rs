//! The invariants, stated once; tests run them after every step.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crds::{RequestType, Resources};

use crate::cycle::{CyclePlan, Snapshot};
use crate::ledger::{Holding, Ledger};
use crate::market::Choice;
use crate::needs::Need;
use crate::quota::SurvivalRule;
use crate::request::Request;

/// Everything that is wrong with a ledger and the requests it counts: charged less than the requests hold, or more
/// than can be committed. `capacity_fell` says whether committable capacity ever fell: only then may a pool be charged
/// above it.
pub fn violations(ledger: &Ledger, requests: &[Request], capacity_fell: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let recounted = recounted(ledger, requests);
    for (pool, entry) in &recounted.pools {
        for (centre, held) in &entry.centres {
            let charged = ledger.centre(pool, centre).map_or(Resources::ZERO, |c| c.charged);
            if !held.charged.fits(charged) {
                wrong.push(format!(
                    "{pool}@{centre} is charged {charged}, but {} is held",
                    held.charged
                ));
            }
            if !capacity_fell && !charged.fits(held.committable) {
                wrong.push(format!(
                    "{pool}@{centre} is oversold: charged {charged}, committable {}",
                    held.committable
                ));
            }
        }
    }
    wrong
}

/// What the rule of the ledger says that it should charge.
pub fn recounted(ledger: &Ledger, requests: &[Request]) -> Ledger {
    let mut recounted = ledger.clone();
    let holdings = requests.iter().map(|r| Holding {
        uid: r.uid(),
        tenant: r.tenant(),
        grant: &r.holds,
    });
    drop(recounted.recount(holdings));
    recounted
}

/// Grants that are not what was asked: their shares do not add up, a centre that is left alone could not carry them, cards that
/// belong together are divided, or they take from some of their pools only. What a `Change` made of a grant is judged by its shares
/// and by the survival that this change asked.
pub fn grants_broken(requests: &[Request]) -> Vec<String> {
    let mut wrong = Vec::new();
    for request in requests.iter().filter(|r| r.is_live()) {
        let name = request.name();
        let nothing = BTreeMap::new();
        let Ok((needs, alone)) = request.wish.with(&nothing) else {
            wrong.push(format!("{name} holds what cannot be read"));
            continue;
        };
        let changed = request.allocation().is_some_and(|a| !a.changes.is_empty());
        if !changed && request.holds.len() < needs.len() {
            wrong.push(format!("{name} holds {} of {} pools", request.holds.len(), needs.len()));
        }
        let alone = rule(requests, request, alone);
        // Cards of one request belong together alike.
        let block = needs.iter().map(Need::block).max().unwrap_or(1);
        for (pool, grant) in &request.holds {
            let mut cards = grant
                .centres
                .values()
                .map(|p| p.charge().accelerators % block + p.share.accelerators % block);
            if !changed && cards.any(|left| left > 0) {
                wrong.push(format!("{name}/{pool}: {block} cards of one node are divided"));
            }
            let shares = grant.centres.values().map(|p| p.share);
            let sum = shares.fold(Resources::ZERO, Resources::plus);
            if !grant.n.fits(sum) {
                wrong.push(format!("{name}/{pool}: shares are {sum}, granted {}", grant.n));
            }
            for (centre, part) in &grant.centres {
                if let Some(rule) = alone.filter(|rule| !carried(*rule, grant.n).fits(part.survival)) {
                    wrong.push(format!(
                        "{name}/{pool}: {centre} carries {} alone of {}, asked {rule:?}",
                        part.survival, grant.n
                    ));
                }
            }
        }
    }
    wrong
}

/// The rule that a grant follows: that of its last `Change`, or its own. Nothing where a request that altered it is gone,
/// because that may have been the one.
fn rule(requests: &[Request], request: &Request, own: SurvivalRule) -> Option<SurvivalRule> {
    let changes = request.allocation().map(|a| a.changes.as_slice()).unwrap_or_default();
    for uid in changes.iter().rev() {
        let altered = requests.iter().find(|r| r.uid() == uid)?;
        if altered.kind() == RequestType::Change {
            return Some(altered.wish.with(&BTreeMap::new()).ok()?.1);
        }
    }
    Some(own)
}

/// The least of `n` that each centre must carry alone.
fn carried(rule: SurvivalRule, n: Resources) -> Resources {
    match rule {
        SurvivalRule::Full => n,
        SurvivalRule::Percent(p) => n.zip(Resources::ZERO, |n, _| n * p / 100),
        SurvivalRule::None => Resources::ZERO,
    }
}

/// Who was served out of turn: before somebody who came earlier, asks for no more, and waits for room.
pub fn order_broken(snapshot: &Snapshot, plan: &CyclePlan) -> Vec<String> {
    let Some(next) = &plan.swap else {
        return Vec::new();
    };
    let turn = |r: &Request| (Reverse(r.wish.priority), r.created(), r.uid().to_owned());
    let served = |r: &&Request| next.records.contains_key(r.uid()) && !snapshot.ledger.records.contains_key(r.uid());
    let indexed = || snapshot.requests.iter().map(|r| &**r).enumerate();
    let fresh = || indexed().filter(|(_, r)| r.kind() == RequestType::New && r.holds.is_empty());
    let mut wrong = Vec::new();
    for (earlier, found) in fresh().filter_map(|(index, r)| Some((r, plan.assessment(index)?))) {
        let waits = found
            .refusal
            .as_ref()
            .is_some_and(|r| r.reason == crds::request_reason::WAITING_FOR_QUOTA);
        for later in fresh()
            .map(|(_, r)| r)
            .filter(served)
            .filter(|l| waits && turn(earlier) < turn(l))
        {
            let got = next.records.get(later.uid()).map(|r| &r.to);
            let no_more = |choice: &Choice| {
                let part = |centre| got?.get(&choice.pool)?.centres.get(centre);
                let mut centres = choice.grant.centres.iter();
                centres.all(|(c, p)| part(c).is_some_and(|got| p.charge().fits(got.charge())))
            };
            if !found.choices.is_empty() && found.choices.iter().all(no_more) {
                wrong.push(format!("{} was served before {}", later.name(), earlier.name()));
            }
        }
    }
    wrong
}

/// Ancestors whose subtree holds more than their ceiling and what they may borrow, and groups of siblings that borrow more
/// than they lend. Emergencies may go above and are left out. `cards` are the pools where CPU and memory come with the card.
pub fn ceilings_broken(ledger: &Ledger, requests: &[Request], cards: &BTreeSet<&str>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut plain = ledger.clone();
    let usual = requests.iter().filter(|r| r.kind() != RequestType::Emergency);
    let uids: BTreeSet<&str> = usual.clone().map(Request::uid).collect();
    plain.records.retain(|uid, _| uids.contains(uid.as_str()));
    drop(plain.recount(usual.map(|r| Holding {
        uid: r.uid(),
        tenant: r.tenant(),
        grant: &r.holds,
    })));
    let mut beyond: BTreeMap<(&str, String, &str), i128> = BTreeMap::new();
    for (tenant, entry) in &plain.tenants {
        for (pool, sum) in plain.subtree(tenant) {
            let ceiling = entry.ceilings.get(&pool).copied().unwrap_or_default();
            for (resource, held) in sum.iter() {
                if cards.contains(pool.as_str()) && resource != "accelerators" && ceiling.amounts[resource] == 0 {
                    continue;
                }
                let (own, borrow) = (ceiling.amounts[resource], ceiling.borrow[resource]);
                // Above the root nobody lends.
                let borrow = if entry.parent.is_some() { borrow } else { 0 };
                if held > own + borrow {
                    wrong.push(format!(
                        "{tenant}/{pool}: subtree holds {held} {resource}, ceiling {own} + {borrow}"
                    ));
                }
                let unused = own - held;
                let lent = unused.clamp(0, ceiling.lend[resource].max(0));
                let group = entry.parent.as_deref().unwrap_or_default();
                *beyond.entry((group, pool.clone(), resource)).or_default() += (-unused).max(0) - lent;
            }
        }
    }
    // A sibling that holds nothing of the pool lends all it is willing to.
    for ((parent, pool, resource), excess) in beyond {
        let idle = plain.tenants.iter().filter(|(name, t)| {
            t.parent.as_deref().unwrap_or_default() == parent && !plain.subtree(name).contains_key(&pool)
        });
        let lent: i128 = idle
            .map(|(name, _)| plain.ceiling(name, &pool))
            .map(|c| c.lend[resource].min(c.amounts[resource]))
            .sum();
        if excess > lent {
            wrong.push(format!(
                "below {parent:?} {excess} {resource} of {pool} are borrowed, {lent} lent"
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests;
