//! Leases: which nodes are alive, by the database's clock.

use std::time::Duration;

use oyez_domain::ids::NodeId;
use oyez_domain::ledger::lanes::Lease;
use oyez_domain::ledger::sharing::{Company, PASSED_OVER};
use oyez_domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::codes::parse;
use super::writer::Unit;
use crate::Error;

/// See [`crate::Store::hold_lease`].
pub(super) fn hold(
    unit: &Unit,
    node_id: &NodeId,
    renew: Option<u64>,
    ttl: Duration,
) -> Result<Option<Lease>, Error> {
    let clock = clock(&unit.db)?;
    let expires_at = clock + ttl;
    let epoch: Option<u64> = match renew {
        Some(epoch) => {
            let renewed = unit.db.prepare_cached(RENEW_LEASE)?.execute(params![
                node_id.as_str(),
                epoch,
                expires_at.unix_ms(),
                clock.unix_ms()
            ])?;
            (renewed == 1).then_some(epoch)
        }
        None => unit
            .db
            .prepare_cached(TAKE_LEASE)?
            .query_row(params![node_id.as_str(), expires_at.unix_ms()], |row| {
                row.get(0)
            })
            .optional()?,
    };
    let Some(epoch) = epoch else {
        return Ok(None);
    };
    Ok(Some(Lease {
        node_id: node_id.clone(),
        epoch,
        expires_at,
        surplus: company(&unit.db, clock, clock)?.surplus(node_id),
    }))
}

/// Who shares the lanes, and those that are free and due by then.
pub(super) fn company(db: &Connection, by: Timestamp, clock: Timestamp) -> Result<Company, Error> {
    let mut company = Company::default();
    let mut statement = db.prepare_cached(LOADS)?;
    let mut rows = statement.query([clock.unix_ms()])?;
    while let Some(row) = rows.next()? {
        let node_id: String = row.get(0)?;
        company
            .loads
            .insert(parse(&node_id, "node id")?, row.get(1)?);
    }
    let values = params![clock.unix_ms(), by.unix_ms(), (by - PASSED_OVER).unix_ms()];
    (company.free, company.passed_over) = db
        .prepare_cached(FREE)?
        .query_row(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(company)
}

/// See [`crate::Store::release_lease`].
pub(super) fn release(unit: &Unit, lease: &Lease) -> Result<(), Error> {
    // An epoch that is over already is what was wanted.
    unit.db
        .prepare_cached(RELEASE_LEASE)?
        .execute(params![lease.node_id.as_str(), lease.epoch])?;
    Ok(())
}

/// The database's clock, by which leases go.
pub(super) fn clock(db: &Connection) -> Result<Timestamp, Error> {
    let ms = db
        .prepare_cached("SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER)")?
        .query_row([], |row| row.get(0))?;
    Ok(Timestamp::from_unix_ms(ms))
}

/// Whether a lease holds.
pub(super) fn is_live(db: &Connection, lease: &Lease, clock: Timestamp) -> Result<bool, Error> {
    Ok(db.prepare_cached(IS_LIVE)?.query_row(
        params![lease.node_id.as_str(), lease.epoch, clock.unix_ms()],
        |row| row.get(0),
    )?)
}

const TAKE_LEASE: &str = "
    INSERT INTO nodes (node_id, epoch, expires_at) VALUES (?1, 1, ?2)
    ON CONFLICT (node_id) DO UPDATE SET epoch = epoch + 1, expires_at = excluded.expires_at
    RETURNING epoch";

const RENEW_LEASE: &str = "
    UPDATE nodes SET expires_at = ?3 WHERE node_id = ?1 AND epoch = ?2 AND expires_at > ?4";

const RELEASE_LEASE: &str = "UPDATE nodes SET expires_at = 0 WHERE node_id = ?1 AND epoch = ?2";

const IS_LIVE: &str = "
    SELECT EXISTS (SELECT 1 FROM nodes WHERE node_id = ?1 AND epoch = ?2 AND expires_at > ?3)";

const LOADS: &str = "
    SELECT n.node_id, count(l.tpp) FROM nodes n LEFT JOIN lanes l ON l.owner = n.node_id AND l.epoch = n.epoch
    WHERE n.expires_at > ?1 GROUP BY n.node_id";

const FREE: &str = "
    SELECT count(*), count(*) FILTER (WHERE l.wake_at <= ?3) FROM lanes l
    WHERE l.wake_at <= ?2 AND NOT EXISTS (
        SELECT 1 FROM nodes n
        WHERE n.node_id = l.owner AND n.epoch = l.epoch AND n.expires_at > ?1)";
