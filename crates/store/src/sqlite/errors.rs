//! What SQLite says, as the faults the trait knows.

use std::io;

use rusqlite::{ErrorCode, ffi};

pub(super) use crate::error::contradiction;

use crate::Error;

/// Every statement's fault becomes one of ours; a row that does not read as what we write is a contradiction.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        let Some(code) = error.sqlite_error_code() else {
            return Self::Inconsistent { detail };
        };
        match code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy { detail },
            ErrorCode::DiskFull => Self::DiskFull,
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly { detail },
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt { detail },
            // Only readers are interrupted, and they know their limit.
            ErrorCode::OperationInterrupted => Self::TimedOut { limit_ms: 0 },
            ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch => {
                Self::Inconsistent { detail }
            }
            _ => Self::Unavailable { detail },
        }
    }
}

/// What is said of requests whose commit failed so. The last page of a commit makes it one: where that could not be written,
/// for want of room, of leave or of a sound disk, it is none. After it there is more to do, and a fault then leaves open what the
/// next start finds.
pub(super) fn of_commit(error: rusqlite::Error) -> Error {
    let was_written = error
        .sqlite_error()
        .is_none_or(|known| known.extended_code != ffi::SQLITE_IOERR_WRITE);
    match Error::from(error) {
        known @ (Error::Busy { .. } | Error::DiskFull | Error::ReadOnly { .. }) => known,
        unknown if was_written => in_doubt(&unknown),
        known => known,
    }
}

/// A fault after which nobody knows what became of a commit.
pub(super) fn in_doubt(error: &Error) -> Error {
    Error::InDoubt {
        detail: error.to_string(),
    }
}

/// A fault of the file system around the ledger.
pub(super) fn io_error(what: &str, error: &io::Error) -> Error {
    let detail = format!("{what}: {error}");
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Error::ReadOnly { detail }
        }
        _ => Error::Unavailable { detail },
    }
}

/// Holds a statement to the number of rows it must have changed.
pub(super) fn expect_rows(changed: usize, expected: usize, what: &str) -> Result<(), Error> {
    if changed == expected {
        Ok(())
    } else {
        Err(contradiction(format!(
            "{what} changed {changed} rows where {expected} were expected"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // G-10, I-02
    #[test]
    fn a_commit_that_could_not_be_written_is_none_and_what_fails_after_that_leaves_it_in_doubt() {
        let of = |code| of_commit(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        let cases = [
            (ffi::SQLITE_FULL, "DiskFull"),
            (ffi::SQLITE_BUSY, "Busy"),
            (ffi::SQLITE_READONLY, "ReadOnly"),
            (ffi::SQLITE_IOERR_WRITE, "Unavailable"),
            (ffi::SQLITE_IOERR_FSYNC, "InDoubt"),
            (ffi::SQLITE_IOERR_SHMSIZE, "InDoubt"),
            (ffi::SQLITE_CORRUPT, "InDoubt"),
            (ffi::SQLITE_NOMEM, "InDoubt"),
        ];
        for (code, expected) in cases {
            let said = format!("{:?}", of(code));
            assert!(said.starts_with(expected), "{code}: {said}");
        }
    }
}
