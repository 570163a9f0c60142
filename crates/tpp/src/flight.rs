//! One value that many ask for and one fetches. Who asks while a fetch is under way waits for it and shares how it ends, its
//! failure too: a dead endpoint costs one time limit, not one for each who waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use tokio::sync::Mutex;

/// The last value, and whose turn it is to fetch the next.
pub(crate) struct Flight<T, E> {
    kept: RwLock<Option<T>>,
    /// Fetches that have ended.
    landed: AtomicU64,
    /// How the last fetch failed, if it did; locked while one is under way.
    turn: Mutex<Option<E>>,
}

impl<T: Clone, E: Clone> Flight<T, E> {
    pub(crate) fn new() -> Self {
        Self {
            kept: RwLock::new(None),
            landed: AtomicU64::new(0),
            turn: Mutex::new(None),
        }
    }

    /// The last value that was fetched, however old.
    pub(crate) fn kept(&self) -> Option<T> {
        self.kept
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The kept value if it is good, else a new one. A caller that goes away while it fetches leaves its turn to the next.
    pub(crate) async fn join(
        &self,
        good: impl Fn(&T) -> bool,
        fetch: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let seen = self.landed.load(Ordering::Acquire);
        if let Some(kept) = self.kept().filter(&good) {
            return Ok(kept);
        }
        let mut failure = self.turn.lock().await;
        if let Some(kept) = self.kept().filter(&good) {
            return Ok(kept);
        }
        let ended_meanwhile = self.landed.load(Ordering::Acquire) != seen;
        if let Some(failure) = failure.as_ref().filter(|_| ended_meanwhile) {
            return Err(failure.clone());
        }
        let fetched = fetch.await;
        match &fetched {
            Ok(value) => {
                let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
                *kept = Some(value.clone());
                *failure = None;
            }
            Err(error) => *failure = Some(error.clone()),
        }
        self.landed.fetch_add(1, Ordering::Release);
        fetched
    }
}
