//! Lengths of time as people write them in configuration: `250ms`, `10s`, `5m`, `72h`, `90d`.
//!
//! One number and one unit. Printed in the largest unit that is exact; what is finer than a millisecond is cut off.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text is no length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a length of time is a whole number and a unit: 250ms, 10s, 5m, 72h or 90d")]
pub struct NotASpan;

/// Reads a length of time.
pub fn parse(text: &str) -> Result<Duration, NotASpan> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).ok_or(NotASpan)?;
    let (number, unit) = text.split_at(digits_end);
    let number: u64 = number.parse().map_err(|_| NotASpan)?;
    let (_, unit_ms) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or(NotASpan)?;
    number
        .checked_mul(*unit_ms)
        .map(Duration::from_millis)
        .ok_or(NotASpan)
}

/// Writes a length of time.
pub fn print(span: Duration) -> String {
    let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return "0s".to_owned();
    }
    let exact = UNITS
        .iter()
        .find(|(_, unit_ms)| ms.is_multiple_of(*unit_ms));
    let (name, unit_ms) = exact.expect("every number of milliseconds is exact in milliseconds");
    format!("{}{name}", ms / unit_ms)
}

/// For `#[serde(with = "span")]`.
pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&print(*span))
}

/// For `#[serde(with = "span")]`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(serde::de::Error::custom)
}

/// For `#[serde(with = "span::option")]`.
pub mod option {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer};

    /// The text, or nothing.
    pub fn serialize<S: Serializer>(
        span: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        span.map(super::print).serialize(serializer)
    }

    /// The text, or nothing.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| super::parse(&text).map_err(serde::de::Error::custom))
            .transpose()
    }
}

/// Largest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // D-05
    #[test]
    fn spans_are_read_and_printed_in_the_largest_exact_unit() {
        for (text, printed) in [
            ("250ms", "250ms"),
            ("10s", "10s"),
            ("300s", "5m"),
            ("72h", "3d"),
            ("90m", "90m"),
            ("0d", "0s"),
        ] {
            assert_eq!(parse(text).map(print).as_deref(), Ok(printed));
        }
        for bad in [
            "",
            "10",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "1S",
            "1w",
            "1h30m",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert_eq!(parse(bad), Err(NotASpan), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_span_survives_its_text_form(ms in any::<u64>()) {
            let span = Duration::from_millis(ms);
            prop_assert_eq!(parse(&print(span)), Ok(span));
        }
    }
}
