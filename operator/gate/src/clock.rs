//! The clock that goes on while the node sleeps.

use nix::time::{ClockId, clock_gettime};

/// A time on CLOCK_BOOTTIME, in milliseconds since the node was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(pub u64);

impl BootTime {
    /// Milliseconds from `earlier` to this time, 0 if it is not earlier.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time and so many milliseconds.
    #[must_use]
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// The time now, rounded down.
///
/// # Errors
/// The kernel has no such clock.
pub fn boot_time() -> nix::Result<BootTime> {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    let (seconds, nanos) = (time.tv_sec().unsigned_abs(), time.tv_nsec().unsigned_abs());
    Ok(BootTime(seconds * 1_000 + nanos / 1_000_000))
}
