//! Instants as JOSE writes them: whole seconds since 1970. A type of its own, so that milliseconds cannot slip in.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(i64);

impl UnixTime {
    /// From whole seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// From milliseconds; what is left of a second is dropped, towards the past.
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        Self(milliseconds.div_euclid(1000))
    }

    /// From a NumericDate (RFC 7519): seconds, whole or not; a part of a second is dropped, towards the past.
    pub fn from_numeric_date(value: &Value) -> Option<Self> {
        if let Some(whole) = value.as_i64() {
            return Some(Self(whole));
        }
        let seconds = value
            .as_f64()
            .filter(|seconds| seconds.abs() < SECONDS_MAX)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the magnitude was just bounded"
        )]
        Some(Self(seconds.floor() as i64))
    }

    /// The whole seconds.
    pub const fn seconds(self) -> i64 {
        self.0
    }
}

impl Add<Duration> for UnixTime {
    type Output = Self;

    /// Later by the whole seconds of `duration`, a part of a second counted in full.
    fn add(self, duration: Duration) -> Self {
        let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
        Self(self.0.saturating_add_unsigned(seconds))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 2^53: beyond it a JSON number is no longer an exact second.
const SECONDS_MAX: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_never_makes_an_instant_later_nor_a_wait_shorter() {
        assert_eq!(UnixTime::from_milliseconds(1_999).seconds(), 1);
        assert_eq!(UnixTime::from_milliseconds(-1).seconds(), -1);
        let waited = UnixTime::from_seconds(10) + Duration::from_millis(1_001);
        assert_eq!(waited.seconds(), 12);
        let end = UnixTime::from_seconds(i64::MAX) + Duration::from_secs(1);
        assert_eq!(end.seconds(), i64::MAX);
    }

    #[test]
    fn a_numeric_date_is_a_number_of_seconds_that_is_exact() {
        let read = |text: &str| {
            UnixTime::from_numeric_date(&serde_json::from_str(text).unwrap()).map(UnixTime::seconds)
        };
        assert_eq!(read("1700000000"), Some(1_700_000_000));
        assert_eq!(read("1700000000.9"), Some(1_700_000_000));
        assert_eq!(read("-0.5"), Some(-1));
        for text in [
            "\"1700000000\"",
            "1e16",
            "18446744073709551615",
            "null",
            "true",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
