//! The decisions of xiangyun as pure functions: snapshot in, plan out. No client, no clock, no runtime, no randomness;
//! time is an argument. Each rule stands in one place, by its name.

pub mod admission;
pub mod approvals;
pub mod cards;
pub mod ceilings;
pub mod centre;
pub mod centre_health;
pub mod check;
pub mod comes;
pub mod cycle;
pub mod ledger;
pub mod loss;
pub mod market;
pub mod metering;
pub mod needs;
pub mod phase;
pub mod placement;
pub mod pool;
pub mod published;
pub mod quota;
pub mod request;
pub mod request_status;
pub mod subtree;
pub mod tenants;
pub mod terms;
