//! A clock that was set back: what holds an event was to end at a moment of that clock. It is moved back with the clock, once, by
//! whoever asks for the TPP's events first ([`set_back`]).
//!
//! What was accepted before that was accepted, by this clock, in the future: that is no reason to wait, and is asked apart from
//! what statements ask all the time ([`super::open::Open::falls_due`]).

use oyez_domain::ledger::set_back::{self, Reading};
use oyez_domain::time::Timestamp;

use super::errors::expect_rows;
use super::session::Session;
use super::state::State;
use crate::Error;

/// Whether what was read of a TPP's events is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    /// Nothing was moved.
    AsRead,
    /// What holds events was moved back: they are to be read anew.
    MovedBack,
}

/// Notes when a TPP is given events; moves back what holds them if the clock was.
pub(super) async fn note(db: &Session, state: &mut State, now: Timestamp) -> Result<Noted, Error> {
    let reading = set_back::read(now, state.seen_at);
    if reading == Reading::Usual {
        return Ok(Noted::AsRead);
    }
    state.seen_at = now;
    state.is_changed = true;
    let Reading::SetBack { by } = reading else {
        return Ok(Noted::AsRead);
    };
    let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    db.execute(MOVE_BACK, &[&state.tpp.0, &now.unix_ms(), &by_ms])
        .await?;
    state.bounds.begin_anew();
    let lowered = db.execute(LOWER, &[&state.tpp.0]).await?;
    expect_rows(lowered, 1, "lowering bounds")?;
    Ok(Noted::MovedBack)
}

/// When an outstanding event falls due by this column, if it is $6 now. See [`super::open::Open::falls_due`].
macro_rules! but_for_it {
    ($column:literal) => {
        concat!(
            "CASE WHEN ",
            $column,
            " = d.accepted_at AND d.accepted_at > $6::bigint AND d.polled_until < d.accepted_at
                THEN greatest($6::bigint, d.polled_until, coalesce(d.flight_until, 0)) ELSE ",
            $column,
            " END"
        )
    };
}
pub(super) use but_for_it;

/// Whether a column is more than the moment of acceptance, and to come: then it is a hold.
macro_rules! is_hold {
    ($column:literal) => {
        concat!(
            "(",
            $column,
            " > $2::bigint AND NOT (",
            $column,
            " = accepted_at AND polled_until < accepted_at))"
        )
    };
}

macro_rules! moved_back {
    ($column:literal) => {
        concat!("greatest($2::bigint, ", $column, " - $3::bigint)")
    };
}

// What was handed out and is not in the order of pushes yet goes by that hand-out, so that is where it is entered.
// All of a TPP's rows are looked at: that is rare.
pub(super) const MOVE_BACK: &str = concat!(
    "
    UPDATE outstanding SET
        due_at = CASE WHEN ",
    is_hold!("due_at"),
    " THEN ",
    moved_back!("due_at"),
    " ELSE due_at END,
        push_at = CASE WHEN push_at IS NULL AND refusals = 0 AND polled_until >= accepted_at
                AND polled_until > $2::bigint THEN ",
    moved_back!("polled_until"),
    " WHEN ",
    is_hold!("push_at"),
    " THEN ",
    moved_back!("push_at"),
    " ELSE push_at END,
        polled_until = CASE WHEN polled_until > $2::bigint THEN ",
    moved_back!("polled_until"),
    " ELSE polled_until END,
        flight_until = CASE WHEN flight_until > $2::bigint THEN ",
    moved_back!("flight_until"),
    " ELSE flight_until END
    WHERE tpp = $1::bigint AND (",
    is_hold!("due_at"),
    " OR ",
    is_hold!("push_at"),
    "
        OR polled_until > $2::bigint OR flight_until > $2::bigint)"
);

const LOWER: &str = "
    UPDATE queues SET due_from = DEFAULT, push_from = DEFAULT WHERE tpp = $1::bigint";
