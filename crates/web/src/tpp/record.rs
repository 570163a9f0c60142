//! What is noted of a request: one line in the log, whatever becomes of it. Never a token, never a body (G-02).

use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use oyez_domain::fault::Fault;
use oyez_domain::ids::{ClientId, InteractionId};
use oyez_domain::ledger::overview::Request;
use oyez_domain::time::Timestamp;
use oyez_domain::trace::TraceContext;
use oyez_jose::Form;
use oyez_telemetry::{Kind, Open};
use tokio::time::Instant;

use super::refusal::Refusal;
use crate::Bank;
use crate::metrics::{Listener, Metrics};

/// A request under way. One that is dropped without an answer was given up by the client, and says so.
pub(super) struct Record {
    metrics: Arc<Metrics>,
    pub(super) interaction_id: InteractionId,
    pub(super) client_id: Option<ClientId>,
    /// How the answer is to be signed, if it is (M-04).
    pub(super) form: Option<Form>,
    /// Whether a refusal is told to people, by a page (W-04).
    pub(super) shows_page: bool,
    operation: &'static str,
    method: Method,
    begun: Instant,
    is_told: bool,
    /// A trace begins here: what TPPs say of theirs is another organisation's.
    span: Option<Open>,
}

/// How a request ended.
pub(super) struct End<'a> {
    pub(super) status: StatusCode,
    /// Why it was refused.
    pub(super) refusal: Option<&'a Refusal>,
    /// The `Id` in the body of an error.
    pub(super) error_id: Option<&'a InteractionId>,
}

impl Record {
    pub(super) fn begin(bank: &Bank, operation: &'static str, head: &Parts) -> Self {
        let said = head.headers.get(INTERACTION_ID);
        let said = said.map(axum::http::HeaderValue::as_bytes);
        Self {
            interaction_id: InteractionId::of_request(said, || bank.random.bytes()),
            client_id: None,
            form: None,
            shows_page: false,
            operation,
            method: head.method.clone(),
            metrics: Arc::clone(&bank.metrics),
            begun: Instant::now(),
            is_told: false,
            span: bank
                .tracer
                .as_ref()
                .map(|tracer| tracer.open(operation, Kind::Server, None)),
        }
    }

    /// Where in a trace it is, if that is recorded.
    pub(super) fn trace(&self) -> Option<&TraceContext> {
        self.span.as_ref().and_then(Open::place)
    }

    /// Headers that are malformed and mean nothing (G-03).
    pub(super) fn note_ignored(&self, faults: &[Fault]) {
        for fault in faults {
            tracing::info!(
                interaction.id = self.interaction_id.as_str(),
                client.id = self.client_id.as_ref().map(ClientId::as_str),
                header = fault.path.as_deref(),
                "a malformed header was ignored"
            );
        }
    }

    /// An answer that could not be signed, and is an error already.
    pub(super) fn note_unsigned(&self, cause: &str) {
        tracing::error!(
            interaction.id = self.interaction_id.as_str(),
            cause,
            "an error leaves without a signature"
        );
    }

    /// The request as pages about its TPP show it, if it is known whose it is.
    pub(super) fn line(&self, end: &End<'_>, now: Timestamp) -> Option<Request> {
        let faults = end.refusal.map(Refusal::faults).unwrap_or_default();
        let code = faults.first().map(|fault| fault.code.name().to_owned());
        Some(Request {
            client_id: self.client_id.clone()?,
            at: now,
            interaction_id: self.interaction_id.clone(),
            operation: self.operation.to_owned(),
            status: end.status.as_u16(),
            error_code: code,
            took: self.begun.elapsed(),
        })
    }

    pub(super) fn end(mut self, end: &End<'_>) {
        self.is_told = true;
        let reason = end.refusal.map(tracing::field::display);
        let status = end.status.as_u16();
        let error_id = end.error_id.map(InteractionId::as_str);
        let (id, client_id) = (self.interaction_id.as_str(), self.client_id());
        let took = self.begun.elapsed();
        let ms = millis(took);
        self.metrics.request(
            Listener::Tpp,
            self.operation,
            &self.method,
            end.status,
            took,
        );
        if let Some(client_id) = &self.client_id {
            self.metrics.request_of(client_id, end.status);
        }
        let trace_id = self.trace().map(TraceContext::trace_id_text);
        if end.status.is_server_error() {
            tracing::error!(
                interaction.id = id,
                client.id = client_id,
                operation = self.operation,
                status,
                duration_ms = ms,
                error.id = error_id,
                trace.id = trace_id,
                reason,
                "request failed"
            );
        } else {
            tracing::info!(
                interaction.id = id,
                client.id = client_id,
                operation = self.operation,
                status,
                duration_ms = ms,
                error.id = error_id,
                trace.id = trace_id,
                reason,
                "request answered"
            );
        }
        self.end_span(status, end.status.is_server_error());
    }

    fn end_span(&mut self, status: u16, is_error: bool) {
        if let Some(mut span) = self.span.take() {
            span.note("oyez.interaction_id", self.interaction_id.as_str());
            if let Some(client_id) = &self.client_id {
                span.note("oyez.tpp", client_id.as_str());
            }
            span.note("http.response.status_code", status);
            span.end(is_error);
        }
    }

    fn client_id(&self) -> Option<&str> {
        self.client_id.as_ref().map(ClientId::as_str)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.is_told {
            tracing::info!(
                interaction.id = self.interaction_id.as_str(),
                client.id = self.client_id(),
                operation = self.operation,
                duration_ms = millis(self.begun.elapsed()),
                "the client left before it was answered"
            );
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The header that ties a line of our log to one of theirs.
pub(super) const INTERACTION_ID: &str = "x-fapi-interaction-id";
