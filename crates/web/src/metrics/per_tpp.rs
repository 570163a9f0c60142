//! What is counted for each TPP, where a deployment asks for it: so many series come of it that few want them. The number of
//! TPPs is bounded, and those that come later are one, so that a scrape stays small whatever happens.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::StatusCode;
use oyez_domain::ids::ClientId;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::durations::Durations;
use super::levels::OfTpp;
use super::words::Pushed;
use super::{added, set};

/// Whether TPPs are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tpps {
    /// All are counted as one.
    Together,
    /// Each for itself, up to [`TPPS_MAX`].
    Apart,
}

/// TPPs with series of their own: more than a market has. The rest is counted as `(others)`.
pub const TPPS_MAX: usize = 1_000;

/// The name of those that came too late for one of their own. No client_id begins like this by chance.
const OTHERS: &str = "(others)";

#[derive(Debug)]
pub(super) struct PerTpp {
    names: RwLock<BTreeSet<Arc<str>>>,
    requests: Family<OutcomeLabels, Counter>,
    pushes: Family<OutcomeLabels, Counter>,
    delivered: Family<TppLabel, Durations, fn() -> Durations>,
    outstanding: Family<TppLabel, Gauge>,
    held_back: Family<TppLabel, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TppLabel {
    tpp: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    tpp: Arc<str>,
    outcome: &'static str,
}

impl PerTpp {
    pub(super) fn new(all: &mut Registry) -> Self {
        let durations: fn() -> Durations = || Durations::new(&BUCKETS);
        let delivered = Family::new_with_constructor(durations);
        Self {
            names: RwLock::default(),
            requests: added(all, "oyez_tpp_requests", Family::default()),
            pushes: added(all, "oyez_tpp_pushes", Family::default()),
            delivered: added(all, "oyez_tpp_delivery_seconds", delivered),
            outstanding: added(all, "oyez_tpp_outstanding_events", Family::default()),
            held_back: added(all, "oyez_tpp_endpoint_held_back", Family::default()),
        }
    }

    pub(super) fn request(&self, client_id: &ClientId, status: StatusCode) {
        let outcome = if status == StatusCode::TOO_MANY_REQUESTS {
            "rate-limited"
        } else if status.is_server_error() {
            "failed"
        } else if status.is_client_error() {
            "refused"
        } else {
            "answered"
        };
        let tpp = self.name(client_id);
        let labels = OutcomeLabels { tpp, outcome };
        self.requests.get_or_create(&labels).inc();
    }

    pub(super) fn push(&self, client_id: &ClientId, pushed: Pushed) {
        let labels = OutcomeLabels {
            tpp: self.name(client_id),
            outcome: pushed.name(),
        };
        self.pushes.get_or_create(&labels).inc();
    }

    pub(super) fn delivered(&self, client_id: &ClientId, after: Duration) {
        let tpp = self.name(client_id);
        self.delivered
            .get_or_create(&TppLabel { tpp })
            .observe(after);
    }

    /// How each stands now, of the first in the list.
    pub(super) fn set(&self, tpps: &[OfTpp]) {
        // Who is gone has no level any more.
        self.outstanding.clear();
        self.held_back.clear();
        for each in tpps {
            let tpp = self.name(&each.client_id);
            if &*tpp == OTHERS {
                continue;
            }
            let label = TppLabel { tpp };
            set(
                &self.outstanding.get_or_create_owned(&label),
                each.outstanding,
            );
            let held_back = i64::from(each.is_held_back);
            set(&self.held_back.get_or_create_owned(&label), held_back);
        }
    }

    fn name(&self, client_id: &ClientId) -> Arc<str> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(client_id.as_str()) {
            return Arc::clone(known);
        }
        let is_full = names.len() >= TPPS_MAX;
        drop(names);
        if is_full {
            return OTHERS.into();
        }
        let name: Arc<str> = client_id.as_str().into();
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= TPPS_MAX && !names.contains(&name) {
            return OTHERS.into();
        }
        names.insert(Arc::clone(&name));
        name
    }
}

/// In seconds: at once, within a minute, within an hour. The rest is told for all TPPs together.
const BUCKETS: [f64; 3] = [1.0, 60.0, 3_600.0];
