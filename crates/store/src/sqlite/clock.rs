//! A clock that was set back: what was accepted before that was accepted, by that clock, in the future.
//!
//! An event whose moment is the one of its acceptance waits for nothing but its turn, so no clock may keep it. That is asked
//! apart from what statements ask all the time: as long as nothing was accepted in the future it costs one look into an
//! index.

use oyez_domain::time::Timestamp;
use rusqlite::params;

use super::tpps::TppId;
use super::writer::Unit;
use crate::Error;

/// Whether something of this TPP is outstanding that was accepted after now.
pub(super) fn was_set_back(unit: &Unit, tpp: TppId, now: Timestamp) -> Result<bool, Error> {
    let mut statement = unit.db.prepare_cached(ACCEPTED_LATER)?;
    Ok(statement.query_row(params![tpp, now.unix_ms()], |row| row.get(0))?)
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

pub(super) const ACCEPTED_LATER: &str = "
    SELECT EXISTS (SELECT 1 FROM outstanding INDEXED BY outstanding_by_age WHERE accepted_at > ?2 AND tpp = ?1)";
