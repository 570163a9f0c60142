//! When to try again (D-05): exponential backoff with a factor, a ceiling and jitter, bounded by a count and by a time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The retry policy of a deployment or of one TPP. Its three limits are what the bank publishes (W-01).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The first step.
    pub base: Duration,
    /// How much longer each step is than the one before.
    pub factor: f64,
    /// No step is longer.
    pub ceiling: Duration,
    /// How many retries, the first attempt not counted.
    pub retries_max: u32,
    /// For how long after the first failure.
    pub window: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            base: BASE,
            factor: FACTOR,
            ceiling: CEILING,
            retries_max: RETRIES_MAX,
            window: WINDOW,
        }
    }
}

/// A TPP that restarts is back within seconds.
const BASE: Duration = Duration::from_secs(1);
/// Doubling reaches the ceiling in twelve steps.
const FACTOR: f64 = 2.0;
/// A TPP that mends its endpoint waits no longer than this for the next try.
const CEILING: Duration = Duration::from_secs(60 * 60);
/// More than the window needs at the ceiling, so that by default the window decides.
const RETRIES_MAX: u32 = 120;
/// A long weekend.
const WINDOW: Duration = Duration::from_secs(72 * 60 * 60);
