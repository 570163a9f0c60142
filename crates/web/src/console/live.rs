//! What happens meanwhile: the overview's inside, sent to every page that watches (server-sent events).
//!
//! One reader asks the ledger for all viewers, and only while there are any. A viewer that is slow misses what was between,
//! and nothing is kept for it. Seats are bounded, and a stream ends with its session or when the server drains.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use http_body_util::channel::{Channel, Sender};
use oyez_outbound::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Console;
use super::chart::HOUR;
use super::leaving::Reply;
use super::sessions::Session;
use super::visit::{Trouble, Visit};
use crate::internal::Problem;

/// Who watches, and what they see.
pub(super) struct Live {
    seats: Arc<Semaphore>,
    /// What was read last.
    latest: watch::Sender<Arc<str>>,
    is_read: Mutex<bool>,
    stop: CancellationToken,
}

impl Live {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            seats: Arc::new(Semaphore::new(SEATS)),
            latest: watch::Sender::new(Arc::from("")),
            is_read: Mutex::new(false),
            stop,
        }
    }

    /// Joins those who watch. Whether somebody has to begin to read.
    fn join(&self) -> (watch::Receiver<Arc<str>>, bool) {
        let mut is_read = self.is_read.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = self.latest.subscribe();
        let begins = !*is_read;
        *is_read = true;
        (seen, begins)
    }

    /// Whether nobody watches any more; then nobody reads.
    fn is_left(&self) -> bool {
        let mut is_read = self.is_read.lock().unwrap_or_else(PoisonError::into_inner);
        *is_read = self.latest.receiver_count() > 0;
        !*is_read
    }
}

impl Console {
    /// `GET /console/watch`.
    pub(super) fn watch(self: &Arc<Self>, visit: &Visit) -> Result<Reply, Trouble> {
        let seat = Arc::clone(&self.live.seats).try_acquire_owned();
        let seat =
            seat.map_err(|_| Problem::Unavailable("all seats of watchers are taken".to_owned()))?;
        let (sender, body) = Channel::<Bytes>::new(1);
        let (seen, begins) = self.live.join();
        if begins {
            self.tasks.spawn(Arc::clone(self).read());
        }
        let session = visit.session.clone();
        self.tasks
            .spawn(Arc::clone(self).pass_on(seen, sender, session, seat));
        Ok(Reply::Stream(Body::new(body)))
    }

    /// Reads for all, until nobody watches.
    async fn read(self: Arc<Self>) {
        loop {
            let now = self.bank.clock.now();
            if let Ok(inside) = self.inside(&HOUR, now).await {
                self.live.latest.send_replace(inside.into_string().into());
            }
            tokio::select! {
                () = self.live.stop.cancelled() => return,
                () = sleep(EVERY) => {}
            }
            if self.live.is_left() {
                return;
            }
        }
    }

    /// Passes on to one viewer what is read.
    async fn pass_on(
        self: Arc<Self>,
        mut seen: watch::Receiver<Arc<str>>,
        mut sender: Sender<Bytes>,
        session: Session,
        _seat: OwnedSemaphorePermit,
    ) {
        loop {
            let changed = tokio::select! {
                () = self.live.stop.cancelled() => return,
                changed = timeout(HEARTBEAT, seen.changed()) => changed,
            };
            let operators = Arc::clone(&self.operators.borrow());
            if !self
                .sessions
                .holds(&session, &operators, self.bank.clock.now())
            {
                return;
            }
            let message = match changed {
                Ok(Ok(())) => message(&seen.borrow_and_update()),
                Ok(Err(_)) => return,
                Err(_) => ":\n\n".to_owned(),
            };
            let sent = tokio::select! {
                () = self.live.stop.cancelled() => return,
                sent = timeout(SLOW_AFTER, sender.send_data(message.into())) => sent,
            };
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
    }
}

/// A message in the format of event streams: each line says that it is data.
fn message(text: &str) -> String {
    let lines = text.lines().map(|line| format!("data: {line}\n"));
    lines.collect::<String>() + "\n"
}

/// As fast as people read; a read costs the ledger some milliseconds.
const EVERY: Duration = Duration::from_secs(2);
/// Proxies close what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A viewer that takes nothing for so long is gone; its page asks again.
const SLOW_AFTER: Duration = Duration::from_secs(30);
/// More than a bank has operators at their screens.
const SEATS: usize = 100;
