//! What is counted, in the words of Prometheus. Labels are bounded: listeners, operations, methods, statuses and kinds,
//! never ids; TPPs only where a deployment asks for them, and then a bounded number. Whoever counts calls a
//! method here; nobody else knows names or labels. What each means stands in one list ([`TABLE`]), from which the
//! documentation is made.
//!
//! What is counted for each event is a few additions, without a lock and without a look-up: the series of such a metric are
//! found when it is made. What goes up and down is counted by a guard, so that a request that is dropped on its way counts
//! itself out.

mod classic;
mod durations;
mod gathering;
mod levels;
mod per_tpp;
mod table;
mod words;

use std::time::Duration;

use axum::http::{Method, StatusCode};
use oyez_domain::ids::ClientId;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use levels::LevelGauges;
use per_tpp::PerTpp;
use words::method_name;

pub use durations::Durations;
pub use gathering::{Format, Gatherer};
pub use levels::{Edge, Figures, Levels, OfTpp, Process, Sessions, Spans};
pub use per_tpp::{TPPS_MAX, Tpps};
pub use table::{Entry, TABLE, as_markdown};
pub use words::{Answered, Delivered, Listener, Publication, Pushed, TokenFound};

/// The type of what [`Metrics::text`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Durations, fn() -> Durations>,
    connections: Family<Label, Gauge>,
    turned_away: Family<Label, Counter>,
    handshakes_failed: Family<Label, Counter>,
    published: Family<Label, Counter>,
    polls: Family<Label, Counter>,
    sets_handed_out: Counter,
    tokens: Family<Label, Counter>,
    pushes: Family<Label, Counter>,
    push_durations: Durations,
    pushes_in_flight: Gauge,
    lanes_owned: Gauge,
    delivered: [Durations; Delivered::ALL.len()],
    failed: Counter,
    expired: Counter,
    signed: Counter,
    unsigned: Counter,
    signing: Durations,
    signing_waits: Durations,
    ledger: Family<MethodLabel, Durations, fn() -> Durations>,
    ledger_errors: Family<MethodLabel, Counter>,
    levels: LevelGauges,
    per_tpp: Option<PerTpp>,
}

/// What is counted of a listener's connections. The default is read by nobody.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    open: Gauge,
    turned_away: Counter,
    handshakes_failed: Counter,
}

/// What is counted of one method of the ledger.
#[derive(Debug, Clone)]
pub struct MethodOfLedger {
    durations: Durations,
    errors: Counter,
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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabel {
    method: &'static str,
}

impl Metrics {
    /// Counts all there is; TPPs apart if wanted.
    pub fn new(tpps: Tpps) -> Self {
        let mut registry = Registry::default();
        let all = &mut registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        all.register("oyez_build", help("oyez_build"), build);
        let for_requests: fn() -> Durations = || Durations::new(&REQUEST_BUCKETS);
        let for_ledger: fn() -> Durations = || Durations::new(&WORK_BUCKETS);
        let delivered =
            Family::<Label, _, _>::new_with_constructor(|| Durations::new(&AGE_BUCKETS));
        let delivered = added(all, "oyez_delivery_seconds", delivered);
        let signed: Family<Label, Counter> = added(all, "oyez_sets_signed", Family::default());
        let outcome = |word| signed.get_or_create_owned(&[("outcome", word)]);
        Self {
            requests: added(all, "oyez_http_requests", Family::default()),
            durations: added(
                all,
                "oyez_http_request_duration_seconds",
                Family::new_with_constructor(for_requests),
            ),
            connections: added(all, "oyez_connections", Family::default()),
            turned_away: added(all, "oyez_connections_turned_away", Family::default()),
            handshakes_failed: added(all, "oyez_tls_handshakes_failed", Family::default()),
            published: added(all, "oyez_published_items", Family::default()),
            polls: added(all, "oyez_polls", Family::default()),
            sets_handed_out: added(all, "oyez_sets_handed_out", Counter::default()),
            tokens: added(all, "oyez_access_tokens", Family::default()),
            pushes: added(all, "oyez_pushes", Family::default()),
            push_durations: added(
                all,
                "oyez_push_duration_seconds",
                Durations::new(&REQUEST_BUCKETS),
            ),
            pushes_in_flight: added(all, "oyez_pushes_in_flight", Gauge::default()),
            lanes_owned: added(all, "oyez_lanes_owned", Gauge::default()),
            delivered: Delivered::ALL.map(|by| delivered.get_or_create_owned(&[("by", by.name())])),
            failed: added(all, "oyez_events_failed", Counter::default()),
            expired: added(all, "oyez_events_expired", Counter::default()),
            signed: outcome("signed"),
            unsigned: outcome("failed"),
            signing: added(
                all,
                "oyez_signing_duration_seconds",
                Durations::new(&WORK_BUCKETS),
            ),
            signing_waits: added(
                all,
                "oyez_signing_wait_seconds",
                Durations::new(&WORK_BUCKETS),
            ),
            ledger: added(
                all,
                "oyez_ledger_duration_seconds",
                Family::new_with_constructor(for_ledger),
            ),
            ledger_errors: added(all, "oyez_ledger_errors", Family::default()),
            levels: LevelGauges::new(all),
            per_tpp: match tpps {
                Tpps::Together => None,
                Tpps::Apart => Some(PerTpp::new(all)),
            },
            registry,
        }
    }

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
        self.durations.get_or_create(&labels).observe(took);
    }

    /// Counts the same request for its TPP, where TPPs are told apart.
    pub fn request_of(&self, client_id: &ClientId, status: StatusCode) {
        if let Some(per_tpp) = &self.per_tpp {
            per_tpp.request(client_id, status);
        }
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

    /// What is counted of a method of the ledger.
    pub fn ledger(&self, method: &'static str) -> MethodOfLedger {
        let label = MethodLabel { method };
        MethodOfLedger {
            durations: self.ledger.get_or_create_owned(&label),
            errors: self.ledger_errors.get_or_create_owned(&label),
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
    pub fn push(&self, client_id: &ClientId, pushed: Pushed, took: Duration) {
        self.pushes
            .get_or_create(&[("outcome", pushed.name())])
            .inc();
        self.push_durations.observe(took);
        if let Some(per_tpp) = &self.per_tpp {
            per_tpp.push(client_id, pushed);
        }
    }

    /// Counts an event that its TPP acknowledged, so long after it was accepted.
    pub fn delivered(&self, client_id: &ClientId, by: Delivered, after: Duration) {
        self.delivered[by as usize].observe(after);
        if let Some(per_tpp) = &self.per_tpp {
            per_tpp.delivered(client_id, after);
        }
    }

    /// Counts an event that its TPP reported as an error once too often.
    pub fn failed(&self) {
        self.failed.inc();
    }

    /// Counts events that nobody acknowledged in their time.
    pub fn expired(&self, events: u64) {
        self.expired.inc_by(events);
    }

    /// Counts a SET that was signed, after so long in its line and so long at the key.
    pub fn signed(&self, waited: Duration, took: Duration) {
        self.signed.inc();
        self.signing_waits.observe(waited);
        self.signing.observe(took);
    }

    /// Counts an event that got no signature.
    pub fn unsigned(&self) {
        self.unsigned.inc();
    }

    /// So many pushes are under way now.
    pub fn pushes_in_flight(&self, pushes: usize) {
        set(&self.pushes_in_flight, pushes);
    }

    /// So many lanes are this node's now.
    pub fn lanes_owned(&self, lanes: usize) {
        set(&self.lanes_owned, lanes);
    }

    /// Whether somebody is to say how each TPP stands.
    pub fn tells_tpps_apart(&self) -> bool {
        self.per_tpp.is_some()
    }

    /// All of it as text, with what is not counted but looked at.
    pub fn text(&self, levels: &Levels) -> String {
        self.levels.set(levels);
        if let Some(per_tpp) = &self.per_tpp {
            per_tpp.set(&levels.tpps);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes whatever is written");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(Tpps::Together)
    }
}

impl MethodOfLedger {
    /// Counts a call that was answered after so long.
    pub fn answered(&self, took: Duration) {
        self.durations.observe(took);
    }

    /// Counts a call that was answered by an error.
    pub fn failed(&self) {
        self.errors.inc();
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

/// Registers a metric under its name in the table, and hands it back.
fn added<M: Metric + Clone>(registry: &mut Registry, name: &'static str, metric: M) -> M {
    registry.register(name, help(name), metric.clone());
    metric
}

/// What the table says of it, without the full stop that the format adds.
fn help(name: &str) -> &'static str {
    let entry = TABLE.iter().find(|entry| entry.name == name);
    entry.expect("the table has every metric").help
}

fn set(gauge: &Gauge, level: impl TryInto<i64>) {
    gauge.set(level.try_into().unwrap_or(i64::MAX));
}

/// The operation of a request that no route took.
pub const NO_OPERATION: &str = "none";

/// In seconds: from an answer out of memory to a long poll that waits half a minute.
const REQUEST_BUCKETS: [f64; 12] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0, 30.0,
];
/// In seconds: from an ES256 signature to a database that hangs.
const WORK_BUCKETS: [f64; 12] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0,
];
/// In seconds: from an event that was pushed at once to one that was polled the other week.
const AGE_BUCKETS: [f64; 12] = [
    0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 3_600.0, 86_400.0, 604_800.0,
];

#[cfg(test)]
mod tests {
    use oyez_domain::ledger::lanes::LaneTotals;

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
        let acme = ClientId::new("acme").unwrap();
        metrics.push(&acme, Pushed::EndpointFailed, took);
        metrics.delivered(&acme, Delivered::ByPoll, took);
        metrics.signed(Duration::ZERO, took);
        metrics.ledger("poll").answered(took);
        metrics.pushes_in_flight(4);
        metrics.lanes_owned(5);
        let text = metrics.text(&Levels {
            sets_to_sign: 7,
            polls_waiting: 1,
            endpoints: Some(LaneTotals {
                unresponsive: 2,
                outstanding: 9,
                ..LaneTotals::default()
            }),
            ..Levels::default()
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
            r#"oyez_delivery_seconds_bucket{le="0.01",by="poll"} 1"#,
            r#"oyez_delivery_seconds_count{by="push"} 0"#,
            "oyez_signing_duration_seconds_sum 0.003",
            r#"oyez_ledger_duration_seconds_bucket{le="+Inf",method="poll"} 1"#,
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
        let text = metrics.text(&Levels::default());
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
        assert!(!metrics.text(&Levels::default()).contains("BREW"));
    }
}
