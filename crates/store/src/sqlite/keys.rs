//! The bank's own keys, as far as the ledger holds what they signed (M-06).
//!
//! There is no index by key: it would cost every SET a write for the sake of two rare requests. They walk the narrow tables of
//! what nobody has settled instead, and look each event's SET up by its number. Measured with 200,000 outstanding among a
//! million SETs of 1 KB: half a second to ask, three to disown, in which the writer does nothing else.

use oyez_domain::actor::Actor;
use oyez_domain::ledger::sets::KeyUse;
use oyez_domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::audit;
use super::codes::moment;
use super::errors::expect_rows;
use super::writer::Unit;
use crate::Error;
use crate::trail::key_disowned;

/// See [`crate::Store::disown_key`].
pub(super) fn disown(unit: &Unit, actor: &Actor, kid: &str, now: Timestamp) -> Result<u64, Error> {
    let is_news = unit
        .db
        .prepare_cached(DISOWN)?
        .execute(params![kid, now.unix_ms()])?;
    if is_news == 0 {
        return Ok(0);
    }
    let superseded = unit.db.prepare_cached(SUPERSEDE)?.execute([kid])?;
    let gone = unit.db.prepare_cached(NO_LONGER_SENT)?.execute([kid])?;
    expect_rows(gone, superseded, "superseding SETs")?;
    let superseded = u64::try_from(superseded).unwrap_or(u64::MAX);
    audit::note(unit, &key_disowned(actor, kid, superseded), now)?;
    Ok(superseded)
}

/// See [`crate::Store::keys_in_use`].
pub(super) fn in_use(db: &Connection) -> Result<Vec<KeyUse>, Error> {
    let mut statement = db.prepare_cached(IN_USE)?;
    let rows = statement.query_map([], |row| {
        Ok(KeyUse {
            kid: row.get(0)?,
            outstanding: row.get(1)?,
            last_kept_at: moment(row, 2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether an event had bytes whose key was disowned.
pub(super) fn was_superseded(db: &Connection, event: i64) -> Result<bool, Error> {
    let mut statement = db.prepare_cached(WAS_SUPERSEDED)?;
    Ok(statement.query_row([event], |row| row.get(0))?)
}

const DISOWN: &str =
    "INSERT INTO disowned_keys (kid, disowned_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

pub(super) const SUPERSEDE: &str = "
    INSERT INTO superseded_sets (event, jws, kid, kept_at)
    SELECT s.event, s.jws, s.kid, s.kept_at
    FROM (SELECT event FROM outstanding UNION ALL SELECT event FROM failed) o
        CROSS JOIN sets s USING (event)
    WHERE s.kid = ?1";

// Before a key is disowned nothing of it is superseded, and afterwards nothing of it is kept: these are the rows just made.
pub(super) const NO_LONGER_SENT: &str = "
    DELETE FROM sets WHERE event IN (SELECT event FROM superseded_sets WHERE kid = ?1)";

pub(super) const IN_USE: &str = "
    SELECT s.kid, count(*), max(s.kept_at)
    FROM (SELECT event FROM outstanding UNION ALL SELECT event FROM failed) o
        CROSS JOIN sets s USING (event)
    GROUP BY s.kid ORDER BY s.kid";

const WAS_SUPERSEDED: &str = "SELECT EXISTS (SELECT 1 FROM superseded_sets WHERE event = ?1)";
