//! What a page about one TPP needs besides its counts (I-03, W-04): its last requests, how its endpoint fared, and what waits.

use std::collections::BTreeSet;
use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::Health;
use oyez_domain::ledger::overview::{Backlog, HealthChange, Request};
use oyez_domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::codes::{moment, parse};
use super::health::{self, HealthColumns};
use super::history::{self, rows_wanted};
use super::tpps::{TppId, know};
use super::withdraw::is_open;
use super::writer::Unit;
use crate::Error;

/// See [`crate::Store::note_requests`].
pub(super) fn note_requests(unit: &Unit, requests: &[Request]) -> Result<(), Error> {
    let mut tpps = BTreeSet::new();
    for request in requests {
        let Some(known) = know(&unit.db, &request.client_id)? else {
            continue;
        };
        unit.db.prepare_cached(NOTE_REQUEST)?.execute(params![
            known.id,
            request.at.unix_ms(),
            request.interaction_id.as_str(),
            request.operation,
            request.status,
            request.error_code,
            i64::try_from(request.took.as_millis()).unwrap_or(i64::MAX)
        ])?;
        tpps.insert(known.id);
    }
    for tpp in tpps {
        unit.db
            .prepare_cached(FORGET_REQUESTS)?
            .execute(params![tpp, Request::KEPT_MAX])?;
    }
    Ok(())
}

/// See [`crate::Store::list_requests`].
pub(super) fn requests(
    db: &Connection,
    client_id: &ClientId,
    rows_max: u32,
) -> Result<Vec<Request>, Error> {
    let mut statement = db.prepare_cached(REQUESTS)?;
    let mut rows = statement.query(params![client_id.as_str(), rows_wanted(rows_max)])?;
    let mut requests = Vec::new();
    while let Some(row) = rows.next()? {
        let interaction_id: String = row.get(1)?;
        requests.push(Request {
            client_id: client_id.clone(),
            at: moment(row, 0)?,
            interaction_id: parse(&interaction_id, "interaction id")?,
            operation: row.get(2)?,
            status: row.get(3)?,
            error_code: row.get(4)?,
            took: Duration::from_millis(row.get(5)?),
        });
    }
    Ok(requests)
}

/// See [`crate::Store::health_history`].
pub(super) fn health_history(
    db: &Connection,
    client_id: &ClientId,
    rows_max: u32,
) -> Result<Vec<HealthChange>, Error> {
    let mut statement = db.prepare_cached(HEALTH_HISTORY)?;
    let mut rows = statement.query(params![client_id.as_str(), rows_wanted(rows_max)])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        changes.push(HealthChange {
            at: moment(row, 0)?,
            state: health::state(row.get(1)?)?,
            failures: row.get(2)?,
            reason: row.get(3)?,
        });
    }
    Ok(changes)
}

/// See [`crate::Store::backlog`]. The walk is in the order of acceptance, and ends after so many.
pub(super) fn backlog(
    db: &Connection,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<Backlog, Error> {
    let Some(known) = know(db, client_id)? else {
        return Ok(Backlog::default());
    };
    let outstanding = history::counts(db, client_id)?.outstanding;
    let mut statement = db.prepare_cached(OLDEST)?;
    let rows = statement.query_map(params![known.id, Backlog::COUNTED_MAX], |row| {
        moment(row, 0)
    })?;
    let accepted_at = rows.collect::<Result<Vec<_>, _>>()?;
    let mut statement = db.prepare_cached(POLL_ONLY)?;
    let poll_only =
        statement.query_row(params![known.id, Backlog::COUNTED_MAX], |row| row.get(0))?;
    Ok(Backlog::of(accepted_at, outstanding, poll_only, now))
}

/// Notes that an endpoint's health becomes another, if it does; before that is written.
pub(super) fn note_health(
    unit: &Unit,
    tpp: TppId,
    health: &Health,
    now: Timestamp,
) -> Result<(), Error> {
    let columns = HealthColumns::of(health);
    unit.db.prepare_cached(NOTE_HEALTH)?.execute(params![
        tpp,
        now.unix_ms(),
        columns.state,
        columns.failures,
        columns.reason
    ])?;
    Ok(())
}

const NOTE_REQUEST: &str = "
    INSERT INTO requests (tpp, at, interaction_id, operation, status, error_code, took_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";

const FORGET_REQUESTS: &str = "
    DELETE FROM requests WHERE tpp = ?1 AND (at, interaction_id) <= (
        SELECT at, interaction_id FROM requests WHERE tpp = ?1
        ORDER BY at DESC, interaction_id DESC LIMIT 1 OFFSET ?2)";

pub(super) const REQUESTS: &str = "
    SELECT r.at, r.interaction_id, r.operation, r.status, r.error_code, r.took_ms
    FROM tpps t CROSS JOIN requests r USING (tpp)
    WHERE t.client_id = ?1 ORDER BY r.at DESC, r.interaction_id DESC LIMIT ?2";

pub(super) const HEALTH_HISTORY: &str = "
    SELECT c.at, c.health, c.failures, c.reason FROM tpps t CROSS JOIN health_changes c USING (tpp)
    WHERE t.client_id = ?1 ORDER BY c.at DESC, c.health DESC LIMIT ?2";

pub(super) const OLDEST: &str = concat!(
    "SELECT accepted_at FROM outstanding WHERE tpp = ?1",
    is_open!(),
    " ORDER BY position LIMIT ?2"
);

pub(super) const POLL_ONLY: &str = concat!(
    "SELECT count(*) FROM (
        SELECT 1 FROM outstanding
        WHERE tpp = ?1 AND (refusals > 0 OR endpoint_failures > 0) AND refusals > 0 AND push_at IS NULL",
    is_open!(),
    " LIMIT ?2)"
);

// A lane that was never made is responsive.
const NOTE_HEALTH: &str = "
    INSERT INTO health_changes (tpp, at, health, failures, reason)
    SELECT ?1, ?2, ?3, ?4, ?5
    WHERE ?3 <> coalesce((SELECT health FROM lanes WHERE tpp = ?1), 0)
    ON CONFLICT DO NOTHING";
