//! How answers leave, and what is noted of a request: one line in the log and its metrics, whatever becomes of it. Never a
//! token, never a body. Requests that only look, and those of publishers, which the ledger itself remembers, are told at
//! debug level; acts at info, refusals of somebody unknown or not allowed at warn, our own faults at error.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use oyez_domain::ids::InteractionId;
use oyez_domain::trace::TraceContext;
use oyez_telemetry::{Kind, Open, Tracer};
use serde_json::Value;
use tokio::time::Instant;

use super::api::Matched;
use super::problem::Problem;
use super::routes::{Access, Route};
use crate::Bank;
use crate::metrics::{Listener, NO_OPERATION};

/// What a request is answered with.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
}

/// A request under way. One that is dropped without an answer was given up by the client, and says so.
pub(super) struct Record {
    id: InteractionId,
    route: Option<&'static Route>,
    method: Method,
    operator: Option<String>,
    begun: Instant,
    is_told: bool,
    trace: Trace,
}

/// Where in a trace a request is.
#[derive(Default)]
pub(super) struct Trace {
    /// What the caller said.
    said: Option<TraceContext>,
    /// Ours, of a publisher's request, where a collector is named.
    span: Option<Open>,
}

impl Answer {
    /// 200 with a document.
    pub(super) fn ok(document: &Value) -> Self {
        Self::json(StatusCode::OK, document.to_string())
    }

    /// A document that is written already.
    pub(super) fn json(status: StatusCode, document: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: "application/json",
            body: document.into(),
        }
    }
}

impl Record {
    pub(super) fn begin(bank: &Bank, matched: Matched, head: &Parts) -> Self {
        let said = head.headers.get(REQUEST_ID).map(HeaderValue::as_bytes);
        Self {
            id: InteractionId::of_request(said, || bank.random.bytes()),
            route: match matched {
                Matched::Route(route) => Some(route),
                Matched::OtherMethod | Matched::Nothing => None,
            },
            method: head.method.clone(),
            operator: None,
            begun: Instant::now(),
            is_told: false,
            trace: Trace::of(bank, matched, head),
        }
    }

    /// Below what the work for this request is done.
    pub(super) fn trace(&self) -> Option<&TraceContext> {
        self.trace.place()
    }

    /// Notes who calls.
    pub(super) fn name(&mut self, operator: &str) {
        self.operator = Some(operator.to_owned());
    }

    /// Makes the answer out of what came of the request, and tells of it.
    pub(super) fn leave(mut self, bank: &Bank, outcome: Result<Answer, Problem>) -> Response {
        self.is_told = true;
        let (answer, problem) = match outcome {
            Ok(answer) => (answer, None),
            Err(problem) => {
                let answer = Answer {
                    status: problem.status(),
                    content_type: "application/problem+json",
                    body: problem.render(&self.id).into(),
                };
                (answer, Some(problem))
            }
        };
        let took = self.begun.elapsed();
        self.tell(answer.status, problem.as_ref(), took);
        if let Some(mut span) = self.trace.span.take() {
            span.note("oyez.interaction_id", self.id.as_str());
            span.note("http.response.status_code", answer.status.as_u16());
            span.end(answer.status.is_server_error());
        }
        bank.metrics.request(
            Listener::Internal,
            self.operation(),
            &self.method,
            answer.status,
            took,
        );
        self.dress(answer, problem.as_ref())
    }

    fn dress(&self, answer: Answer, problem: Option<&Problem>) -> Response {
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() = answer.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::try_from(self.id.as_str()) {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(wait) = problem.and_then(Problem::retry_after) {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"oyez\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }

    fn tell(&self, status: StatusCode, problem: Option<&Problem>, took: Duration) {
        let cause = problem.and_then(Problem::cause);
        let trace_id = self.trace().map(TraceContext::trace_id_text);
        macro_rules! tell {
            ($level:ident, $text:literal) => {
                tracing::$level!(
                    interaction.id = self.id.as_str(),
                    operator = self.operator.as_deref(),
                    operation = self.operation(),
                    status = status.as_u16(),
                    duration_ms = millis(took),
                    trace.id = trace_id,
                    cause,
                    $text
                )
            };
        }
        if status.is_server_error() && problem.is_some() {
            tell!(error, "request failed");
        } else if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            tell!(warn, "request refused");
        } else if self.acts() {
            tell!(info, "request answered");
        } else {
            tell!(debug, "request answered");
        }
    }

    /// Whether it is one that people want to read about.
    fn acts(&self) -> bool {
        let access = self.route.map(|route| route.access);
        matches!(access, Some(Access::Act | Access::Administer))
    }

    fn operation(&self) -> &'static str {
        self.route.map_or(NO_OPERATION, |route| route.id)
    }
}

impl Trace {
    fn of(bank: &Bank, matched: Matched, head: &Parts) -> Self {
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let parent = header("traceparent");
        let said = parent.and_then(|parent| TraceContext::read(parent, header("tracestate")));
        let publishes = matches!(matched, Matched::Route(route) if route.access == Access::Publish);
        let tracer = bank.tracer.as_ref().filter(|_| publishes);
        let open = |tracer: &Arc<Tracer>| tracer.open("publish", Kind::Server, said.as_ref());
        let span = tracer.map(open);
        Self { said, span }
    }

    fn place(&self) -> Option<&TraceContext> {
        match &self.span {
            Some(span) => span.place(),
            None => self.said.as_ref(),
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.is_told {
            tracing::info!(
                interaction.id = self.id.as_str(),
                operator = self.operator.as_deref(),
                operation = self.operation(),
                duration_ms = millis(self.begun.elapsed()),
                "the caller left before it was answered"
            );
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The header that ties a line of our log to one of theirs, the same as at the other listener.
const REQUEST_ID: &str = "x-fapi-interaction-id";
