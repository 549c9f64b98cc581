//! A real three-centre cloud on one Linux machine.
//!
//! Everything in it is the real program (etcd, kube-apiserver, kube-controller-manager, kube-scheduler, Prometheus); only the
//! kubelets are simulated, by kwok. Each place is a network namespace. Rust tests use [`Cloud`]; people use the
//! `playground` binary, which is a thin layer over the same calls.
//!
//! Every process of a cloud is a child of one *supervisor* and dies with it. A test holds the supervisor in a thread
//! of its own process; `playground up` leaves a detached one.

use std::path::{Path, PathBuf};

mod access;
mod arbiter;
mod certs;
pub mod cli;
mod cloud;
mod cluster;
mod command;
mod drill;
mod fault;
mod manifests;
mod mode;
mod net;
mod nodes;
mod place;
mod process;
mod prometheus;
mod ready;
mod relay;
mod runner;
mod startup;
mod state;
mod status;
mod supervisor;
mod teardown;
mod tools;
mod users;
mod voters;
mod work;
mod workers;

pub use access::{created, eventually};
pub use cloud::{Cloud, Options};
pub use fault::{Cut, Fault};
pub use mode::Mode;
pub use place::{Place, Profile};
pub use process::Condition;
pub use relay::Withhold;
pub use tools::ensure as tools;
pub use users::{ADMIN, USERS, User};
pub use voters::Store;
pub use work::{
    CentreCount, Counted, Landed, RightEpoch, Silence, Turn, Verdict, Violation, Write, judge, read_writes,
};

/// The root of the repository that this crate was built from.
pub(crate) fn repository() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.ancestors().nth(2).unwrap_or(crate_folder).to_owned()
}
