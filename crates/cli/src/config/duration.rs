//! Lengths of time as people write them: a whole number and one unit, `"90d"`, `"1h"`, `"250ms"`.

use std::time::Duration;

/// Reads a length of time.
pub(crate) fn read(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number
        .parse::<u64>()
        .ok()?
        .checked_mul(*unit_ms)
        .map(Duration::from_millis)
}

/// Writes a length of time in the largest unit that it is a whole number of.
pub(crate) fn write(span: Duration) -> String {
    let ms = span.as_millis();
    let fits = |unit_ms: u64| ms % u128::from(unit_ms) == 0;
    let (unit, unit_ms) = UNITS
        .iter()
        .find(|(_, unit_ms)| ms > 0 && fits(*unit_ms))
        .unwrap_or(&("s", 1000));
    format!("{}{unit}", ms / u128::from(*unit_ms))
}

/// Largest first.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];
