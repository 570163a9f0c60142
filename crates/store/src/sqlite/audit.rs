//! The trail of who changed what, written in the unit that makes the change (I-05).

use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::history::{AuditEntry, Page};
use oyez_domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::codes::{actor, from_json, moment, parse, to_json};
use super::history::{page, rows_wanted};
use super::tpps::TppId;
use super::writer::Unit;
use crate::Error;

/// What was changed.
pub(super) struct Change<'a, B, A> {
    pub(super) actor: &'a Actor,
    pub(super) action: &'static str,
    pub(super) tpp: Option<TppId>,
    pub(super) before: Option<B>,
    pub(super) after: Option<A>,
}

/// Writes one entry.
pub(super) fn note<B: serde::Serialize, A: serde::Serialize>(
    unit: &Unit,
    change: &Change<'_, B, A>,
    now: Timestamp,
) -> Result<(), Error> {
    unit.db.prepare_cached(INSERT)?.execute(params![
        now.unix_ms(),
        change.actor.to_string(),
        change.action,
        change.tpp,
        change.before.as_ref().map(to_json),
        change.after.as_ref().map(to_json)
    ])?;
    Ok(())
}

/// See [`crate::Store::list_audit`].
pub(super) fn list(
    db: &Connection,
    client_id: Option<&ClientId>,
    before: Option<u64>,
    rows_max: u32,
) -> Result<Page<AuditEntry, u64>, Error> {
    let statement = if client_id.is_some() {
        LIST_OF_TPP
    } else {
        LIST
    };
    let mut statement = db.prepare_cached(statement)?;
    let mut rows = statement.query(params![
        client_id.map(ClientId::as_str),
        before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX)),
        rows_wanted(rows_max) + 1
    ])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let json = |column| -> Result<_, Error> {
            let text: Option<String> = row.get(column)?;
            text.map(|text| from_json(&text, "an audit entry"))
                .transpose()
        };
        let client_id: Option<String> = row.get(4)?;
        entries.push(AuditEntry {
            sequence: row.get(0)?,
            at: moment(row, 1)?,
            actor: actor(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?,
            action: row.get(3)?,
            client_id: client_id.map(|id| parse(&id, "client_id")).transpose()?,
            before: json(5)?,
            after: json(6)?,
        });
    }
    Ok(page(entries, rows_max, |entry| entry.sequence))
}

const INSERT: &str =
    "INSERT INTO audit (at, actor, action, tpp, before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const LIST: &str = "
    SELECT a.sequence, a.at, a.actor, a.action, t.client_id, a.before, a.after
    FROM audit a LEFT JOIN tpps t USING (tpp)
    WHERE ?1 IS NULL AND a.sequence < ?2 ORDER BY a.sequence DESC LIMIT ?3";

const LIST_OF_TPP: &str = "
    SELECT a.sequence, a.at, a.actor, a.action, t.client_id, a.before, a.after
    FROM tpps t JOIN audit a USING (tpp)
    WHERE t.client_id = ?1 AND a.sequence < ?2 ORDER BY a.sequence DESC LIMIT ?3";
