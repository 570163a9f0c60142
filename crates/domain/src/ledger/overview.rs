//! What a page about one TPP needs besides its counts (I-03, W-04): its last requests, how its endpoint fared, and what waits how
//! long.

use std::time::Duration;

use crate::ids::{ClientId, InteractionId};
use crate::ledger::lanes::HealthState;
use crate::silence::{Asked, Refused};
use crate::time::Timestamp;

/// A request at the listener for TPPs, as it was answered. No body, no token, no address: what a support desk needs to find the
/// line in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asked.
    pub client_id: ClientId,
    /// When it was answered.
    pub at: Timestamp,
    /// Of the request.
    pub interaction_id: InteractionId,
    /// What was asked for, by its name in the list of routes.
    pub operation: String,
    /// How it was answered.
    pub status: u16,
    /// The first code in the body of an error.
    pub error_code: Option<String>,
    /// How long that took, waiting included.
    pub took: Duration,
}

impl Request {
    /// So many are kept of each TPP: a screen, and the rest is in the log.
    pub const KEPT_MAX: usize = 100;
}

/// A change of an endpoint's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthChange {
    /// When it was written.
    pub at: Timestamp,
    /// What it became.
    pub state: HealthState,
    /// Failed attempts in a row by then.
    pub failures: u32,
    /// What went wrong last.
    pub reason: Option<String>,
}

/// What waits for a TPP, by its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// When the oldest was accepted.
    pub oldest_at: Option<Timestamp>,
    /// How many are of each age: see [`Backlog::AGES`], and older than the last of them.
    pub by_age: [u64; 5],
    /// How many more there are, none of them older than those that were counted.
    pub uncounted: u64,
    /// Of those that were refused, how many are not pushed any more (D-07).
    pub poll_only: u64,
}

impl Backlog {
    /// The ages up to which events are counted together.
    pub const AGES: [Duration; 4] = [
        Duration::from_secs(60),
        Duration::from_secs(3_600),
        Duration::from_secs(24 * 3_600),
        Duration::from_secs(7 * 24 * 3_600),
    ];
    /// So many of the oldest are looked at: some milliseconds, however much waits.
    pub const COUNTED_MAX: u32 = 10_000;

    /// What these moments of acceptance come to, of so many outstanding in all.
    pub fn of(
        accepted_at: impl IntoIterator<Item = Timestamp>,
        outstanding: u64,
        poll_only: u64,
        now: Timestamp,
    ) -> Self {
        let mut backlog = Self {
            uncounted: outstanding,
            poll_only,
            ..Self::default()
        };
        for at in accepted_at {
            let age = now.since(at);
            let older_than = Self::AGES.iter().filter(|each| age >= **each);
            backlog.by_age[older_than.count()] += 1;
            backlog.uncounted = backlog.uncounted.saturating_sub(1);
            let oldest_at = backlog.oldest_at.map_or(at, |oldest| oldest.min(at));
            backlog.oldest_at = Some(oldest_at);
        }
        backlog
    }
}

/// What a TPP asked for lately, by its last requests, newest first.
pub fn asked(requests: &[Request]) -> Asked {
    let is_answered = |request: &&Request| request.status < 400;
    let newest = requests.iter().find(|it| it.operation != "read_key_set");
    let refused = newest.filter(|it| !is_answered(it) && it.status < 500);
    let limited = refused.filter(|it| it.status == TOO_MANY_REQUESTS);
    let polls = requests.iter().filter(|it| it.operation == "poll_events");
    Asked {
        polled_at: polls.filter(is_answered).map(|it| it.at).next(),
        limited_at: limited.map(|it| it.at),
        refused: refused.filter(|_| limited.is_none()).map(|it| Refused {
            at: it.at,
            status: it.status,
        }),
    }
}

const TOO_MANY_REQUESTS: u16 = 429;

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

    fn request(operation: &str, status: u16, seconds_ago: u64) -> Request {
        Request {
            client_id: ClientId::new("tpp-1").unwrap(),
            at: NOON - Duration::from_secs(seconds_ago),
            interaction_id: InteractionId::new_at(NOON, [0; 10]),
            operation: operation.to_owned(),
            status,
            error_code: None,
            took: Duration::from_millis(3),
        }
    }

    // W-04
    #[test]
    fn what_a_tpp_asked_for_last_counts() {
        assert_eq!(asked(&[]), Asked::default());
        let refused = asked(&[
            request("poll_events", 403, 1),
            request("poll_events", 200, 9),
        ]);
        assert_eq!(
            refused.refused.map(|it| it.status),
            Some(403),
            "{refused:?}"
        );
        assert_eq!(refused.polled_at, Some(NOON - Duration::from_secs(9)));
        let mended = asked(&[
            request("poll_events", 200, 1),
            request("poll_events", 429, 9),
        ]);
        assert_eq!((mended.refused, mended.limited_at), (None, None));
        let limited = asked(&[request("poll_events", 429, 1)]);
        assert_eq!(
            (limited.refused, limited.limited_at.is_some()),
            (None, true)
        );
    }

    // I-03
    #[test]
    fn a_backlog_is_counted_by_age_and_says_what_it_left_out() {
        let ages = [0, 59, 60, 3_600, 86_400, 604_800, 9_000_000];
        let moments = ages.map(|seconds| NOON - Duration::from_secs(seconds));
        let backlog = Backlog::of(moments, 9, 1, NOON);
        let expected = Backlog {
            oldest_at: Some(moments[6]),
            by_age: [2, 1, 1, 1, 2],
            uncounted: 2,
            poll_only: 1,
        };
        assert_eq!(backlog, expected);
    }
}
