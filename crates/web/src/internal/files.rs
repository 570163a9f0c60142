//! Events as documents: one line of a list, or the whole file (I-03). What the publisher said has the publisher's words.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_domain::event::{Happening, Notice};
use oyez_domain::ledger::history::{EventFile, EventSummary, HandOut, KeptSet, ReportedError};
use oyez_domain::ledger::push::{Answer, Attempt, Verdict};
use oyez_domain::life::{Acknowledged, Outcome, Settlement, State, Withdrawn};
use serde_json::{Map, Value, json};

/// One line of a list.
pub(super) fn summary(event: &EventSummary) -> Value {
    let (state, settlement) = match &event.state {
        State::Outstanding => ("outstanding".to_owned(), Value::Null),
        State::Settled(end) => (end.outcome.ending().to_string(), settled(end)),
    };
    json!({
        "jti": event.jti,
        "tpp": event.client_id,
        "position": event.position,
        "accepted_at": event.accepted_at.to_string(),
        "test": event.test,
        "types": event.event_types,
        "resource": {"type": event.resource_kind, "id": event.resource_id},
        "state": state,
        "settlement": settlement,
    })
}

/// Everything.
pub(super) fn whole(file: &EventFile) -> Value {
    json!({
        "event": summary(&file.summary),
        "notice": notice(&file.notice),
        "sets": list(&file.sets, kept_set),
        "hand_outs": list(&file.hand_outs, hand_out),
        "errors": list(&file.errors, reported),
        "attempts": list(&file.attempts, attempt),
        "settlements": list(&file.settlements, settled),
    })
}

fn list<T>(rows: &[T], render: impl Fn(&T) -> Value) -> Vec<Value> {
    rows.iter().map(render).collect()
}

fn notice(notice: &Notice) -> Value {
    let mut resource = Map::new();
    resource.insert("type".to_owned(), json!(notice.resource.kind));
    resource.insert("id".to_owned(), json!(notice.resource.id));
    if let Some(version) = notice.resource.version {
        resource.insert("version".to_owned(), json!(version));
    }
    let events: Vec<&Happening> = notice.happenings.iter().collect();
    json!({
        "tpp": notice.client_id,
        "resource": resource,
        "events": events,
        "toe": notice.toe.unix_seconds(),
        "txn": notice.txn,
    })
}

/// The token as it is sent, and its claims for those who cannot read it.
fn kept_set(kept: &KeptSet) -> Value {
    let claims = kept.set.split('.').nth(1);
    let claims = claims.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let claims = claims.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    json!({
        "kid": kept.kid,
        "kept_at": kept.kept_at.to_string(),
        "set": kept.set,
        "claims": claims,
    })
}

fn hand_out(one: &HandOut) -> Value {
    json!({"at": one.at.to_string(), "interaction_id": one.interaction_id})
}

fn reported(one: &ReportedError) -> Value {
    json!({
        "at": one.at.to_string(),
        "interaction_id": one.interaction_id,
        "err": one.error.err,
        "description": one.error.description,
    })
}

fn attempt(one: &Attempt) -> Value {
    let answer = match &one.answer {
        Answer::Response {
            status,
            body_head,
            deviation,
        } => json!({
            "status": status,
            "body_head": String::from_utf8_lossy(body_head),
            "deviation": deviation,
        }),
        Answer::Error { class, detail } => json!({"error": class, "detail": detail}),
    };
    let (verdict, again_at) = match one.verdict {
        Verdict::Acknowledged => ("acknowledged", None),
        Verdict::Refused { again_at } => ("refused", again_at),
        Verdict::EndpointFailed => ("endpoint_failed", None),
    };
    json!({
        "started_at": one.started_at.to_string(),
        "latency_ms": u64::try_from(one.latency.as_millis()).unwrap_or(u64::MAX),
        "interaction_id": one.interaction_id,
        "peer": {
            "address": one.peer.address,
            "tls_version": one.peer.tls_version,
            "certificate_thumbprint": one.peer.certificate_thumbprint,
        },
        "answer": answer,
        "verdict": verdict,
        "again_at": again_at.map(|at| at.to_string()),
    })
}

fn settled(end: &Settlement) -> Value {
    let reason = match end.outcome {
        Outcome::Acknowledged(Acknowledged::Push) => "push",
        Outcome::Acknowledged(Acknowledged::Poll) => "poll",
        Outcome::Acknowledged(Acknowledged::Duplicate) => "reported_as_duplicate",
        Outcome::Acknowledged(Acknowledged::Assumed) => "assumed_at_hand_out_cap",
        Outcome::Failed => "errors_reached_cap",
        Outcome::Expired => "unacknowledged_for_too_long",
        Outcome::Withdrawn(Withdrawn::RegistrationDeleted) => "registration_deleted",
        Outcome::Withdrawn(Withdrawn::TypeNoLongerWanted) => "type_no_longer_wanted",
        Outcome::Withdrawn(Withdrawn::ByOperator) => "by_operator",
    };
    json!({
        "outcome": end.outcome.ending().to_string(),
        "reason": reason,
        "actor": end.actor.to_string(),
        "at": end.at.to_string(),
    })
}
