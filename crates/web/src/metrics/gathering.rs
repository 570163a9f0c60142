//! Asking everybody who knows, and writing it down: for whoever scrapes, and for whoever exports.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::error_chain::chain;
use oyez_domain::ledger::lanes::{HealthState, LaneFilter, LaneStatus, LaneTotals};
use oyez_jose::UnixTime;

use super::classic::classic;
use super::per_tpp::TPPS_MAX;
use super::{CONTENT_TYPE, Figures, Levels, OfTpp};
use crate::Bank;

/// Knows whom to ask.
#[derive(Clone)]
pub struct Gatherer {
    bank: Arc<Bank>,
    figures: Figures,
}

/// How the text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, for those that read nothing newer.
    Classic,
}

impl Format {
    /// What a scraper prefers, by its `Accept`; OpenMetrics where it does not say.
    pub fn accepted(accept: Option<&str>) -> Self {
        let accept = accept.unwrap_or_default();
        let has_only = accept.contains("text/plain") && !accept.contains("openmetrics-text");
        if has_only {
            Self::Classic
        } else {
            Self::OpenMetrics
        }
    }

    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => CONTENT_TYPE,
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

impl Gatherer {
    /// Asks the bank, and the edge of the program.
    pub fn new(bank: Arc<Bank>, figures: Figures) -> Self {
        Self { bank, figures }
    }

    /// All metrics of this moment.
    pub async fn text(&self, format: Format) -> String {
        let text = self.bank.metrics.text(&self.levels().await);
        match format {
            Format::OpenMetrics => text,
            Format::Classic => classic(&text),
        }
    }

    async fn levels(&self) -> Levels {
        let bank = &self.bank;
        let polls = bank.waiters.counts();
        let (endpoints, tpps) = tokio::join!(self.endpoints(), self.tpps());
        let now = bank.clock.now();
        let oldest_event = endpoints.map(|totals| {
            let accepted_at = totals.oldest_accepted_at;
            accepted_at.map_or(Duration::ZERO, |at| now.since(at))
        });
        let keys = Arc::clone(&bank.keys.borrow());
        let second = UnixTime::from_milliseconds(now.unix_ms());
        Levels {
            sets_to_sign: bank.issuer.queued(),
            polls_waiting: polls.waiting,
            polls_evicted: polls.evicted,
            endpoints,
            oldest_event,
            tpps,
            keys_published: keys.published_at(second).count(),
            key_may_sign: keys.signing_at(second).is_some(),
            edge: self.figures.look(),
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

    async fn tpps(&self) -> Vec<OfTpp> {
        if !self.bank.metrics.tells_tpps_apart() {
            return Vec::new();
        }
        let rows_max = u32::try_from(TPPS_MAX).unwrap_or(u32::MAX);
        let asked = self
            .bank
            .store
            .list_lanes(LaneFilter::default(), None, rows_max);
        let Ok(Ok(lanes)) = tokio::time::timeout(ANSWER_WAIT_MAX, asked).await else {
            return Vec::new();
        };
        let of_tpp = |lane: LaneStatus| OfTpp {
            is_held_back: lane.health.state() != HealthState::Responsive,
            outstanding: lane.outstanding,
            client_id: lane.client_id,
        };
        lanes.rows.into_iter().map(of_tpp).collect()
    }
}

/// Scrapers wait for some seconds; the answer must come before.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);
