//! Time passes (I-06): what nobody acknowledged expires, and what was kept for long enough goes. In small batches with a
//! pause between, so that nobody waits for it. And now and then the clocks of processes on one ledger are compared.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ledger::history::{Retention, Swept};
use oyez_domain::time::Clock;
use oyez_store::{Error, Store};
use tokio::time::{Instant, sleep};

use crate::clock::Difference;

/// What is kept for how long.
#[derive(Clone)]
pub(super) struct Housekeeping {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
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
        loop {
            let now = self.clock.now();
            let before = now - self.unacknowledged_for;
            let expired = self.store.expire(before, BATCH_MAX, now).await?;
            if expired == 0 {
                break;
            }
            tracing::warn!(expired, "events expired unacknowledged");
            sleep(PAUSE).await;
        }
        while self.store.sweep(self.retention, self.clock.now()).await? != Swept::default() {
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// An event expires within a minute of its time.
const ROUND: Duration = Duration::from_secs(60);
/// Clocks drift by some milliseconds in it; what sets them wrong is noticed within it.
const COMPARED_EVERY: Duration = Duration::from_secs(3_600);
/// At 250 in 50 ms, five thousand a second go: more than a bank makes.
const PAUSE: Duration = Duration::from_millis(50);
