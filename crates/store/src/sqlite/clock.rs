//! A clock that was set back: what was accepted before that was accepted, by that clock, in the future.
//!
//! An event whose moment is the one of its acceptance waits for nothing but its turn, so no clock may keep it. That is asked
//! apart from what statements ask all the time: as long as nothing was accepted in the future it costs one look into an
//! index.
//!
//! What does hold an event, a flight or a hand-out or a refusal, was to end at a moment of that clock too. It is moved back
//! with the clock, once, by whoever asks for the TPP's events first.

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::set_back::{self, Reading};
use oyez_domain::time::Timestamp;
use rusqlite::params;

use super::codes::moment;
use super::errors::expect_rows;
use super::lanes;
use super::push;
use super::tpps::TppId;
use super::writer::Unit;
use crate::Error;

/// Notes when a TPP asks for events; moves back what holds them if the clock was, and tells those who wait by the old one.
pub(super) fn note(
    unit: &mut Unit,
    owner: (TppId, &ClientId),
    now: Timestamp,
) -> Result<(), Error> {
    let tpp = owner.0;
    let latest = unit
        .db
        .prepare_cached(LATEST)?
        .query_row([tpp], |row| moment(row, 0))?;
    match set_back::read(now, latest) {
        Reading::Usual => return Ok(()),
        Reading::Later => {}
        Reading::SetBack { by } => {
            let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            let mut move_back = unit.db.prepare_cached(MOVE_BACK)?;
            move_back.execute(params![tpp, now.unix_ms(), by])?;
            drop(move_back);
            unit.news.of(owner).polls = true;
            if push::has_address(unit, tpp)? {
                lanes::news_if_pushable(unit, owner, now)?;
            }
        }
    }
    let mut note = unit.db.prepare_cached(NOTE)?;
    let changed = note.execute(params![tpp, now.unix_ms()])?;
    expect_rows(changed, 1, "noting the clock")
}

/// Whether something of this TPP may be outstanding that was accepted after now. Of much that was, others' too, only some is
/// looked at: then it may be.
pub(super) fn was_set_back(unit: &Unit, tpp: TppId, now: Timestamp) -> Result<bool, Error> {
    let mut statement = unit.db.prepare_cached(ACCEPTED_LATER)?;
    let bounds = params![tpp, now.unix_ms(), LOOKED_AT_MAX];
    Ok(statement.query_row(bounds, |row| row.get(0))?)
}

/// When an outstanding event falls due by this column, if it is ?2 now: a moment of acceptance that is still to come is no
/// reason to wait, but a poll's hand-out or a flight is. A hand-out at that very moment, without delay, is nothing else.
macro_rules! but_for_it {
    ($column:literal) => {
        concat!(
            "iif(",
            $column,
            " = accepted_at AND accepted_at > ?2 AND polled_until < accepted_at,
                max(?2, polled_until, coalesce(flight_until, 0)), ",
            $column,
            ")"
        )
    };
}
pub(super) use but_for_it;

/// Whether a moment is more than the one of acceptance, and to come: then it is a hold.
macro_rules! is_hold {
    ($($moment:tt)*) => {
        concat!("(", $($moment)*, " > ?2 AND NOT (", $($moment)*, " = accepted_at AND polled_until < accepted_at))")
    };
}

macro_rules! moved_back {
    ($($moment:tt)*) => {
        concat!("max(?2, ", $($moment)*, " - ?3)")
    };
}

/// What pushes go by, or would if the event were in their order already.
macro_rules! pushed_at {
    () => {
        "coalesce(push_at,
            iif(refusals = 0, max(accepted_at, polled_until, coalesce(flight_until, 0)), NULL))"
    };
}

const LATEST: &str = "SELECT seen_at FROM queues WHERE tpp = ?1";

const NOTE: &str = "UPDATE queues SET seen_at = ?2 WHERE tpp = ?1";

// All of a TPP's rows are looked at: that is rare, and some tenths of a second for a million.
pub(super) const MOVE_BACK: &str = concat!(
    "
    UPDATE outstanding SET
        due_at = iif(",
    is_hold!("due_at"),
    ", ",
    moved_back!("due_at"),
    ", due_at),
        push_at = iif(",
    is_hold!(pushed_at!()),
    ", ",
    moved_back!(pushed_at!()),
    ", push_at),
        polled_until = iif(polled_until > ?2, ",
    moved_back!("polled_until"),
    ", polled_until),
        flight_until = iif(flight_until > ?2, ",
    moved_back!("flight_until"),
    ", flight_until)
    WHERE tpp = ?1 AND (",
    is_hold!("due_at"),
    " OR ",
    is_hold!(pushed_at!()),
    " OR polled_until > ?2 OR flight_until > ?2)"
);

// No more than this is read of what others have: whoever is told wrongly that it may be looks at its own events.
pub(super) const ACCEPTED_LATER: &str = "
    SELECT coalesce(max(tpp = ?1), 0) OR count(*) = ?3
    FROM (SELECT tpp FROM outstanding INDEXED BY outstanding_by_age WHERE accepted_at > ?2 LIMIT ?3)";

/// Some microseconds.
const LOOKED_AT_MAX: u32 = 64;
