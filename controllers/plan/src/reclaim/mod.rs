//! Idle grants: how much of each is used, whether that is little enough, and the way back step by step.
//!
//! What a tenant uses of a pool is known per namespace and centre, not per grant. It is attributed to the tenant's grants in
//! proportion to their shares, so all of a tenant's grants of one pool are as idle as each other. Everything that is
//! not known counts as in use: a centre without figures, a grant younger than the window, a window that is not covered.
//!
//! [`Survey`] is what is known; [`judge`] says whether a grant is idle and what it could shrink to; [`stage::next`] is the
//! way back, kept in the request's status; the cycle opens the record that lowers, or the end, when its day has come.

mod judge;
mod policy;
mod published;
pub mod stage;
mod status;
mod survey;
mod target;
#[cfg(test)]
mod tests;
mod words;

pub use judge::{Exempt, Judgement, Most, Verdict, judge};
pub use policy::{Policy, PolicyError};
pub use published::{Figures, figures, next_due, policy_status, stages};
pub use status::{kept, status};
pub use survey::{CentreFacts, Keep, Survey, oldest};
pub use target::Act;
pub(crate) use target::act;
