//! Taking events out of the ledger, and giving back what was not started (P-14).

use std::time::Duration;

use oyez_domain::ledger::push::{Choice, DueForPush};
use oyez_domain::ledger::sets::{Look, Work};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use oyez_store::Error;
use tokio::time::Instant;

use super::{Lane, Told};
use crate::door::Title;

/// What the ledger chose.
pub(super) struct Chosen {
    asked_for: usize,
    asked_at: Instant,
    now: Timestamp,
    generation: u64,
    claim: u64,
    answer: Result<Option<DueForPush>, Error>,
}

impl Lane<'_> {
    /// Asks for what is due, ahead of the need: when half of what may be held is used up.
    pub(super) fn choose(&mut self) {
        let events = self.room();
        if events == 0 || !self.rest.more || !self.may_act() {
            return;
        }
        let Some(claim) = self.owner().map(Title::claim) else {
            return;
        };
        self.rest.more = false;
        self.rest.stale = false;
        self.asked.choice = Some(events);
        let look = Look {
            events_max: u32::try_from(events).unwrap_or(u32::MAX),
            in_flight_for: self.node.options.attempt_time_max + HELD_MAX,
        };
        let now = self.node.parts.clock.now();
        let asked = (events, Instant::now(), self.generation, claim.number);
        let store = &*self.node.parts.store;
        let answer = store.due_for_push(claim, self.client_id.clone(), look, now);
        self.ledger.push(Box::pin(async move {
            let (asked_for, asked_at, generation, claim) = asked;
            let answer = answer.await;
            Told::Chosen(Chosen {
                asked_for,
                asked_at,
                now,
                generation,
                claim,
                answer,
            })
        }));
    }

    /// How many events may be asked for now.
    fn room(&self) -> usize {
        let now = Instant::now();
        let busy = self.asked.choice.is_some() || self.asked.return_ || !self.returning.is_empty();
        if busy || self.is_unwritten() || self.issue_pause.until(now).is_some() {
            return 0;
        }
        let held = self.held();
        if !self.endpoint.is_responsive() {
            let due = self
                .endpoint
                .probe_at()
                .is_some_and(|probe_at| probe_at <= now);
            let probed = self.probed_step == Some(self.endpoint.step());
            return if due && !probed && held == 0 {
                1 + self.endpoint.passes_over(&self.terms)
            } else {
                0
            };
        }
        let free = self.window.size().saturating_sub(self.flights.len());
        let most = match self.terms.order {
            // The next one is not due before the ledger knows what became of the one before.
            DeliveryOrder::Strict => free.saturating_sub(self.unrecorded()),
            DeliveryOrder::Concurrent => free + self.ahead.events(self.window.size()),
        };
        if held * 2 > most { 0 } else { most - held }
    }

    /// Chosen and not started.
    pub(super) fn held(&self) -> usize {
        let unsigned: usize = self.unsigned.iter().map(Vec::len).sum();
        unsigned + self.ready.len() + self.rechecking
    }

    pub(super) fn chosen(&mut self, chosen: Chosen) {
        self.asked.choice = None;
        let due = match chosen.answer {
            Ok(Some(due)) => due,
            Ok(None) => return self.refused(chosen.claim),
            Err(error) => {
                self.rest.more = true;
                return self.ledger_failed(&error);
            }
        };
        self.ledger_pause.clear();
        let full = due.work.len() == chosen.asked_for;
        self.rest
            .looked(full, due.next_at, chosen.now, chosen.asked_at);
        let Some(callback_url) = due.callback_url else {
            return;
        };
        if chosen.generation != self.generation {
            let late = due.work.iter().map(|work| taken(work, due.in_flight_until));
            self.returning.extend(late);
            self.rest.more = true;
            return;
        }
        if !due.work.is_empty() {
            self.rest.active(Instant::now());
        }
        self.address(callback_url);
        let mut work = due.work;
        if !self.endpoint.is_responsive() {
            work = self.prober(work, due.in_flight_until);
        }
        self.issue(work, (chosen.asked_at, due.in_flight_until));
    }

    /// One event probes, the last of those that were asked for; the older ones go back to their old turns at once.
    fn prober(&mut self, mut work: Vec<Work>, in_flight_until: Timestamp) -> Vec<Work> {
        let prober = work.pop();
        let older = work.iter().map(|work| taken(work, in_flight_until));
        self.returning.extend(older);
        prober.into_iter().collect()
    }

    /// Everything that is held and not started goes back: a backoff never hides an event from polls (P-14).
    pub(super) fn give_back(&mut self) {
        self.generation += 1;
        self.issuing.clear();
        self.returning.extend(self.unsigned.drain(..).flatten());
        self.returning
            .extend(self.ready.drain(..).map(|ready| ready.event.choice()));
        self.rest.more = true;
    }

    pub(super) fn put_back(&mut self) {
        if self.asked.return_ || self.returning.is_empty() {
            return;
        }
        self.asked.return_ = true;
        let choices = std::mem::take(&mut self.returning);
        let store = &*self.node.parts.store;
        let now = self.node.parts.clock.now();
        let answer = store.put_back(self.client_id.clone(), choices.clone(), now);
        self.ledger
            .push(Box::pin(async { Told::Returned(choices, answer.await) }));
    }

    pub(super) fn returned(&mut self, choices: Vec<Choice>, answer: Result<u64, Error>) {
        self.asked.return_ = false;
        self.rest.more = true;
        match answer {
            Ok(_) => self.ledger_pause.clear(),
            Err(error) => {
                self.returning.extend(choices);
                self.ledger_failed(&error);
            }
        }
    }
}

const fn taken(work: &Work, in_flight_until: Timestamp) -> Choice {
    Choice {
        jti: work.jti,
        in_flight_until,
    }
}

/// An event that is chosen starts within this time or goes back: the ledger keeps it from others for that long and an
/// attempt's time.
pub(super) const HELD_MAX: Duration = Duration::from_secs(2);
