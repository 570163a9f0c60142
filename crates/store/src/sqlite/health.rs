//! An endpoint's health as it stands in a lane's row.

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::Health;
use rusqlite::Row;

pub(super) use crate::health::{HealthColumns, state, state_code};

use super::codes::parse;
use crate::Error;

/// Whose health, and which, from `tpp, client_id, health, since, declared_at, failures, next_probe_at, reason`.
pub(super) fn of_row(row: &Row<'_>) -> Result<(ClientId, Health), Error> {
    let client_id: String = row.get(1)?;
    let reason: Option<String> = row.get(7)?;
    let columns = HealthColumns {
        state: row.get(2)?,
        since: row.get(3)?,
        declared_at: row.get(4)?,
        failures: row.get(5)?,
        next_probe_at: row.get(6)?,
        reason: reason.as_deref(),
    };
    let health = columns.read(&client_id)?;
    Ok((parse(&client_id, "client_id")?, health))
}
