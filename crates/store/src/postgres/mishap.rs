//! What a session's last fault means for whoever met it.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio_postgres::error::SqlState;

use super::errors::is_conflict;

/// Which kind of fault it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mishap {
    /// One that is answered with its error.
    Plain,
    /// Another transaction was quicker: the same may go through at once.
    LostRace,
    /// Somebody else has a lock, and kept it for too long.
    Locked,
    /// A statement that was prepared is not what it was: somebody changed a table, or a pooler forgot it. The session is of no
    /// use any more, and those that idle beside it are as old; on a new one the same may go through at once.
    Stale,
}

/// The last of a session.
#[derive(Default)]
pub(super) struct LastMishap(AtomicU8);

impl Mishap {
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        match error.code() {
            Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => Self::Locked,
            Some(code) if STALE.contains(code) => Self::Stale,
            _ if is_conflict(error) => Self::LostRace,
            _ => Self::Plain,
        }
    }
}

impl LastMishap {
    pub(super) fn note(&self, mishap: Mishap) {
        self.0.store(mishap as u8, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Mishap {
        let code = self.0.load(Ordering::Relaxed);
        let all = [Mishap::LostRace, Mishap::Locked, Mishap::Stale];
        let found = all.into_iter().find(|mishap| *mishap as u8 == code);
        found.unwrap_or(Mishap::Plain)
    }
}

/// "prepared statement does not exist", and "cached plan must not change result type".
const STALE: [SqlState; 2] = [
    SqlState::INVALID_SQL_STATEMENT_NAME,
    SqlState::FEATURE_NOT_SUPPORTED,
];
