//! A calendar month of the province.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan as _};

use crate::request::date_at;

/// A month in the province's time, UTC+8 the year round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(Date);

impl Month {
    /// The month of a moment, seconds since 1970.
    pub fn at(second: i64) -> Self {
        let now = Timestamp::from_second(second).unwrap_or_default();
        Self(date_at(now).first_of_month())
    }

    /// `2026-11`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |t: &str, length| t.len() == length && t.chars().all(|c| c.is_ascii_digit());
        let (year, month) = text.split_once('-').filter(|(y, m)| digits(y, 4) && digits(m, 2))?;
        let (year, month) = (year.parse().ok()?, month.parse().ok()?);
        Date::new(year, month, 1).ok().map(Self)
    }

    /// The month after it; none after the last one that a clock knows.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1.month()).ok().map(Self)
    }

    /// First second, since 1970.
    pub fn start(self) -> i64 {
        let midnight = Offset::constant(8).to_timestamp(self.0.at(0, 0, 0, 0));
        midnight.map_or(i64::MAX, Timestamp::as_second)
    }

    /// First second of the month after it.
    pub fn end(self) -> i64 {
        self.next().map_or(i64::MAX, Self::start)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}
