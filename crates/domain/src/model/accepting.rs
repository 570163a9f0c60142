//! Taking events in (I-01, I-02).

use super::{Contradiction, EventRow, Ledger, Outstanding, Remembered};
use crate::event::Submission;
use crate::ledger::acceptance::Acceptance;
use crate::routing::{self, Means, Route};
use crate::time::Timestamp;
use crate::tpp::Standing;

impl Ledger {
    /// Takes a batch in; one outcome per item, in order.
    pub fn accept(
        &mut self,
        batch: Vec<Submission>,
        now: Timestamp,
    ) -> Result<Vec<Acceptance>, Contradiction> {
        let before = self.clone();
        let answers: Result<_, _> = batch
            .into_iter()
            .map(|item| self.accept_one(item, now))
            .collect();
        if answers.is_err() {
            *self = before;
        }
        answers
    }

    fn accept_one(
        &mut self,
        item: Submission,
        now: Timestamp,
    ) -> Result<Acceptance, Contradiction> {
        let client_id = item.notice.client_id.clone();
        let Some(row) = self.tpps.get(&client_id) else {
            return Ok(Acceptance::UnknownTpp);
        };
        if let Some(repeat) = &item.idempotency
            && let Some(first) = self
                .remembered
                .get(&(client_id.clone(), repeat.key.clone()))
        {
            return Ok(if first.fingerprint == repeat.fingerprint {
                Acceptance::Duplicate(first.jti)
            } else {
                Acceptance::IdempotencyConflict
            });
        }
        if row.tpp.standing != Standing::Active {
            return Ok(Acceptance::Disabled);
        }
        match routing::route(&self.rules, &row.registrations, &item.notice) {
            Route::NoSubscription => Ok(Acceptance::NoSubscription),
            Route::NotSubscribed => Ok(Acceptance::NotSubscribed),
            Route::Deliver(_) if self.events.contains_key(&item.jti) => Err(Contradiction(
                format!("the jti {} was used before", item.jti),
            )),
            Route::Deliver(means) => Ok(self.take_in(item, means, now)),
        }
    }

    fn take_in(&mut self, item: Submission, means: Means, now: Timestamp) -> Acceptance {
        let client_id = item.notice.client_id.clone();
        let number = self.tpps.values().map(|row| row.accepted).sum::<u64>() + 1;
        let row = self.tpps.get_mut(&client_id).expect("the caller found it");
        row.accepted += 1;
        let event = EventRow {
            notice: item.notice,
            number,
            position: row.accepted,
            accepted_at: now,
            outstanding: Some(Outstanding::new(now)),
            set: None,
            superseded: Vec::new(),
            hand_outs: Vec::new(),
            errors: Vec::new(),
            attempts: Vec::new(),
            settlements: Vec::new(),
        };
        self.events.insert(item.jti, event);
        if let Some(first) = item.idempotency {
            let remembered = Remembered {
                fingerprint: first.fingerprint,
                jti: item.jti,
                at: now,
            };
            self.remembered
                .insert((client_id.clone(), first.key), remembered);
        }
        self.minute(&client_id, now).accepted += 1;
        self.news_of(&client_id).polls = true;
        match means {
            Means::PushAndPoll | Means::PushOnly => self.news(&client_id, now),
            Means::PollOnly => {}
        }
        Acceptance::Accepted(item.jti)
    }
}

impl Outstanding {
    pub(super) const fn new(turn: Timestamp) -> Self {
        Self {
            due_at: turn,
            push_at: Some(turn),
            polled_until: Timestamp::from_unix_ms(0),
            flight: None,
            refusals: 0,
            refused_since: None,
            endpoint_failures: 0,
            errors: 0,
            hand_outs: 0,
        }
    }
}
