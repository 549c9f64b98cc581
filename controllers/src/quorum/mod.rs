//! The arbiter's store on a real network: the protocol of [`arbiter`] with etcd and the machine's clock.

mod clock;
mod store;

pub use clock::boot;
pub use store::{Answer, Identity, Store, Unanswered};
