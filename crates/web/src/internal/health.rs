//! Whether this process lives, whether it can work, and what it has counted. All three are open: they name no TPP and no
//! event, and what asks them (a balancer, a scraper) seldom carries a token.

use std::fmt;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use oyez_domain::time::Timestamp;
use oyez_jose::UnixTime;
use serde_json::json;

use super::api::Api;
use super::leaving::Answer;
use crate::error_chain::chain;
use crate::metrics::CONTENT_TYPE;

/// How a part of the process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It works.
    Ready,
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
        let mut parts = vec![("ledger", self.ledger().await), ("keys", self.keys(now))];
        parts.extend(
            self.readiness
                .0
                .iter()
                .map(|(part, judge)| (*part, judge())),
        );
        let is_ready = parts
            .iter()
            .all(|(_, condition)| *condition == Condition::Ready);
        let (status, word) = if is_ready {
            (StatusCode::OK, "ready")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not-ready")
        };
        let parts: Vec<_> = parts
            .iter()
            .map(|(name, condition)| match condition {
                Condition::Ready => json!({"name": name, "ready": true}),
                Condition::NotReady(why) => json!({"name": name, "ready": false, "detail": why}),
            })
            .collect();
        let document = json!({"status": word, "parts": parts});
        Answer::json(status, document.to_string())
    }

    /// `GET /metrics`.
    pub(super) fn read_metrics(&self) -> Answer {
        let bank = &self.bank;
        let waiting = bank.waiters.counts().waiting;
        let text = bank.metrics.text(bank.issuer.queued(), waiting);
        Answer {
            status: StatusCode::OK,
            content_type: CONTENT_TYPE,
            body: Bytes::from(text),
        }
    }

    /// Whether the ledger answers. That it can also be written to is found out by who writes.
    async fn ledger(&self) -> Condition {
        let asked = self.bank.store.list_tpps(None, 1);
        let cause = match tokio::time::timeout(ANSWER_WAIT_MAX, asked).await {
            Ok(Ok(_)) => return Condition::Ready,
            Ok(Err(error)) => chain(&error),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(cause, "the ledger does not answer");
        Condition::NotReady("it does not answer".to_owned())
    }

    fn keys(&self, now: Timestamp) -> Condition {
        let now = UnixTime::from_milliseconds(now.unix_ms());
        if self.bank.keys.borrow().signing_at(now).is_some() {
            Condition::Ready
        } else {
            Condition::NotReady("no key may sign now".to_owned())
        }
    }
}

/// Balancers wait for some seconds; the answer must come before.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);
