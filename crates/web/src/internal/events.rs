//! Events: found again, taken back, pushed again, queued again (I-03, I-04).

use axum::body::Body;
use oyez_domain::event::EventType;
use oyez_domain::ids::Jti;
use oyez_domain::json::members::{Faults, Members};
use oyez_domain::ledger::history::{EventFile, EventFilter, EventSummary, StateFilter};
use oyez_domain::life::{Ending, Outcome, Settlement, State, Withdrawn};
use oyez_domain::time::Timestamp;
use serde_json::{Value, json};

use super::api::{Api, Call};
use super::files;
use super::input;
use super::leaving::Answer;
use super::problem::Problem;

impl Api {
    /// `GET /v1/events`.
    pub(super) async fn list_events(&self, call: &Call) -> Result<Answer, Problem> {
        let mut query = call.query();
        let filter = EventFilter {
            client_id: query.optional("tpp"),
            state: query.parsed("state", state),
            event_type: query.parsed("type", |name| self.event_type(name)),
            resource_id: query.optional("resource_id"),
            txn: query.optional("txn"),
            interaction_id: query.optional("interaction_id"),
            accepted_from: query.optional("accepted_from"),
            accepted_before: query.optional("accepted_before"),
        };
        let before: Option<Jti> = query.optional("cursor");
        let rows_max = query.rows_max();
        let (filter, before, rows_max) = query.checked((filter, before, rows_max))?;
        let store = &self.bank.store;
        let page = store.list_events(filter, before, rows_max).await?;
        let events: Vec<Value> = page.rows.iter().map(files::summary).collect();
        Ok(Answer::ok(&json!({"events": events, "next": page.next})))
    }

    /// `GET /v1/events/{jti}`. Of an event that is outstanding it says too by which ways its TPP can get it now.
    pub(super) async fn read_event(&self, call: &Call) -> Result<Answer, Problem> {
        let file = self.event(call).await?;
        let mut whole = files::whole(&file);
        whole["delivery"] = self.ways_of(&file.summary).await?;
        Ok(Answer::ok(&whole))
    }

    /// `POST /v1/events/{jti}/push`: again at once, also when it was given up to polls (D-07). Whether it was queued: an
    /// event that had ended is not, nor one whose TPP has no address. Where its endpoint is held back it waits for that.
    pub(super) async fn push_event_again(&self, call: &Call) -> Result<Answer, Problem> {
        let event = self.event(call).await?.summary;
        // Asked before, since an answer that fails would deny what was done.
        let ways = self.ways_of(&event).await?;
        let store = &self.bank.store;
        let (actor, client_id) = (call.actor.clone(), event.client_id.clone());
        let retried = store.retry_pushes(actor, client_id, vec![event.jti], call.now);
        let queued = retried.await? > 0;
        let event = files::summary(&event);
        Ok(Answer::ok(
            &json!({"queued": queued, "event": event, "delivery": ways}),
        ))
    }

    /// `POST /v1/events/{jti}/withdraw`. Whether that changed anything, and how the event stands now: one that had ended
    /// stays as it ended.
    pub(super) async fn withdraw_event(&self, call: &Call) -> Result<Answer, Problem> {
        let mut event = self.event(call).await?.summary;
        let (actor, client_id, now) = (call.actor.clone(), event.client_id.clone(), call.now);
        let store = &self.bank.store;
        let withdrawing = store.withdraw(actor, client_id, vec![event.jti], now);
        let withdrawn = withdrawing.await? > 0;
        if withdrawn {
            // As the ledger keeps it. To ask once more could fail, and the answer would deny what was done.
            event.state = State::Settled(Settlement {
                outcome: Outcome::Withdrawn(Withdrawn::ByOperator),
                actor: call.actor.clone(),
                at: now,
            });
        } else {
            event = self.event(call).await?.summary;
        }
        let event = files::summary(&event);
        Ok(Answer::ok(&json!({"withdrawn": withdrawn, "event": event})))
    }

    /// `POST /v1/tpps/{client_id}/requeue-failed`: the oldest first, call again while there are some.
    pub(super) async fn requeue_failed_events(
        &self,
        call: &Call,
        body: Body,
    ) -> Result<Answer, Problem> {
        let client_id = self.tpp(call).await?.client_id;
        let read = input::object(body, &call.head.headers, |members, faults| {
            members.only(&["accepted_from", "accepted_before", "limit"], faults);
            let from = moment(members, "accepted_from", Timestamp::default(), faults);
            let before = moment(members, "accepted_before", Timestamp::MAX, faults);
            let limit = match members.optional("limit") {
                Some(place) => input::rows(place.whole_number(faults)?)
                    .map_err(|what| faults.invalid(&place.path, what))
                    .ok(),
                None => Some(REQUEUED_DEFAULT),
            };
            Some((from?..before?, limit?))
        });
        let (accepted, limit) = read.await?;
        let (actor, store) = (call.actor.clone(), &self.bank.store);
        let requeueing = store.requeue_failed(actor, client_id, accepted, limit, call.now);
        let jtis = requeueing.await?;
        Ok(Answer::ok(&json!({"requeued": jtis})))
    }

    /// The event that the path names.
    async fn event(&self, call: &Call) -> Result<EventFile, Problem> {
        let jti = call.parameter.parse().map_err(|_| NO_EVENT)?;
        self.bank.store.find_event(jti).await?.ok_or(NO_EVENT)
    }

    /// By which ways an outstanding event gets to its TPP.
    async fn ways_of(&self, event: &EventSummary) -> Result<Value, Problem> {
        match event.state {
            State::Outstanding => self.ways_to(&event.client_id).await,
            State::Settled(_) => Ok(Value::Null),
        }
    }

    /// A type by any of its names.
    fn event_type(&self, name: &str) -> Result<EventType, &'static str> {
        let known = self.bank.rules.catalogue.find(name);
        let known = known.map(|one| one.urn.clone());
        known.ok_or("no such event type is in the catalogue")
    }
}

fn state(name: &str) -> Result<StateFilter, &'static str> {
    match name {
        "outstanding" => Ok(StateFilter::Outstanding),
        "acknowledged" => Ok(StateFilter::Settled(Ending::Acknowledged)),
        "failed" => Ok(StateFilter::Settled(Ending::Failed)),
        "expired" => Ok(StateFilter::Settled(Ending::Expired)),
        "withdrawn" => Ok(StateFilter::Settled(Ending::Withdrawn)),
        _ => Err("one of outstanding, acknowledged, failed, expired and withdrawn is expected"),
    }
}

fn moment(
    members: &Members<'_>,
    name: &str,
    otherwise: Timestamp,
    faults: &mut Faults,
) -> Option<Timestamp> {
    match members.optional(name) {
        Some(place) => place.parsed(str::parse, faults),
        None => Some(otherwise),
    }
}

const NO_EVENT: Problem = Problem::NotFound("no event has this jti, or it was removed by now");
/// As many as the ledger moves in one unit without holding others up.
const REQUEUED_DEFAULT: u32 = 1000;
