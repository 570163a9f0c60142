//! The one clock. Whatever needs to know the time is handed it, or a moment of it, from here. And how it compares with another
//! one.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use oyez_domain::time::{Clock, Timestamp};
use oyez_jose::UnixTime;

/// The machine's clock. Before 1970 it is 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl SystemClock {
    /// This second.
    pub(crate) fn second(self) -> UnixTime {
        UnixTime::from_seconds(self.now().unix_seconds())
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    fn now(&self) -> Timestamp {
        let since_1970 = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = since_1970.map_or(0, |since| since.as_millis());
        Timestamp::from_unix_ms(i64::try_from(ms).unwrap_or(i64::MAX))
    }
}

/// How far a clock is from another, at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Difference {
    Ahead(Duration),
    Behind(Duration),
}

impl Difference {
    /// Of a clock that said these two moments around the one that the other clock said: what the question took is no
    /// difference.
    pub(crate) fn of(before: Timestamp, other: Timestamp, after: Timestamp) -> Self {
        if other > after {
            Self::Behind(other.since(after))
        } else {
            Self::Ahead(before.since(other))
        }
    }

    /// Negative where it is behind.
    pub(crate) fn seconds_ahead(self) -> f64 {
        match self {
            Self::Ahead(by) => by.as_secs_f64(),
            Self::Behind(by) => -by.as_secs_f64(),
        }
    }

    /// Whether somebody should know of it.
    pub(crate) fn is_remarkable(self) -> bool {
        let (Self::Ahead(by) | Self::Behind(by)) = self;
        by > REMARKABLE
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, way) = match self {
            Self::Ahead(by) => (by, "ahead of"),
            Self::Behind(by) => (by, "behind"),
        };
        write!(f, "{:.1} s {way}", by.as_secs_f64())
    }
}

/// Clocks that are looked after are together to some milliseconds; leases of some seconds do not suffer from less than this.
const REMARKABLE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_question_did_not_take_is_a_difference() {
        let at = Timestamp::from_unix_ms;
        let of = |before, other, after| Difference::of(at(before), at(other), at(after));
        assert_eq!(of(0, 500, 9_000), Difference::Ahead(Duration::ZERO));
        assert!(!of(0, 11_000, 9_000).is_remarkable());
        let behind = of(0, 11_501, 9_000);
        assert!(behind.is_remarkable());
        assert_eq!(behind.to_string(), "2.5 s behind");
        let ahead = of(300_000, 0, 300_010);
        assert!(ahead.is_remarkable());
        assert_eq!(ahead.to_string(), "300.0 s ahead of");
    }
}
