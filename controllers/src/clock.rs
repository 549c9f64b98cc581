//! The wall clock. Everything that compares times takes them from here, so that a drill can move a process in time.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

/// The wall clock of a process.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// File with an offset in seconds, which is read at each look. Only a playground has one.
    pub offset_file: Option<PathBuf>,
}

impl Clock {
    /// Now; UTC.
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(self.offset()).unwrap_or(now)
    }

    /// Nothing where there is no file, or no number in it.
    fn offset(&self) -> SignedDuration {
        let text = self
            .offset_file
            .as_ref()
            .and_then(|file| std::fs::read_to_string(file).ok());
        let seconds = text.and_then(|t| t.trim().parse().ok());
        SignedDuration::from_secs(seconds.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_moves_the_clock_and_its_end_moves_it_back() {
        let file = std::env::temp_dir().join(format!("xy-clock-{}", std::process::id()));
        let (moved, plain) = (
            Clock {
                offset_file: Some(file.clone()),
            },
            Clock::default(),
        );
        std::fs::write(&file, "-7200\n").unwrap();
        assert!(plain.now().duration_since(moved.now()) >= SignedDuration::from_secs(7199));
        std::fs::remove_file(&file).unwrap();
        assert!(plain.now().duration_since(moved.now()).abs() < SignedDuration::from_secs(60));
    }
}
