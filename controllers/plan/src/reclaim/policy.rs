//! A policy read into numbers, and which one decides about a grant.

use std::collections::BTreeSet;

use crds::{Exemption, ReclaimAction, ReclaimPolicy, RequestType};
use jiff::SignedDuration;

use crate::pool::duration;
use crate::request::Request;

/// A policy that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Name.
    pub name: String,
    /// Pools; all where none is named.
    pub pools: BTreeSet<String>,
    /// Tenants; all where none is named.
    pub tenants: BTreeSet<String>,
    /// The window as it is written, which is its name in the agents' rows.
    pub window: String,
    /// The same as a time.
    pub span: SignedDuration,
    /// Idle below this per cent of the granted vCPU …
    pub cpu_below: i128,
    /// … and this per cent of the granted memory.
    pub memory_below: i128,
    /// What is never idle.
    pub exempt: Vec<Exemption>,
    /// From the notice to the days of grace.
    pub notify: SignedDuration,
    /// From then until it acts.
    pub grace: SignedDuration,
    /// What becomes of an idle grant.
    pub action: ReclaimAction,
    /// Per cent of the 95th percentile that it shrinks to.
    pub headroom: i128,
    /// Per cent of what it holds that it keeps in one step.
    pub keep: i128,
}

/// Why a policy cannot be worked with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not a time.
    #[error("{0:?} is not a time such as 30d or 72h | 时长格式应为 30d 或 72h")]
    Duration(String),
    /// Not a percentage.
    #[error("{0:?} is not a percentage such as 10% | 百分比格式应为 10%")]
    Percent(String),
}

impl Policy {
    /// Reads the spec.
    ///
    /// # Errors
    /// What in it cannot be worked with.
    pub fn read(policy: &ReclaimPolicy) -> Result<Self, PolicyError> {
        let spec = &policy.spec;
        let time = |text: &String| duration(text).map_err(|_| PolicyError::Duration(text.clone()));
        Ok(Self {
            name: policy.metadata.name.clone().unwrap_or_default(),
            pools: spec.pools.iter().cloned().collect(),
            tenants: spec.tenants.iter().cloned().collect(),
            window: spec.window.clone(),
            span: time(&spec.window)?,
            cpu_below: percent(&spec.cpu_p95_below)?,
            memory_below: percent(&spec.mem_p95_below)?,
            exempt: spec.exempt.clone(),
            notify: time(&spec.notify)?,
            grace: time(&spec.grace)?,
            action: spec.action,
            headroom: percent(&spec.headroom)?,
            keep: percent(&spec.keep)?,
        })
    }

    /// Whether it is about that pool.
    pub fn covers_pool(&self, pool: &str) -> bool {
        self.pools.is_empty() || self.pools.contains(pool)
    }

    /// Whether it is about that tenant.
    pub fn covers_tenant(&self, tenant: &str) -> bool {
        self.tenants.is_empty() || self.tenants.contains(tenant)
    }

    /// Whether grants of that type are never idle.
    pub(super) fn exempts(&self, request: &Request) -> bool {
        self.exempt.iter().any(|e| match e {
            Exemption::Emergency => request.kind() == RequestType::Emergency,
            Exemption::Trial => request.kind() == RequestType::Trial,
            // That is about centres, not about types.
            Exemption::DRStandby => false,
        })
    }
}

fn percent(text: &str) -> Result<i128, PolicyError> {
    let number = text.strip_suffix('%').and_then(|n| n.parse().ok());
    number.ok_or_else(|| PolicyError::Percent(text.to_owned()))
}

/// The order in which policies are asked: who names the tenant first, then who names pools, then by name.
pub(super) fn by_precedence(a: &Policy, b: &Policy) -> std::cmp::Ordering {
    let key = |p: &Policy| (p.tenants.is_empty(), p.pools.is_empty());
    key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
}
