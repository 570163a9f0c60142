//! What a page about one TPP needs besides its counts (I-03, W-04): its last requests, how its endpoint fared, and what waits.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::try_join;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::Health;
use oyez_domain::ledger::overview::{Backlog, HealthChange, Request};
use oyez_domain::time::Timestamp;

use super::columns::{moment, natural};
use super::history;
use super::pool::Held;
use super::tpps;
use super::unit::Unit;
use crate::Error;
use crate::codes::{TppId, parse};
use crate::health::{self, HealthColumns};
use crate::page::rows_wanted;

/// See [`crate::Store::note_requests`]. It takes no TPP's lock: nobody decides by these rows, and whoever writes them at the same
/// time from another node writes others.
pub(super) async fn note_requests(unit: &Unit, requests: &[Request]) -> Result<(), Error> {
    let of = |request: &Request| request.client_id.as_str().to_owned();
    let clients: Vec<String> = requests.iter().map(of).collect();
    let at: Vec<i64> = requests.iter().map(|it| it.at.unix_ms()).collect();
    let ids: Vec<&str> = requests
        .iter()
        .map(|it| it.interaction_id.as_str())
        .collect();
    let operations: Vec<&str> = requests.iter().map(|it| it.operation.as_str()).collect();
    let statuses: Vec<i32> = requests.iter().map(|it| it.status.into()).collect();
    let codes: Vec<Option<&str>> = requests.iter().map(|it| it.error_code.as_deref()).collect();
    let took = |request: &Request| i64::try_from(request.took.as_millis()).unwrap_or(i64::MAX);
    let took: Vec<i64> = requests.iter().map(took).collect();
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
        [&clients, &at, &ids, &operations, &statuses, &codes, &took];
    unit.execute(NOTE_REQUESTS, &values).await?;
    let names: BTreeSet<String> = clients.into_iter().collect();
    let kept = i64::try_from(Request::KEPT_MAX).unwrap_or(i64::MAX);
    for client_id in names {
        unit.execute(FORGET_REQUESTS, &[&client_id, &kept]).await?;
    }
    Ok(())
}

/// See [`crate::Store::list_requests`].
pub(super) async fn requests(
    db: &Held,
    client_id: &ClientId,
    rows_max: u32,
) -> Result<Vec<Request>, Error> {
    let limit = i64::from(rows_wanted(rows_max));
    let rows = db.rows(REQUESTS, &[&client_id.as_str(), &limit]).await?;
    let requests = rows.iter().map(|row| {
        let status: i32 = row.try_get(3)?;
        Ok(Request {
            client_id: client_id.clone(),
            at: moment(row, 0)?,
            interaction_id: parse(row.try_get(1)?, "interaction id")?,
            operation: row.try_get(2)?,
            status: u16::try_from(status).unwrap_or_default(),
            error_code: row.try_get(4)?,
            took: Duration::from_millis(natural(row, 5)?),
        })
    });
    requests.collect()
}

/// See [`crate::Store::health_history`].
pub(super) async fn health_history(
    db: &Held,
    client_id: &ClientId,
    rows_max: u32,
) -> Result<Vec<HealthChange>, Error> {
    let limit = i64::from(rows_wanted(rows_max));
    let rows = db
        .rows(HEALTH_HISTORY, &[&client_id.as_str(), &limit])
        .await?;
    let changes = rows.iter().map(|row| {
        let (state, failures): (i16, i64) = (row.try_get(1)?, row.try_get(2)?);
        Ok(HealthChange {
            at: moment(row, 0)?,
            state: health::state(state.into())?,
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
            reason: row.try_get(3)?,
        })
    });
    changes.collect()
}

/// See [`crate::Store::backlog`]. The walk is in the order of acceptance, and ends after so many.
pub(super) async fn backlog(
    db: &Held,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<Backlog, Error> {
    let Some(tpp) = tpps::id(db, client_id).await? else {
        return Ok(Backlog::default());
    };
    let outstanding = history::counts(db, client_id).await?.outstanding;
    let limit = i64::from(Backlog::COUNTED_MAX);
    let (oldest, poll_only) =
        try_join!(async { db.rows(OLDEST, &[&tpp.0, &limit]).await }, async {
            db.one(POLL_ONLY, &[&tpp.0, &limit]).await
        })?;
    let accepted_at = oldest.iter().map(|row| moment(row, 0));
    let accepted_at = accepted_at.collect::<Result<Vec<_>, _>>()?;
    let poll_only = natural(&poll_only, 0)?;
    Ok(Backlog::of(accepted_at, outstanding, poll_only, now))
}

/// Notes that an endpoint's health becomes another, if it does; before that is written.
pub(super) async fn note_health(
    unit: &Unit,
    tpp: TppId,
    health: &Health,
    now: Timestamp,
) -> Result<(), Error> {
    let columns = HealthColumns::of(health);
    let failures = i64::from(columns.failures);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] = [
        &tpp.0,
        &now.unix_ms(),
        &columns.state,
        &failures,
        &columns.reason,
    ];
    unit.execute(NOTE_HEALTH, &values).await?;
    Ok(())
}

pub(super) const NOTE_REQUESTS: &str = "
    INSERT INTO requests (tpp, at, interaction_id, operation, status, error_code, took_ms)
    SELECT t.tpp, a.at, a.interaction_id, a.operation, a.status, a.error_code, a.took_ms
    FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::bigint[])
        a (client_id, at, interaction_id, operation, status, error_code, took_ms)
    JOIN tpps t ON t.client_id = ANY (ARRAY[a.client_id]) ON CONFLICT DO NOTHING";

const FORGET_REQUESTS: &str = "
    DELETE FROM requests WHERE tpp = (SELECT tpp FROM tpps WHERE client_id = $1) AND (at, interaction_id) <= (
        SELECT r.at, r.interaction_id FROM requests r
        WHERE r.tpp = (SELECT tpp FROM tpps WHERE client_id = $1)
        ORDER BY r.at DESC, r.interaction_id DESC LIMIT 1 OFFSET $2)";

const REQUESTS: &str = "
    SELECT at, interaction_id, operation, status, error_code, took_ms FROM requests
    WHERE tpp = (SELECT tpp FROM tpps WHERE client_id = $1)
    ORDER BY at DESC, interaction_id DESC LIMIT $2";

const HEALTH_HISTORY: &str = "
    SELECT at, health, failures, reason FROM health_changes
    WHERE tpp = (SELECT tpp FROM tpps WHERE client_id = $1) ORDER BY at DESC, health DESC LIMIT $2";

const OLDEST: &str =
    "SELECT accepted_at FROM outstanding WHERE tpp = $1 ORDER BY position LIMIT $2";

const POLL_ONLY: &str = "
    SELECT count(*) FROM (
        SELECT 1 FROM outstanding
        WHERE tpp = $1 AND (refusals > 0 OR endpoint_failures > 0) AND refusals > 0 AND push_at IS NULL
        LIMIT $2) r";

const NOTE_HEALTH: &str = "
    INSERT INTO health_changes (tpp, at, health, failures, reason)
    SELECT $1, $2::bigint, $3::bigint::smallint, $4::bigint, $5::text
    WHERE $3::bigint <> coalesce((SELECT health FROM lanes WHERE tpp = $1), 0)
    ON CONFLICT DO NOTHING";

/// The same by the owner of a lane, with the other statements of his report.
pub(super) const NOTE_REPORTED_HEALTH: &str = "
    INSERT INTO health_changes (tpp, at, health, failures, reason)
    SELECT l.tpp, $5::bigint, $6::bigint::smallint, $7::bigint, $8::text
    FROM lanes l
    WHERE l.tpp = (SELECT tpp FROM tpps WHERE client_id = $1) AND l.owner = $2 AND l.epoch = $3 AND l.claim = $4
        AND l.health <> $6::bigint
    ON CONFLICT DO NOTHING";
