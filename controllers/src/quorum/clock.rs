//! The clock of all times here: CLOCK_BOOTTIME, which goes on while the machine sleeps and is never set.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Since this machine booted. Zero where the kernel has no such clock, which no Linux of this century lacks.
pub fn boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}
