//! One TPP at a glance (I-03): how it stands, what waits, what it asked for, and why it gets no events, with what mends it.

use oyez_domain::ledger::overview::{Backlog, HealthChange, Request, asked};
use oyez_domain::silence::{self, Known, Reader, Reason};
use serde_json::{Value, json};

use super::api::{Api, Call};
use super::leaving::Answer;
use super::problem::Problem;
use super::{endpoints, tpps};

impl Api {
    /// `GET /v1/tpps/{client_id}/status`.
    pub(super) async fn read_status(&self, call: &Call) -> Result<Answer, Problem> {
        let tpp = self.tpp(call).await?;
        let (store, id) = (&self.bank.store, &tpp.client_id);
        let registrations = store.registrations(id.clone()).await?;
        let counts = store.counts(id.clone()).await?;
        let backlog = store.backlog(id.clone(), call.now).await?;
        let requests = store.list_requests(id.clone(), REQUESTS_MAX).await?;
        let history = store.health_history(id.clone(), CHANGES_MAX).await?;
        let health = self.health_of(id).await?;
        let reasons = silence::reasons(&Known {
            rules: &self.bank.rules,
            tpp: &tpp,
            registrations: &registrations,
            health: &health,
            counts,
            poll_only: backlog.poll_only,
            asked: asked(&requests),
        });
        let reasons: Vec<Value> = reasons.iter().map(reason).collect();
        let history: Vec<Value> = history.iter().map(change).collect();
        let requests: Vec<Value> = requests.iter().map(request).collect();
        Ok(Answer::ok(&json!({
            "client_id": id,
            "delivery": endpoints::ways(&self.bank.rules, &tpp, &registrations, &health),
            "reasons": reasons,
            "counts": tpps::render_counts(counts),
            "backlog": waiting(&backlog),
            "health_history": history,
            "requests": requests,
        })))
    }
}

fn reason(reason: &Reason) -> Value {
    json!({
        "code": reason.code(),
        "weight": reason.weight(),
        "what": reason.to_string(),
        "mend": reason.mend(Reader::Bank),
    })
}

fn waiting(backlog: &Backlog) -> Value {
    let [minute, hour, day, week, older] = backlog.by_age;
    json!({
        "oldest_at": backlog.oldest_at.map(|at| at.to_string()),
        "under_a_minute": minute,
        "under_an_hour": hour,
        "under_a_day": day,
        "under_a_week": week,
        "older": older,
        "uncounted": backlog.uncounted,
        "poll_only": backlog.poll_only,
    })
}

fn change(change: &HealthChange) -> Value {
    json!({
        "at": change.at.to_string(),
        "state": change.state,
        "failures": change.failures,
        "reason": change.reason,
    })
}

fn request(request: &Request) -> Value {
    json!({
        "at": request.at.to_string(),
        "operation": request.operation,
        "status": request.status,
        "error_code": request.error_code,
        "interaction_id": request.interaction_id,
        "took_ms": u64::try_from(request.took.as_millis()).unwrap_or(u64::MAX),
    })
}

/// All that is kept.
const REQUESTS_MAX: u32 = 100;
/// An endpoint that comes and goes all day is known by then.
const CHANGES_MAX: u32 = 50;
