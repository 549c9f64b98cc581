//! When what is only shown is written: after what is decided, and without taking the server from what is applied.

use std::time::Duration;

use tokio::time::Instant;

use crate::pass::Crowd;

/// So many statuses are written at once, whatever else is to be done.
const FEW: usize = 8;
/// More of them, which say nothing bad, wait so long for each other.
const INTERVAL: Duration = Duration::from_secs(2);
/// What was decided is applied in the centres for as long, which comes first.
const CALM: Duration = Duration::from_secs(15);

/// Who waits for how long.
pub(super) struct Pace {
    crowd: Crowd,
    /// How long those wait that were left over, once it is calm.
    rest: Option<Duration>,
    /// When nothing was decided for long enough.
    calm: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            crowd: Crowd::default(),
            rest: None,
            calm: Instant::now(),
        }
    }

    /// How long so many still wait; `None`: they are written now. `busy`: something was decided in this pass.
    pub(super) fn waits(&mut self, number: usize, busy: bool) -> Option<Duration> {
        let now = Instant::now();
        if busy {
            self.calm = now + CALM;
        }
        let crowded = number > FEW || (busy && number > 0);
        let longest = self.rest.filter(|_| self.calm <= now).unwrap_or(INTERVAL);
        let wait = self.crowd.waits(crowded, longest);
        if wait.is_none() {
            self.rest = None;
        }
        wait
    }

    /// Some were left over by a round that took so long: the next has a third of the server's time.
    pub(super) fn left_over(&mut self, took: Duration) {
        self.rest = Some(2 * took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_over_follows_once_it_is_calm() {
        let mut pace = Pace::new();
        assert_eq!(pace.waits(FEW, false), None);
        assert!(pace.waits(FEW + 1, false).is_some());
        let mut calm = Pace::new();
        calm.left_over(Duration::ZERO);
        assert_eq!(calm.waits(1000, false), None);
        let mut busy = Pace::new();
        assert!(busy.waits(1, true).is_some());
        busy.left_over(Duration::ZERO);
        assert!(busy.waits(1000, false).is_some());
    }
}
