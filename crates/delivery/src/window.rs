//! How many attempts of a lane may be in flight, and how many events it holds ready behind them (D-09).
//!
//! Both are guesses about an endpoint that is only known by its answers. An endpoint that comes back after an outage is
//! asked one thing, then two, then four: it may have come back weak, with everything that queued up behind it. What is
//! held ready is what will be started within a quarter of a second: enough that signing never pauses, and little
//! enough that it is neither old when it leaves nor hidden from polls for nothing (P-14).

use std::time::Duration;

/// Attempts in flight: the window opens with acknowledgements.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    open: usize,
    most: usize,
}

/// Events held ready: what is due to start soon.
#[derive(Debug, Clone)]
pub(crate) struct LookAhead {
    /// How long an attempt takes, smoothed; `None` until one ended.
    latency: Option<Duration>,
    /// Halved when what was held got old, doubled when it did not.
    limit: usize,
}

impl Window {
    /// One, because nobody knows how the endpoint is.
    pub(crate) fn narrow(most: usize) -> Self {
        let most = most.max(1);
        Self { open: 1, most }
    }

    /// One acknowledgement lets two start: 1, 2, 4 in flight.
    pub(crate) fn acknowledged(&mut self) {
        self.open = (self.open + 1).min(self.most);
    }

    /// The endpoint failed.
    pub(crate) fn close(&mut self) {
        self.open = 1;
    }

    /// How many may be in flight.
    pub(crate) fn size(&self) -> usize {
        self.open
    }
}

impl LookAhead {
    /// Knowing nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            latency: None,
            limit: EVENTS_MAX,
        }
    }

    /// An attempt took so long.
    pub(crate) fn ended(&mut self, latency: Duration) {
        self.latency = Some(match self.latency {
            None => latency,
            Some(smoothed) => (smoothed * 7 + latency) / 8,
        });
    }

    /// The last event of a batch was started, so long after it was chosen.
    pub(crate) fn started(&mut self, held_for: Duration) {
        if held_for > OLD {
            self.limit = (self.limit / 2).max(1);
        } else if held_for < SOON {
            self.limit = (self.limit * 2).min(EVENTS_MAX);
        }
    }

    /// How many events are to be held besides those in flight, with a window of this size.
    pub(crate) fn events(&self, window: usize) -> usize {
        let by_latency = self.latency.map_or(window, |latency| {
            let turns = SOON.as_micros() / latency.as_micros().max(1);
            usize::try_from(turns).map_or(EVENTS_MAX, |turns| turns.saturating_mul(window))
        });
        by_latency.min(self.limit)
    }
}

/// What is held is to be started within this time.
const SOON: Duration = Duration::from_millis(250);
/// Beyond it the ledger must be asked again before a start (P-14), so less is to be held.
const OLD: Duration = Duration::from_secs(1);
/// A lane holds no more than this besides what is in flight: as many as the issuer has places per TPP.
pub(crate) const EVENTS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // D-06, D-09
    #[test]
    fn after_an_outage_the_window_doubles_with_each_round_of_acknowledgements() {
        let mut window = Window::narrow(8);
        for _ in 0..2 {
            let mut rounds = Vec::new();
            for _ in 0..5 {
                rounds.push(window.size());
                for _ in 0..window.size() {
                    window.acknowledged();
                }
            }
            assert_eq!(rounds, [1, 2, 4, 8, 8]);
            window.close();
        }
    }

    // D-09
    #[test]
    fn the_look_ahead_follows_the_endpoints_speed() {
        let after = |latency_ms| {
            let mut ahead = LookAhead::new();
            ahead.ended(Duration::from_millis(latency_ms));
            ahead.events(8)
        };
        assert_eq!(
            LookAhead::new().events(8),
            8,
            "as many again, to begin with"
        );
        assert_eq!([5, 50, 250, 1_000].map(after), [128, 40, 8, 0]);
    }

    // D-09, P-14
    #[test]
    fn what_gets_old_while_it_is_held_is_held_no_more() {
        let mut ahead = LookAhead::new();
        ahead.ended(Duration::from_millis(1));
        for _ in 0..20 {
            ahead.started(Duration::from_secs(2));
        }
        assert_eq!(ahead.events(8), 1);
        ahead.started(Duration::from_millis(500));
        assert_eq!(ahead.events(8), 1);
        for _ in 0..20 {
            ahead.started(Duration::from_millis(100));
        }
        assert_eq!(ahead.events(8), 128);
    }

    proptest! {
        // D-09
        #[test]
        fn neither_ever_leaves_its_bounds(
            most in 0_usize..300,
            steps in proptest::collection::vec((any::<u32>(), any::<u32>(), any::<bool>()), 0..50),
        ) {
            let mut window = Window::narrow(most);
            let mut ahead = LookAhead::new();
            for (latency, held, failed) in steps {
                ahead.ended(Duration::from_micros(latency.into()));
                ahead.started(Duration::from_micros(held.into()));
                if failed { window.close() } else { window.acknowledged() }
                prop_assert!((1..=most.max(1)).contains(&window.size()));
                prop_assert!(ahead.events(window.size()) <= EVENTS_MAX);
            }
        }
    }
}
