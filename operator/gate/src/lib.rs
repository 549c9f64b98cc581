//! The node gate. A pod of an exclusive scope sends and receives only while its address is in an nftables set whose
//! elements time out; nothing has to run to shut it. Why it is built like this: docs/decisions/0011-the-gate.md.
//!
//! [`answer`] is what an agent serves, [`plan`] decides without clock or I/O, [`ruleset`] is the table of a node, and
//! [`pass`] carries one round out.

pub use arbiter::permit as answer;

pub mod alone;
pub mod ask;
pub mod bounds;
pub mod clock;
pub mod fail_point;
pub mod held;
pub mod listing;
pub mod metrics;
pub mod nft;
pub mod pass;
pub mod plan;
pub mod ranges;
pub mod ready;
pub mod ruleset;
pub mod serve;
pub mod transaction;
