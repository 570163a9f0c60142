//! Writes what a group of requests counted: once per group.

use rusqlite::{Connection, params};

pub(super) use crate::tally::Tally;

use super::errors::expect_rows;
use crate::Error;

/// Writes everything and is empty again.
pub(super) fn write(tally: &mut Tally, db: &Connection) -> Result<(), Error> {
    for ((tpp, minute), flow) in tally.take_flows() {
        db.prepare_cached(ADD_FLOW)?.execute(params![
            tpp,
            minute.unix_ms(),
            flow.accepted,
            flow.handed_out,
            flow.pushed,
            flow.acknowledged,
            flow.failed,
            flow.expired,
            flow.withdrawn
        ])?;
    }
    for (tpp, totals) in tally.take_totals() {
        let changed = db.prepare_cached(ADD_TOTALS)?.execute(params![
            tpp,
            totals.acknowledged,
            totals.failed,
            totals.expired,
            totals.withdrawn
        ])?;
        expect_rows(changed, 1, "adding up a TPP's totals")?;
    }
    Ok(())
}

const ADD_FLOW: &str = "
    INSERT INTO minutes (tpp, minute, accepted, handed_out, pushed, acknowledged, failed, expired, withdrawn)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (tpp, minute) DO UPDATE SET
        accepted = accepted + excluded.accepted, handed_out = handed_out + excluded.handed_out,
        pushed = pushed + excluded.pushed, acknowledged = acknowledged + excluded.acknowledged,
        failed = failed + excluded.failed, expired = expired + excluded.expired,
        withdrawn = withdrawn + excluded.withdrawn";

const ADD_TOTALS: &str = "
    UPDATE queues SET acknowledged = acknowledged + ?2, failed = failed + ?3,
        expired = expired + ?4, withdrawn = withdrawn + ?5
    WHERE tpp = ?1";
