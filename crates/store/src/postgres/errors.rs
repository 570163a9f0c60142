//! What PostgreSQL says, as the faults the trait knows.

use oyez_domain::error_chain::chain;
use tokio_postgres::error::{DbError, SqlState};

pub(super) use crate::error::contradiction;

use crate::Error;

/// What is asked of a row alone: one that does not read as what we write is a contradiction. Statements' faults are read by
/// `fault`.
impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        contradiction(described(&error))
    }
}

/// A connection's or a statement's fault: what the server said, or that it said nothing any more.
pub(super) fn fault(error: &tokio_postgres::Error) -> Error {
    let detail = described(error);
    match error.code() {
        Some(code) => of_state(code, detail),
        None => Error::Unavailable { detail },
    }
}

/// Whether it is worth doing the same again at once: it lost to another transaction, or to whoever dropped a part of history
/// that it wrote to, and nothing of it happened.
pub(super) fn is_conflict(error: &tokio_postgres::Error) -> bool {
    let conflicts = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        // There is no check of ours: no part takes the row.
        SqlState::CHECK_VIOLATION,
    ];
    error.code().is_some_and(|code| conflicts.contains(code))
}

/// Whether the server said nothing, or nothing but that it goes: what was under way may have been done or not.
pub(super) fn is_cut(error: &tokio_postgres::Error) -> bool {
    error.code().is_none_or(|code| {
        matches!(&code.code()[..2], "08" | "57") && *code != SqlState::QUERY_CANCELED
    })
}

/// Whether a session that met this is of no use any more: it is cut, or its server takes no writes.
pub(super) fn spoils(error: &tokio_postgres::Error) -> bool {
    is_cut(error) || error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
}

/// Holds a statement to the number of rows it must have changed.
pub(super) fn expect_rows(changed: u64, expected: u64, what: &str) -> Result<(), Error> {
    if changed == expected {
        Ok(())
    } else {
        Err(contradiction(format!(
            "{what} changed {changed} rows where {expected} were expected"
        )))
    }
}

fn of_state(code: &SqlState, detail: String) -> Error {
    match code.code() {
        "53100" => Error::DiskFull,
        "25006" => Error::ReadOnly { detail },
        "42501" => Error::ReadOnly {
            detail: format!(
                "{detail}; `oyez check` says which right is missing, and the SQL that gives it"
            ),
        },
        // Locked, in a deadlock or a race, out of connections or memory.
        "55P03" | "40P01" | "40001" | "53000" | "53200" | "53300" => Error::Busy { detail },
        "57014" => Error::TimedOut { limit_ms: 0 },
        "XX001" | "XX002" => Error::Corrupt { detail },
        "42P01" | "42703" | "42883" | "3F000" => Error::Schema { detail },
        code => match &code[..2] {
            // What the statements and the schema contradict each other in.
            "22" | "23" | "42" => Error::Inconsistent { detail },
            _ => Error::Unavailable { detail },
        },
    }
}

/// The driver's "db error" says nothing: what the server said, or the causes in a row.
fn described(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => said_by(said),
        None => chain(error),
    }
}

fn said_by(said: &DbError) -> String {
    let detail = said.detail().map(|detail| format!(" ({detail})"));
    format!(
        "{} {}{}",
        said.code().code(),
        said.message(),
        detail.unwrap_or_default()
    )
}
