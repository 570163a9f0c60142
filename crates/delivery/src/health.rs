//! The health of an endpoint (D-04 … D-07): what one more answer makes of it, and what follows for the event.
//!
//! An outage begins with a failure and ends with an acknowledgement; the policy's counters run in between. Eight attempts
//! that fail together are one failure: an attempt knows the *step* in which it started, each failure that counts begins a
//! new step, and what started in an older one tells nothing new.
//!
//! One event can fail in the endpoint's way without the endpoint being to blame: a server that dies of one payload answers
//! 500 to it for ever. So when the oldest has probed in vain a few times the next oldest do, and one that keeps failing while
//! others are acknowledged counts as refused.
//!
//! Two things are remembered by the node alone, since they change with each acknowledgement and a write for each would cost
//! more than what is lost with them: which events were refused since the last acknowledgement, and since when there was
//! none. See [`Memory`]. What is not remembered is not held against anybody.
//!
//! Waits are told by the ledger's clock, which somebody may set, and kept by the runtime's, which nobody sets. No wait is
//! longer than the policy says, whatever was read from the ledger.

use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_domain::ledger::lanes::{Health, Reason};
use oyez_domain::ledger::push::Verdict;
use oyez_domain::retry::Next;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use tokio::time::Instant;

use crate::judge::{EndpointFailure, Judgement, Refusal};
use crate::terms::Terms;

/// An endpoint as its lane knows it.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    health: Health,
    /// When it is probed next; `None` while nothing is held back, or for good.
    probe_at: Option<Instant>,
    step: u64,
    /// What started in an older step went to another address.
    here_since: u64,
    memory: Memory,
    /// It asked for time (D-05): only a probe ends this outage, not what was on its way before.
    asked_for_time: bool,
}

/// What is worth remembering of an endpoint while its lane sleeps: a TPP that gets an event per hour can refuse every one.
/// A node that starts anew has forgotten it, which costs an endpoint that refuses everything two more requests at most.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    /// Whom it is of.
    callback_url: Option<String>,
    /// Different events refused since the last acknowledgement, as far as it matters.
    refused: Vec<Jti>,
    /// The last acknowledgement, or when we began to remember: `None` before that.
    silent_since: Option<Timestamp>,
}

/// A moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) instant: Instant,
}

/// What the ledger knew of an event when it was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) jti: Jti,
    /// The choice that took it.
    pub(crate) in_flight_until: Timestamp,
    pub(crate) refusals: u32,
    pub(crate) refused_since: Option<Timestamp>,
    pub(crate) endpoint_failures: u32,
}

/// What follows for the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// The outage is over.
    Recovered,
    /// It began, or went on: only a probe may start, when its time has come.
    Failed,
}

impl Endpoint {
    /// As the ledger and the node remember it, before its terms were read.
    pub(crate) fn known(health: Health, memory: Memory) -> Self {
        Self {
            health,
            probe_at: None,
            step: 0,
            here_since: 0,
            memory,
            asked_for_time: false,
        }
    }

    /// It is claimed with this health, and these are its terms: what started before tells nothing of it.
    pub(crate) fn claimed(&mut self, health: Health, terms: &Terms, at: Moment) {
        self.health = on_terms(health, terms, at.now);
        let probe_at = self.health.next_probe_at();
        let wait = probe_at.map(|probe_at| probe_at.since(at.now));
        self.probe_at = wait.and_then(|wait| at.instant.checked_add(wait));
        self.step += 1;
        self.asked_for_time = false;
    }

    /// It is spoken to at this address from now on; what is remembered of another says nothing of it.
    pub(crate) fn is_at(&mut self, callback_url: &str, now: Timestamp) {
        if self.memory.callback_url.as_deref() != Some(callback_url) {
            self.here_since = self.step;
            self.memory = Memory {
                callback_url: Some(callback_url.to_owned()),
                refused: Vec::new(),
                silent_since: Some(now),
            };
        }
    }

    /// What is to be handed to the next who claims it.
    pub(crate) fn into_memory(self) -> Memory {
        self.memory
    }

    /// As it is written back.
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// Which step it is: attempts that start now carry it.
    pub(crate) fn step(&self) -> u64 {
        self.step
    }

    /// Nothing is held back.
    pub(crate) fn is_responsive(&self) -> bool {
        self.health == Health::Responsive
    }

    /// When one event may probe it.
    pub(crate) fn probe_at(&self) -> Option<Instant> {
        self.probe_at
    }

    /// How many of the oldest events the next probe passes over: it may be the oldest that the endpoint cannot bear. In
    /// strict order none (D-04, D-10).
    pub(crate) fn passes_over(&self, terms: &Terms) -> usize {
        let failures = match self.health {
            Health::Failing { failures, .. } | Health::Unresponsive { failures, .. } => failures,
            Health::Responsive | Health::Paused { .. } => 0,
        };
        match terms.order {
            DeliveryOrder::Strict => 0,
            DeliveryOrder::Concurrent => {
                failures.saturating_sub(FAILURES_OF_THE_OLDEST) as usize % PROBERS
            }
        }
    }

    /// An attempt that started in `step` ended so. `draw` is random in [0, 1).
    pub(crate) fn learn(
        &mut self,
        (event, step): (Record, u64),
        judgement: Judgement,
        terms: &Terms,
        at: Moment,
        draw: f64,
    ) -> (Verdict, Change) {
        let news = step == self.step;
        match judgement {
            Judgement::Acknowledged => {
                if step >= self.here_since {
                    self.memory.acknowledged(at.now);
                }
                (Verdict::Acknowledged, self.acknowledged(news))
            }
            Judgement::Refused(refusal) => self.refused(event, news, &refusal, terms, at, draw),
            Judgement::EndpointFailed(failure) => {
                let alone = event.endpoint_failures >= FAILURES_ALONE;
                if news && alone && self.is_responsive() {
                    let EndpointFailure {
                        reason,
                        retry_after,
                    } = failure;
                    let refusal = Refusal {
                        reason,
                        retry_after,
                    };
                    return self.refused(event, news, &refusal, terms, at, draw);
                }
                let change = if news {
                    self.fail(&failure, terms, at, draw)
                } else {
                    Change::None
                };
                (Verdict::EndpointFailed, change)
            }
        }
    }

    fn acknowledged(&mut self, news: bool) -> Change {
        match self.health {
            Health::Responsive | Health::Paused { .. } => Change::None,
            Health::Failing { .. } | Health::Unresponsive { .. } => {
                if self.asked_for_time && !news {
                    return Change::None;
                }
                self.health = Health::Responsive;
                self.probe_at = None;
                self.asked_for_time = false;
                Change::Recovered
            }
        }
    }

    /// The event backs off by itself, for as long as the TPP asks at least. The endpoint pays for a refused probe, for the
    /// third event in a row, and for one that was refused again and again to the end while, for all we know of that time, nothing
    /// was acknowledged (D-04, D-07).
    fn refused(
        &mut self,
        event: Record,
        news: bool,
        refusal: &Refusal,
        terms: &Terms,
        at: Moment,
        draw: f64,
    ) -> (Verdict, Change) {
        let elapsed = event
            .refused_since
            .map_or(Duration::ZERO, |since| at.now.since(since));
        let refusals = event.refusals.saturating_add(1);
        let next = terms
            .retry
            .next(refusals, elapsed, refusal.retry_after, draw);
        let again_at = match next {
            Next::After(delay) => Some(at.now + delay),
            Next::Exhausted(_) => None,
        };
        let in_vain = again_at.is_none() && self.memory.was_silent_since(event.refused_since);
        let outage = match self.health {
            Health::Responsive => news && self.memory.refused(event.jti) || in_vain,
            Health::Failing { .. } | Health::Unresponsive { .. } => true,
            Health::Paused { .. } => false,
        };
        let change = if news && outage {
            let failure = EndpointFailure {
                reason: format!("refuses every event: {}", refusal.reason),
                retry_after: refusal.retry_after,
            };
            self.fail(&failure, terms, at, draw)
        } else {
            Change::None
        };
        (Verdict::Refused { again_at }, change)
    }

    /// One more failure of the outage, or its first.
    fn fail(&mut self, failure: &EndpointFailure, terms: &Terms, at: Moment, draw: f64) -> Change {
        let (since, failures, declared_at) = match self.health {
            Health::Paused { .. } => return Change::None,
            Health::Responsive => (at.now, 1, None),
            Health::Failing {
                since, failures, ..
            } => (since, failures.saturating_add(1), None),
            Health::Unresponsive {
                since,
                failures,
                declared_at,
                ..
            } => (since, failures.saturating_add(1), Some(declared_at)),
        };
        self.step += 1;
        self.memory.refused.clear();
        self.asked_for_time = failure.retry_after.is_some();
        let reason = Reason::new(&failure.reason);
        let elapsed = at.now.since(since);
        let wait = match declared_at {
            Some(_) => None,
            None => match terms
                .retry
                .next(failures, elapsed, failure.retry_after, draw)
            {
                Next::After(wait) => Some(wait),
                Next::Exhausted(_) => None,
            },
        };
        // A TPP's own policy may ask for longer than there are moments: that is never.
        self.probe_at = wait
            .or(terms.slow_probe)
            .and_then(|wait| at.instant.checked_add(wait));
        self.health = match wait {
            Some(wait) => Health::Failing {
                since,
                failures,
                next_probe_at: at.now + wait,
                reason,
            },
            None => Health::Unresponsive {
                since,
                declared_at: declared_at.unwrap_or(at.now),
                failures,
                next_probe_at: terms.slow_probe.map(|wait| at.now + wait),
                reason,
            },
        };
        Change::Failed
    }
}

impl Memory {
    /// This event was refused; is it one too many?
    fn refused(&mut self, jti: Jti) -> bool {
        if !self.refused.contains(&jti) && self.refused.len() < REFUSED_IN_A_ROW {
            self.refused.push(jti);
        }
        self.refused.len() >= REFUSED_IN_A_ROW
    }

    fn acknowledged(&mut self, now: Timestamp) {
        self.refused.clear();
        self.silent_since = Some(now);
    }

    /// Whether nothing was acknowledged between an event's first refusal and now. Of its first refusal itself that says nothing,
    /// and of a time that is not remembered nothing is known.
    fn was_silent_since(&self, refused_since: Option<Timestamp>) -> bool {
        self.silent_since
            .zip(refused_since)
            .is_some_and(|(silent_since, refused_since)| silent_since <= refused_since)
    }

    /// It is of somebody.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        self.callback_url.is_some()
    }
}

/// When it is probed next may have been said on other terms (a slow probe that was switched on or off, a lower ceiling), or by
/// a clock that was set back since.
fn on_terms(mut health: Health, terms: &Terms, now: Timestamp) -> Health {
    match &mut health {
        Health::Responsive | Health::Paused { .. } => {}
        Health::Failing { next_probe_at, .. } => {
            *next_probe_at = (*next_probe_at).min(now + terms.retry.ceiling);
        }
        Health::Unresponsive {
            declared_at,
            next_probe_at,
            ..
        } => {
            let on_terms = |every: Duration| {
                let said = next_probe_at.unwrap_or(*declared_at + every);
                said.min(now + every)
            };
            *next_probe_at = terms.slow_probe.map(on_terms);
        }
    }
    health
}

/// Refusals of different events in a row that make an outage (D-04).
const REFUSED_IN_A_ROW: usize = 3;
/// The first failure and the first probes are the oldest event's; after the third failure the next oldest has a go.
const FAILURES_OF_THE_OLDEST: u32 = 2;
/// Then the next after it, and so on until it is the oldest's turn again.
const PROBERS: usize = 8;
/// An event that failed so often in the endpoint's way, and fails again while the endpoint answers others, is to blame.
const FAILURES_ALONE: u32 = 3;

#[cfg(test)]
mod tests;
