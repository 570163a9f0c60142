//! One piece of work that many wait for: a key set on its way, a question asked of an authorisation server.
//!
//! The work runs as a task of its own, so it is done to its end though everybody who waited went away: what a client breaks
//! off is not begun anew for the next one.

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// A piece of work under way. Its clones wait for the same.
#[derive(Clone)]
pub(crate) struct Flight<T>(watch::Receiver<Option<T>>);

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    pub(crate) fn start(
        tracker: &TaskTracker,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Self {
        let (done, flight) = watch::channel(None);
        tracker.spawn(async move {
            let outcome = work.await;
            done.send_replace(Some(outcome));
        });
        Self(flight)
    }

    /// What came of it; nothing if it was lost: by a panic, or because the program ends.
    pub(crate) async fn landed(mut self) -> Option<T> {
        let outcome = self.0.wait_for(Option::is_some).await.ok()?;
        outcome.clone()
    }

    /// Whether there is nothing to wait for any more.
    pub(crate) fn is_over(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_wait_learn_what_came_of_it() {
        let (go, gone) = tokio::sync::oneshot::channel();
        let flight = Flight::start(&TaskTracker::new(), async { gone.await.unwrap() });
        let waiting = flight.clone().landed();
        assert!(!flight.is_over());
        go.send(7).unwrap();
        assert_eq!(waiting.await, Some(7));
        assert!(flight.is_over());
        assert_eq!(flight.landed().await, Some(7));
    }

    #[tokio::test]
    async fn work_that_is_lost_keeps_nobody_waiting() {
        let flight = Flight::<u8>::start(&TaskTracker::new(), async { panic!("lost on purpose") });
        assert_eq!(flight.clone().landed().await, None);
        assert!(flight.is_over());
    }
}
