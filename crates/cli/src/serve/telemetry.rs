//! What the server tells of itself, as it is configured: a tracer and the way to a collector, and the figures that only the
//! edge of the program knows.

mod certificates;
mod collector;
mod process;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use oyez_domain::time::Clock;
use oyez_outbound::Client;
use oyez_telemetry::otlp::Resource;
use oyez_telemetry::{BoxFuture, Exporter, Gathered, MetricsSource, Options, Tracer};
use oyez_web::metrics::{Edge, Figures, Format, Gatherer, Spans};
use oyez_web::{Bank, Random};

use self::certificates::Certificates;
use self::collector::OverHttp;
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::ledger::Ledger;

/// A tracer and what it gathers, where a collector is named.
pub(super) struct Traces {
    pub(super) tracer: Arc<Tracer>,
    gathered: Gathered,
}

/// How far the machine's clock is ahead of the database's, as last compared; nothing until then.
#[derive(Debug, Clone)]
pub(super) struct ClockAhead(Arc<AtomicU64>);

impl Traces {
    /// `None`: nobody would read them.
    pub(super) fn of(
        telemetry: &config::Telemetry,
        random: &Random,
        clock: &Arc<dyn Clock>,
    ) -> Option<Self> {
        telemetry.otlp_endpoint.as_ref()?;
        let random = random.clone();
        let (tracer, gathered) = Tracer::new(
            telemetry.sampling_ratio,
            Arc::new(move || random.bytes()),
            Arc::clone(clock),
        );
        Some(Self { tracer, gathered })
    }

    /// Whoever sends them.
    pub(super) fn exporter(
        self,
        config: &Config,
        client: Arc<Client>,
        gatherer: Gatherer,
        instance: String,
    ) -> Result<Exporter, Failure> {
        let telemetry = &config.telemetry;
        let source: MetricsSource = Arc::new(move || -> BoxFuture<'static, String> {
            let gatherer = gatherer.clone();
            Box::pin(async move { gatherer.text(Format::OpenMetrics).await })
        });
        let options = Options {
            resource: resource(telemetry, instance),
            metrics: telemetry.otlp_metrics_every.map(|each| (each, source)),
        };
        let collector = Arc::new(OverHttp::new(telemetry, client)?);
        Ok(Exporter::new(
            self.tracer,
            self.gathered,
            collector,
            options,
        ))
    }
}

impl ClockAhead {
    /// By so many seconds.
    pub(super) fn set(&self, seconds: f64) {
        self.0.store(seconds.to_bits(), Ordering::Relaxed);
    }

    /// `None`: it was not compared.
    pub(super) fn seconds(&self) -> Option<f64> {
        let seconds = f64::from_bits(self.0.load(Ordering::Relaxed));
        (!seconds.is_nan()).then_some(seconds)
    }
}

impl Default for ClockAhead {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(f64::NAN.to_bits())))
    }
}

/// What the edge knows when somebody asks for metrics.
pub(super) fn figures(
    config: &Config,
    ledger: &Ledger,
    bank: &Bank,
    clock_ahead: ClockAhead,
) -> Figures {
    let sessions = ledger.sessions();
    let tracer = bank.tracer.clone();
    let certificates = std::sync::Mutex::new(Certificates::of(config));
    Figures::new(move || {
        let spans = tracer.as_ref().map(|tracer| tracer.tally());
        let mut certificates = certificates.lock().unwrap_or_else(PoisonError::into_inner);
        Edge {
            process: process::look(),
            sessions: sessions.as_ref().map(|look| look()),
            clock_ahead: clock_ahead.seconds(),
            spans: spans.map(|tally| Spans {
                exported: tally.exported,
                dropped: tally.dropped,
                refused: tally.refused,
            }),
            certificates: certificates.look(),
        }
    })
}

fn resource(telemetry: &config::Telemetry, instance: String) -> Resource {
    let own = [
        ("service.name", telemetry.service_name.to_string()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", instance),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    let more = telemetry.resource_attributes.iter();
    let more = more.map(|attribute| {
        let (name, value) = attribute.name_and_value();
        (name.to_owned(), value.to_owned())
    });
    Resource {
        attributes: own.into_iter().chain(more).collect(),
    }
}
