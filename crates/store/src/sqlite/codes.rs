//! How the domain's words stand in SQLite's columns.

use oyez_domain::ids::Jti;
use oyez_domain::time::Timestamp;
use rusqlite::Row;

pub(super) use crate::codes::{
    actor, family_code, from_json, kind_code, outcome_code, outcome_range, parse, settlement,
    settling_actor, to_json,
};

/// A moment in a column.
pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_unix_ms)
}

/// A moment that may be absent.
pub(super) fn moment_or_null(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let ms: Option<i64> = row.get(column)?;
    Ok(ms.map(Timestamp::from_unix_ms))
}

/// A jti in a column.
pub(super) fn jti(row: &Row<'_>, column: usize) -> rusqlite::Result<Jti> {
    row.get(column).map(Jti::from_bytes)
}
