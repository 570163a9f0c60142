//! When to try again (D-05): exponential backoff with a factor, a ceiling and jitter, bounded by a count and by a time.
//!
//! The same policy serves an endpoint's outage (D-06) and a single refused event (D-07); who counts what is theirs to say.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fault::{Code, Fault};
use crate::time::span;

/// The retry policy of a deployment or of one TPP. Its three limits are what the bank publishes (W-01).
///
/// What is read (from a TPP's overrides, say) is sound; one that was put together by hand has [`Policy::faults`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct Policy {
    /// The first step.
    #[serde(with = "span")]
    pub base: Duration,
    /// How much longer each step is than the one before.
    pub factor: f64,
    /// No step is longer.
    #[serde(with = "span")]
    pub ceiling: Duration,
    /// How many retries, the first attempt not counted.
    pub retries_max: u32,
    /// For how long after the first failure.
    #[serde(with = "span")]
    pub window: Duration,
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let policy = Self::deserialize(deserializer)?;
        let told = |fault: Fault| format!("{}: {}", fault.path.unwrap_or_default(), fault.message);
        let faults: Vec<String> = policy.faults().into_iter().map(told).collect();
        if faults.is_empty() {
            Ok(policy)
        } else {
            Err(D::Error::custom(faults.join("; ")))
        }
    }
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

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again so much later.
    After(Duration),
    /// Do not try again by this policy.
    Exhausted(Limit),
}

/// Which limit ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`Policy::retries_max`].
    Retries,
    /// [`Policy::window`].
    Window,
}

/// For how long a policy goes on trying, if every attempt fails at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// From the first failure to the last retry, if every draw is the least.
    pub shortest: Duration,
    /// The same, if every draw is the greatest.
    pub longest: Duration,
}

impl Policy {
    /// What follows the `failures`-th failure in a row (the first is 1), so much time after the first one. `draw` is random
    /// in [0, 1): the delay lies between half the step and the whole of it. A TPP's `Retry-After` lengthens it up to the
    /// ceiling. The window cuts it, so that the last try is at its end.
    pub fn next(
        &self,
        failures: u32,
        elapsed: Duration,
        retry_after: Option<Duration>,
        draw: f64,
    ) -> Next {
        let retries = failures.saturating_sub(1);
        let left = self.window.saturating_sub(elapsed);
        if retries >= self.retries_max {
            return Next::Exhausted(Limit::Retries);
        }
        if left.is_zero() {
            return Next::Exhausted(Limit::Window);
        }
        let jittered = self
            .step(retries)
            .mul_f64(f64::midpoint(1.0, draw.clamp(0.0, 1.0)));
        let asked = retry_after.unwrap_or_default().min(self.ceiling);
        Next::After(jittered.max(asked).min(left))
    }

    /// The longest delay before a retry; the first is 0.
    pub fn step(&self, retry: u32) -> Duration {
        let exponent = i32::try_from(retry).unwrap_or(i32::MAX);
        let seconds = self.base.as_secs_f64() * self.factor.powi(exponent);
        Duration::try_from_secs_f64(seconds).map_or(self.ceiling, |step| step.min(self.ceiling))
    }

    /// For how long it goes on, at least and at most.
    pub fn windows(&self) -> Windows {
        Windows {
            shortest: self.window_with(0.0),
            longest: self.window_with(1.0),
        }
    }

    /// Everything that is wrong with it; paths are its members.
    pub fn faults(&self) -> Vec<Fault> {
        let rules = [
            (
                "base",
                self.base >= BASE_MIN,
                "the first step is at least 1ms",
            ),
            (
                "factor",
                (1.0..=FACTOR_MAX).contains(&self.factor),
                "the factor is between 1 and 100",
            ),
            (
                "ceiling",
                self.ceiling >= self.base,
                "the ceiling is no shorter than the first step",
            ),
            (
                "retries_max",
                self.retries_max <= RETRIES_LIMIT,
                "there are at most 100000 retries",
            ),
            (
                "window",
                self.window >= self.base,
                "the window is no shorter than the first step",
            ),
        ];
        let broken = rules.into_iter().filter(|(_, holds, _)| !holds);
        broken
            .map(|(member, _, message)| Fault::new(Code::FieldInvalid, message).at(member))
            .collect()
    }

    fn window_with(&self, draw: f64) -> Duration {
        let mut elapsed = Duration::ZERO;
        for failures in 1..=self.retries_max.min(RETRIES_LIMIT) {
            match self.next(failures, elapsed, None, draw) {
                Next::After(delay) => elapsed += delay,
                Next::Exhausted(_) => break,
            }
        }
        elapsed
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
/// The ledger's clock ticks in milliseconds.
const BASE_MIN: Duration = Duration::from_millis(1);
/// Beyond it the second step is the ceiling anyway.
const FACTOR_MAX: f64 = 100.0;
/// So that the windows can be added up; a retry each minute for two months is less.
const RETRIES_LIMIT: u32 = 100_000;

#[cfg(test)]
mod tests;
