//! The ledger's file: whose it is, whether it is sound, and how a connection to it is set up.
//!
//! A file is judged before anything writes to it, so that what is refused is left byte for byte as it was. A new ledger is
//! built under another name and moved into place, so that a half-built one is never found. It is its owner's alone to read:
//! SQLite gives the log and its index the mode of the file.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::time::Instant;

use super::errors::io_error;
use super::{copying, migrations};
use crate::Error;

/// Held for as long as a process works with the ledger; the system lets go of it when the process dies.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// The ledger's file and its log, as they were found where they belong.
///
/// A file that is moved away or deleted lives on for whoever has it open: SQLite would go on to write to it, and all of that
/// would be lost when the process ends.
pub(super) struct Place(Vec<(PathBuf, (u64, u64))>);

impl Place {
    /// Where an open ledger is.
    pub(super) fn of(resolved: &Path) -> Result<Self, Error> {
        let found = [resolved.to_owned(), beside(resolved, "-wal")].map(|path| {
            let identity = identity(&path)?;
            Ok((path, identity))
        });
        found.into_iter().collect::<Result<_, _>>().map(Self)
    }

    /// That it is still there. Put back, it is a ledger again.
    pub(super) fn prove(&self) -> Result<(), Error> {
        for (path, expected) in &self.0 {
            if identity(path)? != *expected {
                return Err(Error::Unavailable {
                    detail: format!("{}: another file has taken its place", path.display()),
                });
            }
        }
        Ok(())
    }
}

/// Device and inode.
fn identity(path: &Path) -> Result<(u64, u64), Error> {
    let metadata = fs::metadata(path);
    let metadata = metadata.map_err(|error| io_error(&path.display().to_string(), &error))?;
    Ok((metadata.dev(), metadata.ino()))
}

/// The one true path of a ledger, whichever links and relative paths lead to it.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, Error> {
    if path.symlink_metadata().is_ok() {
        return path
            .canonicalize()
            .map_err(|error| io_error(&path.display().to_string(), &error));
    }
    let name = path.file_name().ok_or_else(|| Error::Unavailable {
        detail: format!("{} names no file", path.display()),
    })?;
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let directory = directory
        .canonicalize()
        .map_err(|error| io_error(&directory.display().to_string(), &error))?;
    Ok(directory.join(name))
}

/// Takes the ledger for this process.
pub(super) fn lock(resolved: &Path) -> Result<Lock, Error> {
    let path = beside(resolved, ".lock");
    let shown = path.display().to_string();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(OWNER_ONLY)
        .open(&path)
        .map_err(|error| io_error(&shown, &error))?;
    for _ in 0..LOOKS_OUTWAITED {
        match file.try_lock() {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) if is_only_looked_at(&file) => std::thread::yield_now(),
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(error)) => return Err(io_error(&shown, &error)),
        }
    }
    Err(Error::InUse { detail: shown })
}

/// Whether [`is_in_use`] is what holds the lock: a look shares it with others, a ledger's process does not.
fn is_only_looked_at(file: &File) -> bool {
    file.try_lock_shared().is_ok() && file.unlock().is_ok()
}

/// Whether some process has taken the ledger.
pub(super) fn is_in_use(resolved: &Path) -> Result<bool, Error> {
    let path = beside(resolved, ".lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(io_error(&path.display().to_string(), &error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(io_error(&path.display().to_string(), &error)),
    }
}

/// The size of the file and of its write-ahead log.
pub(super) fn bytes(resolved: &Path) -> u64 {
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    bytes(resolved) + bytes(&beside(resolved, "-wal"))
}

/// Makes sure that there is a sound ledger at the path, new or old, and opens the connection that writes. Answers the schema
/// it found: 0 for a new one.
pub(super) fn open_for_writing(resolved: &Path) -> Result<(Connection, u32), Error> {
    let (mut db, found) = open_sound(resolved)?;
    copying::refuse_unfinished(&db)?;
    make_ready(&mut db)?;
    Ok((db, found))
}

/// As [`open_for_writing`], though it may be the target of a copy that is not finished.
pub(super) fn open_finished_or_not(resolved: &Path) -> Result<(Connection, u32), Error> {
    let (mut db, found) = open_sound(resolved)?;
    make_ready(&mut db)?;
    Ok((db, found))
}

fn open_sound(resolved: &Path) -> Result<(Connection, u32), Error> {
    // Only what is surely not there is made: a ledger that cannot be looked at now must not be replaced.
    let is_new = match fs::metadata(resolved) {
        Ok(metadata) => metadata.len() == 0,
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(io_error(&resolved.display().to_string(), &error)),
    };
    if is_new {
        create(resolved)?;
    } else {
        judge(resolved)?;
    }
    let db = Connection::open_with_flags(
        resolved,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    if db.is_readonly("main")? {
        return Err(Error::ReadOnly {
            detail: resolved.display().to_string(),
        });
    }
    let found = if is_new { 0 } else { migrations::version(&db)? };
    Ok((db, found))
}

fn make_ready(db: &mut Connection) -> Result<(), Error> {
    set_up(db)?;
    migrations::apply(db)
}

/// Opens a connection that cannot write.
pub(super) fn open_for_reading(resolved: &Path) -> Result<Connection, Error> {
    let db = Connection::open_with_flags(
        resolved,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY_WAIT)?;
    db.pragma_update(None, "cache_size", READER_CACHE_KIB)?;
    db.pragma_update(None, "temp_store", "memory")?;
    keep_statements(&db)?;
    Ok(db)
}

/// Opens a connection for a look from outside, that leaves nothing behind. A ledger that was closed has no log, and then the
/// file alone is everything: it is read as if it could not change. Should a process open it meanwhile, that process writes to
/// a log for a long time before it writes to the file.
pub(super) fn open_for_looking(resolved: &Path) -> Result<Connection, Error> {
    let has_log = fs::metadata(beside(resolved, "-wal")).is_ok_and(|log| log.len() > 0);
    let Some(path) = resolved.to_str().filter(|_| !has_log) else {
        return open_for_reading(resolved);
    };
    let escaped = path
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    Ok(Connection::open_with_flags(
        format!("file:{escaped}?immutable=1"),
        OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI,
    )?)
}

/// Looks at a file without writing to it: is it a ledger, sound as far as can be told quickly, and not newer than we are?
pub(super) fn judge(resolved: &Path) -> Result<(), Error> {
    judge_header(resolved)?;
    let mut db = open_for_looking(resolved)?;
    migrations::refuse_newer(&db)?;
    let until = Instant::now() + CHECK_TIME_MAX;
    db.progress_handler(CHECK_STEPS, Some(move || Instant::now() >= until))?;
    let verdict = db.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match verdict.map_err(Error::from) {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(fault) => Err(corrupt(resolved, &fault)),
        // Too big to be read whole at every start: what could be read in the time was sound.
        Err(Error::TimedOut { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The fields of the file format's header that tell a ledger from anything else.
fn judge_header(resolved: &Path) -> Result<(), Error> {
    let shown = resolved.display().to_string();
    let mut file = File::open(resolved).map_err(|error| io_error(&shown, &error))?;
    let mut header = [0; 100];
    file.read_exact(&mut header)
        .map_err(|_| corrupt(resolved, "it is too short to be a database"))?;
    if &header[..16] != b"SQLite format 3\0" {
        return Err(corrupt(resolved, "it is not an SQLite database"));
    }
    if header[68..72] != migrations::APPLICATION_ID.to_be_bytes() {
        return Err(corrupt(resolved, "it is another program's database"));
    }
    Ok(())
}

fn corrupt(resolved: &Path, fault: &str) -> Error {
    Error::Corrupt {
        detail: format!("{}: {fault}", resolved.display()),
    }
}

/// Builds an empty ledger aside and moves it into place.
fn create(resolved: &Path) -> Result<(), Error> {
    let log = beside(resolved, "-wal");
    if fs::metadata(&log).is_ok_and(|metadata| metadata.len() > 0) {
        return Err(corrupt(
            resolved,
            "its write-ahead log is there but the ledger is not",
        ));
    }
    let aside = beside(resolved, ".new");
    fs::remove_file(&aside).ok();
    let built = build(&aside).and_then(|()| move_into_place(&aside, resolved));
    if built.is_err() {
        fs::remove_file(&aside).ok();
    }
    built
}

fn build(aside: &Path) -> Result<(), Error> {
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(OWNER_ONLY)
        .open(aside)
        .map_err(|error| io_error(&aside.display().to_string(), &error))?;
    let mut db = Connection::open(aside)?;
    db.pragma_update(None, "page_size", PAGE_BYTES)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "application_id", migrations::APPLICATION_ID)?;
    migrations::apply(&mut db)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.close().map_err(|(_, error)| error.into())
}

fn move_into_place(aside: &Path, resolved: &Path) -> Result<(), Error> {
    let moved = fs::rename(aside, resolved).and_then(|()| {
        let directory = resolved.parent().unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()
    });
    moved.map_err(|error| io_error(&resolved.display().to_string(), &error))
}

/// A statement is prepared once. Left to itself, SQLite prepares one with ranges or partial indexes anew for each value that is
/// bound, in case another plan suits the value better: that cost more than choosing a few events. Our plans are meant for every
/// value.
fn keep_statements(db: &Connection) -> Result<(), Error> {
    db.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// The settings that every promise rests on; those that could be refused are read back.
fn set_up(db: &Connection) -> Result<(), Error> {
    db.busy_timeout(BUSY_WAIT)?;
    keep_statements(db)?;
    for (name, value) in [
        ("journal_mode", "wal"),
        ("synchronous", "full"),
        ("foreign_keys", "off"), // declared for the reader, checked by the tests, not paid for at each row
        ("temp_store", "memory"), // savepoints and sorts never need a file
        ("mmap_size", "0"),      // an I/O fault must be an error, not a signal
        ("trusted_schema", "off"),
    ] {
        db.pragma_update(None, name, value)?;
    }
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    db.pragma_update(None, "cache_size", WRITER_CACHE_KIB)?;
    let mode: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let synchronous: i64 = db.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    if mode == "wal" && synchronous == SYNCHRONOUS_FULL {
        Ok(())
    } else {
        Err(Error::Unavailable {
            detail: format!(
                "the database insists on journal_mode={mode} and synchronous={synchronous}; \
                 a ledger needs wal and full: move it to a local disk"
            ),
        })
    }
}

/// `ledger.db` and `-wal` make `ledger.db-wal`.
pub(super) fn beside(resolved: &Path, suffix: &str) -> PathBuf {
    let mut name = resolved.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Measured against 4 and 16 KiB at groups of 1 to 1,000: 4 KiB is a tenth cheaper at 10, as dear at 100 and dearer at 1,000;
/// 16 KiB gains nothing more.
const PAGE_BYTES: i64 = 8192;

/// A ledger says which customers have consented to what.
const OWNER_ONLY: u32 = 0o600;

/// 8 MiB of log between checkpoints. Four times as many raise the mean by some percent and the 99th percentile by half.
const CHECKPOINT_PAGES: i64 = 1000;

/// A log that one long read made grow is cut back to this.
const LOG_BYTES_KEPT: i64 = 64 << 20;

/// Negative: KiB. The hot tables and the last pages of history of some hundred thousand outstanding events.
const WRITER_CACHE_KIB: i64 = -64 * 1024;

/// Reads are rare and mostly of different pages; the system's cache serves them.
const READER_CACHE_KIB: i64 = -8 * 1024;

/// More than there are statements, so that none is ever compiled twice.
const STATEMENTS_CACHED: usize = 256;

/// Only another program's hand on the file, such as a backup's, makes us wait.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// A look holds the lock for some microseconds; a process that stops in the middle of one is not waited for.
const LOOKS_OUTWAITED: u32 = 10_000;

/// How long looking for damage may delay a start.
const CHECK_TIME_MAX: Duration = Duration::from_secs(2);

/// Steps of SQLite's machine between two looks at the clock.
const CHECK_STEPS: i32 = 10_000;

const SYNCHRONOUS_FULL: i64 = 2;
