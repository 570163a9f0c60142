//! The embedded ledger, for commands that work on it while no server does.

use std::path::Path;
use std::sync::Arc;

use oyez_domain::rules::Rules;
use oyez_store::Error;
use oyez_store::sqlite::{Ledger, Options};

use crate::failure::Failure;

/// Opens the ledger, lets `work` work on it, and closes it again.
pub(crate) fn work<T>(
    path: &Path,
    rules: Rules,
    work: impl AsyncFnOnce(&Ledger) -> Result<T, Error>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = runtime.map_err(|error| {
        Failure::environment("cannot start", "see the reason, and try again").because(&error)
    })?;
    let ledger = Ledger::open(path, Options::default(), Arc::new(rules))
        .map_err(|error| failure(path, &error))?;
    let done = runtime.block_on(async {
        let done = work(&ledger).await?;
        ledger.close().await?;
        Ok(done)
    });
    done.map_err(|error: Error| failure(path, &error))
}

/// What the ledger said, and how to mend it.
pub(crate) fn failure(path: &Path, error: &Error) -> Failure {
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
            "run as the user that owns the file, or change its permissions",
        ),
        Error::InUse { .. } => (
            "is used by another process".to_owned(),
            "stop the server, and try again",
        ),
        Error::Corrupt { detail } => (
            format!("is no sound ledger, and was left untouched: {detail}"),
            "restore a backup, or move the file away to start anew",
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
            "check [store] path and its directory",
        ),
    };
    Failure::environment(format!("the ledger {} {what}", path.display()), mend)
}
