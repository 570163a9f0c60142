//! A past for a benchmark, written in great steps; see [`crate::rehearsal`].

use std::ops::ControlFlow;
use std::path::Path;

use oyez_domain::life::{Acknowledged, Outcome};
use rusqlite::{Connection, params};

use super::file;
use crate::Error;
use crate::codes::outcome_code;
use crate::error::contradiction;
use crate::rehearsal::{CLIENT, Left, Outline, POLLED_AT_ONCE, Past, RESOURCE, number};

/// Writes a past into a ledger that nobody has open. After each step it tells how many events that wrote, and is told whether to
/// go on.
pub fn rehearse(
    path: impl AsRef<Path>,
    past: &Past,
    mut wrote: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<(), Error> {
    let resolved = file::resolve(path.as_ref())?;
    let _lock = file::lock(&resolved)?;
    let (db, _) = file::open_for_writing(&resolved)?;
    // What breaks off is thrown away, so nothing need be durable before the end.
    db.execute_batch("PRAGMA synchronous = off; PRAGMA cache_size = -262144")?;
    let outline = Outline::of(past);
    let kind = kind(&db, &outline.types)?;
    enter_whose(&db, past)?;
    let first_event: i64 = db.query_row(LAST_EVENT, [], |row| row.get(0))?;
    let first_poll: i64 = db.query_row(LAST_POLL, [], |row| row.get(0))?;
    for step in outline.steps() {
        db.execute_batch("BEGIN; DELETE FROM temp.past")?;
        db.prepare_cached(STEP)?.execute(params![
            step.start,
            step.end,
            outline.from_ms,
            outline.span_ms,
            outline.events,
            outline.tpps,
            outline.mark,
            first_event,
            first_poll,
            POLLED_AT_ONCE
        ])?;
        db.prepare_cached(EVENTS)?
            .execute(params![outline.notice, CLIENT, RESOURCE])?;
        match past.left {
            Left::History { set_bytes } => history(&db, set_bytes)?,
            Left::Outstanding => {
                db.prepare_cached(OUTSTANDING)?
                    .execute(params![outline.family, kind])?;
            }
        }
        db.execute_batch("COMMIT")?;
        let events = u64::try_from(step.end - step.start).unwrap_or_default();
        if wrote(events).is_break() {
            return Ok(());
        }
    }
    let acknowledged = past.left != Left::Outstanding;
    db.execute(QUEUES, params![outline.events, outline.tpps, acknowledged])?;
    if past.left == Left::Outstanding {
        db.execute(KINDS, [kind])?;
    }
    // Emptied into the file, and on the disk: a measurement must not pay for it.
    db.execute_batch("PRAGMA synchronous = full; PRAGMA wal_checkpoint(TRUNCATE)")?;
    db.close().map_err(|(_, error)| Error::from(error))
}

fn history(db: &Connection, set_bytes: usize) -> Result<(), Error> {
    let outcome = outcome_code(Outcome::Acknowledged(Acknowledged::Poll));
    db.prepare_cached(SETS)?.execute(["x".repeat(set_bytes)])?;
    for statement in [POLLS, HAND_OUTS] {
        db.prepare_cached(statement)?.execute([])?;
    }
    db.prepare_cached(SETTLEMENTS)?.execute([outcome])?;
    Ok(())
}

/// The number of the one kind that all of it is of.
fn kind(db: &Connection, types: &str) -> Result<i64, Error> {
    db.execute("INSERT OR IGNORE INTO kinds (types) VALUES (?1)", [types])?;
    Ok(
        db.query_row("SELECT kind FROM kinds WHERE types = ?1", [types], |row| {
            row.get(0)
        })?,
    )
}

/// The TPPs, counted from 0.
fn enter_whose(db: &Connection, past: &Past) -> Result<(), Error> {
    db.execute_batch(TEMPORARY)?;
    let mut enter = db.prepare(WHOSE)?;
    for (nth, client_id) in past.whose.iter().enumerate() {
        if enter.execute(params![number(nth), client_id.as_str()])? != 1 {
            return Err(contradiction(format!(
                "{client_id} is not known, or has a past already"
            )));
        }
    }
    Ok(())
}

const TEMPORARY: &str = "
    CREATE TEMP TABLE whose (nth INTEGER PRIMARY KEY, tpp INTEGER NOT NULL, client_id TEXT NOT NULL);
    CREATE TEMP TABLE past (
        n INTEGER PRIMARY KEY, event INTEGER, tpp INTEGER, client_id TEXT, position INTEGER, jti BLOB, at INTEGER, poll INTEGER)";

const WHOSE: &str = "
    INSERT INTO temp.whose
    SELECT ?1, t.tpp, t.client_id FROM tpps t JOIN queues q USING (tpp) WHERE t.client_id = ?2 AND q.accepted = 0";

const LAST_EVENT: &str = "SELECT coalesce(max(event), 0) + 1 FROM events";

const LAST_POLL: &str = "SELECT coalesce(max(poll), 0) + 1 FROM polls";

// A poll is of so many events of one TPP, which are as far apart as there are TPPs.
const STEP: &str = "
    INSERT INTO temp.past
    WITH RECURSIVE numbers (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?2),
        placed AS (SELECT n, ?3 + ?4 * n / ?5 AS at FROM numbers)
    SELECT p.n, ?8 + p.n, w.tpp, w.client_id, p.n / ?6 + 1,
        unhex(printf('%012x', p.at) || ?7 || '8' || printf('%015x', p.n)), p.at,
        ?9 + p.n / (?6 * ?10) * ?6 + p.n % ?6
    FROM placed p JOIN temp.whose w ON w.nth = p.n % ?6";

const EVENTS: &str = "
    INSERT INTO events (event, jti, tpp, position, accepted_at, resource_id, txn, notice)
    SELECT event, jti, tpp, position, at, 'past-' || n, NULL, replace(replace(?1, ?2, client_id), ?3, 'past-' || n)
    FROM temp.past";

const OUTSTANDING: &str = "
    INSERT INTO outstanding (tpp, position, event, jti, family, kind, accepted_at, due_at)
    SELECT tpp, position, event, jti, ?1, ?2, at, at FROM temp.past";

const SETS: &str =
    "INSERT INTO sets (event, jws, kid, kept_at) SELECT event, ?1, 'past', at + 1 FROM temp.past";

const POLLS: &str = "
    INSERT INTO polls (poll, interaction_id, at) SELECT poll, 'past-' || poll, max(at) + 1 FROM temp.past GROUP BY poll";

const HAND_OUTS: &str = "INSERT INTO hand_outs (event, poll) SELECT event, poll FROM temp.past";

const SETTLEMENTS: &str = "
    INSERT INTO settlements (event, ends, at, outcome) SELECT o.event, 0, p.at + 1000, ?1 FROM temp.past o JOIN polls p USING (poll)";

const QUEUES: &str = "
    UPDATE queues SET accepted = w.had, acknowledged = iif(?3, w.had, 0),
        unlisted_from = iif(?3 OR w.had = 0, unlisted_from, 1)
    FROM (SELECT tpp, (?1 - nth + ?2 - 1) / ?2 AS had FROM temp.whose) w WHERE w.tpp = queues.tpp";

const KINDS: &str =
    "INSERT INTO queue_kinds (tpp, kind, from_position) SELECT tpp, ?1, 1 FROM temp.whose";
