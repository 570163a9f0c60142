//! The trail of who changed what, written in the unit that makes the change (I-05).

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::history::{AuditEntry, Page};
use oyez_domain::ledger::trail::{Heads, Link};
use oyez_domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::codes::{actor, from_json, moment, parse};
use super::history::{page, rows_wanted};
use super::tpps::TppId;
use super::writer::Unit;
use crate::Error;
pub(super) use crate::trail::Change;
use crate::trail::{self, OPERATORS};

/// Writes one entry, and moves the head of its chain on to it.
pub(super) fn note<B: serde::Serialize, A: serde::Serialize>(
    unit: &Unit,
    change: &Change<'_, B, A>,
    now: Timestamp,
) -> Result<(), Error> {
    let db = &unit.db;
    let client_id: Option<String> = match change.tpp {
        Some(tpp) => Some(
            db.prepare_cached(NAME)?
                .query_row([tpp], |row| row.get(0))?,
        ),
        None => None,
    };
    let client_id = client_id.map(|id| parse(&id, "client_id")).transpose()?;
    let chain = change.tpp.map_or(OPERATORS, |tpp| tpp.0);
    let entry = change.entry(client_id, head(db, chain)?, now);
    let (number, hash) = (trail::number(entry.link)?, entry.link.hash.0);
    db.prepare_cached(INSERT)?.execute(params![
        now.unix_ms(),
        entry.actor,
        change.action,
        change.tpp,
        entry.before,
        entry.after,
        number,
        hash
    ])?;
    db.prepare_cached(SET_HEAD)?
        .execute(params![chain, number, hash])?;
    Ok(())
}

/// One entry for all events of a request, none for none; answers how many they are.
pub(super) fn note_events(
    unit: &Unit,
    (tpp, actor): (TppId, &Actor),
    action: &'static str,
    jtis: &[Jti],
    now: Timestamp,
) -> Result<u64, Error> {
    if !jtis.is_empty() {
        let change = Change {
            actor,
            action,
            tpp: Some(tpp),
            before: None::<()>,
            after: Some(jtis),
        };
        note(unit, &change, now)?;
    }
    Ok(u64::try_from(jtis.len()).unwrap_or(u64::MAX))
}

/// See [`crate::Store::list_audit`].
pub(super) fn list(
    db: &Connection,
    client_id: Option<&ClientId>,
    before: Option<u64>,
    rows_max: u32,
) -> Result<Page<AuditEntry, u64>, Error> {
    let before = before.map_or(i64::MAX, bound);
    match client_id {
        Some(client_id) => {
            let values = params![before, rows_wanted(rows_max) + 1, client_id.as_str()];
            read_page(db, LIST_OF_TPP, values, rows_max)
        }
        None => read_page(
            db,
            LIST,
            params![before, rows_wanted(rows_max) + 1],
            rows_max,
        ),
    }
}

/// See [`crate::Store::read_chain`].
pub(super) fn chain(
    db: &Connection,
    client_id: Option<&ClientId>,
    after: u64,
    rows_max: u32,
) -> Result<Page<AuditEntry, u64>, Error> {
    let (after, rows) = (bound(after), rows_wanted(rows_max) + 1);
    match client_id {
        Some(client_id) => {
            let values = params![after, rows, client_id.as_str()];
            read_page(db, CHAIN_OF_TPP, values, rows_max)
        }
        None => read_page(db, CHAIN_OF_OPERATORS, params![after, rows], rows_max),
    }
}

/// See [`crate::Store::chain_heads`].
pub(super) fn heads(
    db: &Connection,
    after: Option<&ClientId>,
    rows_max: u32,
) -> Result<Heads, Error> {
    let mut statement = db.prepare_cached(HEADS)?;
    let after = after.map_or("", ClientId::as_str);
    let mut rows = statement.query(params![after, rows_wanted(rows_max) + 1])?;
    let mut tpps = Vec::new();
    while let Some(row) = rows.next()? {
        let client_id: String = row.get(0)?;
        tpps.push((parse(&client_id, "client_id")?, link(row, 1)?));
    }
    Ok(Heads {
        operators: head(db, OPERATORS)?,
        tpps: page(tpps, rows_max, |(client_id, _): &(ClientId, _)| {
            client_id.clone()
        }),
    })
}

/// The last link of a chain.
fn head(db: &Connection, chain: i64) -> Result<Option<Link>, Error> {
    let mut statement = db.prepare_cached(HEAD)?;
    let head = statement
        .query_row([chain], |row| link(row, 0))
        .optional()?;
    Ok(head.flatten())
}

fn read_page(
    db: &Connection,
    statement: &str,
    values: impl Params,
    rows_max: u32,
) -> Result<Page<AuditEntry, u64>, Error> {
    let mut statement = db.prepare_cached(statement)?;
    let mut rows = statement.query(values)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(read(row)?);
    }
    Ok(page(entries, rows_max, |entry| entry.sequence))
}

fn read(row: &Row<'_>) -> Result<AuditEntry, Error> {
    let json = |column| -> Result<_, Error> {
        let text: Option<String> = row.get(column)?;
        text.map(|text| from_json(&text, "an audit entry"))
            .transpose()
    };
    let client_id: Option<String> = row.get(4)?;
    Ok(AuditEntry {
        sequence: row.get(0)?,
        at: moment(row, 1)?,
        actor: actor(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?,
        action: row.get(3)?,
        client_id: client_id.map(|id| parse(&id, "client_id")).transpose()?,
        before: json(5)?,
        after: json(6)?,
        link: link(row, 7)?,
    })
}

/// The link in two columns from this one on.
fn link(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Link>> {
    let hash: Option<Vec<u8>> = row.get(column + 1)?;
    Ok(trail::link(row.get(column)?, hash.as_deref()))
}

fn bound(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

const NAME: &str = "SELECT client_id FROM tpps WHERE tpp = ?1";

const HEAD: &str = "SELECT number, hash FROM audit_heads WHERE chain = ?1";

const INSERT: &str = "
    INSERT INTO audit (at, actor, action, tpp, before, after, number, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const SET_HEAD: &str = "
    INSERT INTO audit_heads (chain, number, hash) VALUES (?1, ?2, ?3)
    ON CONFLICT (chain) DO UPDATE SET number = excluded.number, hash = excluded.hash";

const HEADS: &str = "
    SELECT t.client_id, h.number, h.hash FROM tpps t LEFT JOIN audit_heads h ON h.chain = t.tpp
    WHERE t.client_id > ?1 ORDER BY t.client_id LIMIT ?2";

/// A statement that reads whole entries.
macro_rules! entries {
    ($from:literal) => {
        concat!(
            "SELECT a.sequence, a.at, a.actor, a.action, t.client_id, a.before, a.after, a.number, a.hash FROM ",
            $from
        )
    };
}

const LIST: &str = entries!(
    "audit a LEFT JOIN tpps t USING (tpp) WHERE a.sequence < ?1 ORDER BY a.sequence DESC LIMIT ?2"
);

const LIST_OF_TPP: &str = entries!(
    "tpps t JOIN audit a USING (tpp)
    WHERE t.client_id = ?3 AND a.sequence < ?1 ORDER BY a.sequence DESC LIMIT ?2"
);

const CHAIN_OF_TPP: &str = entries!(
    "tpps t JOIN audit a USING (tpp)
    WHERE t.client_id = ?3 AND a.sequence > ?1 ORDER BY a.sequence LIMIT ?2"
);

const CHAIN_OF_OPERATORS: &str = entries!(
    "audit a LEFT JOIN tpps t USING (tpp)
    WHERE a.tpp IS NULL AND a.sequence > ?1 ORDER BY a.sequence LIMIT ?2"
);
