//! What the grants of all tenants become in one centre: the namespaces, what each may use, and an answer for each grant.
//!
//! A namespace is lowered only because a grant says so. Where a grant or a tenant that counts in it is missing from the
//! caches or cannot be understood, the namespace is *held*: it stays as it is until the hub itself was asked.

use std::collections::{BTreeMap, BTreeSet};

use crds::{Administrator, QuotaPool, ResourceRequest, Tenant};
use jiff::Timestamp;

use super::epoch::Floors;
use super::rows::Reason;
use super::stage::Stage;

mod planner;
#[cfg(test)]
mod tests;

pub use planner::plan;

/// A namespace that stands in the centre.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Tenant in its label; `None` where it is not ours.
    pub tenant: Option<String>,
    /// Whether the agent made it.
    pub made: bool,
    /// Pool in its label.
    pub pool: Option<String>,
    /// Who owns it, in words.
    pub owner: String,
    /// The grants that its quota was summed from: request and record.
    pub grants: BTreeMap<String, String>,
}

/// Something that the caches no longer show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Absent {
    /// A tenant.
    Tenant(String),
    /// A request: tenant and name.
    Request(String, String),
}

/// What a decision is made from.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// Own name.
    pub centre: &'a str,
    /// Tenants of the hub.
    pub tenants: &'a [Tenant],
    /// Pools of the hub.
    pub pools: &'a [QuotaPool],
    /// Requests of the hub.
    pub requests: &'a [ResourceRequest],
    /// Namespaces of the centre.
    pub namespaces: &'a BTreeMap<String, Standing>,
    /// Epochs as stored in the centre.
    pub floors: &'a Floors,
    /// What the hub itself said does not exist.
    pub gone: &'a BTreeSet<Absent>,
    /// What may be written here.
    pub stage: Stage,
    /// Namespaces in which a person confirmed a decision that holds.
    pub confirmed: &'a BTreeSet<String>,
    /// Centres whose load others carry.
    pub carried: &'a BTreeSet<String>,
}

/// What a namespace should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its tenant.
    pub tenant: String,
    /// The pool that its pods run on.
    pub pool: Option<String>,
    /// Who may edit in it.
    pub administrators: Vec<Administrator>,
    /// `spec.hard` of its quota.
    pub hard: BTreeMap<String, String>,
    /// The grants that this is the sum of: request and record.
    pub grants: BTreeMap<String, String>,
    /// Highest epoch among them.
    pub epoch: Option<i64>,
}

/// Why a grant is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In one word.
    pub reason: Reason,
    /// In a sentence.
    pub message: String,
}

/// Where a grant stands in the centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Pool.
    pub pool: String,
    /// Namespace in which the tenant uses it.
    pub namespace: String,
}

/// What to say of one grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Tenant, which is the request's namespace in the hub.
    pub tenant: String,
    /// The request.
    pub request: String,
    /// Record of the allocation.
    pub record: String,
    /// Epoch of the allocation.
    pub epoch: i64,
    /// Why it is not carried out.
    pub refusal: Option<Refusal>,
    /// Where it stands.
    pub places: Vec<Place>,
    /// Whether it has ended, and so counts as nothing.
    pub ended: bool,
    /// Since when the operator waits for a lowering of it to be confirmed.
    pub pending: Option<Timestamp>,
}

/// What should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Namespaces by name.
    pub namespaces: BTreeMap<String, Wanted>,
    /// Namespaces that stay as they are, and why.
    pub held: BTreeMap<String, String>,
    /// Namespaces of a member cloud that are not written at all, and why.
    pub withheld: BTreeMap<String, Refusal>,
    /// Answers, in the order of tenants and requests.
    pub answers: Vec<Answer>,
    /// What to ask the hub for before anything is lowered.
    pub confirm: BTreeSet<Absent>,
    /// Epochs to store before anything is written.
    pub floors: Floors,
}
