//! The I/O loops of the operator and of the centre agent.
//!
//! Every kind has the same shape: `observe` reads into an owned snapshot, [`plan`] decides, `apply` writes, `status` says
//! what came of it. What is shared between kinds stands here: caches, the pass that drives a loop, leases, calls, events
//! and the HTTP port.

pub mod admission;
pub mod cache;
pub mod call;
pub mod centre;
pub mod client;
pub mod clock;
pub mod data_center;
pub mod events;
pub mod fail_point;
pub mod failover;
pub mod lazy;
pub mod lease;
pub mod merge;
pub mod metering;
pub mod notify;
pub mod operator;
pub mod pass;
pub mod placement;
pub mod quorum;
pub mod rows;
pub mod serve;
pub mod shelf;
pub mod templates;
pub mod tenant;
pub mod traffic;
