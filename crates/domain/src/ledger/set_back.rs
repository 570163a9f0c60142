//! A clock that was set back: what holds an event holds it no longer than it would have (D-07, P-08, P-14).
//!
//! A push in flight, a poll's hand-out and a refusal hold their event until a moment by the clock of then. When that clock is
//! set back an hour the moment is an hour further away, or a year, and nobody may be there to end the hold. So a ledger notes
//! the latest moment at which it gave a TPP events. Whoever asks for them much earlier finds every hold moved back by as
//! much: it lasts as long as it had left when the ledger was last asked, or shorter.

use std::time::Duration;

use crate::time::Timestamp;

/// What a moment says, compared with the latest that was noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Nothing new.
    Usual,
    /// It is to be noted.
    Later,
    /// It is to be noted, and what holds an event is to be moved back.
    SetBack {
        /// By so much.
        by: Duration,
    },
}

/// Reads the clock.
pub fn read(now: Timestamp, latest: Timestamp) -> Reading {
    let by = latest.since(now);
    if by > CLOCKS_DIFFER_MAX {
        Reading::SetBack { by }
    } else if now.since(latest) >= NOTED_EVERY {
        Reading::Later
    } else {
        Reading::Usual
    }
}

/// The end of a hold that was moved back; one that is over stays as it is.
pub fn moved_back(until: Timestamp, by: Duration, now: Timestamp) -> Timestamp {
    if until > now {
        now.max(until - by)
    } else {
        until
    }
}

/// Several nodes with a clock each are no clock that jumps: those that differ by more are to be mended. A clock that is set
/// back by less lengthens a hold by no more.
const CLOCKS_DIFFER_MAX: Duration = Duration::from_secs(10 * 60);

/// Often enough to say by how much, and seldom enough to cost nothing.
const NOTED_EVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    // P-14
    #[test]
    fn only_what_is_much_earlier_was_set_back() {
        let latest = Timestamp::from_unix_ms(1_700_000_000_000);
        let cases = [
            (latest, Reading::Usual),
            (latest + NOTED_EVERY - SECOND, Reading::Usual),
            (latest + NOTED_EVERY, Reading::Later),
            (latest - CLOCKS_DIFFER_MAX, Reading::Usual),
            (
                latest - CLOCKS_DIFFER_MAX - SECOND,
                Reading::SetBack {
                    by: CLOCKS_DIFFER_MAX + SECOND,
                },
            ),
        ];
        for (now, expected) in cases {
            assert_eq!(read(now, latest), expected, "{now}");
        }
    }

    // P-14
    #[test]
    fn a_hold_keeps_what_it_had_left_and_never_ends_before_now() {
        let now = Timestamp::from_unix_ms(1_700_000_000_000);
        let hour = 3_600 * SECOND;
        assert_eq!(moved_back(now + hour + SECOND, hour, now), now + SECOND);
        assert_eq!(moved_back(now + SECOND, hour, now), now);
        assert_eq!(moved_back(now - SECOND, hour, now), now - SECOND);
    }
}
