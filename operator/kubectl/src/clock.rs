//! A person's own clock.

use jiff::Timestamp;
use jiff::civil::Date;
use plan::request::date_at;

/// Now.
#[allow(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Today in the province.
pub fn today() -> Date {
    date_at(now())
}
