//! What TPPs asked for, on its way to the ledger: the last requests of each, for pages about one TPP (I-03, W-04).
//!
//! A request leaves a line in a bounded buffer and waits for nobody. About once a second the buffer goes to the ledger as a whole. What
//! does not fit is dropped and counted: these lines help people to find things, and are no evidence; the log and the history of
//! events are.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oyez_domain::error_chain::chain;
use oyez_domain::ledger::overview::Request;
use oyez_store::Store;
use tokio::sync::Notify;
use tokio::time::sleep;

/// Lines on their way.
#[derive(Debug, Default)]
pub struct Journal {
    lines: Mutex<Lines>,
    has_some: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    requests: Vec<Request>,
    /// How many did not fit.
    dropped: u64,
}

impl Journal {
    /// Keeps a line until it is written, if there is room.
    pub fn note(&self, request: Request) {
        let mut lines = self.lines();
        if lines.requests.len() >= LINES_MAX {
            lines.dropped += 1;
            return;
        }
        lines.requests.push(request);
        if lines.requests.len() == 1 {
            self.has_some.notify_one();
        }
    }

    /// Writes what comes, a group about once a second, for as long as it is polled. A group that the ledger does not take is lost.
    pub async fn keep(&self, store: &dyn Store) {
        loop {
            self.has_some.notified().await;
            sleep(GROUP).await;
            self.write(store).await;
        }
    }

    /// Writes what there is.
    pub async fn write(&self, store: &dyn Store) {
        let Lines { requests, dropped } = mem::take(&mut *self.lines());
        if dropped > 0 {
            tracing::info!(
                dropped,
                "requests are not noted in the ledger: too many came"
            );
        }
        if requests.is_empty() {
            return;
        }
        if let Err(error) = store.note_requests(requests).await {
            tracing::info!(
                cause = chain(&error),
                "requests are not noted in the ledger"
            );
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        // Nothing between the lock and its end can panic; and if it did, lines are whole.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lines of a second: some milliseconds of the writer's time, and 300 KiB.
const LINES_MAX: usize = 1_000;
/// A page is read by people: it may be a second old.
const GROUP: Duration = Duration::from_secs(1);
