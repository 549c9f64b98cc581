//! A tenant as its requests are judged. What is the same for all of them is looked up once.

use std::collections::BTreeMap;

use crds::Intake;

use crate::approvals::Policy;
use crate::ledger::Ledger;
use crate::pool::Pool;
use crate::subtree::Subtrees;
use crate::tenants::{TenantFacts, intake};

/// A tenant's standing: whether its place in the tree is valid, or why not.
pub type Standing = BTreeMap<String, Result<(), String>>;

/// What is known of tenants and pools beside the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Register<'a> {
    /// Pools by name.
    pub pools: &'a BTreeMap<String, Pool>,
    /// Tenants by name.
    pub tenants: &'a BTreeMap<String, TenantFacts>,
    /// Whether each may be granted anything.
    pub standing: &'a Standing,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Applicant<'a> {
    /// Name of the tenant.
    pub name: &'a str,
    /// Whether its place in the tree is valid; nothing where it does not exist.
    pub(crate) standing: Option<&'a Result<(), String>>,
    /// The strictest intake from it up to the root, and whose it is.
    pub(crate) intake: (Intake, &'a str),
    /// Who must agree; where there is none, the pools say.
    pub(crate) policy: Option<&'a Policy>,
    /// Pools that are open to it, in the order of their names.
    pub open: Vec<&'a Pool>,
    /// Its number and those of its ancestors in the [`Subtrees`], nearest first.
    pub(crate) places: Vec<usize>,
}

impl<'a> Applicant<'a> {
    /// Looks a tenant up.
    pub fn of(name: &'a str, register: Register<'a>, ledger: &Ledger, subtrees: &Subtrees) -> Self {
        let entry = ledger.tenants.get(name);
        let open = entry.into_iter().flat_map(|t| t.ceilings.keys());
        Self {
            name,
            standing: register.standing.get(name),
            intake: intake(name, register.tenants),
            policy: register.tenants.get(name).and_then(|t| t.policy.as_ref()),
            open: open.filter_map(|pool| register.pools.get(&**pool)).collect(),
            places: subtrees.places(name),
        }
    }
}
