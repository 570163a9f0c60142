//! How the domain's words stand in PostgreSQL's columns.

use oyez_domain::ids::Jti;
use oyez_domain::time::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::Error;
use crate::error::contradiction;

/// A moment in a column.
pub(super) fn moment(row: &Row, column: usize) -> Result<Timestamp, Error> {
    Ok(Timestamp::from_unix_ms(row.try_get(column)?))
}

/// A moment that may be absent.
pub(super) fn moment_or_null(row: &Row, column: usize) -> Result<Option<Timestamp>, Error> {
    let ms: Option<i64> = row.try_get(column)?;
    Ok(ms.map(Timestamp::from_unix_ms))
}

/// A jti in a column.
pub(super) fn jti(row: &Row, column: usize) -> Result<Jti, Error> {
    let id: Uuid = row.try_get(column)?;
    Ok(Jti::from_bytes(id.into_bytes()))
}

/// A jti for a column.
pub(super) fn uuid(jti: Jti) -> Uuid {
    Uuid::from_bytes(*jti.as_bytes())
}

/// Jtis for a list.
pub(super) fn uuids(jtis: &[Jti]) -> Vec<Uuid> {
    jtis.iter().copied().map(uuid).collect()
}

/// A number that is never negative.
pub(super) fn natural(row: &Row, column: usize) -> Result<u64, Error> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|_| contradiction(format!("a count of {number}")))
}

/// A number of ours for a column; what is beyond the database's numbers stands as the greatest.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
