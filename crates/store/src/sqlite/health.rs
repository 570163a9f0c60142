//! An endpoint's health as it stands in a lane's row.

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::{Health, HealthState, Reason};
use oyez_domain::time::Timestamp;
use rusqlite::Row;

use super::codes::{moment_or_null, parse};
use super::errors::contradiction;
use crate::Error;

/// A health as it stands in columns.
pub(super) struct HealthColumns<'a> {
    pub(super) state: i64,
    pub(super) since: Option<i64>,
    pub(super) declared_at: Option<i64>,
    pub(super) failures: u32,
    pub(super) next_probe_at: Option<i64>,
    pub(super) reason: Option<&'a str>,
}

impl<'a> HealthColumns<'a> {
    pub(super) fn of(health: &'a Health) -> Self {
        let (since, declared_at, failures, reason) = match health {
            Health::Responsive => (None, None, 0, None),
            Health::Failing {
                since,
                failures,
                reason,
                ..
            } => (Some(*since), None, *failures, Some(reason)),
            Health::Unresponsive {
                since,
                declared_at,
                failures,
                reason,
                ..
            } => (Some(*since), Some(*declared_at), *failures, Some(reason)),
            Health::Paused { since } => (Some(*since), None, 0, None),
        };
        Self {
            state: state_code(health.state()),
            since: since.map(Timestamp::unix_ms),
            declared_at: declared_at.map(Timestamp::unix_ms),
            failures,
            next_probe_at: health.next_probe_at().map(Timestamp::unix_ms),
            reason: reason.map(Reason::as_str),
        }
    }
}

/// How a state stands in a column.
pub(super) const fn state_code(state: HealthState) -> i64 {
    match state {
        HealthState::Responsive => RESPONSIVE,
        HealthState::Failing => FAILING,
        HealthState::Unresponsive => UNRESPONSIVE,
        HealthState::Paused => PAUSED,
    }
}

/// The state that a column says.
pub(super) fn state(code: i64) -> Result<HealthState, Error> {
    let mut states = HealthState::ALL.into_iter();
    let state = states.find(|state| state_code(*state) == code);
    state.ok_or_else(|| contradiction(format!("health {code}")))
}

/// Whose health, and which, from `tpp, client_id, health, since, declared_at, failures, next_probe_at, reason`.
pub(super) fn of_row(row: &Row<'_>) -> Result<(ClientId, Health), Error> {
    let client_id: String = row.get(1)?;
    let (since, declared_at) = (moment_or_null(row, 3)?, moment_or_null(row, 4)?);
    let (failures, next_probe_at) = (row.get(5)?, moment_or_null(row, 6)?);
    let reason = row.get::<_, Option<String>>(7)?.map(Reason::from);
    let health = match (row.get(2)?, since, declared_at, next_probe_at, reason) {
        (RESPONSIVE, None, None, None, None) => Health::Responsive,
        (FAILING, Some(since), None, Some(next_probe_at), Some(reason)) => Health::Failing {
            since,
            failures,
            next_probe_at,
            reason,
        },
        (UNRESPONSIVE, Some(since), Some(declared_at), next_probe_at, Some(reason)) => {
            Health::Unresponsive {
                since,
                declared_at,
                failures,
                next_probe_at,
                reason,
            }
        }
        (PAUSED, Some(since), None, None, None) => Health::Paused { since },
        other => {
            return Err(contradiction(format!(
                "the health of {client_id}: {other:?}"
            )));
        }
    };
    Ok((parse(&client_id, "client_id")?, health))
}

const RESPONSIVE: i64 = 0;
const FAILING: i64 = 1;
const UNRESPONSIVE: i64 = 2;
const PAUSED: i64 = 3;
