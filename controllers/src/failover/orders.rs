//! What the arbiter is asked: the orders of moves, first grants, and that holders go on without a deadline while the
//! witness is lost. Each transaction is made from the arbiter's newest view and changes nothing where that is another one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arbiter::operator::Operator;
use arbiter::row::{Epoch, Phase};
use arbiter::timing::Timing;
use arbiter::txn::Txn;
use crds::{CentreRole, DualActivePlacement, Failover, PlacementMode, WitnessState};
use futures::StreamExt as _;
use plan::failover::facts::{Arbiter, Known, Right, Stage, key, scope};
use plan::failover::machine::Order;

use super::observe::recorded;
use super::{AT_ONCE, Controller, named};
use crate::quorum::{Deciding, boot};

/// Scopes that one transaction pins: each takes two comparisons, and the store takes 128 of them.
const PINNED_AT_ONCE: usize = 60;
/// First grants of one pass.
const GRANTS: usize = 200;

/// Scopes of which a restored arbiter asks who held them, and since when this process sees that. Lost with the process,
/// the time begins anew, which is safe.
pub(super) struct Restored {
    timing: Timing,
    since: BTreeMap<String, Duration>,
}

impl Restored {
    pub(super) const fn new(timing: Timing) -> Self {
        Self {
            timing,
            since: BTreeMap::new(),
        }
    }
}

/// The order as a transaction; nothing where the scope is no longer as it was when that was ordered.
fn txn(operator: &Operator, now: Duration, scope: &str, epoch: Epoch, order: &Order) -> Option<Txn> {
    let (row, _) = operator.view().rows.get(scope).filter(|(row, _)| row.epoch == epoch)?;
    match order {
        Order::Takeover => {
            let holder = row.holder.as_deref()?;
            let m = operator.observer().silent(holder, now)?;
            let verdicts = operator.view().verdicts.iter();
            let mut observers = verdicts.filter(|((o, about), named)| o != holder && about == holder && **named == m);
            let pair = [observers.next()?, observers.next()?].map(|((observer, _), _)| observer.as_str());
            operator.takeover(scope, pair, now)
        }
        Order::Prove(proof) => operator.prove(scope, recorded(proof)?),
        Order::Promote(to) => operator.promote(scope, to),
        Order::Drain => operator.drain(scope),
        Order::HandOver(to) => operator.hand_over(scope, to),
    }
}

/// Sends one and tells what came of it. That nobody answered is no error: the next look at the arbiter tells.
async fn commit(
    deciding: &Deciding,
    what: &'static str,
    about: String,
    make: impl FnOnce(&Operator, Duration) -> Option<Txn> + Send + 'static,
) {
    match deciding.commit(make).await {
        Ok(landed) => tracing::info!(what, scope = about, landed, "arbiter"),
        Err(error) => tracing::warn!(what, scope = about, %error, "arbiter"),
    }
}

const fn name(order: &Order) -> &'static str {
    match order {
        Order::Takeover => "takeover",
        Order::Prove(_) => "prove",
        Order::Promote(_) => "promote",
        Order::Drain => "drain",
        Order::HandOver(_) => "hand over",
    }
}

impl Controller {
    /// Sends the orders of a move.
    pub(super) async fn order(&self, known: &Known, failover: &Failover, orders: Vec<Order>) {
        let Some(deciding) = &self.sight.deciding else { return };
        let (namespace, _) = named(failover);
        let placement = failover.spec.placement_ref.name.as_str();
        let Some(right) = known.right((namespace, placement)) else {
            return;
        };
        let (scope, epoch) = (scope(namespace, placement), epoch(right));
        for order in orders {
            let about = scope.clone();
            let make = {
                let (scope, order) = (scope.clone(), order.clone());
                move |operator: &Operator, now| txn(operator, now, &scope, epoch, &order)
            };
            commit(deciding, name(&order), about, make).await;
        }
    }

    /// Gives every exclusive placement its record, and keeps holders running while the witness is lost.
    pub(super) async fn keep_rights(&mut self, known: &Known, placements: &[Arc<DualActivePlacement>]) {
        let Some(deciding) = self.sight.deciding.clone() else {
            return;
        };
        let decides = self.sight.fresh().is_some_and(|seen| seen.decides);
        let Arbiter::Seen(rights) = &known.arbiter else { return };
        if !decides {
            return;
        }
        let exclusive = placements
            .iter()
            .filter(|p| p.spec.mode == PlacementMode::Exclusive && p.metadata.deletion_timestamp.is_none());
        let new = exclusive.clone().filter(|p| known.right(key(p)).is_none());
        let grants = new.take(GRANTS).filter_map(|p| {
            let home = p.spec.active.clone().filter(|home| hears(known, home))?;
            let scope = scope(key(p).0, key(p).1);
            let about = scope.clone();
            let make = move |operator: &Operator, _| operator.grant(&scope, &home);
            Some(commit(&deciding, "grant", about, make))
        });
        futures::stream::iter(grants)
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<()>>()
            .await;
        self.pin(&deciding, known, rights).await;
        self.regrant(&deciding, known, exclusive.collect()).await;
    }

    /// While the witness is lost nobody could outvote a cut: what runs goes on without a deadline, and nothing moves.
    async fn pin(&self, deciding: &Deciding, known: &Known, rights: &BTreeMap<String, Right>) {
        let witnesses = known.places().filter(|(_, c)| c.role == CentreRole::DisasterRecovery);
        let witnesses: Vec<&str> = witnesses.map(|(name, _)| name).collect();
        let lost = witnesses.iter().any(|name| known.is_lost(name));
        let heard = witnesses.iter().all(|name| hears(known, name));
        let beating = self.sight.fresh().map(|seen| seen.beating.clone()).unwrap_or_default();
        let at = |stage: Stage| rights.iter().filter(move |(_, r)| r.stage == stage);
        if lost {
            // A holder that may be gone itself is not pinned: it could never be taken from.
            let lives = |r: &Right| {
                r.holder
                    .as_ref()
                    .is_some_and(|h| beating.contains(h) && hears(known, h))
            };
            let held: Vec<String> = at(Stage::Held)
                .filter(|(_, r)| lives(r))
                .map(|(scope, _)| scope.clone())
                .collect();
            for scopes in held.chunks(PINNED_AT_ONCE) {
                let (about, scopes) = (scopes.join(" "), scopes.to_vec());
                commit(deciding, "pin", about, move |operator, _| operator.pin(&scopes)).await;
            }
        } else if heard {
            for (scope, _) in at(Stage::Pinned) {
                let (about, scope) = (scope.clone(), scope.clone());
                commit(deciding, "unpin", about, move |operator, _| operator.unpin(&scope)).await;
            }
        }
    }

    /// After a restore the place that held the highest epoch goes on, once every place of the placement has said what it
    /// held.
    async fn regrant(&mut self, deciding: &Deciding, known: &Known, placements: Vec<&Arc<DualActivePlacement>>) {
        let timing = self.restored.timing;
        let mut asked = BTreeMap::new();
        for placement in placements {
            let Some(right) = known.right(key(placement)) else {
                continue;
            };
            if right.stage != Stage::Regrant {
                continue;
            }
            let scope = scope(key(placement).0, key(placement).1);
            let since = self.restored.since.get(&scope).copied().unwrap_or_else(boot);
            asked.insert(scope.clone(), since);
            let mut places: Vec<String> = placement.spec.centres.iter().map(|c| c.name.clone()).collect();
            places.extend(right.from.clone().filter(|from| !places.contains(from)));
            let about = scope.clone();
            let make = move |operator: &Operator, now| {
                let places: Vec<&str> = places.iter().map(String::as_str).collect();
                let (row, _) = operator.view().rows.get(&scope)?;
                let asks = row.phase == Phase::Regrant;
                operator.regrant(&scope, &places, since, now, timing).filter(|_| asks)
            };
            commit(deciding, "regrant", about, make).await;
        }
        self.restored.since = asked;
    }
}

const fn epoch(right: &Right) -> Epoch {
    Epoch {
        incarnation: right.epoch.incarnation,
        counter: right.epoch.counter,
    }
}

fn hears(known: &Known, centre: &str) -> bool {
    matches!(
        known.state(centre),
        Some(WitnessState::Granted | WitnessState::Returned)
    )
}
