//! Time passes (I-06): what nobody acknowledged expires, and what was kept for long enough goes. In small batches with a
//! pause between, so that nobody waits for it. And now and then the clocks of processes on one ledger are compared.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ledger::history::{Retention, Swept};
use oyez_domain::time::Clock;
use oyez_store::{Error, Store};
use oyez_telemetry::{Kind, Tracer};
use oyez_web::metrics::Metrics;
use tokio::time::{Instant, sleep};

use super::telemetry::ClockAhead;
use crate::clock::Difference;

/// What is kept for how long.
#[derive(Clone)]
pub(super) struct Housekeeping {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) clock_ahead: ClockAhead,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tracer: Option<Arc<Tracer>>,
    pub(super) unacknowledged_for: Duration,
    pub(super) retention: Retention,
}

/// How much of it is one batch: some milliseconds of the writer's time.
pub(super) const BATCH_MAX: u32 = 250;

impl Housekeeping {
    /// Round after round. One that fails is told and left to the next.
    pub(super) async fn run(self) {
        let mut compare_at = Instant::now();
        loop {
            if Instant::now() >= compare_at {
                compare_at = Instant::now() + COMPARED_EVERY;
                self.compare_clocks().await;
            }
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "what is past its time could not be removed; it is tried again");
            }
            sleep(ROUND).await;
        }
    }

    /// The ledger goes by its own clock; what this process says to others, and whom it believes, goes by this machine's.
    async fn compare_clocks(&self) {
        let before = self.clock.now();
        match self.store.shared_clock().await {
            Ok(None) => {}
            Ok(Some(shared)) => {
                let difference = Difference::of(before, shared, self.clock.now());
                self.clock_ahead.set(difference.seconds_ahead());
                if difference.is_remarkable() {
                    tracing::warn!(
                        "the clock of this machine is {difference} the database's: set them by the same source (NTP)"
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "the database's clock could not be asked"),
        }
    }

    async fn round(&self) -> Result<(), Error> {
        let span = |tracer: &Arc<Tracer>| tracer.open("housekeeping", Kind::Internal, None);
        let span = self.tracer.as_ref().map(span);
        let done = self.work().await;
        if let Some(mut span) = span {
            if let Ok(expired) = &done {
                span.note("oyez.expired", *expired);
            }
            span.end(done.is_err());
        }
        done.map(drop)
    }

    /// Says how many events expired.
    async fn work(&self) -> Result<u64, Error> {
        let mut in_all = 0;
        loop {
            let now = self.clock.now();
            let before = now - self.unacknowledged_for;
            let expired = self.store.expire(before, BATCH_MAX, now).await?;
            if expired == 0 {
                break;
            }
            in_all += expired;
            self.metrics.expired(expired);
            tracing::warn!(expired, "events expired unacknowledged");
            sleep(PAUSE).await;
        }
        while self.store.sweep(self.retention, self.clock.now()).await? != Swept::default() {
            sleep(PAUSE).await;
        }
        Ok(in_all)
    }
}

/// An event expires within a minute of its time.
const ROUND: Duration = Duration::from_secs(60);
/// Clocks drift by some milliseconds in it; what sets them wrong is noticed within it.
const COMPARED_EVERY: Duration = Duration::from_secs(3_600);
/// At 250 in 50 ms, five thousand a second go: more than a bank makes.
const PAUSE: Duration = Duration::from_millis(50);
