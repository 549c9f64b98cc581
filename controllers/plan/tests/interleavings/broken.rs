//! One rule of the engine broken on purpose, to see that the check finds it. What the operator reads or decides is altered;
//! the check looks at what there really is.

use std::sync::Arc;

use crds::{LedgerState, ResourceRequest, Survival};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plan::check::recounted;
use plan::cycle::{CyclePlan, Snapshot};
use plan::request::Request;

use crate::fixtures::{GROSS, vcpu};

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
}

impl Broken {
    pub(crate) const ALL: [Self; 12] = [
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
    ];

    /// Alters what is decided on.
    pub(crate) fn reads(self, snapshot: &mut Snapshot) {
        match self {
            Self::StaleCopiesDecide => each(snapshot, |r| r.fresh = true),
            Self::CapacityTwice => {
                let capacity = snapshot.pools.values_mut().flat_map(|p| p.capacity.values_mut());
                capacity.for_each(|c| c.gross = vcpu(2 * GROSS));
                let centres = snapshot.ledger.pools.values_mut().flat_map(|p| p.centres.values_mut());
                centres.for_each(|c| c.committable = vcpu(2 * GROSS));
            }
            Self::AncestorsIgnored => {
                snapshot.tenants.values_mut().for_each(|t| t.parent = None);
                snapshot.ledger.tenants.values_mut().for_each(|t| t.parent = None);
            }
            Self::SurvivalForgotten => each_object(snapshot, |r| {
                if r.spec.survival == Survival::default() {
                    r.spec.survival = Survival("1%".to_owned());
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
            Self::SwapOnAnyVersion | Self::ApplyOnAnyVersion | Self::LoweringFreesAtOnce | Self::LeavesWhileItHolds => {
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

fn each_object(snapshot: &mut Snapshot, change: impl Fn(&mut ResourceRequest)) {
    each(snapshot, |r| change(&mut r.object));
}
