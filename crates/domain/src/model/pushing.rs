//! Pushing: what to send next, and what came of it (D-01 … D-14, P-14).

use std::time::Duration;

use super::{EventRow, Flight, Ledger, Outstanding};
use crate::ids::{ClientId, Jti};
use crate::ledger::lanes::Claim;
use crate::ledger::push::{Choice, DueForPush, Ended, Recorded, Verdict};
use crate::ledger::set_back;
use crate::ledger::sets::Look;
use crate::life::{Acknowledged, State};
use crate::routing;
use crate::time::Timestamp;
use crate::tpp::{DeliveryOrder, Standing};

impl Ledger {
    /// Chooses work for pushing to one TPP; `None` if its lane is not this claim's. `clock` is the moment that leases go by.
    pub fn due_for_push(
        &mut self,
        claim: &Claim,
        client_id: &ClientId,
        look: Look,
        (now, clock): (Timestamp, Timestamp),
    ) -> Option<DueForPush> {
        if !self.owns(claim, client_id, clock) {
            return None;
        }
        let in_flight_until = now + look.in_flight_for;
        let Some(callback_url) = self.push_address(client_id) else {
            return Some(DueForPush {
                callback_url: None,
                work: Vec::new(),
                in_flight_until,
                next_at: None,
            });
        };
        if look.events_max > 0 {
            self.note_the_clock(client_id, now);
        }
        let mut due: Vec<Jti> = self
            .pushable(client_id, now)
            .into_iter()
            .filter(|(push_from, _)| *push_from <= now)
            .map(|(_, jti)| jti)
            .collect();
        due.sort_by_key(|jti| self.outstanding(*jti).push_at);
        due.truncate(look.events_max as usize);
        let mut work = Vec::new();
        for jti in due {
            let Some(chosen) = self.work(client_id, jti, now) else {
                continue;
            };
            let outstanding = self.outstanding(jti);
            outstanding.due_at = outstanding.due_at.max(in_flight_until);
            outstanding.push_at = Some(in_flight_until);
            outstanding.flight = Some(Flight {
                until: in_flight_until,
                overtaken: false,
            });
            work.push(chosen);
        }
        let next_at = self
            .pushable(client_id, now)
            .into_iter()
            .map(|(push_from, _)| push_from)
            .min();
        Some(DueForPush {
            callback_url: Some(callback_url),
            work,
            in_flight_until,
            next_at,
        })
    }

    /// Where a TPP is pushed to, while it is served.
    pub(super) fn push_address(&self, client_id: &ClientId) -> Option<String> {
        let row = self.tpps.get(client_id)?;
        if row.tpp.standing != Standing::Active {
            return None;
        }
        routing::push_address(&self.rules, &row.registrations).map(str::to_owned)
    }

    /// Whether a TPP has registered where to push to.
    pub(super) fn has_address(&self, client_id: &ClientId) -> bool {
        self.tpps
            .get(client_id)
            .is_some_and(|row| routing::push_address(&self.rules, &row.registrations).is_some())
    }

    /// Pushing begins anew for everything outstanding: what has something held against it, at its old turn with nothing. Who
    /// pushes one just now goes on, and what comes of that is not charged. Answers how many had something held against them.
    pub(super) fn begin_anew(&mut self, client_id: &ClientId, now: Timestamp) -> u32 {
        let mut begun_anew = 0;
        for jti in self.outstanding_of(client_id) {
            let outstanding = self.outstanding(jti);
            if let Some(flight) = &mut outstanding.flight {
                flight.overtaken = true;
            }
            if outstanding.refusals > 0 || outstanding.endpoint_failures > 0 {
                self.event(jti).begin_anew(now);
                begun_anew += 1;
            }
        }
        begun_anew
    }

    /// What may be pushed and from when on, in the order of acceptance. In strict order that is the oldest outstanding event
    /// or nothing, and not before it is due for polls either (D-10).
    fn pushable(&self, client_id: &ClientId, now: Timestamp) -> Vec<(Timestamp, Jti)> {
        let order = self.rules.order_of(&self.tpps[client_id].tpp.profile);
        let mut all = self.outstanding_of(client_id);
        if order == DeliveryOrder::Strict {
            all.truncate(1);
        }
        all.into_iter()
            .filter_map(|jti| {
                let push_from = self.push_from(jti, now)?;
                Some(match order {
                    DeliveryOrder::Strict => (push_from.max(self.due_from(jti, now)), jti),
                    DeliveryOrder::Concurrent => (push_from, jti),
                })
            })
            .collect()
    }

    fn push_from(&self, jti: Jti, now: Timestamp) -> Option<Timestamp> {
        let event = &self.events[&jti];
        let outstanding = event.outstanding.as_ref()?;
        let push_at = outstanding.push_at?;
        Some(outstanding.but_for_the_clock(push_at, event.accepted_at, now))
    }

    /// Records ended attempts and applies their verdicts; one outcome per attempt, in order.
    pub fn record_attempts(
        &mut self,
        client_id: &ClientId,
        attempts: Vec<Ended>,
        now: Timestamp,
    ) -> Vec<Recorded> {
        attempts
            .into_iter()
            .map(|ended| self.record_attempt(client_id, ended, now))
            .collect()
    }

    /// Gives back what was chosen for pushing and not tried; answers how many.
    pub fn put_back(&mut self, client_id: &ClientId, choices: &[Choice], now: Timestamp) -> u64 {
        let mut put_back = 0;
        for choice in choices {
            let Some(event) = self.own_event(client_id, choice.jti) else {
                continue;
            };
            let accepted_at = event.accepted_at;
            let outstanding = event.outstanding.as_mut();
            let Some(outstanding) = outstanding.filter(|it| it.flies_until(choice.in_flight_until))
            else {
                continue;
            };
            let turn = outstanding.turn(accepted_at);
            outstanding.lands(Some(turn), accepted_at);
            put_back += 1;
            self.news_of(client_id).polls = true;
            self.came_back(client_id, choice.jti, now);
        }
        put_back
    }

    /// The lane hears of an event that it may push again, if there is an address.
    pub(super) fn came_back(&mut self, client_id: &ClientId, jti: Jti, now: Timestamp) {
        if let Some(push_from) = self.push_from(jti, now)
            && self.has_address(client_id)
        {
            self.news(client_id, now.max(push_from));
        }
    }

    fn record_attempt(&mut self, client_id: &ClientId, ended: Ended, now: Timestamp) -> Recorded {
        let (jti, verdict) = (ended.attempt.jti, ended.attempt.verdict);
        let Some(event) = self.own_event(client_id, jti) else {
            return Recorded::Unknown;
        };
        let outstanding = event.outstanding.as_ref();
        let ends_its_flight = outstanding.is_some_and(|it| it.flies_until(ended.in_flight_until));
        let interaction_id = &ended.attempt.interaction_id;
        let mut earlier = event.attempts.iter();
        if !ends_its_flight && earlier.any(|it| it.interaction_id == *interaction_id) {
            return Recorded::Repeated;
        }
        event.attempts.push(ended.attempt);
        let before = event.state();
        self.minute(client_id, now).pushed += 1;
        if verdict == Verdict::Acknowledged {
            let news = self.acknowledge(client_id, jti, Acknowledged::Push, now);
            return if news {
                Recorded::Applied
            } else {
                already(before)
            };
        }
        let State::Outstanding = before else {
            return already(before);
        };
        if !ends_its_flight {
            return Recorded::Late;
        }
        let event = self.event(jti);
        let accepted_at = event.accepted_at;
        let outstanding = event.outstanding.as_mut().expect("it is outstanding");
        let push_at = outstanding.charge(verdict, accepted_at, now);
        outstanding.lands(push_at, accepted_at);
        self.came_back(client_id, jti, now);
        self.news_of(client_id).polls = true;
        Recorded::Applied
    }
}

impl EventRow {
    /// Pushing begins anew: at the event's old turn, with nothing held against it. Who pushes it just now goes on, and what
    /// comes of that is not charged.
    pub(super) fn begin_anew(&mut self, now: Timestamp) {
        let accepted_at = self.accepted_at;
        let Some(outstanding) = &mut self.outstanding else {
            return;
        };
        let turn = outstanding.turn(accepted_at);
        let flies_until = outstanding.flight.map_or(now, |flight| flight.until);
        outstanding.push_at = Some(if flies_until > now {
            turn.max(flies_until)
        } else {
            turn
        });
        if let Some(flight) = &mut outstanding.flight {
            flight.overtaken = true;
        }
        outstanding.refusals = 0;
        outstanding.refused_since = None;
        outstanding.endpoint_failures = 0;
    }
}

impl Outstanding {
    /// Whether it is in flight by the choice that this moment names.
    fn flies_until(&self, in_flight_until: Timestamp) -> bool {
        self.flight.is_some_and(|it| it.until == in_flight_until)
    }

    /// Its place in the order of its TPP: by its acceptance, but not while a poll may still bring its acknowledgement.
    fn turn(&self, accepted_at: Timestamp) -> Timestamp {
        accepted_at.max(self.polled_until)
    }

    /// Whether it waits for nothing but its turn, by a moment that it goes by. A hand-out at the very moment of its acceptance,
    /// without delay, is something else.
    fn waits_for_its_turn(&self, moment: Timestamp, accepted_at: Timestamp) -> bool {
        moment == accepted_at && self.polled_until < accepted_at
    }

    /// The clock was set back, and what holds the event with it.
    pub(super) fn move_back(&mut self, accepted_at: Timestamp, by: Duration, now: Timestamp) {
        let moved = |until| set_back::moved_back(until, by, now);
        if !self.waits_for_its_turn(self.due_at, accepted_at) {
            self.due_at = moved(self.due_at);
        }
        self.push_at = self.push_at.map(|push_at| {
            if self.waits_for_its_turn(push_at, accepted_at) {
                push_at
            } else {
                moved(push_at)
            }
        });
        self.polled_until = moved(self.polled_until);
        if let Some(flight) = &mut self.flight {
            flight.until = moved(flight.until);
        }
    }

    /// When it falls due, of a moment that it goes by. By a clock that was set back its own acceptance may be to come: that
    /// is no reason to wait, but a poll's hand-out or a flight is.
    pub(super) fn but_for_the_clock(
        &self,
        moment: Timestamp,
        accepted_at: Timestamp,
        now: Timestamp,
    ) -> Timestamp {
        if !self.waits_for_its_turn(moment, accepted_at) || accepted_at <= now {
            return moment;
        }
        let in_flight_until = self.flight.map_or(now, |flight| flight.until);
        now.max(self.polled_until).max(in_flight_until)
    }

    /// Counts a failed attempt; answers when the event is pushed again.
    fn charge(
        &mut self,
        verdict: Verdict,
        accepted_at: Timestamp,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let turn = self.turn(accepted_at);
        if self.flight.is_some_and(|flight| flight.overtaken) {
            return Some(turn);
        }
        match verdict {
            Verdict::Acknowledged => None,
            Verdict::Refused { again_at } => {
                self.refusals += 1;
                self.refused_since = self.refused_since.or(Some(now));
                again_at.map(|again_at| again_at.max(self.polled_until))
            }
            Verdict::EndpointFailed => {
                self.endpoint_failures += 1;
                Some(turn)
            }
        }
    }

    /// It is in flight no more: polls may have it at once, unless one was handed it meanwhile.
    fn lands(&mut self, push_at: Option<Timestamp>, accepted_at: Timestamp) {
        self.due_at = self.turn(accepted_at);
        self.push_at = push_at;
        self.flight = None;
    }
}

fn already(state: State) -> Recorded {
    match state {
        State::Settled(settlement) => Recorded::AlreadySettled(settlement),
        State::Outstanding => Recorded::Applied,
    }
}
