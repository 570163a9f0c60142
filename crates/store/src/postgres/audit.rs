//! The trail of who changed what, written in the transaction that makes the change (I-05).

use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::history::{AuditEntry, Page};
use oyez_domain::time::Timestamp;
use tokio_postgres::Row;

use super::columns::{count, moment, natural};
use super::pool::Held;
use super::unit::Unit;
use crate::Error;
use crate::codes::{TppId, actor, from_json, parse, to_json};
use crate::page::{page, rows_wanted};

/// What was changed.
pub(super) struct Change<'a, B, A> {
    pub(super) actor: &'a Actor,
    pub(super) action: &'static str,
    pub(super) tpp: Option<TppId>,
    pub(super) before: Option<B>,
    pub(super) after: Option<A>,
}

/// Writes one entry.
pub(super) async fn note<B: serde::Serialize, A: serde::Serialize>(
    unit: &Unit,
    change: Change<'_, B, A>,
    now: Timestamp,
) -> Result<(), Error> {
    let before = change.before.as_ref().map(to_json);
    let after = change.after.as_ref().map(to_json);
    let (tpp, actor) = (change.tpp.map(|tpp| tpp.0), change.actor.to_string());
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] = [
        &now.unix_ms(),
        &actor,
        &change.action,
        &tpp,
        &before,
        &after,
    ];
    unit.execute(INSERT, &values).await?;
    Ok(())
}

/// One entry for all events of a request, none for none; answers how many they are.
pub(super) async fn note_events(
    unit: &Unit,
    (tpp, actor): (TppId, &Actor),
    action: &'static str,
    jtis: &[oyez_domain::ids::Jti],
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
    })
}

const INSERT: &str =
    "INSERT INTO audit (at, actor, action, tpp, before, after) VALUES ($1, $2, $3, $4, $5, $6)";

const LIST: &str = "
    SELECT a.sequence, a.at, a.actor, a.action, t.client_id, a.before, a.after
    FROM audit a LEFT JOIN tpps t USING (tpp)
    WHERE a.sequence < $1 ORDER BY a.sequence DESC LIMIT $2";

const LIST_OF_TPP: &str = "
    SELECT a.sequence, a.at, a.actor, a.action, t.client_id, a.before, a.after
    FROM audit a JOIN tpps t USING (tpp)
    WHERE a.tpp = (SELECT tpp FROM tpps WHERE client_id = $3) AND a.sequence < $1
    ORDER BY a.sequence DESC LIMIT $2";
