//! The arbiter's store on a real network: the protocol of [`arbiter`] with etcd and the machine's clock.

mod clock;
mod config;
mod deciding;
mod restore;
mod store;
mod thread;

pub use clock::boot;
pub use config::{Config, ConfigError, ConnectError};
pub use deciding::{Deciding, Seen};
pub use restore::{RestoreError, Restored, Sources, restore};
pub use store::{Answer, Identity, Store, Unanswered};
pub use thread::on_own_thread;
