//! One gate in a network namespace.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

/// Names of sockets without a file belong to a network namespace, as tables do, and are freed by the death of the process.
const NAME: &str = "xiangyun-gate";

/// Held for as long as this gate is the only one here.
#[derive(Debug)]
pub struct Alone(#[expect(dead_code, reason = "it is held, not used")] UnixListener);

impl Alone {
    /// Claims this network namespace.
    ///
    /// # Errors
    /// Another gate runs in it.
    pub fn claim() -> io::Result<Self> {
        let name = SocketAddr::from_abstract_name(NAME)?;
        UnixListener::bind_addr(&name).map(Self)
    }
}
