//! When there is nothing to do: until when, and whether the lane is worth keeping.
//!
//! What the ledger says of the future is a moment on a clock that can be set. So it is turned into a wait at once, no wait is
//! long, and at its end the ledger is asked again.

use std::time::Duration;

use oyez_domain::ledger::lanes::{Hold, LaneReport};
use oyez_domain::time::Timestamp;
use tokio::time::Instant;

use super::{Lane, Place};
use crate::door::Title;
use crate::health::Moment;

/// What the lane knows of the work that is left.
#[derive(Debug)]
pub(super) struct Rest {
    /// Something may be due now.
    pub(super) more: bool,
    /// Attempts were recorded since the ledger was last asked: what it said of the future is out of date.
    pub(super) stale: bool,
    /// When the next event falls due, by both clocks.
    due: Option<(Timestamp, Instant)>,
    /// When the lane last had something to do.
    active_at: Instant,
}

impl Rest {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            more: true,
            stale: false,
            due: None,
            active_at: now,
        }
    }

    /// The ledger was asked. `full`: there may be more of what is due.
    pub(super) fn looked(
        &mut self,
        full: bool,
        next_at: Option<Timestamp>,
        now: Timestamp,
        instant: Instant,
    ) {
        self.more |= full;
        self.due = None;
        if let Some(next_at) = next_at {
            self.due(next_at, Moment { now, instant });
        }
    }

    /// Something falls due then.
    pub(super) fn due(&mut self, at: Timestamp, moment: Moment) {
        let instant = moment.instant + at.since(moment.now).min(LOOK_AGAIN);
        if self.due.is_none_or(|(_, known)| instant < known) {
            self.due = Some((at, instant));
        }
    }

    /// What was to fall due by now may be due.
    pub(super) fn pass(&mut self, now: Instant) {
        if self.due.is_some_and(|(_, due)| due <= now) {
            self.due = None;
            self.more = true;
        }
    }

    pub(super) fn active(&mut self, now: Instant) {
        self.active_at = now;
    }

    /// Until when a lane stays that has nothing to do.
    fn lingers_until(&self) -> Instant {
        self.active_at + LINGER
    }
}

impl Lane<'_> {
    /// Looks at the clock; answers when to look at everything again.
    pub(super) fn next_look(&mut self) -> Instant {
        let now = Instant::now();
        let soonest = [
            self.ledger_pause.until(now),
            self.issue_pause.until(now),
            self.next_work(),
            // Once only: a lane that has lingered and stays all the same waits for something else.
            Some(self.rest.lingers_until()).filter(|at| now < *at && self.is_quiet()),
        ];
        let soonest = soonest.into_iter().flatten().min();
        // What is due and cannot be begun waits for something else: never for nothing at all, and never in a spin.
        soonest.map_or(now + LOOK_AGAIN, |at| at.clamp(now + NAP, now + LOOK_AGAIN))
    }

    /// When the lane has something to do by itself. A lease that ran out, and whatever is under way, end with a knock or
    /// an answer.
    fn next_work(&self) -> Option<Instant> {
        if !self.may_act() {
            return None;
        }
        let due = if self.rest.more {
            None
        } else {
            Some(self.rest.due?.1)
        };
        if self.endpoint.is_responsive() {
            return due;
        }
        if !self.is_quiet() {
            return None;
        }
        let probe_at = self.endpoint.probe_at()?;
        Some(due.map_or(probe_at, |due| due.max(probe_at)))
    }

    /// Is it over with this lane, for now? The report, if it is still ours.
    pub(super) fn ending(&mut self) -> Option<Option<LaneReport>> {
        let now = Instant::now();
        if !self.is_quiet() {
            return None;
        }
        let (title, wanted) = match &self.place {
            Place::Leaving { owned } => {
                return Some(owned.as_ref().map(|title| self.let_go(title)));
            }
            Place::Owner(_) if self.arriving.is_some() => return None,
            Place::Owner(title) => (title, self.next_work()),
        };
        if wanted.is_some_and(|at| at <= now + WORTH_KEEPING) {
            return None;
        }
        if !self.endpoint.is_responsive() {
            return Some(Some(self.let_go(title)));
        }
        let rests = !self.rest.more && !self.rest.stale && self.rest.lingers_until() <= now;
        rests.then(|| Some(self.let_go(title)))
    }

    /// Before a lane is let go it is to know what falls due next: what it knows was asked before its last attempts ended.
    pub(super) fn look_once_more(&mut self) {
        let has_lingered = self.rest.lingers_until() <= Instant::now();
        self.rest.more |= self.rest.stale && has_lingered && self.is_quiet();
    }

    /// Nothing goes on, and nothing but news of something to push changes that before the next look at the clock.
    pub(super) fn is_at_rest(&self) -> bool {
        self.may_act() && self.is_quiet() && !self.rest.more && self.endpoint.is_responsive()
    }

    /// Nothing is held, in flight or on its way to the ledger.
    fn is_quiet(&self) -> bool {
        self.held() == 0
            && self.flights.is_empty()
            && self.ended.is_empty()
            && self.returning.is_empty()
            && self.ledger.is_empty()
            && !self.is_unwritten()
    }

    fn let_go(&self, title: &Title) -> LaneReport {
        let health = self.endpoint.health().clone();
        let due = if self.rest.more {
            Some(self.node.parts.clock.now())
        } else {
            self.rest.due.map(|(at, _)| at)
        };
        let wake_at = match health.next_probe_at() {
            _ if self.endpoint.is_responsive() => due,
            Some(probe_at) => due.map(|due| due.max(probe_at)),
            // What keeps it asleep is a term, and terms can change.
            None => Some(self.node.parts.clock.now() + ON_OTHER_TERMS),
        };
        LaneReport {
            client_id: self.client_id.clone(),
            claim: title.number,
            health,
            hold: Hold::LetGo { wake_at },
        }
    }
}

/// A lane with nothing to do stays for a little, so that a trickle of events is not a trickle of claims.
const LINGER: Duration = Duration::from_secs(5);
/// What waits longer is a row of the ledger, not a task.
const WORTH_KEEPING: Duration = Duration::from_secs(30);
/// Clocks can be set: whatever they said is asked again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Where the slow probe is off, it is asked so often whether that is still so; and whenever a node starts.
const ON_OTHER_TERMS: Duration = Duration::from_secs(60 * 60);
/// The least sleep: a look that finds nothing to do costs at most so many looks per second.
const NAP: Duration = Duration::from_millis(1);
