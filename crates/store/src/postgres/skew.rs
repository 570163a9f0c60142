//! Nodes have clocks of their own, and lanes wake by the database's: what a node says of its time is put into the database's when
//! it is written, and back when it is read.
//!
//! So a node whose clock is minutes ahead keeps no other waiting, and one that is behind neither comes too early nor too late: a
//! wake-up and a probe come as long after they were written as whoever wrote them meant. What an outage was counted from
//! stays as it was written: minutes do not matter to it.

use std::time::Duration;

use oyez_domain::ledger::lanes::Health;
use oyez_domain::time::Timestamp;

/// How far the database's clock is ahead of a caller's, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Skew(i64);

impl Skew {
    /// What a caller says the time is, and what the database says.
    pub(super) fn between(now: Timestamp, clock: Timestamp) -> Self {
        let ahead = clock.unix_ms().saturating_sub(now.unix_ms());
        if ahead.unsigned_abs() <= u64::try_from(APART_MAX.as_millis()).unwrap_or(u64::MAX) {
            Self(ahead)
        } else {
            Self(0)
        }
    }

    /// A moment of the caller's, by the database's clock.
    pub(super) const fn stored(self, at: Timestamp) -> Timestamp {
        Timestamp::from_unix_ms(at.unix_ms().saturating_add(self.0))
    }

    /// A moment of the database's, by the caller's clock.
    pub(super) const fn told(self, at: Timestamp) -> Timestamp {
        Timestamp::from_unix_ms(at.unix_ms().saturating_sub(self.0))
    }

    /// A health that was stored, by the caller's clock.
    pub(super) fn told_health(self, mut health: Health) -> Health {
        match &mut health {
            Health::Failing { next_probe_at, .. }
            | Health::Unresponsive {
                next_probe_at: Some(next_probe_at),
                ..
            } => *next_probe_at = self.told(*next_probe_at),
            Health::Responsive
            | Health::Unresponsive {
                next_probe_at: None,
                ..
            }
            | Health::Paused { .. } => {}
        }
        health
    }
}

/// A machine whose clock is off by more is refused by every TPP's TLS and refuses every token: it is put right first, and what
/// it says is taken as it is.
const APART_MAX: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    // D-05
    #[test]
    fn a_moment_keeps_its_distance_from_now_by_whichever_clock() {
        let clock = Timestamp::from_unix_seconds(1_700_000_000);
        let probe = Duration::from_secs(600);
        for now in [
            clock + Duration::from_secs(300),
            clock - Duration::from_secs(300),
            clock,
        ] {
            let skew = Skew::between(now, clock);
            assert_eq!(skew.stored(now + probe), clock + probe);
            assert_eq!(skew.told(clock + probe), now + probe);
        }
    }

    // D-05
    #[test]
    fn a_time_of_its_own_is_left_as_it_is() {
        let clock = Timestamp::from_unix_seconds(1_700_000_000);
        let elsewhere = Timestamp::from_unix_seconds(1_000_000_000);
        assert_eq!(Skew::between(elsewhere, clock).stored(elsewhere), elsewhere);
    }
}
