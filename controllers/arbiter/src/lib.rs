//! Who may act: leases, and the arbiter of exclusive scopes, as protocols without I/O. Events go in, transactions and
//! rights come out; nothing here knows a clock, a client or a thread. The rules, and what happens without each of them, are
//! in docs/decisions/0012-the-arbiter.md.

pub mod agent;
pub mod lease;
pub mod observer;
pub mod operator;
pub mod permit;
pub mod record;
pub mod row;
pub mod timing;
pub mod txn;
pub mod view;
