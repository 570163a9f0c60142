//! A pause after something of ours failed: short at first, longer each time, over with the next success.

use std::time::Duration;

use tokio::time::Instant;

/// See the head of this file.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pause {
    last: Duration,
    until: Option<Instant>,
}

impl Pause {
    /// It failed again.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.last = (self.last * 2).clamp(SHORTEST, LONGEST);
        self.until = Some(now + self.last);
    }

    /// It works.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// When to try again; `None` if nothing is wrong, or it is time.
    pub(crate) fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| now < *until)
    }
}

/// A ledger that is busy is free again soon.
const SHORTEST: Duration = Duration::from_millis(100);
/// One that is away is asked so often by each lane.
const LONGEST: Duration = Duration::from_secs(5);
