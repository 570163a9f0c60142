//! Whether this process lives, whether it can work, and what it has counted. All three are open: they name no TPP and no
//! event, and what asks them (a balancer, a scraper) seldom carries a token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use oyez_domain::error_chain::chain;
use oyez_domain::time::Timestamp;
use oyez_jose::UnixTime;
use serde_json::json;

use super::api::Api;
use super::leaving::Answer;
use crate::metrics::Format;

/// How a part of the process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It works.
    Ready,
    /// It works, and somebody should look at it before it does not: why, in a few words for people.
    ReadyBut(String),
    /// It does not, in a few words for people. They go outside.
    NotReady(String),
}

/// The parts of a process that must be well for it to be ready. The ledger and the signing key always are among them; the
/// edge adds what it runs: listeners, above all whether they are draining.
#[derive(Default)]
pub struct Readiness(Vec<(&'static str, Judge)>);

type Judge = Box<dyn Fn() -> Condition + Send + Sync>;

impl Readiness {
    /// The same, with one part more. The judge is asked at every request, so it only looks.
    pub fn with(
        mut self,
        part: &'static str,
        judge: impl Fn() -> Condition + Send + Sync + 'static,
    ) -> Self {
        self.0.push((part, Box::new(judge)));
        self
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(part, _)| part))
            .finish()
    }
}

impl Api {
    /// `GET /health/ready`.
    pub(super) async fn tell_ready(&self, now: Timestamp) -> Answer {
        let parts = self.parts(now).await;
        let is_ready = parts
            .iter()
            .all(|(_, condition)| !matches!(condition, Condition::NotReady(_)));
        let (status, word) = if is_ready {
            (StatusCode::OK, "ready")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not-ready")
        };
        let parts: Vec<_> = parts
            .iter()
            .map(|(name, condition)| match condition {
                Condition::Ready => json!({"name": name, "ready": true}),
                Condition::ReadyBut(why) => json!({"name": name, "ready": true, "detail": why}),
                Condition::NotReady(why) => json!({"name": name, "ready": false, "detail": why}),
            })
            .collect();
        let document = json!({"status": word, "parts": parts});
        Answer::json(status, document.to_string())
    }

    /// How each part of the process is.
    pub(super) async fn parts(&self, now: Timestamp) -> Vec<(&'static str, Condition)> {
        let (ledger, clock) = tokio::join!(self.ledger(), self.clock());
        let mut parts = vec![
            ("ledger", ledger),
            ("keys", self.keys(now)),
            ("clock", clock),
        ];
        let others = self.readiness.0.iter();
        parts.extend(others.map(|(part, judge)| (*part, judge())));
        parts
    }

    /// `GET /metrics`.
    pub(super) async fn read_metrics(&self, headers: &HeaderMap) -> Answer {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        let format = Format::accepted(accept);
        Answer {
            status: StatusCode::OK,
            content_type: format.content_type(),
            body: Bytes::from(self.gatherer.text(format).await),
        }
    }

    /// Whether the ledger answers, and can be written to: a bank that cannot take an event or an acknowledgement is of no
    /// use to anybody, and it is ready again by itself when there is room.
    async fn ledger(&self) -> Condition {
        let store = &self.bank.store;
        let asked = async {
            let read = store.list_tpps(None, 1).await;
            read.map_err(|error| (UNREADABLE, error))?;
            let written = store.prove_writable().await;
            written.map_err(|error| (UNWRITABLE, error))
        };
        let (what, cause) = match tokio::time::timeout(ANSWER_WAIT_MAX, asked).await {
            Ok(Ok(())) => return Condition::Ready,
            Ok(Err((what, error))) => (what, chain(&error)),
            Err(_) => (UNREADABLE, "no answer in time".to_owned()),
        };
        tracing::warn!(cause, "the ledger: {what}");
        Condition::NotReady(what.to_owned())
    }

    fn keys(&self, now: Timestamp) -> Condition {
        let keys = Arc::clone(&self.bank.keys.borrow());
        let may_sign = |at: Timestamp| {
            let second = UnixTime::from_milliseconds(at.unix_ms());
            keys.signing_at(second).is_some()
        };
        if !may_sign(now) {
            Condition::NotReady("no key may sign now".to_owned())
        } else if !may_sign(now + FORESEEN) {
            Condition::ReadyBut("within a day no key will be left that may sign".to_owned())
        } else {
            Condition::Ready
        }
    }

    /// Whether this machine and the database mean the same moment. A ledger that does not answer says so in its own part.
    async fn clock(&self) -> Condition {
        let before = self.bank.clock.now();
        let asked = self.bank.store.shared_clock();
        let Ok(Ok(Some(shared))) = tokio::time::timeout(ANSWER_WAIT_MAX, asked).await else {
            return Condition::Ready;
        };
        // What the question took is no difference.
        let apart = before
            .since(shared)
            .max(shared.since(self.bank.clock.now()));
        if apart <= APART_REMARKABLE {
            return Condition::Ready;
        }
        // Nobody here knows which of the two is wrong; and where it is the database's, no node would be left.
        Condition::ReadyBut(format!(
            "it is {:.1} s from the database's",
            apart.as_secs_f64()
        ))
    }
}

const UNREADABLE: &str = "it does not answer";
const UNWRITABLE: &str = "it cannot be written to";
/// Balancers and scrapers wait for some seconds; the answer must come before.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);
/// Time enough to make a key and publish it before it signs.
const FORESEEN: Duration = Duration::from_secs(24 * 60 * 60);
/// As the log warns from.
const APART_REMARKABLE: Duration = Duration::from_secs(2);
