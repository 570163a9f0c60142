//! Nodes have clocks of their own, and lanes wake by the database's: what a node says of its time is put into the database's when
//! it is written, and back when it is read. Events are treated alike, by a difference that is kept: [`super::watch`].
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
    /// Both say the same.
    pub(super) const NONE: Self = Self(0);

    /// What a caller says the time is, and what the database says.
    pub(super) fn between(now: Timestamp, clock: Timestamp) -> Self {
        let ahead = clock.unix_ms().saturating_sub(now.unix_ms());
        if ahead.unsigned_abs() <= u64::try_from(APART_MAX.as_millis()).unwrap_or(u64::MAX) {
            Self(ahead)
        } else {
            Self(0)
        }
    }

    /// Of a clock that said two moments around the one that the database said: what the question took is no difference.
    pub(super) fn measured(before: Timestamp, clock: Timestamp, after: Timestamp) -> Self {
        if clock > after {
            Self::between(after, clock)
        } else if clock < before {
            Self::between(before, clock)
        } else {
            Self::NONE
        }
    }

    /// This, if it is still so but for a little; a little is nothing.
    pub(super) fn unless_it_is_now(self, measured: Self) -> Self {
        let little = i64::try_from(LITTLE.as_millis()).unwrap_or(i64::MAX);
        if (measured.0 - self.0).abs() <= little {
            self
        } else if measured.0.abs() <= little {
            Self::NONE
        } else {
            measured
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

/// Clocks that are looked after differ by less, and so does what a busy database adds to a question.
const LITTLE: Duration = Duration::from_secs(2);

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

    // D-05, P-08
    #[test]
    fn what_the_question_took_is_no_difference_and_a_little_changes_nothing() {
        let at = Timestamp::from_unix_ms;
        let of = |before, clock, after| Skew::measured(at(before), at(clock), at(after));
        assert_eq!(of(0, 900, 1_000), Skew::NONE);
        let ahead = of(300_000, 10, 300_100);
        assert_eq!(ahead, Skew(-299_990));
        assert_eq!(of(0, 300_100, 100), Skew(300_000));
        assert_eq!(Skew::NONE.unless_it_is_now(Skew(1_999)), Skew::NONE);
        assert_eq!(Skew::NONE.unless_it_is_now(ahead), ahead);
        assert_eq!(ahead.unless_it_is_now(Skew(-298_000)), ahead);
        assert_eq!(ahead.unless_it_is_now(Skew(-1_500)), Skew::NONE);
    }
}
