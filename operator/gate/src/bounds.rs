//! The times of the gate, all in milliseconds.

pub use arbiter::timing::PERMIT_MS;
use arbiter::timing::{RATE_PPM, shrunk};
use thiserror::Error;

/// Life of a ticket: a gate that sleeps longer between its question and its write opens nothing.
pub const TICKET_MS: u64 = 2_000;
/// Permits shorter than this are not given. The kernel counts in ticks, 10 ms at the coarsest (HZ=100), and on some
/// kernels a timeout of less than a tick became 0, which means for ever.
pub const SHORTEST_MS: u64 = 20;
/// A permit ends at its deadline even when nft takes this long to write it; it takes some 10. Whatever takes longer is
/// bounded by the ticket, and that is what g ≥ G + 500 is for.
pub const WRITE_MS: u64 = 50;
/// No agent promises more; it keeps sums in range.
const LONGEST_LEFT_MS: u64 = 24 * 3_600 * 1_000;

/// `left(1 − 2ρ)`, rounded down: how much of the agent's time counts on this node's clock.
pub fn usable_ms(left_ms: u64) -> u64 {
    shrunk(left_ms.min(LONGEST_LEFT_MS), RATE_PPM)
}

/// Why the times cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Unbound {
    /// A permit would run out between two rounds.
    #[error(
        "cycle {cycle_ms} ms + call timeout {call_ms} ms must be less than {PERMIT_MS} ms, the life of a permit | \
         周期与调用超时之和须小于许可有效期 {PERMIT_MS} ms"
    )]
    TooSlow {
        /// Of the round.
        cycle_ms: u64,
        /// Of the call.
        call_ms: u64,
    },
    /// A round without a pause, or a call that cannot be answered.
    #[error("cycle and call timeout must be at least 10 ms | 周期与调用超时不得小于 10 ms")]
    TooFast,
}

/// How often the gate asks, and how long it waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    cycle_ms: u64,
    call_ms: u64,
}

impl Bounds {
    /// The two times, if permits can be extended before they run out: `cycle + call < G`.
    ///
    /// # Errors
    /// They do not fit, or one of them is next to nothing.
    pub fn new(cycle_ms: u64, call_ms: u64) -> Result<Self, Unbound> {
        if cycle_ms < 10 || call_ms < 10 {
            return Err(Unbound::TooFast);
        }
        if cycle_ms.saturating_add(call_ms) >= PERMIT_MS {
            return Err(Unbound::TooSlow { cycle_ms, call_ms });
        }
        Ok(Self { cycle_ms, call_ms })
    }

    /// From the beginning of a round to that of the next, in milliseconds.
    pub const fn cycle_ms(self) -> u64 {
        self.cycle_ms
    }

    /// How long an agent may take, in milliseconds.
    pub const fn call_ms(self) -> u64 {
        self.call_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_must_fit_into_a_permit() {
        assert!(Bounds::new(500, 1_000).is_ok());
        assert!(Bounds::new(500, 1_499).is_ok());
        assert!(matches!(Bounds::new(500, 1_500), Err(Unbound::TooSlow { .. })));
        assert!(Bounds::new(u64::MAX, 500).is_err());
        assert_eq!(Bounds::new(0, 500), Err(Unbound::TooFast));
    }

    #[test]
    fn two_clocks_may_drift_apart() {
        assert_eq!(usable_ms(5_400), 5_292);
        assert_eq!(usable_ms(0), 0);
        assert_eq!(usable_ms(1), 0);
        assert!(usable_ms(u64::MAX) <= LONGEST_LEFT_MS);
    }
}
