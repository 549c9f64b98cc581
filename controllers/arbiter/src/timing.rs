//! How long anything takes in the arbiter, and what must hold between these times.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Times of the arbiter, the same at everybody who takes part. Whole milliseconds and parts per million, so that what is
/// validated is what is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timing {
    /// T: a place whose beat is unchanged for this long may be silent. Milliseconds.
    pub ttl_ms: u64,
    /// R: between two beats. Milliseconds.
    pub beat_ms: u64,
    /// K: a call that has not answered by then is given up. Milliseconds.
    pub call_ms: u64,
    /// ρ: the most by which any clock here runs fast or slow. Parts per million.
    pub rate_ppm: u64,
    /// g: a holder stops this long before it must. Milliseconds.
    pub guard_ms: u64,
    /// G: the longest permit of a gate. Milliseconds.
    pub permit_ms: u64,
}

/// A time that breaks what must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// A time of 0.
    #[error("{0} is 0: give it a time | {0} 不能为 0")]
    Zero(&'static str),
    /// Clocks that run away by more than a tenth.
    #[error("ratePpm {0} is above 100000 | ratePpm {0} 超过 100000")]
    Rate(u64),
    /// Two beats may be lost and the third may take the whole call; a holder must not fence itself for that.
    #[error(
        "3 × beatMs + callMs = {needed} ms, but a holder has {left} ms (ttlMs less clock rates less guardMs): raise ttlMs by {} ms, or lower beatMs, callMs or guardMs | 三次心跳加一次调用需 {needed} ms，持有者仅有 {left} ms",
        needed - left
    )]
    Beats {
        /// What three beats and a call take.
        needed: u64,
        /// What is left to a holder.
        left: u64,
    },
    /// A permit that was set just before the deadline runs on for G.
    #[error(
        "guardMs {guard} is below permitMs + {MARGIN_MS} = {needed}: raise guardMs or lower permitMs | guardMs {guard} 小于 permitMs + {MARGIN_MS} = {needed}"
    )]
    Guard {
        /// As it is.
        guard: u64,
        /// As it must be.
        needed: u64,
    },
}

/// What g has above G: the longest that a write of a permit may take in the kernel.
pub const MARGIN_MS: u64 = 500;
/// G, where nothing else is said: how long a pod may go on after everything that feeds its gate has died.
pub const PERMIT_MS: u64 = 2_000;
/// ρ, where nothing else is said.
pub const RATE_PPM: u64 = 10_000;
const MILLION: u64 = 1_000_000;

impl Default for Timing {
    /// These sit exactly on the bound `3R + K = T(1−2ρ) − g`.
    fn default() -> Self {
        Self {
            ttl_ms: 10_000,
            beat_ms: 2_000,
            call_ms: 1_300,
            rate_ppm: RATE_PPM,
            guard_ms: 2_500,
            permit_ms: PERMIT_MS,
        }
    }
}

impl Timing {
    /// Whether it can be worked with.
    ///
    /// # Errors
    /// The first value that breaks an inequality, with the numbers.
    pub fn validate(&self) -> Result<(), TimingError> {
        let times = [
            ("ttlMs", self.ttl_ms),
            ("beatMs", self.beat_ms),
            ("callMs", self.call_ms),
            ("guardMs", self.guard_ms),
            ("permitMs", self.permit_ms),
        ];
        if let Some((name, _)) = times.iter().find(|(_, ms)| *ms == 0) {
            return Err(TimingError::Zero(name));
        }
        if self.rate_ppm > MILLION / 10 {
            return Err(TimingError::Rate(self.rate_ppm));
        }
        let needed = self.permit_ms + MARGIN_MS;
        if self.guard_ms < needed {
            let guard = self.guard_ms;
            return Err(TimingError::Guard { guard, needed });
        }
        let needed = 3 * self.beat_ms + self.call_ms;
        let left = shrunk(self.ttl_ms, self.rate_ppm).saturating_sub(self.guard_ms);
        if needed > left {
            return Err(TimingError::Beats { needed, left });
        }
        Ok(())
    }

    /// T(1−2ρ) − g: how long a holder may act after it *sent* a beat that was answered, on its own clock.
    pub fn left(&self) -> Duration {
        Duration::from_millis(shrunk(self.ttl_ms, self.rate_ppm).saturating_sub(self.guard_ms))
    }

    /// T(1+2ρ): how long an observer must have seen a beat unchanged, on its own clock.
    pub fn silence(&self) -> Duration {
        let stretched = self.ttl_ms * (MILLION + 2 * self.rate_ppm);
        Duration::from_millis(stretched.div_ceil(MILLION))
    }

    /// R.
    pub fn beat(&self) -> Duration {
        Duration::from_millis(self.beat_ms)
    }

    /// K.
    pub fn call(&self) -> Duration {
        Duration::from_millis(self.call_ms)
    }

    /// The timeout of a permit where the agent answered that this much is left, counted from before it was asked: never
    /// above G, never past `left(1−2ρ)`.
    pub fn permit(&self, left: Duration) -> Duration {
        let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX / MILLION);
        Duration::from_millis(shrunk(left, self.rate_ppm).min(self.permit_ms))
    }
}

/// A time less twice the clock rate, `ms(1−2ρ)`, rounded down: how much of another clock's time counts on one's own.
pub fn shrunk(ms: u64, rate_ppm: u64) -> u64 {
    let shrunk = u128::from(ms) * u128::from(MILLION.saturating_sub(2 * rate_ppm)) / u128::from(MILLION);
    u64::try_from(shrunk).unwrap_or(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_sit_on_the_bound() {
        let timing = Timing::default();
        assert_eq!(timing.validate(), Ok(()));
        let later = Timing {
            call_ms: 1_301,
            ..timing
        };
        let error = later.validate().unwrap_err();
        assert_eq!(
            error,
            TimingError::Beats {
                needed: 7_301,
                left: 7_300
            }
        );
        assert!(error.to_string().contains("raise ttlMs by 1 ms"), "{error}");
    }

    #[test]
    fn each_value_that_breaks_a_bound_is_named() {
        let timing = Timing::default();
        let cases = [
            (Timing { ttl_ms: 0, ..timing }, "ttlMs is 0"),
            (
                Timing {
                    rate_ppm: 200_000,
                    ..timing
                },
                "ratePpm 200000",
            ),
            (
                Timing {
                    permit_ms: 2_001,
                    ..timing
                },
                "guardMs 2500 is below permitMs + 500 = 2501",
            ),
        ];
        for (timing, words) in cases {
            let text = timing.validate().unwrap_err().to_string();
            assert!(text.contains(words) && text.contains(" | "), "{text}");
        }
    }

    #[test]
    fn a_permit_is_never_longer_than_what_is_left() {
        let timing = Timing::default();
        assert_eq!(timing.permit(Duration::from_secs(7)), Duration::from_secs(2));
        assert_eq!(timing.permit(Duration::from_secs(1)), Duration::from_millis(980));
        assert_eq!(timing.permit(Duration::ZERO), Duration::ZERO);
        assert_eq!(timing.permit(Duration::MAX), Duration::from_secs(2));
    }
}
