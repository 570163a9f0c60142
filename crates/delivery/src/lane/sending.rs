//! From chosen to posted: issue, check again what got old, start in order (P-09, P-14, D-10).

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ids::InteractionId;
use oyez_domain::ledger::push::Choice;
use oyez_domain::ledger::sets::{Kept, Purpose, Work};
use oyez_domain::time::Timestamp;
use oyez_issuer::{Error as IssueError, Issued, Order, Outcome, Urgency};
use oyez_store::Error;
use tokio::time::Instant;

use super::choosing::HELD_MAX;
use super::{Lane, Told};
use crate::door::Title;
use crate::health::Record;
use crate::ports::{Addressee, Failure, Letter, Posted, Trouble};
use crate::shared::InFlight;

/// Events that were issued together.
pub(super) struct Chunk {
    events: Vec<Record>,
    issued: Vec<Issued>,
    chosen_at: Instant,
    /// When the issuer was asked: what it says is no older.
    sure_at: Instant,
}

/// An event whose SET is durable.
pub(super) struct Ready {
    pub(super) event: Record,
    set: String,
    chosen_at: Instant,
    /// When the ledger last said that it is outstanding, or before.
    sure_at: Instant,
}

/// Events that the ledger was asked about once more.
pub(super) struct Rechecked {
    held: Vec<Ready>,
    asked_at: Instant,
    generation: u64,
    claim: u64,
    answer: Result<Option<Vec<Kept>>, Error>,
}

/// An attempt that ended.
pub(super) struct Landed {
    pub(super) event: Record,
    pub(super) step: u64,
    pub(super) interaction_id: InteractionId,
    pub(super) started_at: Timestamp,
    pub(super) latency: Duration,
    pub(super) posted: Posted,
}

impl<'a> Lane<'a> {
    /// Where this lane's letters go from now on.
    pub(super) fn address(&mut self, callback_url: String) {
        let same = |held: &Arc<Addressee>| held.callback_url == callback_url;
        if !self.addressee.as_ref().is_some_and(same) {
            let now = self.node.parts.clock.now();
            self.endpoint.is_at(&callback_url, now);
            self.addressee = Some(Arc::new(Addressee {
                client_id: self.client_id.clone(),
                callback_url,
                profile: self.terms.header_profile,
                trust_anchors: self.terms.trust_anchors.clone(),
            }));
        }
    }

    /// Has SETs made, a few at a time: the first can leave while the last is not signed yet. Whoever finds a lane idle goes
    /// before those who keep one busy (D-09).
    pub(super) fn issue(&mut self, work: Vec<Work>, chosen: (Instant, Timestamp)) {
        let idle = self.held() == 0 && self.flights.is_empty();
        let mut work = work.into_iter();
        if idle {
            let first: Vec<_> = work.by_ref().take(1).collect();
            self.issue_chunk(first, Urgency::First, chosen);
        }
        while work.len() > 0 {
            let chunk: Vec<_> = work.by_ref().take(CHUNK).collect();
            self.issue_chunk(chunk, Urgency::Rest, chosen);
        }
    }

    fn issue_chunk(
        &mut self,
        work: Vec<Work>,
        urgency: Urgency,
        (chosen_at, in_flight_until): (Instant, Timestamp),
    ) {
        if work.is_empty() {
            return;
        }
        let order = Order {
            client_id: self.client_id.clone(),
            profile: self.terms.header_profile,
            purpose: Purpose::Push,
            urgency,
        };
        let record = |work| Record::of(work, in_flight_until);
        let events: Vec<Record> = work.iter().map(record).collect();
        self.unsigned
            .push_back(events.iter().map(Record::choice).collect());
        let issue = &*self.node.parts.issue;
        self.issuing.push_back(Box::pin(async move {
            let sure_at = Instant::now();
            let issued = issue.issue(order, work).await;
            Chunk {
                events,
                issued,
                chosen_at,
                sure_at,
            }
        }));
    }

    pub(super) fn issued(&mut self, chunk: Chunk) {
        self.unsigned.pop_front();
        let (chosen_at, sure_at) = (chunk.chosen_at, chunk.sure_at);
        let mut choose_again = false;
        for (event, issued) in chunk.events.into_iter().zip(chunk.issued) {
            match issued.outcome {
                Ok(Outcome::Send(set)) => {
                    self.issue_pause.clear();
                    self.ready.push_back(Ready {
                        event,
                        set,
                        chosen_at,
                        sure_at,
                    });
                }
                Ok(Outcome::NoLongerOutstanding) => {}
                Ok(Outcome::ChooseAgain) => {
                    self.returning.push(event.choice());
                    choose_again = true;
                }
                Err(error) => choose_again |= self.unissued(event, &error),
            }
        }
        // Whatever stands behind it goes back too, or it would overtake.
        if choose_again {
            self.give_back();
        }
    }

    /// A fault of the event keeps it out of the way until its choice runs out; a fault of ours holds up the lane.
    fn unissued(&mut self, event: Record, error: &IssueError) -> bool {
        let client_id = &self.client_id;
        let trouble = Trouble::Unsigned { client_id, error };
        self.node.parts.observe.trouble(trouble);
        match error {
            IssueError::Claims(_) | IssueError::Sign { .. } | IssueError::Panicked => false,
            IssueError::NoKey
            | IssueError::TimedOut { .. }
            | IssueError::Ledger(_)
            | IssueError::Closed => {
                self.returning.push(event.choice());
                if self.issue_pause.until(Instant::now()).is_none() {
                    self.issue_pause.begin(Instant::now());
                }
                true
            }
        }
    }

    /// Starts what is ready, in order, as far as the window is open.
    pub(super) fn start(&mut self) {
        while self.may_start() {
            let now = Instant::now();
            let Some(front) = self.ready.front() else {
                return;
            };
            if now.duration_since(front.chosen_at) >= HELD_MAX {
                self.ahead.started(HELD_MAX);
                return self.give_back();
            }
            if now.duration_since(front.sure_at) >= SURE_FOR {
                return self.recheck(now);
            }
            let Some(ready) = self.ready.pop_front() else {
                return;
            };
            let ends_batch = self
                .ready
                .front()
                .is_none_or(|next| next.chosen_at != ready.chosen_at);
            if ends_batch {
                self.ahead.started(now.duration_since(ready.chosen_at));
            }
            self.post(ready);
        }
    }

    fn may_start(&self) -> bool {
        let held_back = !self.endpoint.is_responsive();
        let probed = self.probed_step == Some(self.endpoint.step());
        !self.ready.is_empty()
            && self.rechecking == 0
            && self.flights.len() < self.window_now()
            && self.unrecorded() + self.flights.len() < UNRECORDED_MAX
            && !(held_back && probed)
            && !self.is_unwritten()
            && self.may_act()
    }

    /// While attempts of before the outage still run, the probe may run beside them.
    fn window_now(&self) -> usize {
        if self.endpoint.is_responsive() {
            self.window.size()
        } else {
            self.terms.at_once_max
        }
    }

    fn post(&mut self, ready: Ready) {
        let Some(addressee) = self.addressee.clone() else {
            return;
        };
        let parts = &self.node.parts;
        let step = self.endpoint.step();
        self.probed_step = Some(step);
        let started_at = parts.clock.now();
        let [random @ .., _, _, _, _, _, _] = (parts.chance)();
        let interaction_id = InteractionId::new_at(started_at, random);
        let event = ready.event;
        let letter = Letter {
            addressee,
            set: ready.set,
            traceparent: parts.observe.traceparent(event.jti, &interaction_id),
            interaction_id: interaction_id.clone(),
        };
        let limit = self.node.options.attempt_time_max + GRACE;
        let in_flight = InFlight::begin(self.node);
        let post = &*parts.post;
        self.flights.push(Box::pin(async move {
            let begun = Instant::now();
            let posted = tokio::time::timeout(limit, post.post(letter)).await;
            drop(in_flight);
            Landed {
                event,
                step,
                interaction_id,
                started_at,
                latency: begun.elapsed(),
                posted: posted.unwrap_or_else(|_| Posted::Failed(Failure::timeout())),
            }
        }));
    }

    /// Asks the ledger once more about what got old, in one request.
    fn recheck(&mut self, now: Instant) {
        let Some(claim) = self
            .owner()
            .filter(|_| self.ledger_pause.until(now).is_none())
            .map(Title::claim)
        else {
            return;
        };
        let old = |ready: &&Ready| now.duration_since(ready.sure_at) >= SURE_FOR;
        let count = self.ready.iter().take_while(old).count();
        let held: Vec<Ready> = self.ready.drain(..count).collect();
        self.rechecking = count;
        let jtis = held.iter().map(|ready| ready.event.jti).collect();
        let (generation, number) = (self.generation, claim.number);
        let store = &*self.node.parts.store;
        let answer = store.recheck(Some(claim), self.client_id.clone(), jtis);
        self.ledger.push(Box::pin(async move {
            let answer = answer.await;
            Told::Rechecked(Rechecked {
                held,
                asked_at: now,
                generation,
                claim: number,
                answer,
            })
        }));
    }

    pub(super) fn rechecked(&mut self, rechecked: Rechecked) {
        self.rechecking = 0;
        let held = rechecked.held.iter().map(|ready| ready.event.choice());
        let kept = match rechecked.answer {
            Ok(Some(kept)) => kept,
            Ok(None) => {
                self.returning.extend(held);
                // If it was claimed anew since, what was chosen by that would overtake these.
                self.give_back();
                return self.refused(rechecked.claim);
            }
            Err(error) => {
                self.returning.extend(held);
                self.give_back();
                return self.ledger_failed(&error);
            }
        };
        self.ledger_pause.clear();
        let stale = rechecked.generation != self.generation;
        let mut choose_again = stale;
        for (mut ready, kept) in rechecked.held.into_iter().zip(kept).rev() {
            match kept {
                Kept::NoLongerOutstanding => {}
                Kept::Send(set) if !stale => {
                    ready.set = set;
                    ready.sure_at = rechecked.asked_at;
                    self.ready.push_front(ready);
                }
                Kept::Send(_) | Kept::ChooseAgain | Kept::KeyDisowned => {
                    self.returning.push(ready.event.choice());
                    choose_again = true;
                }
            }
        }
        if choose_again {
            self.give_back();
        }
    }
}

impl Record {
    const fn of(work: &Work, in_flight_until: Timestamp) -> Self {
        Self {
            jti: work.jti,
            in_flight_until,
            refusals: work.refusals,
            refused_since: work.refused_since,
            endpoint_failures: work.endpoint_failures,
        }
    }

    pub(super) const fn choice(&self) -> Choice {
        Choice {
            jti: self.jti,
            in_flight_until: self.in_flight_until,
        }
    }
}

/// Events per request to the issuer: enough that the request costs nothing, few enough that the first does not wait.
const CHUNK: usize = 8;
/// What the ledger said of an event holds for so long (P-14).
const SURE_FOR: Duration = Duration::from_secs(1);
/// Starting stops while so many attempts are in flight or not recorded: a ledger that is away is not outrun.
const UNRECORDED_MAX: usize = 256;
/// Whoever posts keeps the limits of time; this is for one that does not.
const GRACE: Duration = Duration::from_secs(1);
