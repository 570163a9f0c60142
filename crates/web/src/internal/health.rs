//! Whether this process lives, whether it can work, and what it has counted. All three are open: they name no TPP and no
//! event, and what asks them (a balancer, a scraper) seldom carries a token.

use std::fmt;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use oyez_domain::error_chain::chain;
use oyez_domain::ledger::lanes::LaneTotals;
use oyez_domain::time::Timestamp;
use oyez_jose::UnixTime;
use serde_json::json;

use super::api::Api;
use super::leaving::Answer;
use crate::metrics::{CONTENT_TYPE, Levels};

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
        let parts = self.parts(now).await;
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

    /// How each part of the process is.
    pub(super) async fn parts(&self, now: Timestamp) -> Vec<(&'static str, Condition)> {
        let mut parts = vec![("ledger", self.ledger().await), ("keys", self.keys(now))];
        let others = self.readiness.0.iter();
        parts.extend(others.map(|(part, judge)| (*part, judge())));
        parts
    }

    /// `GET /metrics`.
    pub(super) async fn read_metrics(&self) -> Answer {
        let bank = &self.bank;
        let text = bank.metrics.text(Levels {
            sets_to_sign: bank.issuer.queued(),
            polls_waiting: bank.waiters.counts().waiting,
            endpoints: self.endpoints().await,
        });
        Answer {
            status: StatusCode::OK,
            content_type: CONTENT_TYPE,
            body: Bytes::from(text),
        }
    }

    /// How many endpoints there are in each state; `None` when the ledger does not say: the scrape has all the rest.
    async fn endpoints(&self) -> Option<LaneTotals> {
        let asked = self.bank.store.lane_totals();
        match tokio::time::timeout(ANSWER_WAIT_MAX, asked).await {
            Ok(Ok(totals)) => Some(totals),
            Ok(Err(error)) => {
                tracing::warn!(cause = chain(&error), "endpoints are not counted");
                None
            }
            Err(_) => None,
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
        let now = UnixTime::from_milliseconds(now.unix_ms());
        if self.bank.keys.borrow().signing_at(now).is_some() {
            Condition::Ready
        } else {
            Condition::NotReady("no key may sign now".to_owned())
        }
    }
}

const UNREADABLE: &str = "it does not answer";
const UNWRITABLE: &str = "it cannot be written to";
/// Balancers and scrapers wait for some seconds; the answer must come before.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);
