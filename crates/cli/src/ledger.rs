//! The ledger that a configuration names, of either backend.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use oyez_domain::rules::Rules;
use oyez_store::sqlite::Options;
use oyez_store::{Error, Store, postgres, sqlite};
use oyez_web::metrics::Sessions;
use tokio::runtime::Handle;

use crate::config;
use crate::config::Backend;
use crate::database::Database;
use crate::failure::Failure;
use crate::runtime;

/// An open ledger.
pub(crate) enum Ledger {
    Sqlite(Arc<sqlite::Ledger>, Place),
    Postgres(Arc<postgres::Ledger>, Place),
}

/// Where a ledger is, as people see it.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    File(std::path::PathBuf),
    Database(String),
}

impl Ledger {
    /// Opens it; makes one where there is none. A shared one works on this runtime.
    pub(crate) async fn open(
        store: &config::Store,
        rules: Arc<Rules>,
        runtime: &Handle,
    ) -> Result<Self, Failure> {
        match store.backend {
            Backend::Sqlite => {
                let place = Place::File(store.path.clone());
                let is_there = store.path.exists();
                let opened = sqlite::Ledger::open(&store.path, Options::default(), rules);
                let ledger = opened.map_err(|error| place.failure(&error))?;
                if !is_there {
                    // A misspelt path looks like this: a bank that knows nobody.
                    tracing::warn!(path = %place, "there was no ledger: an empty one was made");
                }
                Ok(Self::Sqlite(Arc::new(ledger), place))
            }
            Backend::Postgres => {
                let Database {
                    server,
                    options,
                    place,
                } = Database::of(store)?;
                let opened = postgres::Ledger::open(server, options, rules, runtime).await;
                let ledger = opened.map_err(|error| place.failure(&error))?;
                Ok(Self::Postgres(Arc::new(ledger), place))
            }
        }
    }

    /// What everybody else sees of it.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(ledger, _) => Arc::clone(ledger) as _,
            Self::Postgres(ledger, _) => Arc::clone(ledger) as _,
        }
    }

    /// Tells how its sessions are used, if it has any.
    pub(crate) fn sessions(&self) -> Option<Box<dyn Fn() -> Sessions + Send + Sync>> {
        let Self::Postgres(ledger, _) = self else {
            return None;
        };
        let ledger = Arc::clone(ledger);
        Some(Box::new(move || {
            let postgres::Sessions {
                max,
                busy,
                idle,
                awaited,
            } = ledger.sessions();
            Sessions {
                max,
                busy,
                idle,
                awaited,
            }
        }))
    }

    /// Finishes what is queued, and lets go of it.
    pub(crate) async fn close(&self) -> Result<(), Failure> {
        let (closed, place) = match self {
            Self::Sqlite(ledger, place) => (ledger.close().await, place),
            Self::Postgres(ledger, place) => (ledger.close().await, place),
        };
        closed.map_err(|error| place.failure(&error))
    }

    /// Where it is.
    pub(crate) const fn place(&self) -> &Place {
        match self {
            Self::Sqlite(_, place) | Self::Postgres(_, place) => place,
        }
    }
}

/// Opens an embedded ledger, lets `work` work on it while no server does, and closes it again.
pub(crate) fn work<T>(
    path: &Path,
    rules: Rules,
    work: impl AsyncFnOnce(&sqlite::Ledger) -> Result<T, Error>,
) -> Result<T, Failure> {
    let runtime = runtime::alone()?;
    let ledger = sqlite::Ledger::open(path, Options::default(), Arc::new(rules))
        .map_err(|error| failure(path, &error))?;
    let done = runtime.block_on(async {
        let done = work(&ledger).await?;
        ledger.close().await?;
        Ok(done)
    });
    done.map_err(|error: Error| failure(path, &error))
}

/// What an embedded ledger said, and how to mend it.
pub(crate) fn failure(path: &Path, error: &Error) -> Failure {
    Place::File(path.to_owned()).failure(error)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Database(shown) => f.write_str(shown),
        }
    }
}

impl Place {
    /// What the ledger said, and how to mend it.
    pub(crate) fn failure(&self, error: &Error) -> Failure {
        let mend = |of_file: &'static str, of_database: &'static str| match self {
            Self::File(_) => of_file,
            Self::Database(_) => of_database,
        };
        let (what, mend) = match error {
            Error::Busy { detail } => (format!("is busy: {detail}"), "try again"),
            Error::TimedOut { .. } => ("took too long to answer".to_owned(), "try again"),
            Error::InDoubt { detail } => (
                format!("may have kept what was asked, or not: {detail}"),
                "look how it stands before you ask again",
            ),
            Error::DiskFull => ("has no room on its disk".to_owned(), "make room"),
            Error::ReadOnly { detail } => (
                format!("cannot be written: {detail}"),
                mend(
                    "run as the user that owns the file, or change its permissions",
                    "name the host that takes writes, as a user that may",
                ),
            ),
            Error::InUse { detail } => (
                match self {
                    Self::File(_) => "is used by another process".to_owned(),
                    Self::Database(_) => format!("is in use: {detail}"),
                },
                mend(
                    "stop the server, and try again; several processes share a ledger on PostgreSQL alone",
                    "stop those processes, and try again when their leases are over",
                ),
            ),
            Error::Unfinished { source_place } => (
                format!("is an unfinished copy of {source_place}"),
                "finish it with oyez store copy, or remove it and begin anew",
            ),
            Error::Corrupt { detail } => (
                format!("is no sound ledger, and was left untouched: {detail}"),
                mend(
                    "restore a backup, or move the file away to start anew",
                    "restore a backup of the database",
                ),
            ),
            Error::Schema { detail } => (
                format!("does not fit this oyez: {detail}"),
                "use the oyez that wrote it, or a newer one",
            ),
            Error::Inconsistent { detail } => (
                format!("contradicts itself: {detail}"),
                "restore a backup, and report this",
            ),
            Error::Unavailable { detail } => (
                format!("cannot be reached: {detail}"),
                mend(
                    "check [store] path and its directory",
                    "check [store], and that the database runs and lets its user in",
                ),
            ),
        };
        Failure::environment(format!("the ledger {self} {what}"), mend)
    }
}
