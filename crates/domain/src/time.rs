//! Moments, to the millisecond: what ledgers keep and tokens print. Nothing here asks what time it is: rules take a moment,
//! and what works for longer than one is handed a [`Clock`] by the edge.

pub mod span;

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// Where the time comes from: the machine's clock in production, a hand-driven one in tests.
pub trait Clock: Send + Sync {
    /// This moment.
    fn now(&self) -> Timestamp;
}

/// The text is no moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a moment is written as in RFC 3339, with its offset: 2026-03-01T09:30:00Z")]
pub struct NotAMoment;

impl Timestamp {
    /// The latest moment there is: "not before the end of time".
    pub const MAX: Self = Self(i64::MAX);

    /// A moment from milliseconds since the epoch.
    pub const fn from_unix_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// A moment from whole seconds since the epoch, as JWT claims carry it.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down: `iat`, `toe`.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The start of this moment's minute, the unit of the ledger's counters.
    pub const fn minute(self) -> Self {
        Self(self.0.div_euclid(60_000) * 60_000)
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration_ms(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration_ms(duration)))
    }
}

/// RFC 3339 in UTC with milliseconds; a moment outside its range as bare milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// RFC 3339; what is finer than a millisecond is cut off.
impl FromStr for Timestamp {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let moment: jiff::Timestamp = text.parse().map_err(|_| NotAMoment)?;
        Ok(Self(moment.as_millisecond()))
    }
}

fn duration_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_prints_as_rfc_3339_and_counts_whole_seconds_down() {
        let moment = Timestamp::from_unix_ms(1_700_000_000_123);
        assert_eq!(moment.to_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!(moment.unix_seconds(), 1_700_000_000);
        assert_eq!(Timestamp::from_unix_ms(-1).unix_seconds(), -1);
        assert_eq!(moment.minute().to_string(), "2023-11-14T22:13:00.000Z");
    }

    #[test]
    fn a_moment_is_read_in_any_offset_and_never_without_one() {
        let moment = Timestamp::from_unix_ms(1_700_000_000_123);
        for text in ["2023-11-14T22:13:20.123Z", "2023-11-14T23:13:20.1239+01:00"] {
            assert_eq!(text.parse(), Ok(moment), "{text}");
        }
        for text in ["", "2023-11-14", "2023-11-14T22:13:20", "1700000000"] {
            assert_eq!(text.parse::<Timestamp>(), Err(NotAMoment), "{text}");
        }
    }

    #[test]
    fn arithmetic_saturates_at_the_end_of_time() {
        assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
        assert_eq!(
            Timestamp::from_unix_ms(5).since(Timestamp::from_unix_ms(9)),
            Duration::ZERO
        );
    }
}
