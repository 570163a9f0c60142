//! What leaves for the collector: spans in batches, metrics at an interval. A collector that is away is tried a few times, with
//! a growing pause; then a batch is counted as refused and forgotten, so that what is kept meanwhile stays bounded by the
//! queue, and those who work never notice.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::otlp::{self, Resource, Window};
use crate::span::Span;
use crate::tracer::{Gathered, Tracer};

/// Something on its way.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The way to a collector.
pub trait Collector: Send + Sync {
    /// Delivers one request, within limits of its own.
    fn deliver(&self, signal: Signal, body: Vec<u8>) -> BoxFuture<'_, Verdict>;
}

/// What a request tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Spans: `/v1/traces`.
    Traces,
    /// Metrics: `/v1/metrics`.
    Metrics,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The collector has it.
    Taken,
    /// Perhaps later: why not now.
    Later(String),
    /// Never: why.
    Refused(String),
}

/// Tells the metrics of this moment, in OpenMetrics.
pub type MetricsSource = Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>;

/// What is exported.
pub struct Options {
    /// Who sends.
    pub resource: Resource,
    /// Metrics, so often; `None`: spans alone.
    pub metrics: Option<(Duration, MetricsSource)>,
}

/// Exports what is gathered.
pub struct Exporter {
    tracer: Arc<Tracer>,
    gathered: Gathered,
    collector: Arc<dyn Collector>,
    options: Options,
    began_ns: u64,
}

impl Exporter {
    /// Of what this tracer gathers, to this collector.
    pub fn new(
        tracer: Arc<Tracer>,
        gathered: Gathered,
        collector: Arc<dyn Collector>,
        options: Options,
    ) -> Self {
        Self {
            began_ns: tracer.now_ns(),
            tracer,
            gathered,
            collector,
            options,
        }
    }

    /// Until it is stopped; then what is there goes out once more, if that is quick.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut metrics_at = Instant::now();
        loop {
            let stopping = stop.clone();
            let each = self.options.metrics.as_ref().map(|(each, _)| *each);
            let mut batch = Vec::new();
            tokio::select! {
                () = stopping.cancelled() => {
                    self.export_spans(batch, &stop).await;
                    break;
                }
                () = gather(&mut self.gathered, &mut batch) => {}
                () = sleep_until(metrics_at), if each.is_some() => {
                    self.export_metrics(&stop).await;
                    metrics_at = Instant::now() + each.unwrap_or_default();
                }
            }
            self.tracer.look_at_the_clock();
            self.export_spans(batch, &stop).await;
        }
        timeout(LAST_WORDS, self.empty()).await.ok();
    }

    async fn empty(&mut self) {
        let now = CancellationToken::new();
        now.cancel();
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH_MAX
                && let Ok(span) = self.gathered.queue.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                break;
            }
            self.export_spans(batch, &now).await;
        }
        self.export_metrics(&now).await;
    }

    async fn export_spans(&self, spans: Vec<Span>, stop: &CancellationToken) {
        if spans.is_empty() {
            return;
        }
        let body = otlp::traces(&self.options.resource, &spans);
        let counts = &self.gathered.counts;
        let count = if self.deliver(Signal::Traces, body, stop).await {
            &counts.exported
        } else {
            &counts.refused
        };
        count.fetch_add(spans.len() as u64, Ordering::Relaxed);
    }

    async fn export_metrics(&self, stop: &CancellationToken) {
        let Some((_, source)) = &self.options.metrics else {
            return;
        };
        let text = source().await;
        let window = Window {
            began_ns: self.began_ns,
            now_ns: self.tracer.now_ns(),
        };
        let body = otlp::metrics(&self.options.resource, &text, window);
        // The next ones say all that these say.
        self.deliver(Signal::Metrics, body, stop).await;
    }

    /// Whether the collector took it. Once stopping, nothing is tried again.
    async fn deliver(&self, signal: Signal, body: Vec<u8>, stop: &CancellationToken) -> bool {
        for pause in PAUSES {
            match self.collector.deliver(signal, body.clone()).await {
                Verdict::Taken => return true,
                Verdict::Refused(why) => {
                    tracing::warn!(?signal, why, "the collector refuses what it is sent");
                    return false;
                }
                Verdict::Later(why) => {
                    tracing::debug!(?signal, why, "the collector is asked again");
                }
            }
            if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                return false;
            }
        }
        tracing::warn!(
            ?signal,
            "the collector is away: what it was to get is forgotten"
        );
        false
    }
}

/// Fills a batch: until it is full, or its first span has waited for long enough. What was gathered stays in the batch though
/// this is dropped.
async fn gather(gathered: &mut Gathered, batch: &mut Vec<Span>) {
    let Some(first) = gathered.next().await else {
        // The tracer lives as long as its exporter: this ends with the other branches.
        return std::future::pending().await;
    };
    batch.push(first);
    let filling = async {
        while batch.len() < BATCH_MAX
            && let Some(next) = gathered.next().await
        {
            batch.push(next);
        }
    };
    timeout(GATHERED_FOR, filling).await.ok();
}

/// A request of some hundred kilobytes.
const BATCH_MAX: usize = 512;
/// People look at traces some seconds later at the soonest.
const GATHERED_FOR: Duration = Duration::from_secs(2);
/// A restart of a collector takes some seconds; meanwhile the queue fills.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
];
/// A shutdown waits no longer for a collector.
const LAST_WORDS: Duration = Duration::from_secs(2);
