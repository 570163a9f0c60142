//! The threads behind the queues, from start to end.
//!
//! The writer's thread ends last: it waits for the readers, so that its connection is the last one, whose close empties the
//! log into the file; then it lets go of the lock.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;

use super::Options;
use super::errors::io_error;
use super::file::Lock;
use super::queue::Message;
use super::readers::{self, Reader};
use super::writer::{self, Bounds, Unit};
use crate::{Error, Listeners};

/// The end of all threads, to be waited for.
pub(super) struct Threads {
    outcome: watch::Receiver<Option<Result<(), Error>>>,
    running: Mutex<mpsc::Receiver<()>>,
    drop_wait_max: Duration,
}

/// What the writer's thread works with.
pub(super) struct Writing {
    pub(super) unit: Unit,
    pub(super) queue: Receiver<Message<Unit>>,
    pub(super) listeners: Arc<Listeners>,
}

/// Starts the writer and the readers, each with its end of a queue.
pub(super) fn start(
    writing: Writing,
    (readers, reads): (Vec<Reader>, Receiver<Message<Reader>>),
    lock: Lock,
    options: Options,
) -> Result<Threads, Error> {
    let reads = Arc::new(Mutex::new(reads));
    let mut reading = Vec::with_capacity(readers.len());
    for reader in readers {
        let reads = Arc::clone(&reads);
        reading.push(spawn("oyez-ledger-reader", move || {
            readers::serve(reader, &reads);
        })?);
    }
    let bounds = Bounds {
        requests_max: options.group_requests_max,
        time_max: options.group_time_max,
    };
    let (outcome_sender, outcome) = watch::channel(None);
    let (alive, running) = mpsc::channel();
    spawn("oyez-ledger-writer", move || {
        let db = writer::serve(writing, bounds);
        let ended = end(db, reading);
        drop(lock);
        outcome_sender.send_replace(Some(ended));
        drop::<mpsc::Sender<()>>(alive);
    })?;
    Ok(Threads {
        outcome,
        running: Mutex::new(running),
        drop_wait_max: options.drop_wait_max,
    })
}

impl Threads {
    /// Waits until everything is written and let go of.
    pub(super) async fn ended(&self) -> Result<(), Error> {
        let mut outcome = self.outcome.clone();
        let ended = outcome.wait_for(Option::is_some).await;
        ended
            .ok()
            .and_then(|outcome| outcome.clone())
            .unwrap_or_else(|| {
                Err(Error::Unavailable {
                    detail: "the writer died".to_owned(),
                })
            })
    }
}

/// The queues are closed by now: their senders were dropped before this.
impl Drop for Threads {
    fn drop(&mut self) {
        let running = self
            .running
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        match running.recv_timeout(self.drop_wait_max) {
            // Ended; or still busy, and then the thread finishes on its own and lets go of the lock.
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) | Ok(()) => {}
        }
    }
}

fn end(db: Connection, reading: Vec<JoinHandle<()>>) -> Result<(), Error> {
    for reader in reading {
        // A reader that panicked has answered nobody, but has let go of its connection.
        reader.join().ok();
    }
    let emptied = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let closed = db.close().map_err(|(_, error)| error);
    Ok(emptied.and(closed)?)
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| io_error("starting a thread", &error))
}
