//! One rule of the engine broken on purpose, to see that the check finds it. What the operator reads or decides is altered;
//! the check looks at what there really is.

use std::sync::Arc;

use crds::{LedgerState, RequestType, ResourceRequest, Resources, Survival};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plan::ceilings::Ceiling;
use plan::check::recounted;
use plan::cycle::{CyclePlan, Snapshot};
use plan::quota::gross;
use plan::request::Request;

use crate::Mix;
use crate::fixtures::Facts;

/// The rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A swap lands on any version of the ledger.
    SwapOnAnyVersion,
    /// An allocation lands on any version of the request.
    ApplyOnAnyVersion,
    /// Copies from before the ledger are decided on.
    StaleCopiesDecide,
    /// A pool sells what it does not have.
    CapacityTwice,
    /// Only the tenant's own ceiling binds.
    AncestorsIgnored,
    /// What one centre holds alone is not charged.
    SurvivalForgotten,
    /// A request for two pools gets the first.
    HalfAGrant,
    /// A lowering frees before the centres confirm it.
    LoweringFreesAtOnce,
    /// A lowering is never settled.
    NeverSettled,
    /// A grant does not remember its changes.
    ChangesForgotten,
    /// A deleted request goes while it holds something.
    LeavesWhileItHolds,
    /// The last one that came is served first.
    LastServedFirst,
    /// What is kept back is sold.
    ReserveSold,
    /// More than one vCPU is sold for each that is there, twice.
    OvercommittedTwice,
    /// A part that must survive is forgotten.
    PercentageForgotten,
    /// Whether free cards lie together is not looked at.
    ScatteredIgnored,
    /// That cards belong together is forgotten.
    BlocksForgotten,
    /// A borrower takes all that its siblings lend.
    BorrowsWithoutLimit,
    /// A sibling lends all that it does not use.
    LendsEverything,
    /// Every request may go above the ceilings.
    AllIsUrgent,
    /// A tenant moves whatever it holds.
    MovesWithoutRoom,
    /// Capacity that fell is sold on.
    FallIgnored,
}

impl Broken {
    pub(crate) const ALL: [Self; 22] = [
        Self::SwapOnAnyVersion,
        Self::ApplyOnAnyVersion,
        Self::StaleCopiesDecide,
        Self::CapacityTwice,
        Self::AncestorsIgnored,
        Self::SurvivalForgotten,
        Self::HalfAGrant,
        Self::LoweringFreesAtOnce,
        Self::NeverSettled,
        Self::ChangesForgotten,
        Self::LeavesWhileItHolds,
        Self::LastServedFirst,
        Self::ReserveSold,
        Self::OvercommittedTwice,
        Self::PercentageForgotten,
        Self::ScatteredIgnored,
        Self::BlocksForgotten,
        Self::BorrowsWithoutLimit,
        Self::LendsEverything,
        Self::AllIsUrgent,
        Self::MovesWithoutRoom,
        Self::FallIgnored,
    ];

    /// The lives that show it.
    pub(crate) fn mix(self) -> Mix {
        match self {
            Self::AncestorsIgnored
            | Self::ReserveSold
            | Self::OvercommittedTwice
            | Self::PercentageForgotten
            | Self::ScatteredIgnored
            | Self::BlocksForgotten
            | Self::BorrowsWithoutLimit
            | Self::LendsEverything
            | Self::AllIsUrgent
            | Self::MovesWithoutRoom
            | Self::FallIgnored => Mix::Market,
            _ => Mix::Protocol,
        }
    }

    /// Alters what is decided on.
    pub(crate) fn reads(self, snapshot: &mut Snapshot) {
        match self {
            Self::CapacityTwice
            | Self::ReserveSold
            | Self::OvercommittedTwice
            | Self::ScatteredIgnored
            | Self::FallIgnored => {
                self.counts(snapshot);
            }
            Self::BorrowsWithoutLimit => ceilings(snapshot, |c| c.borrow = c.amounts),
            Self::LendsEverything => ceilings(snapshot, |c| c.lend = c.amounts),
            Self::MovesWithoutRoom => {
                // Whatever was adopted before, nothing is known of the place that it leaves.
                let (new, adopted) = (snapshot.tenants["t"].generation, snapshot.ledger.tenants.get_mut("t"));
                if let Some(moves) = adopted.filter(|t| t.generation < new) {
                    moves.generation = 0;
                }
            }
            Self::AncestorsIgnored => {
                snapshot.tenants.values_mut().for_each(|t| t.parent = None);
                snapshot.ledger.tenants.values_mut().for_each(|t| t.parent = None);
            }
            Self::SurvivalForgotten => survives(snapshot, "Full"),
            Self::PercentageForgotten => survives(snapshot, "60%"),
            Self::BlocksForgotten => each_object(snapshot, |r| {
                let need = r
                    .spec
                    .resources
                    .iter_mut()
                    .filter_map(|need| need.accelerators.as_mut());
                need.flatten().for_each(|card| card.per_node = None);
            }),
            Self::AllIsUrgent => each_object(snapshot, |r| {
                if r.spec.type_ == RequestType::New {
                    r.spec.type_ = RequestType::Emergency;
                    r.spec.until = Some("1970-01-20".to_owned());
                }
            }),
            Self::HalfAGrant => each_object(snapshot, |r| {
                if let Some(pools) = &mut r.spec.pools {
                    pools.truncate(1);
                }
            }),
            Self::NeverSettled => each_object(snapshot, |r| r.status.get_or_insert_default().centres.clear()),
            Self::ChangesForgotten => each_object(snapshot, |r| {
                if let Some(allocation) = &mut r.status.get_or_insert_default().allocation {
                    allocation.changes.clear();
                }
            }),
            Self::LastServedFirst => each_object(snapshot, |r| {
                let created = r.metadata.creation_timestamp.as_mut();
                if let Some(Time(at)) = created {
                    *at = Timestamp::from_second(1_000_000 - at.as_second()).unwrap();
                }
            }),
            Self::SwapOnAnyVersion
            | Self::ApplyOnAnyVersion
            | Self::StaleCopiesDecide
            | Self::LoweringFreesAtOnce
            | Self::LeavesWhileItHolds => {}
        }
    }

    /// Alters what capacity there seems to be.
    fn counts(self, snapshot: &mut Snapshot) {
        let whole = Facts::new(Mix::Market);
        for (name, pool) in &mut snapshot.pools {
            for (centre, capacity) in &mut pool.capacity {
                match self {
                    Self::CapacityTwice => capacity.gross = capacity.gross.plus(capacity.gross),
                    Self::ReserveSold => capacity.reserved = Resources::ZERO,
                    Self::OvercommittedTwice => capacity.gross = gross(capacity.gross, pool.overcommit),
                    Self::ScatteredIgnored => capacity.cards.iter_mut().for_each(|row| row.free = row.cards),
                    _ => {
                        let report = capacity.report;
                        *capacity = whole.pool(name).capacity[centre].clone();
                        capacity.report = report;
                    }
                }
            }
        }
    }

    /// Alters what was decided.
    pub(crate) fn decides(self, snapshot: &Snapshot, plan: &mut CyclePlan) {
        if snapshot.ledger.state != LedgerState::Open {
            return;
        }
        match (self, &mut plan.swap) {
            (Self::LoweringFreesAtOnce, Some(next)) => {
                let lowers = next.records.values_mut().filter(|r| r.lowers() && !r.raises());
                lowers.for_each(|r| r.from = r.to.clone());
                let requests: Vec<Request> = snapshot.requests.iter().map(|r| Request::clone(r)).collect();
                *next = recounted(next, &requests);
            }
            (Self::LeavesWhileItHolds, _) => {
                let requests = snapshot.requests.iter().enumerate();
                plan.unguard = requests.filter(|(_, r)| r.deleting()).map(|(i, _)| i).collect();
            }
            _ => {}
        }
    }
}

fn each(snapshot: &mut Snapshot, change: impl Fn(&mut Request)) {
    snapshot.requests.iter_mut().for_each(|r| change(Arc::make_mut(r)));
}

/// Changes every ceiling, those that were adopted as well.
fn ceilings(snapshot: &mut Snapshot, change: impl Fn(&mut Ceiling)) {
    let specs = snapshot.tenants.values_mut().map(|t| &mut t.ceilings);
    let adopted = snapshot.ledger.tenants.values_mut().map(|t| &mut t.ceilings);
    for ceilings in specs.chain(adopted) {
        let pools: Vec<_> = ceilings.keys().cloned().collect();
        for pool in pools {
            Arc::make_mut(ceilings).update(&pool, &change);
        }
    }
}

/// Of what must survive hardly anything does.
fn survives(snapshot: &mut Snapshot, of: &str) {
    each_object(snapshot, |r| {
        if r.spec.survival.0 == of {
            r.spec.survival = Survival("1%".to_owned());
        }
    });
}

fn each_object(snapshot: &mut Snapshot, change: impl Fn(&mut ResourceRequest)) {
    each(snapshot, |r| {
        let mut object = ResourceRequest::clone(r.object());
        change(&mut object);
        *r = Request::read(object, r.fresh).unwrap();
    });
}
