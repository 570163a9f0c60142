//! A clock that was set back: what holds an event was to end at a moment of that clock. It is moved back with the clock, once, by
//! whoever asks for the TPP's events first ([`set_back`]).
//!
//! What was accepted before that was accepted, by this clock, in the future: that is no reason to wait, and is asked apart from
//! what statements ask all the time ([`super::open::Open::falls_due`]). Nodes' clocks always differ a little, so that is asked
//! often, and is one more walk along an index: what waits for its turn only stands there by its acceptance, between now and the
//! TPP's latest one. What is held in between makes the walk no longer than a bound.

use oyez_domain::ledger::set_back::{self, Reading};
use oyez_domain::time::Timestamp;

use uuid::Uuid;

use super::changes::{Changes, Fate};
use super::errors::expect_rows;
use super::open::{Open, open_columns};
use super::session::Session;
use super::state::State;
use super::unit::LONG;
use crate::Error;
use crate::codes::TppId;

/// Whether what was read of a TPP's events is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    /// Nothing was moved.
    AsRead,
    /// What holds events was moved back: they are to be read anew.
    MovedBack,
}

/// Notes when a TPP asks for events; moves back what holds them if the clock was.
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
    // This request is alone in its transaction ([`is_set_back`]).
    db.take_its_time(LONG).await?;
    db.execute(MOVE_BACK, &[&state.tpp.0, &now.unix_ms(), &by_ms])
        .await?;
    state.bounds.begin_anew();
    let lowered = db.execute(LOWER, &[&state.tpp.0]).await?;
    expect_rows(lowered, 1, "lowering bounds")?;
    Ok(Noted::MovedBack)
}

/// Whether a TPP that asks for events finds a clock set back: all that is outstanding is looked at then, by itself.
pub(super) fn is_set_back(state: &State, now: Timestamp) -> bool {
    matches!(set_back::read(now, state.seen_at), Reading::SetBack { .. })
}

/// So many of a TPP's events that are pushed at all, but for these.
pub(super) async fn pushable(
    db: &Session,
    tpp: TppId,
    (gone, gone_jtis): (&[i64], &[Uuid]),
    rows_max: i64,
) -> Result<Vec<Open>, Error> {
    let rows = db
        .rows(PUSHABLE, &[&tpp.0, &gone, &gone_jtis, &rows_max])
        .await?;
    rows.iter().map(|row| Open::read(row, 0)).collect()
}

/// Tells those who wait by a clock that was set back. What is pushable was read.
pub(super) fn tell(changes: &mut Changes, tpp: TppId, now: Timestamp) -> Result<(), Error> {
    let owner = changes.state(tpp)?.client_id.clone();
    changes.polls_news(tpp, &owner);
    let mut open = changes.open.values();
    let is_pushed = open.any(|held| {
        let row = &held.row;
        row.tpp == tpp && held.fate != Fate::Gone && (row.push_at.is_some() || row.refusals == 0)
    });
    changes.came_back(tpp, is_pushed.then_some(now), now)
}

/// What a walk may come to that waits for its turn only, by this column: after $2, which is now, and not after $3, the latest
/// acceptance. See [`super::open::Open::falls_due`].
macro_rules! walk_but_for_it {
    ($column:literal, $of:literal) => {
        concat!(
            "SELECT d.* FROM outstanding d WHERE d.tpp = $1::bigint",
            $of,
            " AND ",
            $column,
            " > $2::bigint AND ",
            $column,
            " <= $3::bigint ORDER BY ",
            $column,
            ", d.position LIMIT 10000"
        )
    };
}
pub(super) use walk_but_for_it;

/// Whether it waits for its turn only, by this column.
macro_rules! is_turn {
    ($column:literal) => {
        concat!(
            $column,
            " = d.accepted_at AND d.polled_until < d.accepted_at"
        )
    };
}
pub(super) use is_turn;

/// Which of them do, in the order in which they may go: what waits for nothing else by this column, then what is held.
macro_rules! turns_but_for_it {
    ($column:literal) => {
        concat!(
            $crate::postgres::clock::is_turn!($column),
            "
            ORDER BY greatest($2::bigint, d.polled_until, coalesce(d.flight_until, 0)), ",
            $column,
            ", d.position LIMIT $4::bigint"
        )
    };
}
pub(super) use turns_but_for_it;

/// Whether a moment is more than the one of acceptance, and to come: then it is a hold.
macro_rules! is_hold {
    ($($moment:tt)*) => {
        concat!(
            "(", $($moment)*, " > $2::bigint AND NOT (", $($moment)*,
            " = accepted_at AND polled_until < accepted_at))"
        )
    };
}

macro_rules! moved_back {
    ($($moment:tt)*) => {
        concat!("greatest($2::bigint, ", $($moment)*, " - $3::bigint)")
    };
}

/// What pushes go by, or would if the event were in their order already.
macro_rules! pushed_at {
    () => {
        "coalesce(push_at, CASE WHEN refusals = 0
            THEN greatest(accepted_at, polled_until, coalesce(flight_until, 0)) END)"
    };
}

// All of a TPP's rows are looked at: that is rare.
const MOVE_BACK: &str = concat!(
    "
    UPDATE outstanding SET
        due_at = CASE WHEN ",
    is_hold!("due_at"),
    " THEN ",
    moved_back!("due_at"),
    " ELSE due_at END,
        push_at = CASE WHEN ",
    is_hold!(pushed_at!()),
    " THEN ",
    moved_back!(pushed_at!()),
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
    is_hold!(pushed_at!()),
    " OR polled_until > $2::bigint OR flight_until > $2::bigint)"
);

const LOWER: &str = "
    UPDATE queues SET due_from = DEFAULT, push_from = DEFAULT WHERE tpp = $1::bigint";

const PUSHABLE: &str = concat!(
    "SELECT ",
    open_columns!("d"),
    " FROM outstanding d
    WHERE d.tpp = $1::bigint AND (d.push_at IS NOT NULL OR d.refusals = 0)
        AND (d.tpp, d.jti) NOT IN (SELECT * FROM unnest($2::bigint[], $3::uuid[]))
    LIMIT $4::bigint"
);
