//! The trail of who changed what, written in the transaction that makes the change (I-05).
//!
//! A TPP's chain is guarded by its lock, which whoever changes something of it has. The operators' chain has a row of its own,
//! which is locked for what concerns no TPP: keys and people, some a day.

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::history::{AuditEntry, Page};
use oyez_domain::ledger::trail::{Heads, Link};
use oyez_domain::time::Timestamp;
use tokio_postgres::Row;

use super::columns::{count, moment, natural};
use super::errors::expect_rows;
use super::pool::Held;
use super::unit::Unit;
use crate::Error;
use crate::codes::{TppId, actor, from_json, parse};
use crate::page::{page, rows_wanted};
pub(super) use crate::trail::Change;
use crate::trail::{self, OPERATORS};

/// Writes one entry, and moves the head of its chain on to it.
pub(super) async fn note<B: serde::Serialize, A: serde::Serialize>(
    unit: &Unit,
    change: Change<'_, B, A>,
    now: Timestamp,
) -> Result<(), Error> {
    let (client_id, head) = match change.tpp {
        Some(tpp) => head_of_tpp(unit, tpp).await?,
        None => (None, head_of_operators(unit).await?),
    };
    let entry = change.entry(client_id, head, now);
    let (number, hash) = (trail::number(entry.link)?, &entry.link.hash.0[..]);
    let tpp = change.tpp.map(|tpp| tpp.0);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 8] = [
        &now.unix_ms(),
        &entry.actor,
        &change.action,
        &tpp,
        &entry.before,
        &entry.after,
        &number,
        &hash,
    ];
    unit.execute(INSERT, &values).await?;
    let chain = tpp.unwrap_or(OPERATORS);
    let moved = unit.execute(SET_HEAD, &[&chain, &number, &hash]).await?;
    expect_rows(moved, 1, "moving the head of a chain")
}

/// Whose chain it is, and its last link. The TPP's lock is held.
async fn head_of_tpp(unit: &Unit, tpp: TppId) -> Result<(Option<ClientId>, Option<Link>), Error> {
    let row = unit.one(HEAD_OF_TPP, &[&tpp.0]).await?;
    let client_id = parse(row.try_get(0)?, "client_id")?;
    Ok((Some(client_id), link(&row, 1)?))
}

async fn head_of_operators(unit: &Unit) -> Result<Option<Link>, Error> {
    unit.execute(MAKE_HEAD, &[&OPERATORS]).await?;
    let row = unit.one(LOCK_HEAD, &[&OPERATORS]).await?;
    Ok(link(&row, 0)?.filter(|link| link.number > 0))
}

/// One entry for all events of a request, none for none; answers how many they are.
pub(super) async fn note_events(
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
        note(unit, change, now).await?;
    }
    Ok(u64::try_from(jtis.len()).unwrap_or(u64::MAX))
}

/// See [`crate::Store::list_audit`].
pub(super) async fn list(
    db: &Held,
    client_id: Option<&ClientId>,
    before: Option<u64>,
    rows_max: u32,
) -> Result<Page<AuditEntry, u64>, Error> {
    let before = before.map_or(i64::MAX, count);
    let limit = i64::from(rows_wanted(rows_max)) + 1;
    let rows = match client_id {
        Some(client_id) => {
            let client_id = client_id.as_str();
            db.rows(LIST_OF_TPP, &[&before, &limit, &client_id]).await?
        }
        None => db.rows(LIST, &[&before, &limit]).await?,
    };
    read_page(&rows, rows_max)
}

/// See [`crate::Store::read_chain`].
pub(super) async fn chain(
    db: &Held,
    client_id: Option<&ClientId>,
    after: u64,
    rows_max: u32,
) -> Result<Page<AuditEntry, u64>, Error> {
    let (after, limit) = (count(after), i64::from(rows_wanted(rows_max)) + 1);
    let rows = match client_id {
        Some(client_id) => {
            let client_id = client_id.as_str();
            db.rows(CHAIN_OF_TPP, &[&after, &limit, &client_id]).await?
        }
        None => db.rows(CHAIN_OF_OPERATORS, &[&after, &limit]).await?,
    };
    read_page(&rows, rows_max)
}

/// See [`crate::Store::chain_heads`].
pub(super) async fn heads(
    db: &Held,
    after: Option<&ClientId>,
    rows_max: u32,
) -> Result<Heads, Error> {
    let after = after.map_or("", ClientId::as_str);
    let limit = i64::from(rows_wanted(rows_max)) + 1;
    let operators = match db.row(HEAD, &[&OPERATORS]).await? {
        Some(row) => link(&row, 0)?,
        None => None,
    };
    let rows = db.rows(HEADS, &[&after, &limit]).await?;
    let tpps = rows.iter().map(|row| {
        let client_id: ClientId = parse(row.try_get(0)?, "client_id")?;
        Ok((client_id, link(row, 1)?))
    });
    let tpps = tpps.collect::<Result<Vec<_>, Error>>()?;
    Ok(Heads {
        operators,
        tpps: page(tpps, rows_max, |(client_id, _)| client_id.clone()),
    })
}

fn read_page(rows: &[Row], rows_max: u32) -> Result<Page<AuditEntry, u64>, Error> {
    let entries = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(page(entries, rows_max, |entry: &AuditEntry| entry.sequence))
}

fn read(row: &Row) -> Result<AuditEntry, Error> {
    let json = |column| -> Result<_, Error> {
        let text: Option<&str> = row.try_get(column)?;
        text.map(|text| from_json(text, "an audit entry"))
            .transpose()
    };
    let client_id: Option<&str> = row.try_get(4)?;
    Ok(AuditEntry {
        sequence: natural(row, 0)?,
        at: moment(row, 1)?,
        actor: actor(row.try_get(2)?)?,
        action: row.try_get(3)?,
        client_id: client_id.map(|id| parse(id, "client_id")).transpose()?,
        before: json(5)?,
        after: json(6)?,
        link: link(row, 7)?,
    })
}

/// The link in two columns from this one on.
fn link(row: &Row, column: usize) -> Result<Option<Link>, Error> {
    Ok(trail::link(row.try_get(column)?, row.try_get(column + 1)?))
}

const INSERT: &str = "
    INSERT INTO audit (at, actor, action, tpp, before, after, number, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const HEAD_OF_TPP: &str = "
    SELECT t.client_id, h.number, h.hash FROM tpps t LEFT JOIN audit_heads h ON h.chain = t.tpp WHERE t.tpp = $1";

const MAKE_HEAD: &str =
    "INSERT INTO audit_heads (chain, number) VALUES ($1, 0) ON CONFLICT DO NOTHING";

const LOCK_HEAD: &str = "SELECT number, hash FROM audit_heads WHERE chain = $1 FOR UPDATE";

const HEAD: &str = "SELECT number, hash FROM audit_heads WHERE chain = $1";

const SET_HEAD: &str = "
    INSERT INTO audit_heads AS h (chain, number, hash) VALUES ($1, $2, $3)
    ON CONFLICT (chain) DO UPDATE SET number = excluded.number, hash = excluded.hash
    WHERE h.number = excluded.number - 1";

const HEADS: &str = "
    SELECT t.client_id, h.number, h.hash FROM tpps t LEFT JOIN audit_heads h ON h.chain = t.tpp
    WHERE t.client_id > $1 ORDER BY t.client_id LIMIT $2";

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
    "audit a LEFT JOIN tpps t USING (tpp) WHERE a.sequence < $1 ORDER BY a.sequence DESC LIMIT $2"
);

const LIST_OF_TPP: &str = entries!(
    "audit a JOIN tpps t USING (tpp)
    WHERE a.tpp = (SELECT tpp FROM tpps WHERE client_id = $3) AND a.sequence < $1
    ORDER BY a.sequence DESC LIMIT $2"
);

const CHAIN_OF_TPP: &str = entries!(
    "audit a JOIN tpps t USING (tpp)
    WHERE a.tpp = (SELECT tpp FROM tpps WHERE client_id = $3) AND a.sequence > $1
    ORDER BY a.sequence LIMIT $2"
);

const CHAIN_OF_OPERATORS: &str = entries!(
    "audit a LEFT JOIN tpps t USING (tpp) WHERE a.tpp IS NULL AND a.sequence > $1 ORDER BY a.sequence LIMIT $2"
);
