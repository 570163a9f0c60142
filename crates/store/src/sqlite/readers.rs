//! A few threads that only read, each on a connection of its own, each read bounded in time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use super::queue::{Job, Message};
use crate::Error;

/// What a read may touch: one connection, and the deadline that interrupts it.
pub(super) struct Reader {
    /// Opened read-only.
    pub(super) db: Connection,
    deadline: Arc<Mutex<Option<Instant>>>,
    time_max: Duration,
}

impl Reader {
    /// Takes a connection and watches over its reads.
    pub(super) fn new(mut db: Connection, time_max: Duration) -> Result<Self, Error> {
        let deadline = Arc::new(Mutex::new(None::<Instant>));
        let watched = Arc::clone(&deadline);
        db.progress_handler(
            STEPS_BETWEEN_LOOKS,
            Some(move || {
                let deadline = *watched.lock().unwrap_or_else(PoisonError::into_inner);
                deadline.is_some_and(|deadline| Instant::now() >= deadline)
            }),
        )?;
        Ok(Self {
            db,
            deadline,
            time_max,
        })
    }

    fn set_deadline(&self, deadline: Option<Instant>) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
    }

    /// Does one read in one snapshot.
    fn serve(&mut self, mut job: Box<dyn Job<Self>>) {
        self.set_deadline(Some(Instant::now() + self.time_max));
        let result = execute(&self.db, "BEGIN").and_then(|()| job.run(self));
        self.set_deadline(None);
        let ended = if self.db.is_autocommit() {
            Ok(())
        } else {
            execute(&self.db, "ROLLBACK")
        };
        job.answer(result.and(ended).map_err(|error| self.name_limit(error)));
    }

    fn name_limit(&self, error: Error) -> Error {
        match error {
            Error::TimedOut { .. } => Error::TimedOut {
                limit_ms: u64::try_from(self.time_max.as_millis()).unwrap_or(u64::MAX),
            },
            other => other,
        }
    }
}

/// The queue's other end, shared: whoever is free takes the next read.
pub(super) type SharedQueue = Arc<Mutex<Receiver<Message<Reader>>>>;

/// Serves reads until the queue is closed and empty.
pub(super) fn serve(mut reader: Reader, queue: &SharedQueue) {
    while let Some(job) = next_job(queue) {
        if !job.is_abandoned() {
            reader.serve(job);
        }
    }
}

fn next_job(queue: &SharedQueue) -> Option<Box<dyn Job<Reader>>> {
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match queue.blocking_recv()? {
            Message::Job(job) => return Some(job),
            Message::Close => queue.close(),
        }
    }
}

fn execute(db: &Connection, statement: &str) -> Result<(), Error> {
    db.prepare_cached(statement)?.execute([])?;
    Ok(())
}

/// Steps of SQLite's machine between two looks at the clock: a few tens of microseconds.
const STEPS_BETWEEN_LOOKS: i32 = 2000;
