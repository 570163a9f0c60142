//! An endpoint's health as it stands in a lane's row.

use oyez_domain::ledger::lanes::{Health, Lane};
use oyez_domain::time::Timestamp;
use rusqlite::Row;

use super::codes::{moment_or_null, parse};
use super::errors::contradiction;
use crate::Error;

/// A health as it stands in columns.
pub(super) struct HealthColumns {
    pub(super) state: i64,
    pub(super) since: Option<i64>,
    pub(super) declared_at: Option<i64>,
    pub(super) failures: u32,
    pub(super) next_probe_at: Option<i64>,
}

impl HealthColumns {
    pub(super) const fn of(health: Health) -> Self {
        let (state, since, declared_at, failures, next_probe_at) = match health {
            Health::Responsive => (RESPONSIVE, None, None, 0, None),
            Health::Failing {
                since,
                failures,
                next_probe_at,
            } => (FAILING, Some(since), None, failures, Some(next_probe_at)),
            Health::Unresponsive {
                since,
                declared_at,
                failures,
                next_probe_at,
            } => (
                UNRESPONSIVE,
                Some(since),
                Some(declared_at),
                failures,
                next_probe_at,
            ),
            Health::Paused { since } => (PAUSED, Some(since), None, 0, None),
        };
        Self {
            state,
            since: ms(since),
            declared_at: ms(declared_at),
            failures,
            next_probe_at: ms(next_probe_at),
        }
    }
}

const fn ms(moment: Option<Timestamp>) -> Option<i64> {
    match moment {
        Some(moment) => Some(moment.unix_ms()),
        None => None,
    }
}

/// A lane from `tpp, client_id, health, since, declared_at, failures, next_probe_at`.
pub(super) fn lane(row: &Row<'_>) -> Result<Lane, Error> {
    let client_id: String = row.get(1)?;
    let (since, declared_at) = (moment_or_null(row, 3)?, moment_or_null(row, 4)?);
    let (failures, next_probe_at) = (row.get(5)?, moment_or_null(row, 6)?);
    let health = match (row.get(2)?, since, declared_at, next_probe_at) {
        (RESPONSIVE, None, None, None) => Health::Responsive,
        (FAILING, Some(since), None, Some(next_probe_at)) => Health::Failing {
            since,
            failures,
            next_probe_at,
        },
        (UNRESPONSIVE, Some(since), Some(declared_at), next_probe_at) => Health::Unresponsive {
            since,
            declared_at,
            failures,
            next_probe_at,
        },
        (PAUSED, Some(since), None, None) => Health::Paused { since },
        other => {
            return Err(contradiction(format!(
                "the health of {client_id}: {other:?}"
            )));
        }
    };
    Ok(Lane {
        client_id: parse(&client_id, "client_id")?,
        health,
    })
}

const RESPONSIVE: i64 = 0;
const FAILING: i64 = 1;
const UNRESPONSIVE: i64 = 2;
const PAUSED: i64 = 3;
