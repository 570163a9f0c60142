//! What is held of one URL, and what is to be done when a key of it is asked for. No I/O: the rules only.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::time::Timestamp;
use oyez_jose::Jwks;

use super::{Options, Outcome, Unavailable};
use crate::flight::Flight;

/// What is held of one URL.
#[derive(Default)]
pub(super) struct Held {
    copy: Option<Copy>,
    /// When a fetch last began or ended.
    tried_at: Option<Timestamp>,
    /// Why the last fetch failed, if it did.
    failure: Option<Unavailable>,
    flight: Option<Flight<Outcome>>,
}

/// What is to be done.
pub(super) enum Step {
    /// To use this copy.
    Have(Arc<Jwks>),
    /// To do without, for the reason of a moment ago.
    Refuse(Unavailable),
    /// To wait for the fetch, and to use the fallback if it fails.
    Wait {
        flight: Flight<Outcome>,
        fallback: Option<Arc<Jwks>>,
    },
}

#[derive(Clone)]
struct Copy {
    keys: Arc<Jwks>,
    fetched_at: Timestamp,
}

impl Held {
    /// For someone who needs the key `kid`; `start` begins a fetch.
    pub(super) fn step(
        &mut self,
        kid: &str,
        now: Timestamp,
        options: &Options,
        start: impl FnOnce() -> Flight<Outcome>,
    ) -> Step {
        let copy = self.copy.clone().filter(|copy| copy.serves(now, options));
        let with_kid = copy.clone().filter(|copy| copy.keys.has_kid(kid));
        if let Some(copy) = &with_kid
            && copy.is_fresh(now, options)
        {
            return Step::Have(Arc::clone(&copy.keys));
        }
        let flight = self.flight(now, options.floor, start);
        match (with_kid, flight) {
            // The fetch, if there is one, mends the copy for those who come later.
            (Some(copy), _) if self.failure.is_some() => Step::Have(copy.keys),
            (Some(copy), None) => Step::Have(copy.keys),
            (with_kid, Some(flight)) => Step::Wait {
                flight,
                fallback: with_kid.map(|copy| copy.keys),
            },
            // It was asked for a moment ago.
            (None, None) => match (self.failure, copy) {
                (Some(why), _) => Step::Refuse(why),
                (None, Some(copy)) => Step::Have(copy.keys),
                (None, None) => Step::Refuse(Unavailable::BrokenOff),
            },
        }
    }

    /// That a fetch ended.
    pub(super) fn note(&mut self, outcome: &Outcome, now: Timestamp) {
        self.tried_at = Some(now);
        self.flight = None;
        match outcome {
            Ok(keys) => {
                self.failure = None;
                self.copy = Some(Copy {
                    keys: Arc::clone(keys),
                    fetched_at: now,
                });
            }
            Err(why) => self.failure = Some(*why),
        }
    }

    /// The fetch that is under way, or a new one if the last is long enough ago.
    fn flight(
        &mut self,
        now: Timestamp,
        floor: Duration,
        start: impl FnOnce() -> Flight<Outcome>,
    ) -> Option<Flight<Outcome>> {
        self.flight = self.flight.take().filter(|flight| !flight.is_over());
        let may_try = self
            .tried_at
            .is_none_or(|at| elapsed(at, now).is_none_or(|elapsed| elapsed >= floor));
        if self.flight.is_none() && may_try {
            self.tried_at = Some(now);
            self.flight = Some(start());
        }
        self.flight.clone()
    }
}

impl Copy {
    fn is_fresh(&self, now: Timestamp, options: &Options) -> bool {
        elapsed(self.fetched_at, now).is_some_and(|age| age < options.fresh_for)
    }

    fn serves(&self, now: Timestamp, options: &Options) -> bool {
        let age_max = options.fresh_for.saturating_add(options.outage_max);
        elapsed(self.fetched_at, now).is_none_or(|age| age < age_max)
    }
}

/// Nothing when the clock was set back: then a copy is of unknown age, and no floor stands.
fn elapsed(from: Timestamp, now: Timestamp) -> Option<Duration> {
    (now >= from).then(|| now.since(from))
}
