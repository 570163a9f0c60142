//! Every metric in one list: what it is called, what it tells, by which labels. Registering takes its text from here, and so
//! does the documentation.

use std::fmt::Write;

use Kind::{Counter, Gauge, Histogram, Info};

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without the suffix that counters, histograms and informations get.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// By what it is told apart.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It grows: its name ends in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// `_bucket`, `_sum` and `_count`.
    Histogram,
    /// It is always 1, and its labels tell: its name ends in `_info`.
    Info,
}

impl Entry {
    /// The names of its series.
    pub fn series(&self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind {
            Counter => &["_total"],
            Gauge => &[""],
            Histogram => &["_bucket", "_sum", "_count"],
            Info => &["_info"],
        };
        let name = self.name;
        suffixes.iter().map(|end| format!("{name}{end}")).collect()
    }
}

/// The list as a table of Markdown.
pub fn as_markdown() -> String {
    let mut text = "| metric | labels | tells |\n|---|---|---|\n".to_owned();
    for entry in &TABLE {
        let shown = match entry.kind {
            Counter => format!("`{}_total`", entry.name),
            Gauge => format!("`{}`", entry.name),
            Histogram => format!("`{}` (histogram)", entry.name),
            Info => format!("`{}_info`", entry.name),
        };
        let labels: Vec<_> = entry
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let labels = labels.join(", ");
        writeln!(text, "| {shown} | {labels} | {} |", entry.help)
            .expect("a string takes whatever is written");
    }
    text
}

const fn entry(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Entry {
    Entry {
        name,
        kind,
        labels,
        help,
    }
}

/// All metrics, in the order of the documentation.
pub const TABLE: [Entry; 48] = [
    entry("oyez_build", Info, &["version"], "Which oyez this is"),
    entry(
        "oyez_http_requests",
        Counter,
        &["listener", "operation", "method", "status"],
        "Requests answered; status 429 are those over a rate",
    ),
    entry(
        "oyez_http_request_duration_seconds",
        Histogram,
        &["listener", "operation"],
        "From a request's head to its answer's, waiting polls included",
    ),
    entry(
        "oyez_connections",
        Gauge,
        &["listener"],
        "Connections open now",
    ),
    entry(
        "oyez_connections_turned_away",
        Counter,
        &["listener"],
        "Connections closed at once because others took all places",
    ),
    entry(
        "oyez_tls_handshakes_failed",
        Counter,
        &["listener"],
        "TLS handshakes that failed or took too long",
    ),
    entry(
        "oyez_access_tokens",
        Counter,
        &["found"],
        "Access tokens looked at, by what was found",
    ),
    entry(
        "oyez_published_items",
        Counter,
        &["outcome"],
        "Items of publishers, by what became of them; `accepted` are events taken in",
    ),
    entry(
        "oyez_events",
        Gauge,
        &["state"],
        "Events that nobody has settled yet, of all TPPs; every node says the same",
    ),
    entry(
        "oyez_oldest_event_age_seconds",
        Gauge,
        &[],
        "How long ago the oldest event was accepted that nobody has settled yet, 0 without one; every node says the same",
    ),
    entry(
        "oyez_delivery_seconds",
        Histogram,
        &["by"],
        "From an event's acceptance to its acknowledgement, by `push` or `poll`; its count is how many were acknowledged at this node",
    ),
    entry(
        "oyez_events_failed",
        Counter,
        &[],
        "Events set aside because their TPP reported errors up to the cap, at this node",
    ),
    entry(
        "oyez_events_expired",
        Counter,
        &[],
        "Events that expired unacknowledged, by this node's housekeeping",
    ),
    entry(
        "oyez_polls",
        Counter,
        &["answered"],
        "Polls answered, by how they came to it",
    ),
    entry("oyez_polls_waiting", Gauge, &[], "Polls that wait now"),
    entry(
        "oyez_polls_evicted",
        Counter,
        &[],
        "Waiting polls that were answered early because more waited than there is room for",
    ),
    entry(
        "oyez_sets_handed_out",
        Counter,
        &[],
        "SETs that left in answers to polls",
    ),
    entry(
        "oyez_sets_to_sign",
        Gauge,
        &[],
        "Events that wait for a signature now",
    ),
    entry(
        "oyez_sets_signed",
        Counter,
        &["outcome"],
        "Signatures of SETs, by whether they were `signed` or `failed`",
    ),
    entry(
        "oyez_signing_duration_seconds",
        Histogram,
        &[],
        "Making the claims and the signature of one SET",
    ),
    entry(
        "oyez_signing_wait_seconds",
        Histogram,
        &[],
        "From asking for a SET to the beginning of its signature",
    ),
    entry(
        "oyez_pushes",
        Counter,
        &["outcome"],
        "Pushes that ended, by what became of them",
    ),
    entry(
        "oyez_push_duration_seconds",
        Histogram,
        &[],
        "From the beginning of a push to its end, whatever became of it",
    ),
    entry("oyez_pushes_in_flight", Gauge, &[], "Pushes under way now"),
    entry(
        "oyez_lanes_owned",
        Gauge,
        &[],
        "Lanes that this node delivers now",
    ),
    entry(
        "oyez_endpoints",
        Gauge,
        &["state"],
        "Endpoints of TPPs, by what the ledger knows of them; every node says the same",
    ),
    entry(
        "oyez_ledger_duration_seconds",
        Histogram,
        &["method"],
        "From a request to the ledger to its answer, waiting for a group or a session included",
    ),
    entry(
        "oyez_ledger_errors",
        Counter,
        &["method"],
        "Requests that the ledger answered by an error",
    ),
    entry(
        "oyez_ledger_sessions",
        Gauge,
        &["state"],
        "Sessions with the database, `busy` or `idle`; absent with SQLite",
    ),
    entry(
        "oyez_ledger_sessions_max",
        Gauge,
        &[],
        "How many sessions this node may have; absent with SQLite",
    ),
    entry(
        "oyez_ledger_sessions_awaited",
        Gauge,
        &[],
        "Requests that wait for a session now; absent with SQLite",
    ),
    entry(
        "oyez_clock_ahead_seconds",
        Gauge,
        &[],
        "How far this machine's clock is ahead of the database's, as last compared; absent with SQLite",
    ),
    entry(
        "oyez_spans",
        Counter,
        &["outcome"],
        "Spans of traces that were `exported`, `dropped` because too many waited, or `refused` by the collector; absent without an endpoint",
    ),
    entry(
        "oyez_tpp_requests",
        Counter,
        &["tpp", "outcome"],
        "Requests of a TPP: `answered`, `refused`, `rate-limited` or `failed`; where TPPs are told apart",
    ),
    entry(
        "oyez_tpp_pushes",
        Counter,
        &["tpp", "outcome"],
        "Pushes to a TPP that ended, by what became of them; where TPPs are told apart",
    ),
    entry(
        "oyez_tpp_delivery_seconds",
        Histogram,
        &["tpp"],
        "From an event's acceptance to its acknowledgement; where TPPs are told apart",
    ),
    entry(
        "oyez_tpp_outstanding_events",
        Gauge,
        &["tpp"],
        "Events of a TPP that nobody has settled yet; where TPPs are told apart, of those that ever had an endpoint",
    ),
    entry(
        "oyez_tpp_endpoint_held_back",
        Gauge,
        &["tpp"],
        "1 while nothing is pushed to a TPP but probes, because its endpoint fails or is paused; where TPPs are told apart",
    ),
    entry(
        "process_cpu_seconds",
        Counter,
        &[],
        "User and system time of the process",
    ),
    entry(
        "process_resident_memory_bytes",
        Gauge,
        &[],
        "Memory that is resident",
    ),
    entry(
        "process_virtual_memory_bytes",
        Gauge,
        &[],
        "Memory that is mapped",
    ),
    entry(
        "process_open_fds",
        Gauge,
        &[],
        "Open files, sockets among them",
    ),
    entry("process_max_fds", Gauge, &[], "How many files may be open"),
    entry("process_threads", Gauge, &[], "Threads of the process"),
    entry(
        "process_start_time_seconds",
        Gauge,
        &[],
        "When the process began, in seconds since 1970",
    ),
    entry(
        "oyez_certificate_expiry_timestamp_seconds",
        Gauge,
        &["certificate"],
        "When a certificate of ours ends to be valid, in seconds since 1970",
    ),
    entry(
        "oyez_keys_published",
        Gauge,
        &[],
        "Keys that the key set publishes now",
    ),
    entry(
        "oyez_key_may_sign",
        Gauge,
        &[],
        "1 while a key may sign, 0 while events wait for one",
    ),
];
