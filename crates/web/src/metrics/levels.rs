//! What is not counted but looked at when the metrics are asked for: how the ledger stands, and what the edge of the program
//! knows of its process.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::{HealthState, LaneTotals};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::words::name_of;
use super::{Label, added, set};

/// What is looked at. What nobody knows is absent from the text: an old number would look like a new one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Levels {
    /// Events that wait for a signature.
    pub sets_to_sign: usize,
    /// Polls that wait for an event.
    pub polls_waiting: usize,
    /// Polls that were answered early for others, since the start.
    pub polls_evicted: u64,
    /// Endpoints by what is known of them, and what waits; `None` when the ledger did not say.
    pub endpoints: Option<LaneTotals>,
    /// How old the oldest event is that waits; zero without one, `None` when the ledger did not say.
    pub oldest_event: Option<Duration>,
    /// How each TPP stands, where TPPs are told apart.
    pub tpps: Vec<OfTpp>,
    /// Keys that the key set publishes.
    pub keys_published: usize,
    /// Whether one of them may sign.
    pub key_may_sign: bool,
    /// What the edge knows.
    pub edge: Edge,
}

/// How one TPP stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfTpp {
    /// Which.
    pub client_id: ClientId,
    /// Its events that nobody has settled.
    pub outstanding: u64,
    /// Nothing is pushed to it but probes.
    pub is_held_back: bool,
}

/// What the edge of the program knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Edge {
    /// The process, where the system tells.
    pub process: Option<Process>,
    /// The sessions with the database, where there are any.
    pub sessions: Option<Sessions>,
    /// How far our clock is ahead of the database's, in seconds, where it was compared.
    pub clock_ahead: Option<f64>,
    /// Spans of traces, where they are exported.
    pub spans: Option<Spans>,
    /// When certificates end, in seconds since 1970, by what they are for.
    pub certificates: Vec<(&'static str, i64)>,
}

/// What the system says of our process.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[expect(missing_docs, reason = "the names are those of the metrics")]
pub struct Process {
    pub cpu_seconds: f64,
    pub resident_memory_bytes: u64,
    pub virtual_memory_bytes: u64,
    pub open_fds: u64,
    pub max_fds: u64,
    pub threads: u64,
    pub start_time_seconds: f64,
}

/// Sessions with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sessions {
    /// How many there may be.
    pub max: usize,
    /// How many somebody has.
    pub busy: usize,
    /// How many are open and nobody's.
    pub idle: usize,
    /// How many requests wait for one.
    pub awaited: usize,
}

/// What became of spans, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spans {
    /// The collector has them.
    pub exported: u64,
    /// They found no room.
    pub dropped: u64,
    /// The collector did not take them.
    pub refused: u64,
}

/// Asks the edge what it knows. The default knows nothing.
#[derive(Clone)]
pub struct Figures(Arc<dyn Fn() -> Edge + Send + Sync>);

impl Figures {
    /// From this source; it is asked at every scrape, so it only looks.
    pub fn new(source: impl Fn() -> Edge + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    pub(super) fn look(&self) -> Edge {
        (self.0)()
    }
}

impl Default for Figures {
    fn default() -> Self {
        Self::new(Edge::default)
    }
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}

type Real = Gauge<f64, AtomicU64>;

#[derive(Debug)]
pub(super) struct LevelGauges {
    polls_waiting: Gauge,
    polls_evicted: Counter,
    sets_to_sign: Gauge,
    endpoints: Family<Label, Gauge>,
    events: Family<Label, Gauge>,
    oldest_event: Family<NoLabel, Real>,
    keys_published: Gauge,
    key_may_sign: Gauge,
    sessions: Family<Label, Gauge>,
    sessions_max: Family<NoLabel, Gauge>,
    sessions_awaited: Family<NoLabel, Gauge>,
    clock_ahead: Family<NoLabel, Real>,
    spans: Family<Label, Counter>,
    certificates: Family<Label, Gauge>,
    process: ProcessGauges,
}

/// Families of these have one series, or none.
type NoLabel = [(&'static str, &'static str); 0];

#[derive(Debug)]
struct ProcessGauges {
    cpu: Family<NoLabel, Counter<f64, AtomicU64>>,
    resident: Family<NoLabel, Gauge>,
    mapped: Family<NoLabel, Gauge>,
    open_fds: Family<NoLabel, Gauge>,
    max_fds: Family<NoLabel, Gauge>,
    threads: Family<NoLabel, Gauge>,
    start_time: Family<NoLabel, Real>,
}

impl LevelGauges {
    pub(super) fn new(all: &mut Registry) -> Self {
        Self {
            polls_waiting: added(all, "oyez_polls_waiting", Gauge::default()),
            polls_evicted: added(all, "oyez_polls_evicted", Counter::default()),
            sets_to_sign: added(all, "oyez_sets_to_sign", Gauge::default()),
            endpoints: added(all, "oyez_endpoints", Family::default()),
            events: added(all, "oyez_events", Family::default()),
            oldest_event: added(all, "oyez_oldest_event_age_seconds", Family::default()),
            keys_published: added(all, "oyez_keys_published", Gauge::default()),
            key_may_sign: added(all, "oyez_key_may_sign", Gauge::default()),
            sessions: added(all, "oyez_ledger_sessions", Family::default()),
            sessions_max: added(all, "oyez_ledger_sessions_max", Family::default()),
            sessions_awaited: added(all, "oyez_ledger_sessions_awaited", Family::default()),
            clock_ahead: added(all, "oyez_clock_ahead_seconds", Family::default()),
            spans: added(all, "oyez_spans", Family::default()),
            certificates: added(
                all,
                "oyez_certificate_expiry_timestamp_seconds",
                Family::default(),
            ),
            process: ProcessGauges {
                cpu: added(all, "process_cpu_seconds", Family::default()),
                resident: added(all, "process_resident_memory_bytes", Family::default()),
                mapped: added(all, "process_virtual_memory_bytes", Family::default()),
                open_fds: added(all, "process_open_fds", Family::default()),
                max_fds: added(all, "process_max_fds", Family::default()),
                threads: added(all, "process_threads", Family::default()),
                start_time: added(all, "process_start_time_seconds", Family::default()),
            },
        }
    }

    pub(super) fn set(&self, levels: &Levels) {
        set(&self.sets_to_sign, levels.sets_to_sign);
        set(&self.polls_waiting, levels.polls_waiting);
        raise(&self.polls_evicted, levels.polls_evicted);
        set(&self.keys_published, levels.keys_published);
        set(&self.key_may_sign, i64::from(levels.key_may_sign));
        self.set_endpoints(levels.endpoints);
        match levels.oldest_event {
            Some(age) => {
                only(&self.oldest_event).set(age.as_secs_f64());
            }
            None => self.oldest_event.clear(),
        }
        self.set_edge(&levels.edge);
    }

    fn set_endpoints(&self, totals: Option<LaneTotals>) {
        let Some(mut totals) = totals else {
            self.endpoints.clear();
            self.events.clear();
            return;
        };
        for state in HealthState::ALL {
            let label = [("state", name_of(state))];
            set(
                &self.endpoints.get_or_create_owned(&label),
                *totals.of(state),
            );
        }
        let gauge = self.events.get_or_create_owned(&[("state", OUTSTANDING)]);
        set(&gauge, totals.outstanding);
    }

    fn set_edge(&self, edge: &Edge) {
        if let Some(sessions) = edge.sessions {
            for (state, level) in [("busy", sessions.busy), ("idle", sessions.idle)] {
                set(
                    &self.sessions.get_or_create_owned(&[("state", state)]),
                    level,
                );
            }
            set(&only(&self.sessions_max), sessions.max);
            set(&only(&self.sessions_awaited), sessions.awaited);
        }
        if let Some(ahead) = edge.clock_ahead {
            only(&self.clock_ahead).set(ahead);
        }
        if let Some(spans) = edge.spans {
            for (outcome, count) in [
                ("exported", spans.exported),
                ("dropped", spans.dropped),
                ("refused", spans.refused),
            ] {
                let counter = self.spans.get_or_create_owned(&[("outcome", outcome)]);
                raise(&counter, count);
            }
        }
        for (certificate, ends_at) in &edge.certificates {
            let label = [("certificate", *certificate)];
            set(&self.certificates.get_or_create_owned(&label), *ends_at);
        }
        if let Some(process) = &edge.process {
            self.process.set(process);
        }
    }
}

impl ProcessGauges {
    fn set(&self, process: &Process) {
        let cpu = only(&self.cpu);
        cpu.inner()
            .store(process.cpu_seconds.to_bits(), Ordering::Relaxed);
        set(&only(&self.resident), process.resident_memory_bytes);
        set(&only(&self.mapped), process.virtual_memory_bytes);
        set(&only(&self.open_fds), process.open_fds);
        set(&only(&self.max_fds), process.max_fds);
        set(&only(&self.threads), process.threads);
        only(&self.start_time).set(process.start_time_seconds);
    }
}

fn only<M: Clone + Default>(family: &Family<NoLabel, M>) -> M {
    family.get_or_create_owned(&[])
}

/// What somebody else counts and never counts down.
fn raise(counter: &Counter, to: u64) {
    counter.inner().store(to, Ordering::Relaxed);
}

/// The one state of events that is looked at here: the others only grow.
const OUTSTANDING: &str = "outstanding";
