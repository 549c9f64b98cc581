//! Who may act: leases and epochs as protocols without I/O. Events and times go in, decisions come out; times are of a
//! monotonic clock that the caller reads.
//!
//! The leader lease is here. The arbiter of exclusive workloads will stand beside it.

pub mod lease;
