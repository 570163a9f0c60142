//! Aggregated polling on the wire (P-01, P-02, P-06, P-07): what a TPP sends, what this bank makes of it, what goes back.
//!
//! Which events are chosen and what becomes of those acknowledged is the ledger's business; waiting is the caller's.

mod request;
mod response;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::event::Family;
use crate::ledger::poll::Patience;
use crate::versions::Row;

pub use request::{Request, read};
pub use response::Response;

/// How this bank answers polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// At most so many events leave with one answer (P-06).
    pub events_max: NonZeroU32,
    /// How long a long poll waits; `None`: there are none, and who asks for one is answered at once (P-07).
    pub long_poll: Option<Duration>,
    /// Whether a poll that does not say asks for a long poll, as in RFC 8936 (P-07).
    pub absent_means_long_poll: bool,
    /// Whether only what the token's scopes cover is handed out.
    pub by_scope: bool,
}

/// How one poll is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// At most so many events.
    pub events_max: u32,
    /// When.
    pub reply: Reply,
}

/// When a poll is answered (P-07).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// With what there is.
    AtOnce,
    /// As soon as an event is due, or with nothing after this long.
    WhenDue(Duration),
}

impl Policy {
    /// How a poll is answered. What asks for no events has nothing to wait for (P-06).
    pub fn plan(&self, request: &Request) -> Plan {
        let events_max = request
            .events_max
            .map_or(self.events_max.get(), |max| max.min(self.events_max.get()));
        let patient = match request.return_immediately {
            Some(immediately) => !immediately,
            None => self.absent_means_long_poll,
        };
        let reply = match self.long_poll {
            Some(wait) if patient && events_max > 0 => Reply::WhenDue(wait),
            _ => Reply::AtOnce,
        };
        Plan { events_max, reply }
    }

    /// The families handed out to a token with these scopes, once they have admitted it to polling.
    pub fn families(&self, row: &Row, scopes: &[&str]) -> Vec<Family> {
        if self.by_scope {
            row.families(scopes).into_iter().collect()
        } else {
            Family::ALL.to_vec()
        }
    }
}

impl Reply {
    /// What may be chosen for it (P-08).
    pub fn patience(self) -> Patience {
        match self {
            Self::AtOnce => Patience::Immediate,
            Self::WhenDue(_) => Patience::WaitForDue,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::versions::VersionTable;

    const WAIT: Duration = Duration::from_secs(25);

    fn policy() -> Policy {
        Policy {
            events_max: NonZeroU32::new(100).unwrap(),
            long_poll: Some(WAIT),
            absent_means_long_poll: false,
            by_scope: true,
        }
    }

    fn asking(events_max: Option<u32>, return_immediately: Option<bool>) -> Request {
        Request {
            events_max,
            return_immediately,
            ..Request::default()
        }
    }

    // P-06
    #[test]
    fn a_poll_gets_no_more_than_it_asks_for_and_no_more_than_the_cap() {
        for (asked, given) in [
            (None, 100),
            (Some(0), 0),
            (Some(7), 7),
            (Some(100), 100),
            (Some(u32::MAX), 100),
        ] {
            let plan = policy().plan(&asking(asked, Some(true)));
            assert_eq!((plan.events_max, plan.reply), (given, Reply::AtOnce));
        }
    }

    // P-07
    #[test]
    fn a_poll_waits_if_it_says_so_or_if_silence_means_so() {
        let rfc_8936 = Policy {
            absent_means_long_poll: true,
            ..policy()
        };
        for (policy, said, expected) in [
            (policy(), Some(false), Reply::WhenDue(WAIT)),
            (policy(), None, Reply::AtOnce),
            (policy(), Some(true), Reply::AtOnce),
            (rfc_8936, Some(false), Reply::WhenDue(WAIT)),
            (rfc_8936, None, Reply::WhenDue(WAIT)),
            (rfc_8936, Some(true), Reply::AtOnce),
        ] {
            assert_eq!(policy.plan(&asking(None, said)).reply, expected, "{said:?}");
        }
    }

    // P-08
    #[test]
    fn who_waits_waits_for_what_is_due() {
        assert_eq!(Reply::AtOnce.patience(), Patience::Immediate);
        assert_eq!(Reply::WhenDue(WAIT).patience(), Patience::WaitForDue);
    }

    // P-07
    #[test]
    fn where_long_polls_are_off_every_poll_is_answered_at_once() {
        let off = Policy {
            long_poll: None,
            absent_means_long_poll: true,
            ..policy()
        };
        for said in [None, Some(false), Some(true)] {
            let plan = off.plan(&asking(None, said));
            assert_eq!((plan.events_max, plan.reply), (100, Reply::AtOnce));
        }
    }

    //
    #[test]
    fn scopes_bound_what_is_handed_out_unless_that_is_switched_off() {
        let table = VersionTable::default();
        let unbounded = Policy {
            by_scope: false,
            ..policy()
        };
        for (scopes, covered) in [
            (&["accounts"][..], &[Family::Aisp][..]),
            (&["payments"], &[Family::Pisp, Family::Vrp]),
            (&["fundsconfirmations", "openid"], &[Family::Cbpii]),
            (&["openid"], &[]),
        ] {
            for row in table.rows() {
                assert_eq!(policy().families(row, scopes), covered);
                assert_eq!(unbounded.families(row, scopes), Family::ALL);
            }
        }
        let old = policy().families(table.oldest(), &["eventpolling"]);
        assert_eq!(old, Family::ALL);
    }

    proptest! {
        // P-06
        #[test]
        fn what_asks_for_no_events_never_waits(said in any::<Option<bool>>(), absent in any::<bool>()) {
            let policy = Policy { absent_means_long_poll: absent, ..policy() };
            let plan = policy.plan(&asking(Some(0), said));
            prop_assert_eq!((plan.events_max, plan.reply), (0, Reply::AtOnce));
        }
    }
}
