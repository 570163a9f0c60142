//! What ended: judged, told to the ledger, and until then not forgotten (D-08, D-14).
//!
//! Health is written first: whatever happens in between, no failure of an endpoint is recorded that its counter misses.

use oyez_domain::ledger::lanes::{Health, Hold, LaneReport, Reported as Written};
use oyez_domain::ledger::push::{Answer, Attempt, Ended, Recorded, Verdict};
use oyez_domain::tpp::DeliveryOrder;
use oyez_store::Error;
use tokio::time::Instant;

use super::sending::Landed;
use super::{Lane, Told};
use crate::health::Change;
use crate::judge::{Judgement, judge};
use crate::ports::Posted;

/// Attempts that are recorded in one write.
pub(super) struct Group {
    attempts: Vec<Ended>,
    answer: Result<Vec<Recorded>, Error>,
}

/// A health that was written.
pub(super) struct Reported {
    health: Health,
    claim: u64,
    answer: Result<Vec<Written>, Error>,
}

impl Lane<'_> {
    pub(super) fn landed(&mut self, landed: Landed) {
        let counts = self.terms.acknowledgement;
        let judged = judge(&landed.posted, counts, &landed.interaction_id);
        if judged.judgement == Judgement::Acknowledged {
            self.window.acknowledged();
        }
        self.ahead.ended(landed.latency);
        let (verdict, change) = self.endpoint.learn(
            (landed.event, landed.step),
            judged.judgement,
            &self.terms,
            self.moment(),
            self.node.draw(),
        );
        let (answer, peer) = match landed.posted {
            Posted::Answered(reply) => {
                let answer = Answer::Response {
                    status: reply.status,
                    body_head: reply.body_head,
                    deviation: judged.deviation.map(str::to_owned),
                };
                (answer, reply.peer)
            }
            Posted::Failed(failure) => {
                let class = failure.class.to_owned();
                let detail = failure.detail;
                (Answer::Error { class, detail }, failure.peer)
            }
        };
        let attempt = Attempt {
            jti: landed.event.jti,
            started_at: landed.started_at,
            latency: landed.latency,
            interaction_id: landed.interaction_id,
            peer,
            answer,
            verdict,
        };
        self.node
            .parts
            .observe
            .attempt_ended(&self.client_id, &attempt);
        self.ended.push(Ended {
            in_flight_until: landed.event.in_flight_until,
            attempt,
        });
        self.rest.active(Instant::now());
        if change == Change::Failed {
            self.window.close();
            self.give_back();
        }
    }

    /// Ended and not recorded.
    pub(super) fn unrecorded(&self) -> usize {
        self.ended.len() + self.asked.record
    }

    /// One group at a time: what ends meanwhile is the next.
    pub(super) fn record(&mut self) {
        if self.ended.is_empty() || self.asked.record > 0 || self.is_unwritten() {
            return;
        }
        let attempts = std::mem::take(&mut self.ended);
        self.asked.record = attempts.len();
        let now = self.node.parts.clock.now();
        let store = &*self.node.parts.store;
        let answer = store.record_attempts(self.client_id.clone(), attempts.clone(), now);
        self.ledger.push(Box::pin(async {
            let answer = answer.await;
            Told::Recorded(Group { attempts, answer })
        }));
    }

    pub(super) fn recorded(&mut self, group: Group) {
        self.asked.record = 0;
        if let Err(error) = group.answer {
            self.ended.splice(..0, group.attempts);
            return self.ledger_failed(&error);
        }
        self.ledger_pause.clear();
        self.rest.stale = true;
        self.rest.more |= self.terms.order == DeliveryOrder::Strict;
        let moment = self.moment();
        for ended in group.attempts {
            match ended.attempt.verdict {
                Verdict::Refused {
                    again_at: Some(again_at),
                } => self.rest.due(again_at, moment),
                Verdict::EndpointFailed => self.rest.more = true,
                Verdict::Acknowledged | Verdict::Refused { again_at: None } => {}
            }
        }
    }

    pub(super) fn report(&mut self) {
        if self.asked.report || !self.is_unwritten() {
            return;
        }
        let Some(title) = self.reporter() else {
            return;
        };
        let (lease, claim) = (title.tenure.lease.clone(), title.number);
        let health = self.endpoint.health().clone();
        let report = LaneReport {
            client_id: self.client_id.clone(),
            claim,
            health: health.clone(),
            hold: Hold::Keep,
        };
        self.asked.report = true;
        let now = self.node.parts.clock.now();
        let answer = self.node.parts.store.report_lanes(lease, vec![report], now);
        self.ledger.push(Box::pin(async move {
            let answer = answer.await;
            Told::Reported(Reported {
                health,
                claim,
                answer,
            })
        }));
    }

    pub(super) fn reported(&mut self, reported: Reported) {
        self.asked.report = false;
        let title = self.title();
        let is_former = title.is_none_or(|title| title.number != reported.claim);
        match reported.answer {
            // It came before the claim that there is now, which has read more.
            Ok(_) if is_former => self.ledger_pause.clear(),
            Ok(written) if written.first() == Some(&Written::Written) => {
                self.ledger_pause.clear();
                self.unconfirmed = false;
                let before = std::mem::replace(&mut self.written, reported.health);
                if before != self.written {
                    let observe = &self.node.parts.observe;
                    observe.health_changed(&self.client_id, &before, &self.written);
                }
            }
            Ok(_) => self.lost(),
            Err(error) => {
                self.unconfirmed |= !is_former;
                self.ledger_failed(&error);
            }
        }
    }
}
