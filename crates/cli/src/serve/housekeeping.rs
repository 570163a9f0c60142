//! Time passes (I-06): what nobody acknowledged expires, and what was kept for long enough goes. In small batches with a
//! pause between, so that nobody waits for it.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ledger::history::{Retention, Swept};
use oyez_domain::time::Clock;
use oyez_store::{Error, Store};
use tokio::time::sleep;

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
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "what is past its time could not be removed; it is tried again");
            }
            sleep(ROUND).await;
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
/// At 250 in 50 ms, five thousand a second go: more than a bank makes.
const PAUSE: Duration = Duration::from_millis(50);
