//! Lengths of time: seconds in the JSON, words on the page.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "f64"))]
pub(crate) struct Seconds(pub(crate) Duration);

/// A whole number where it is one.
impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.subsec_nanos() == 0 {
            serializer.serialize_u64(self.0.as_secs())
        } else {
            serializer.serialize_f64(self.0.as_millis() as f64 / 1000.0)
        }
    }
}

/// In the two largest units that it has, and no finer than milliseconds: `3 days`, `2 hours 16 minutes`, `750 milliseconds`.
impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_millis();
        let whole = left;
        let mut units = UNITS.iter().skip_while(|(_, ms)| whole < *ms).take(2);
        let Some((name, ms)) = units.next() else {
            return f.write_str("0 seconds");
        };
        write_count(f, left / ms, name)?;
        left %= ms;
        match units.next() {
            // Below a second is noise beside whole seconds.
            Some((name, ms)) if left >= *ms && (*ms > 1 || self.0 < TEN_SECONDS) => {
                f.write_str(" ")?;
                write_count(f, left / ms, name)
            }
            _ => Ok(()),
        }
    }
}

fn write_count(f: &mut fmt::Formatter<'_>, count: u128, unit: &str) -> fmt::Result {
    let plural = if count == 1 { "" } else { "s" };
    write!(f, "{count} {unit}{plural}")
}

const UNITS: [(&str, u128); 5] = [
    ("day", 86_400_000),
    ("hour", 3_600_000),
    ("minute", 60_000),
    ("second", 1_000),
    ("millisecond", 1),
];
const TEN_SECONDS: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    // W-02
    #[test]
    fn lengths_are_seconds_for_programs_and_words_for_people() {
        for (ms, json, words) in [
            (0, "0", "0 seconds"),
            (750, "0.75", "750 milliseconds"),
            (1_500, "1.5", "1 second 500 milliseconds"),
            (25_000, "25", "25 seconds"),
            (90_000, "90", "1 minute 30 seconds"),
            (3_600_000, "3600", "1 hour"),
            (8_191_000, "8191", "2 hours 16 minutes"),
            (259_200_000, "259200", "3 days"),
        ] {
            let seconds = Seconds(Duration::from_millis(ms));
            assert_eq!(serde_json::to_string(&seconds).unwrap(), json);
            assert_eq!(seconds.to_string(), words);
        }
    }
}
