//! The I/O loops of the operator and of the centre agent.
//!
//! Every kind has the same shape: `observe` reads into an owned snapshot, [`plan`] decides, `apply` writes, `status` says
//! what came of it. What is shared between kinds stands here: caches, the pass that drives a loop, leases, writes,
//! events, metrics and the HTTP port.

pub mod admission;
pub mod cache;
pub mod centre;
pub mod pass;
