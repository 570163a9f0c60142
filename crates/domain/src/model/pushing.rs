//! Pushing: what to send next, and what came of it (D-01 … D-14, P-14).

use super::Ledger;
use crate::ids::{ClientId, Jti};
use crate::ledger::push::{Attempt, DueForPush, Recorded, Verdict};
use crate::ledger::sets::Look;
use crate::life::{Acknowledged, State};
use crate::routing;
use crate::time::Timestamp;
use crate::tpp::{DeliveryOrder, Standing};

impl Ledger {
    /// Chooses work for pushing to one TPP.
    pub fn due_for_push(&mut self, client_id: &ClientId, look: Look, now: Timestamp) -> DueForPush {
        let Some(callback_url) = self.push_address(client_id) else {
            return DueForPush {
                callback_url: None,
                work: Vec::new(),
                next_at: None,
            };
        };
        let mut due: Vec<(Timestamp, Jti)> = self
            .pushable(client_id)
            .into_iter()
            .filter(|(push_at, _)| *push_at <= now)
            .collect();
        due.sort_by_key(|(push_at, _)| *push_at);
        due.truncate(look.events_max as usize);
        let in_flight_until = now + look.in_flight_for;
        let mut work = Vec::new();
        for (_, jti) in due {
            let Some(chosen) = self.work(client_id, jti, now) else {
                continue;
            };
            let outstanding = self.outstanding(jti);
            outstanding.due_at = outstanding.due_at.max(in_flight_until);
            outstanding.push_at = Some(in_flight_until);
            work.push(chosen);
        }
        let next_at = self
            .pushable(client_id)
            .into_iter()
            .map(|(push_at, _)| push_at)
            .min();
        DueForPush {
            callback_url: Some(callback_url),
            work,
            next_at,
        }
    }

    /// Where a TPP is pushed to, while it is served.
    pub(super) fn push_address(&self, client_id: &ClientId) -> Option<String> {
        let row = self.tpps.get(client_id)?;
        if row.tpp.standing != Standing::Active {
            return None;
        }
        routing::push_address(&self.rules, &row.registrations).map(str::to_owned)
    }

    /// What may be pushed and from when on, in the order of acceptance. In strict order that is the oldest outstanding event
    /// or nothing, and not before it is due for polls either (D-10).
    fn pushable(&mut self, client_id: &ClientId) -> Vec<(Timestamp, Jti)> {
        let order = self.tpps[client_id].order();
        let mut all = self.outstanding_of(client_id);
        if order == DeliveryOrder::Strict {
            all.truncate(1);
        }
        all.into_iter()
            .filter_map(|jti| {
                let outstanding = self.outstanding(jti);
                let push_at = outstanding.push_at?;
                Some(match order {
                    DeliveryOrder::Strict => (push_at.max(outstanding.due_at), jti),
                    DeliveryOrder::Concurrent => (push_at, jti),
                })
            })
            .collect()
    }

    /// Records ended attempts and applies their verdicts; one outcome per attempt, in order.
    pub fn record_attempts(
        &mut self,
        client_id: &ClientId,
        attempts: Vec<Attempt>,
        now: Timestamp,
    ) -> Vec<Recorded> {
        attempts
            .into_iter()
            .map(|attempt| self.record_attempt(client_id, attempt, now))
            .collect()
    }

    fn record_attempt(
        &mut self,
        client_id: &ClientId,
        attempt: Attempt,
        now: Timestamp,
    ) -> Recorded {
        let (jti, verdict) = (attempt.jti, attempt.verdict);
        let Some(event) = self.own_event(client_id, jti) else {
            return Recorded::Unknown;
        };
        event.attempts.push(attempt);
        let before = event.state();
        self.minute(client_id, now).pushed += 1;
        let again_at = match verdict {
            Verdict::Acknowledged => {
                let news = self.acknowledge(client_id, jti, Acknowledged::Push, now);
                return if news {
                    Recorded::Applied
                } else {
                    already(before)
                };
            }
            Verdict::Refused { again_at } => again_at,
            Verdict::EndpointFailed => Some(now),
        };
        let State::Outstanding = before else {
            return already(before);
        };
        let outstanding = self.outstanding(jti);
        let polled_until = outstanding.polled_until;
        outstanding.due_at = now.max(polled_until);
        // What was made poll only, or lost its address, while this attempt ran stays so.
        outstanding.push_at = outstanding
            .push_at
            .and(again_at)
            .map(|again_at| again_at.max(polled_until));
        self.news_of(client_id).polls = true;
        Recorded::Applied
    }
}

fn already(state: State) -> Recorded {
    match state {
        State::Settled(settlement) => Recorded::AlreadySettled(settlement),
        State::Outstanding => Recorded::Applied,
    }
}
