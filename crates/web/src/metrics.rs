//! What is counted, in the words of Prometheus. Labels are bounded: listeners, operations, methods, statuses and kinds,
//! never ids. Whoever counts calls a method here; nobody else knows names or labels.
//!
//! What goes up and down is counted by a guard, so that a request that is dropped on its way counts itself out.

mod words;

use std::time::Duration;

use axum::http::{Method, StatusCode};
use oyez_domain::ledger::lanes::{HealthState, LaneTotals};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use words::{method_name, name_of};

pub use words::{Answered, Listener, Publication, Pushed, TokenFound};

/// The type of what [`Metrics::text`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    connections: Family<Label, Gauge>,
    turned_away: Family<Label, Counter>,
    handshakes_failed: Family<Label, Counter>,
    published: Family<Label, Counter>,
    polls: Family<Label, Counter>,
    polls_waiting: Gauge,
    sets_handed_out: Counter,
    sets_to_sign: Gauge,
    tokens: Family<Label, Counter>,
    pushes: Family<Label, Counter>,
    push_durations: Histogram,
    pushes_in_flight: Gauge,
    lanes_owned: Gauge,
    endpoints: Family<Label, Gauge>,
    events: Family<Label, Gauge>,
}

/// What is not counted but looked at when the metrics are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Levels {
    /// Events that wait for a signature.
    pub sets_to_sign: usize,
    /// Polls that wait for an event.
    pub polls_waiting: usize,
    /// Endpoints by what is known of them, and what waits; `None` when the ledger did not say.
    pub endpoints: Option<LaneTotals>,
}

/// What is counted of a listener's connections. The default is read by nobody.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    open: Gauge,
    turned_away: Counter,
    handshakes_failed: Counter,
}

/// Counts one thing for as long as it is kept.
#[derive(Debug)]
#[must_use = "what is not kept is not counted"]
pub struct Counted(Gauge);

/// One label and its value.
type Label = [(&'static str, &'static str); 1];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    listener: &'static str,
    operation: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    listener: &'static str,
    operation: &'static str,
}

impl Metrics {
    /// Counts a request that was answered. `operation` is an operation id of the route list, or [`NO_OPERATION`].
    pub fn request(
        &self,
        listener: Listener,
        operation: &'static str,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let labels = RequestLabels {
            listener: listener.name(),
            operation,
            method: method_name(method),
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels {
            listener: listener.name(),
            operation,
        };
        self.durations
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// What a listener counts of its connections.
    pub fn connections(&self, listener: Listener) -> Connections {
        let label = [("listener", listener.name())];
        Connections {
            open: self.connections.get_or_create_owned(&label),
            turned_away: self.turned_away.get_or_create_owned(&label),
            handshakes_failed: self.handshakes_failed.get_or_create_owned(&label),
        }
    }

    /// Counts published items.
    pub fn published(&self, publication: Publication, items: u64) {
        self.published
            .get_or_create(&[("outcome", publication.name())])
            .inc_by(items);
    }

    /// Counts a poll that was answered with so many SETs.
    pub fn poll(&self, answered: Answered, sets: usize) {
        self.polls
            .get_or_create(&[("answered", answered.name())])
            .inc();
        self.sets_handed_out.inc_by(sets as u64);
    }

    /// Counts a token that was looked at.
    pub fn token(&self, found: TokenFound) {
        self.tokens.get_or_create(&[("found", found.name())]).inc();
    }

    /// Counts a push that ended so, after so long.
    pub fn push(&self, pushed: Pushed, took: Duration) {
        self.pushes
            .get_or_create(&[("outcome", pushed.name())])
            .inc();
        self.push_durations.observe(took.as_secs_f64());
    }

    /// So many pushes are under way now.
    pub fn pushes_in_flight(&self, pushes: usize) {
        set(&self.pushes_in_flight, pushes);
    }

    /// So many lanes are this node's now.
    pub fn lanes_owned(&self, lanes: usize) {
        set(&self.lanes_owned, lanes);
    }

    /// All of it as text, with what is not counted but looked at.
    pub fn text(&self, levels: Levels) -> String {
        set(&self.sets_to_sign, levels.sets_to_sign);
        set(&self.polls_waiting, levels.polls_waiting);
        match levels.endpoints {
            Some(mut totals) => {
                for state in HealthState::ALL {
                    let gauge = self
                        .endpoints
                        .get_or_create_owned(&[("state", name_of(state))]);
                    set(&gauge, *totals.of(state));
                }
                let gauge = self.events.get_or_create_owned(&[("state", OUTSTANDING)]);
                set(&gauge, totals.outstanding);
            }
            // An old number would look like a new one.
            None => {
                self.endpoints.clear();
                self.events.clear();
            }
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes whatever is written");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let new = Self {
            registry: Registry::with_prefix("oyez"),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            connections: Family::default(),
            turned_away: Family::default(),
            handshakes_failed: Family::default(),
            published: Family::default(),
            polls: Family::default(),
            polls_waiting: Gauge::default(),
            sets_handed_out: Counter::default(),
            sets_to_sign: Gauge::default(),
            tokens: Family::default(),
            pushes: Family::default(),
            push_durations: Histogram::new(DURATION_BUCKETS),
            pushes_in_flight: Gauge::default(),
            lanes_owned: Gauge::default(),
            endpoints: Family::default(),
            events: Family::default(),
        };
        new.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let all = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        all.register("build", "Which oyez this is", build);
        all.register(
            "http_requests",
            "Requests answered, by listener, operation, method and status",
            self.requests.clone(),
        );
        all.register(
            "http_request_duration_seconds",
            "From a request's head to its answer's, waiting polls included",
            self.durations.clone(),
        );
        all.register(
            "connections",
            "Connections open now, by listener",
            self.connections.clone(),
        );
        all.register(
            "connections_turned_away",
            "Connections closed at once because others took all places, by listener",
            self.turned_away.clone(),
        );
        all.register(
            "tls_handshakes_failed",
            "TLS handshakes that failed or took too long, by listener",
            self.handshakes_failed.clone(),
        );
        all.register(
            "published_items",
            "Items of publishers, by what became of them",
            self.published.clone(),
        );
        all.register(
            "polls",
            "Polls answered, by how they came to it",
            self.polls.clone(),
        );
        all.register(
            "polls_waiting",
            "Polls that wait now",
            self.polls_waiting.clone(),
        );
        all.register(
            "sets_handed_out",
            "SETs that left in answers to polls",
            self.sets_handed_out.clone(),
        );
        all.register(
            "sets_to_sign",
            "Events that wait for a signature now",
            self.sets_to_sign.clone(),
        );
        all.register(
            "access_tokens",
            "Access tokens looked at, by what was found",
            self.tokens.clone(),
        );
        self.with_delivery()
    }

    fn with_delivery(mut self) -> Self {
        let all = &mut self.registry;
        all.register(
            "pushes",
            "Pushes that ended, by what became of them",
            self.pushes.clone(),
        );
        all.register(
            "push_duration_seconds",
            "From the beginning of a push to its end, whatever became of it",
            self.push_durations.clone(),
        );
        all.register(
            "pushes_in_flight",
            "Pushes under way now",
            self.pushes_in_flight.clone(),
        );
        all.register(
            "lanes_owned",
            "Lanes that this node delivers now",
            self.lanes_owned.clone(),
        );
        all.register(
            "endpoints",
            "Endpoints of TPPs, by what the ledger knows of them; every node says the same",
            self.endpoints.clone(),
        );
        all.register(
            "events",
            "Events that nobody has settled yet, of all TPPs; every node says the same",
            self.events.clone(),
        );
        self
    }
}

impl Connections {
    /// Counts a connection while it is open.
    pub(crate) fn open(&self) -> Counted {
        Counted::new(self.open.clone())
    }

    pub(crate) fn turned_away(&self) {
        self.turned_away.inc();
    }

    pub(crate) fn handshake_failed(&self) {
        self.handshakes_failed.inc();
    }
}

impl Counted {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn set(gauge: &Gauge, level: impl TryInto<i64>) {
    gauge.set(level.try_into().unwrap_or(i64::MAX));
}

/// The one state of events that is looked at here: the others only grow.
const OUTSTANDING: &str = "outstanding";
/// The operation of a request that no route took.
pub const NO_OPERATION: &str = "none";

/// In seconds: from an answer out of memory to a long poll that waits half a minute.
const DURATION_BUCKETS: [f64; 12] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0, 30.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_stands_in_the_text_once_it_happened() {
        let metrics = Metrics::default();
        let took = Duration::from_millis(3);
        metrics.request(
            Listener::Tpp,
            "poll_events",
            &Method::POST,
            StatusCode::OK,
            took,
        );
        metrics.published(Publication::Accepted, 3);
        metrics.poll(Answered::Woken, 2);
        metrics.token(TokenFound::Expired);
        let connections = metrics.connections(Listener::Internal);
        let connection = connections.open();
        connections.turned_away();
        connections.handshake_failed();
        metrics.push(Pushed::EndpointFailed, took);
        metrics.pushes_in_flight(4);
        metrics.lanes_owned(5);
        let text = metrics.text(Levels {
            sets_to_sign: 7,
            polls_waiting: 1,
            endpoints: Some(LaneTotals {
                unresponsive: 2,
                outstanding: 9,
                ..LaneTotals::default()
            }),
        });
        for line in [
            r#"oyez_http_requests_total{listener="tpp",operation="poll_events",method="POST",status="200"} 1"#,
            r#"oyez_http_request_duration_seconds_bucket{le="0.005",listener="tpp",operation="poll_events"} 1"#,
            r#"oyez_published_items_total{outcome="accepted"} 3"#,
            r#"oyez_polls_total{answered="woken"} 1"#,
            "oyez_sets_handed_out_total 2",
            r#"oyez_access_tokens_total{found="expired"} 1"#,
            r#"oyez_connections{listener="internal"} 1"#,
            r#"oyez_connections_turned_away_total{listener="internal"} 1"#,
            r#"oyez_tls_handshakes_failed_total{listener="internal"} 1"#,
            "oyez_polls_waiting 1",
            "oyez_sets_to_sign 7",
            r#"oyez_pushes_total{outcome="endpoint-failed"} 1"#,
            r#"oyez_push_duration_seconds_bucket{le="0.005"} 1"#,
            "oyez_pushes_in_flight 4",
            "oyez_lanes_owned 5",
            r#"oyez_endpoints{state="unresponsive"} 2"#,
            r#"oyez_endpoints{state="responsive"} 0"#,
            r#"oyez_events{state="outstanding"} 9"#,
            concat!(
                "oyez_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        drop(connection);
        let text = metrics.text(Levels::default());
        assert!(text.contains("oyez_polls_waiting 0\n"), "{text}");
        for unknown in ["oyez_endpoints{", "oyez_events{"] {
            assert!(!text.contains(unknown), "nobody knows: {text}");
        }
    }

    #[test]
    fn a_method_that_somebody_made_up_is_no_label() {
        let metrics = Metrics::default();
        let method = Method::from_bytes(b"BREW-0001").unwrap();
        metrics.request(
            Listener::Internal,
            NO_OPERATION,
            &method,
            StatusCode::NOT_FOUND,
            Duration::ZERO,
        );
        assert!(!metrics.text(Levels::default()).contains("BREW"));
    }
}
