//! The embedded ledger: one file, one process, one writer that commits in groups.
//!
//! What is here: opening and closing, and the trait's methods, each a line that sends its work to the writer or to a reader.
//! The work itself is in files by theme, with its statements beside it. Absent: another process on the same file (a lock
//! refuses it), caches of what the file says, and decisions: those are the domain's.

mod accept;
mod attempts;
mod audit;
mod claims;
mod clock;
mod codes;
mod copying;
mod endpoints;
mod errors;
mod event_list;
mod file;
mod follow;
mod hand_outs;
mod health;
mod history;
mod keys;
mod kinds;
mod lanes;
mod leases;
mod migrations;
mod options;
mod overview;
mod poll;
mod push;
mod queue;
mod readers;
mod registrations;
mod rehearsal;
mod requeue;
mod retention;
mod sets;
mod settle;
mod store;
mod tally;
mod threads;
mod tpps;
mod withdraw;
mod work;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oyez_domain::rules::Rules;

pub(crate) use self::copying::Copying;
pub use self::options::Options;
use self::queue::Queue;
use self::readers::Reader;
pub use self::rehearsal::rehearse;
use self::threads::Threads;
use self::writer::Unit;
use crate::newsboard::Newsboard;
use crate::{Error, Listeners};

/// An open ledger. Dropping it finishes what is queued; [`Ledger::close`] says whether that went well.
pub struct Ledger {
    writes: Queue<Unit>,
    reads: Queue<Reader>,
    listeners: Arc<Listeners>,
    threads: Threads,
}

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The schema before; 0 if there was no ledger.
    pub from: u32,
    /// The schema now.
    pub to: u32,
}

/// What can be told of a ledger without changing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The path that links and relative parts lead to.
    pub path: PathBuf,
    /// Its schema.
    pub schema: u32,
    /// The newest schema that this binary knows; it migrates older ones when it opens them.
    pub schema_newest: u32,
    /// Bytes of the file and of its write-ahead log.
    pub bytes: u64,
    /// Whether a process works with it now.
    pub in_use: bool,
    /// TPPs known.
    pub tpps: u64,
    /// Events neither acknowledged nor given up.
    pub outstanding: u64,
}

impl Ledger {
    /// Opens a ledger, makes one where there is none, and migrates an older one.
    pub fn open(
        path: impl AsRef<Path>,
        options: Options,
        rules: Arc<Rules>,
    ) -> Result<Self, Error> {
        let resolved = file::resolve(path.as_ref())?;
        let lock = file::lock(&resolved)?;
        let (db, _) = file::open_for_writing(&resolved)?;
        copying::forget_mark(&db)?;
        let unit = Unit {
            db,
            place: file::Place::of(&resolved)?,
            rules,
            tally: tally::Tally::default(),
            news: Newsboard::default(),
            pushed_strictly: HashMap::new(),
            withdrawn_at_once_max: options.withdrawn_at_once_max.max(1),
        };
        let readers = (0..options.readers.max(1))
            .map(|_| Reader::new(file::open_for_reading(&resolved)?, options.read_time_max))
            .collect::<Result<_, Error>>()?;
        let (writes, write_queue) =
            Queue::new("writer", options.writes_queued_max, options.wait_max);
        let (reads, read_queue) = Queue::new("reader", options.reads_queued_max, options.wait_max);
        let listeners = Arc::<Listeners>::default();
        let writing = threads::Writing {
            unit,
            queue: write_queue,
            listeners: Arc::clone(&listeners),
        };
        let threads = threads::start(writing, (readers, read_queue), lock, options)?;
        Ok(Self {
            writes,
            reads,
            listeners,
            threads,
        })
    }

    /// Makes or migrates a ledger that nobody has open, and leaves it closed.
    pub fn migrate(path: impl AsRef<Path>) -> Result<Migrated, Error> {
        let resolved = file::resolve(path.as_ref())?;
        let _lock = file::lock(&resolved)?;
        let (db, from) = file::open_for_writing(&resolved)?;
        let to = migrations::version(&db)?;
        db.close().map_err(|(_, error)| Error::from(error))?;
        Ok(Migrated { from, to })
    }

    /// Looks at a ledger, whether or not a process has it open. Nothing is changed.
    pub fn inspect(path: impl AsRef<Path>) -> Result<Inspection, Error> {
        let resolved = file::resolve(path.as_ref())?;
        file::judge(&resolved)?;
        let db = file::open_for_looking(&resolved)?;
        copying::refuse_unfinished(&db)?;
        let schema = migrations::version(&db)?;
        let count = |statement: &str| db.query_row(statement, [], |row| row.get(0));
        Ok(Inspection {
            schema,
            schema_newest: migrations::newest(),
            bytes: file::bytes(&resolved),
            in_use: file::is_in_use(&resolved)?,
            tpps: count("SELECT count(*) FROM tpps")?,
            outstanding: count(
                "SELECT coalesce(sum(accepted - acknowledged - failed - expired - withdrawn), 0) FROM queues",
            )?,
            path: resolved,
        })
    }

    /// Finishes what is queued, empties the log into the file and lets go of it. Requests after this are refused.
    pub async fn close(&self) -> Result<(), Error> {
        self.reads.close().await;
        self.writes.close().await;
        self.threads.ended().await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Unit) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.writes.ask(work).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&rusqlite::Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.reads.ask(move |reader| work(&reader.db)).await
    }
}

#[cfg(test)]
mod tests;
