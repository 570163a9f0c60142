//! How events end: the narrow row goes, one line of history and the counts stay. No history is read on the way.

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::life::{Acknowledged, Outcome};
use oyez_domain::time::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use super::codes::{outcome_code, settling_actor};
use super::errors::expect_rows;
use super::lanes;
use super::tpps::TppId;
use super::withdraw::is_open;
use super::writer::Unit;
use crate::Error;

/// An event that just left `outstanding` or `failed`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) position: u64,
    pub(super) event: i64,
    /// How many ends it has behind it.
    pub(super) ends: u32,
}

/// An end that is about to be written.
pub(super) struct End<'a> {
    pub(super) tpp: TppId,
    pub(super) owner: &'a ClientId,
    pub(super) outcome: Outcome,
    pub(super) actor: &'a Actor,
}

/// The TPP has it: an outstanding event, or one set aside as failed (P-05). Answers whether that was news.
pub(super) fn acknowledge(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    jti: Jti,
    how: Acknowledged,
    now: Timestamp,
) -> Result<bool, Error> {
    let end = End {
        tpp,
        owner,
        outcome: Outcome::Acknowledged(how),
        actor: &Actor::Tpp(owner.clone()),
    };
    if settle(unit, &end, jti, now)? {
        return Ok(true);
    }
    let Some(left) = find(unit, &FAILED_ROWS, tpp, jti)? else {
        return Ok(false);
    };
    remove(unit, &FAILED_ROWS, tpp, left)?;
    supersede(unit, left.event, left.ends)?;
    unit.tally.left_failed(tpp, 1);
    write_end(unit, &end, left, now)?;
    Ok(true)
}

/// Ends an outstanding event of a TPP. Answers whether it was one.
pub(super) fn settle(
    unit: &mut Unit,
    end: &End<'_>,
    jti: Jti,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(left) = find(unit, &OUTSTANDING, end.tpp, jti)? else {
        return Ok(false);
    };
    settle_found(unit, end, left, now)?;
    Ok(true)
}

/// As [`settle`], of an event that was found outstanding in this unit.
pub(super) fn settle_found(
    unit: &mut Unit,
    end: &End<'_>,
    left: Left,
    now: Timestamp,
) -> Result<(), Error> {
    remove(unit, &OUTSTANDING, end.tpp, left)?;
    write_end(unit, end, left, now)?;
    unit.news.of((end.tpp, end.owner)).ends = true;
    lanes::next_in_line(unit, (end.tpp, end.owner), now)
}

/// Sets an outstanding event aside as failed (P-12).
pub(super) fn fail(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    jti: Jti,
    now: Timestamp,
) -> Result<(), Error> {
    let changed = unit
        .db
        .prepare_cached(SET_ASIDE)?
        .execute(params![tpp, jti.as_bytes()])?;
    expect_rows(changed, 1, "setting an event aside")?;
    let end = End {
        tpp,
        owner,
        outcome: Outcome::Failed,
        actor: &Actor::Tpp(owner.clone()),
    };
    let settled = settle(unit, &end, jti, now)?;
    expect_rows(usize::from(settled), 1, "failing an event")
}

/// Marks an event's failure as no longer its end.
pub(super) fn supersede(unit: &Unit, event: i64, ends: u32) -> Result<(), Error> {
    let changed = unit
        .db
        .prepare_cached(SUPERSEDE)?
        .execute(params![event, ends - 1])?;
    expect_rows(changed, 1, "superseding a failure")
}

/// Finds a row, to remove it by its key: measured faster than one DELETE that returns what it removed.
fn find(unit: &Unit, rows: &Rows, tpp: TppId, jti: Jti) -> Result<Option<Left>, Error> {
    let found = unit
        .db
        .prepare_cached(rows.find)?
        .query_row(params![tpp, jti.as_bytes()], left);
    Ok(found.optional()?)
}

/// From `position, event, ends`.
pub(super) fn left(row: &Row<'_>) -> rusqlite::Result<Left> {
    Ok(Left {
        position: row.get(0)?,
        event: row.get(1)?,
        ends: row.get(2)?,
    })
}

fn remove(unit: &Unit, rows: &Rows, tpp: TppId, left: Left) -> Result<(), Error> {
    let changed = unit
        .db
        .prepare_cached(rows.delete)?
        .execute(params![tpp, left.position])?;
    expect_rows(changed, 1, "taking an event out")
}

fn write_end(unit: &mut Unit, end: &End<'_>, left: Left, now: Timestamp) -> Result<(), Error> {
    unit.db.prepare_cached(INSERT_SETTLEMENT)?.execute(params![
        left.event,
        left.ends,
        now.unix_ms(),
        outcome_code(end.outcome),
        settling_actor(end.actor, end.owner)
    ])?;
    unit.tally.ended(end.tpp, end.outcome.ending(), 1, now);
    Ok(())
}

/// The code of [`Outcome::Failed`].
pub(super) const FAILED: i64 = outcome_code(Outcome::Failed);

/// A narrow table that an event can leave.
pub(super) struct Rows {
    pub(super) find: &'static str,
    pub(super) delete: &'static str,
}

pub(super) const OUTSTANDING: Rows = Rows {
    find: concat!(
        "SELECT position, event, ends FROM outstanding WHERE jti = ?2 AND tpp = ?1",
        is_open!()
    ),
    delete: "DELETE FROM outstanding WHERE tpp = ?1 AND position = ?2",
};

pub(super) const FAILED_ROWS: Rows = Rows {
    find: "SELECT position, event, ends FROM failed WHERE jti = ?2 AND tpp = ?1",
    delete: "DELETE FROM failed WHERE tpp = ?1 AND position = ?2",
};

const SET_ASIDE: &str = "
    INSERT INTO failed (tpp, position, event, jti, family, kind, accepted_at, ends)
    SELECT tpp, position, event, jti, family, kind, accepted_at, ends + 1
    FROM outstanding WHERE jti = ?2 AND tpp = ?1";

const SUPERSEDE: &str = "
    UPDATE settlements SET superseded = 1 WHERE event = ?1 AND ends = ?2 AND superseded = 0";

pub(super) const INSERT_SETTLEMENT: &str =
    "INSERT INTO settlements (event, ends, at, outcome, actor) VALUES (?1, ?2, ?3, ?4, ?5)";
