//! The wall clock. Everything that compares times takes them from here, so that a drill can move a process in time.
//!
//! A clock that runs ahead would end grants and close months that are not over. So whoever writes to the hub goes by the
//! earlier of two clocks: its own, and the one of the hub's API server, which stamps every write.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::quorum::boot;

/// Two clocks may differ by so much before that means anything; a stamp has whole seconds, cut off.
const TOLERANCE: Duration = Duration::from_secs(5);

/// The wall clock of a process.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// File with offsets in seconds, of this clock and of the server's, which is read at each look. Only a playground has
    /// one.
    offset_file: Option<PathBuf>,
    /// What a server stamped on a write, and when that was sent, by [`boot`].
    stamped: Arc<Mutex<Option<(Timestamp, Duration)>>>,
}

impl Clock {
    /// A clock that a file moves.
    pub fn moved_by(offset_file: Option<PathBuf>) -> Self {
        Self {
            offset_file,
            ..Self::default()
        }
    }

    /// Now, UTC: by this machine, and no later than a server's stamp allows.
    pub fn now(&self) -> Timestamp {
        let own = self.own();
        self.latest().map_or(own, |latest| own.min(latest))
    }

    /// By how much this machine is ahead of the server; zero while the two agree.
    pub fn ahead(&self) -> SignedDuration {
        let own = self.own();
        self.latest().map_or(SignedDuration::ZERO, |latest| {
            own.duration_since(latest).max(SignedDuration::ZERO)
        })
    }

    /// A server stamped this time on a write that was sent at `sent`, by [`boot`].
    pub fn stamped(&self, at: Timestamp, sent: Duration) {
        let was = self.ahead() > SignedDuration::ZERO;
        *self.stamped.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, sent));
        let ahead = self.ahead();
        if ahead > SignedDuration::ZERO && !was {
            tracing::error!(
                seconds = ahead.as_secs(),
                "this machine's clock is ahead of the hub's, which counts"
            );
        }
    }

    /// The latest that the server's clock can show: it went on for as long as this machine has been up since.
    fn latest(&self) -> Option<Timestamp> {
        let (at, sent) = (*self.stamped.lock().unwrap_or_else(PoisonError::into_inner))?;
        let since = boot().saturating_sub(sent) + TOLERANCE;
        let latest = at.checked_add(since).ok()?;
        latest.checked_add(self.offset(1)).ok()
    }

    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    fn own(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(self.offset(0)).unwrap_or(now)
    }

    /// The number at that place in the file; nothing where there is none.
    fn offset(&self, place: usize) -> SignedDuration {
        let text = self
            .offset_file
            .as_ref()
            .and_then(|file| std::fs::read_to_string(file).ok());
        let seconds = text.and_then(|t| t.split_whitespace().nth(place)?.parse().ok());
        SignedDuration::from_secs(seconds.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Moved(PathBuf);

    impl Moved {
        fn by(name: &str, seconds: i64) -> (Self, Clock) {
            let file = std::env::temp_dir().join(format!("xy-clock-{name}-{}", std::process::id()));
            std::fs::write(&file, format!("{seconds}\n")).unwrap();
            (Self(file.clone()), Clock::moved_by(Some(file)))
        }
    }

    impl Drop for Moved {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn the_file_moves_the_clock_and_its_end_moves_it_back() {
        let (file, moved) = Moved::by("file", -7200);
        let plain = Clock::default();
        assert!(plain.now().duration_since(moved.now()) >= SignedDuration::from_secs(7199));
        drop(file);
        assert!(plain.now().duration_since(moved.now()).abs() < SignedDuration::from_secs(60));
    }

    #[test]
    fn a_clock_that_is_ahead_is_held_by_the_servers() {
        let (_file, moved) = Moved::by("ahead", 7200);
        let plain = Clock::default();
        moved.stamped(plain.now(), boot());
        assert!(moved.now().duration_since(plain.now()).abs() < SignedDuration::from_secs(60));
        assert!(moved.ahead() > SignedDuration::from_secs(7100));
    }

    #[test]
    fn a_clock_that_is_behind_and_one_that_agrees_go_by_themselves() {
        let (_file, moved) = Moved::by("behind", -7200);
        let plain = Clock::default();
        for clock in [&moved, &plain] {
            let before = clock.now();
            clock.stamped(plain.now(), boot());
            assert!(clock.now().duration_since(before) < SignedDuration::from_secs(60));
            assert_eq!(clock.ahead(), SignedDuration::ZERO);
        }
    }

    #[test]
    fn the_servers_clock_goes_on_between_two_stamps() {
        let (_file, moved) = Moved::by("between", 7200);
        let sent = boot().saturating_sub(Duration::from_secs(100));
        let stamp = Clock::default()
            .now()
            .checked_sub(SignedDuration::from_secs(100))
            .unwrap();
        moved.stamped(stamp, sent);
        assert!(moved.now().duration_since(Clock::default().now()).abs() < SignedDuration::from_secs(60));
    }
}
