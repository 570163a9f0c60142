//! Seen events in a SQLite file of one's own. One thread writes, and whatever has queued up meanwhile is committed together:
//! one sync of the disk for many events, no delay for a single one. Several processes may share a file.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use oyez_domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{mpsc, oneshot};

use super::{EventId, Known, Seen, SeenError};
use crate::hand_over::Pending;

/// A store of seen events in a file. What it was asked before it is dropped is done.
pub struct SqliteSeen {
    queue: Option<mpsc::Sender<Ask>>,
    writer: Option<JoinHandle<()>>,
}

enum Ask {
    Begin(
        Vec<EventId>,
        Timestamp,
        oneshot::Sender<Result<Vec<Known>, SeenError>>,
    ),
    Finish(
        Vec<EventId>,
        Timestamp,
        oneshot::Sender<Result<(), SeenError>>,
    ),
}

/// An answer that waits for its commit.
type Reply = Box<dyn FnOnce(Result<(), SeenError>)>;

impl SqliteSeen {
    /// Opens a file, or makes it. It forgets what was first seen longer ago than `age_max`: see [`super::AGE_MAX`].
    pub fn open(path: &Path, age_max: Duration) -> Result<Self, SeenError> {
        let db = connect(path).map_err(|error| {
            let reason = error.to_string();
            SeenError(format!("{} cannot be opened: {reason}", path.display()))
        })?;
        let (queue, asked) = mpsc::channel(QUEUED_MAX);
        let writer = std::thread::Builder::new()
            .name("oyez-seen".to_owned())
            .spawn(move || write(&db, asked, age_max))
            .map_err(|error| SeenError(format!("no thread for it: {error}")))?;
        Ok(Self {
            queue: Some(queue),
            writer: Some(writer),
        })
    }

    async fn ask<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T, SeenError>>) -> Ask,
    ) -> Result<T, SeenError> {
        let gone = || SeenError("its writer is gone".to_owned());
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(make(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Seen for SqliteSeen {
    fn begin(
        &self,
        events: Vec<EventId>,
        now: Timestamp,
    ) -> Pending<'_, Result<Vec<Known>, SeenError>> {
        Box::pin(self.ask(move |reply| Ask::Begin(events, now, reply)))
    }

    fn finish(&self, events: Vec<EventId>, now: Timestamp) -> Pending<'_, Result<(), SeenError>> {
        Box::pin(self.ask(move |reply| Ask::Finish(events, now, reply)))
    }
}

impl Drop for SqliteSeen {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            // A panic there has told its callers.
            writer.join().ok();
        }
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(BUSY_MAX)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.execute_batch(SCHEMA)?;
    Ok(db)
}

/// Serves the queue until it is closed and empty.
fn write(db: &Connection, mut asked: mpsc::Receiver<Ask>, age_max: Duration) {
    let mut swept_at = None;
    while let Some(first) = asked.blocking_recv() {
        let now = first.now();
        let mut replies = Vec::new();
        let mut next = Some(first);
        let mut fate = db.execute_batch("BEGIN IMMEDIATE");
        while let Some(ask) = next {
            replies.push(ask.serve(db, &mut fate));
            next = if replies.len() < GROUP_MAX {
                asked.try_recv().ok()
            } else {
                None
            };
        }
        if swept_at.is_none_or(|at| now - SWEPT_EVERY >= at) {
            fate = fate.and_then(|()| sweep(db, now - age_max));
            swept_at = Some(now);
        }
        let fate = fate.and_then(|()| db.execute_batch("COMMIT"));
        if fate.is_err() && !db.is_autocommit() {
            // What cannot be undone fails the next BEGIN.
            db.execute_batch("ROLLBACK").ok();
        }
        let fate = fate.map_err(|error| SeenError(error.to_string()));
        for reply in replies {
            reply(fate.clone());
        }
    }
}

impl Ask {
    fn now(&self) -> Timestamp {
        match self {
            Self::Begin(_, now, _) | Self::Finish(_, now, _) => *now,
        }
    }

    /// Does it, unless the group has failed.
    fn serve(self, db: &Connection, fate: &mut rusqlite::Result<()>) -> Reply {
        match self {
            Self::Begin(events, now, reply) => {
                let mut known = Vec::with_capacity(events.len());
                for event in &events {
                    if fate.is_ok() {
                        *fate = begin(db, event, now).map(|it| known.push(it));
                    }
                }
                Box::new(move |fate| {
                    reply.send(fate.map(|()| known)).ok();
                })
            }
            Self::Finish(events, now, reply) => {
                for event in &events {
                    if fate.is_ok() {
                        *fate = finish(db, event, now);
                    }
                }
                Box::new(move |fate| {
                    reply.send(fate).ok();
                })
            }
        }
    }
}

fn begin(db: &Connection, event: &EventId, now: Timestamp) -> rusqlite::Result<Known> {
    let EventId { issuer, jti } = event;
    let inserted = db
        .prepare_cached(BEGIN)?
        .execute(params![issuer, jti, now.unix_ms()])?;
    if inserted == 1 {
        return Ok(Known::New);
    }
    let handed_over_at: Option<i64> = db
        .prepare_cached(FIND)?
        .query_row(params![issuer, jti], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(match handed_over_at {
        Some(_) => Known::HandedOver,
        None => Known::Begun,
    })
}

fn finish(db: &Connection, event: &EventId, now: Timestamp) -> rusqlite::Result<()> {
    let EventId { issuer, jti } = event;
    db.prepare_cached(FINISH)?
        .execute(params![issuer, jti, now.unix_ms()])?;
    Ok(())
}

/// Forgets a batch of the oldest.
fn sweep(db: &Connection, before: Timestamp) -> rusqlite::Result<()> {
    let rows_max = i64::from(SWEPT_MAX);
    db.prepare_cached(SWEEP)?
        .execute(params![before.unix_ms(), rows_max])?;
    Ok(())
}

/// Keyed by the event, for the index is all that is ever asked for.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS seen (
        issuer TEXT NOT NULL,
        jti TEXT NOT NULL,
        first_seen_at INTEGER NOT NULL,
        handed_over_at INTEGER,
        PRIMARY KEY (issuer, jti)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS seen_by_age ON seen (first_seen_at);";

const BEGIN: &str =
    "INSERT INTO seen (issuer, jti, first_seen_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";

const FIND: &str = "SELECT handed_over_at FROM seen WHERE issuer = ?1 AND jti = ?2";

const FINISH: &str = "
    INSERT INTO seen (issuer, jti, first_seen_at, handed_over_at) VALUES (?1, ?2, ?3, ?3)
    ON CONFLICT DO UPDATE SET handed_over_at = coalesce(handed_over_at, excluded.handed_over_at)";

const SWEEP: &str = "
    DELETE FROM seen WHERE (issuer, jti) IN (
        SELECT issuer, jti FROM seen WHERE first_seen_at < ?1 ORDER BY first_seen_at LIMIT ?2)";

/// Callers beyond it wait for a place.
const QUEUED_MAX: usize = 1_024;
/// Requests of one commit: enough to share the disk's sync, few enough to be done in some milliseconds.
const GROUP_MAX: usize = 256;
/// How long another process may hold the file.
const BUSY_MAX: Duration = Duration::from_secs(10);
/// How often the oldest are forgotten, as time is told by what comes; faster than anybody receives.
const SWEPT_EVERY: Duration = Duration::from_millis(100);
const SWEPT_MAX: u32 = 2_000;
