//! Pushing: what to send next, what was chosen and not tried, and where pushing begins anew (D-01 … D-10, P-14).

use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::lanes::Claim;
use oyez_domain::ledger::push::{Choice, DueForPush};
use oyez_domain::ledger::sets::Look;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use rusqlite::{OptionalExtension, params};

use super::clock;
use super::codes::moment_or_null;
use super::errors::expect_rows;
use super::lanes;
use super::registrations;
use super::tpps::{Known, TppId, know};
use super::withdraw::is_open;
use super::work::{Chosen, Signer};
use super::writer::Unit;
use crate::Error;

/// See [`crate::Store::due_for_push`].
pub(super) fn due(
    unit: &mut Unit,
    claim: &Claim,
    client_id: &ClientId,
    look: Look,
    now: Timestamp,
) -> Result<Option<DueForPush>, Error> {
    let Some(known) = know(&unit.db, client_id)? else {
        return Ok(None);
    };
    let Some(owned) = lanes::owned(unit, claim, known.id)? else {
        return Ok(None);
    };
    let registrations = registrations::of(&unit.db, known.id)?;
    let callback_url = routing::push_address(&unit.rules, &registrations);
    let in_flight_until = now + look.in_flight_for;
    let Some(callback_url) = callback_url.filter(|_| known.served).map(str::to_owned) else {
        return Ok(Some(DueForPush {
            callback_url: None,
            work: Vec::new(),
            in_flight_until,
            next_at: None,
        }));
    };
    if known.is_withdrawing {
        // The lane hears of it when that is done.
        return Ok(Some(DueForPush {
            callback_url: Some(callback_url),
            work: Vec::new(),
            in_flight_until,
            next_at: None,
        }));
    }
    if look.events_max > 0 {
        clock::note(unit, (known.id, client_id), now)?;
    }
    let beyond = match owned.unlisted_from {
        Some(from) => list_more(unit, known.id, from)?,
        None => None,
    };
    let mut signer = Signer::new(known.id, client_id, registrations);
    let mut work = Vec::new();
    for chosen in choose(unit, known, (look.events_max, beyond), now)? {
        let Some(ready) = signer.prepare(unit, &chosen, now)? else {
            continue;
        };
        let changed = unit.db.prepare_cached(TAKE_OFF)?.execute(params![
            known.id,
            chosen.position,
            in_flight_until.unix_ms(),
            owned.begun
        ])?;
        expect_rows(changed, 1, "putting an event in flight")?;
        work.push(ready);
    }
    let next_at = match beyond {
        Some(_) => Some(now),
        None => next_push_at(unit, known, now)?,
    };
    Ok(Some(DueForPush {
        callback_url: Some(callback_url),
        work,
        in_flight_until,
        next_at,
    }))
}

/// See [`crate::Store::put_back`].
pub(super) fn put_back(
    unit: &mut Unit,
    client_id: &ClientId,
    choices: &[Choice],
    now: Timestamp,
) -> Result<u64, Error> {
    let Some(known) = know(&unit.db, client_id)? else {
        return Ok(0);
    };
    let mut put_back = 0;
    let mut next_push_at: Option<Timestamp> = None;
    for choice in choices {
        let key = params![
            choice.jti.as_bytes(),
            now.unix_ms(),
            known.id,
            choice.in_flight_until.unix_ms()
        ];
        let push_at = unit
            .db
            .prepare_cached(PUT_BACK)?
            .query_row(key, |row| moment_or_null(row, 0));
        if let Some(push_at) = push_at.optional()? {
            put_back += 1;
            next_push_at = next_push_at.into_iter().chain(push_at).min();
        }
    }
    if put_back > 0 {
        unit.news.of((known.id, client_id)).polls = true;
    }
    news_of(unit, (known.id, client_id), next_push_at, now)?;
    Ok(put_back)
}

/// Pushing begins anew for everything outstanding of a TPP that has an address: what has something held against it, at its old
/// turn with nothing. Who pushes one just now goes on, and what comes of that is not charged. Answers how many had something
/// held against them: no other row is touched.
pub(super) fn begin_anew(unit: &Unit, tpp: TppId, now: Timestamp) -> Result<usize, Error> {
    let changed = unit.db.prepare_cached(BEGIN)?.execute([tpp])?;
    expect_rows(changed, 1, "beginning anew")?;
    let mut statement = unit.db.prepare_cached(BEGIN_ANEW)?;
    Ok(statement.execute(params![tpp, now.unix_ms()])?)
}

/// As [`begin_anew`], for one event; answers whether it is outstanding.
pub(super) fn begin_one_anew(
    unit: &Unit,
    tpp: TppId,
    jti: Jti,
    now: Timestamp,
) -> Result<bool, Error> {
    let mut statement = unit.db.prepare_cached(BEGIN_ONE_ANEW)?;
    Ok(statement.execute(params![tpp, now.unix_ms(), jti.as_bytes()])? == 1)
}

/// Whoever has the lane, it hears of what came back to it, if there is an address to push it to.
pub(super) fn news_of(
    unit: &mut Unit,
    owner: (TppId, &ClientId),
    next_push_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Error> {
    match next_push_at {
        Some(push_at) if has_address(unit, owner.0)? => lanes::news(unit, owner, push_at.max(now)),
        Some(_) | None => Ok(()),
    }
}

/// Whether there is anywhere to push to.
pub(super) fn has_address(unit: &Unit, tpp: TppId) -> Result<bool, Error> {
    let registrations = registrations::of(&unit.db, tpp)?;
    Ok(routing::push_address(&unit.rules, &registrations).is_some())
}

/// Enters a few more of the events that were accepted while there was no address into the order of pushes, the oldest
/// first; answers from which position on there may be more of them.
fn list_more(unit: &Unit, tpp: TppId, from: u64) -> Result<Option<u64>, Error> {
    let beyond: Option<u64> = unit
        .db
        .prepare_cached(LISTED_AT_ONCE)?
        .query_row(params![tpp, from, LISTED_MAX], |row| row.get(0))
        .optional()?;
    unit.db
        .prepare_cached(LIST)?
        .execute(params![tpp, from, beyond])?;
    unit.db
        .prepare_cached(LISTED)?
        .execute(params![tpp, beyond])?;
    Ok(beyond)
}

/// What is due. Nothing from the position on from which the order of pushes is not whole: it would overtake what is not
/// entered yet (D-10).
fn choose(
    unit: &Unit,
    known: Known,
    (events_max, beyond): (u32, Option<u64>),
    now: Timestamp,
) -> Result<Vec<Chosen>, Error> {
    let choose = |statement, events_max: u32| -> Result<Vec<Chosen>, Error> {
        let mut statement = unit.db.prepare_cached(statement)?;
        let bounds = params![known.id, now.unix_ms(), events_max, beyond];
        let rows = statement.query_map(bounds, |row| Chosen::read(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    match order(unit, known) {
        DeliveryOrder::Strict => choose(OLDEST_DUE, events_max),
        DeliveryOrder::Concurrent => {
            let mut chosen = choose(DUE, events_max)?;
            let more = events_max.saturating_sub(u32::try_from(chosen.len()).unwrap_or(u32::MAX));
            if more > 0 && clock::was_set_back(unit, known.id, now)? {
                chosen.extend(choose(DUE_BUT_FOR_THE_CLOCK, more)?);
            }
            Ok(chosen)
        }
    }
}

fn next_push_at(unit: &Unit, known: Known, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let next = |statement| -> Result<Option<Timestamp>, Error> {
        let mut statement = unit.db.prepare_cached(statement)?;
        let next = statement.query_row(params![known.id, now.unix_ms()], |row| {
            moment_or_null(row, 0)
        });
        Ok(next.optional()?.flatten())
    };
    if order(unit, known) == DeliveryOrder::Strict {
        return next(OLDEST_PUSH);
    }
    let soonest = next(NEXT_PUSH)?;
    if soonest.is_some_and(|at| at > now) && clock::was_set_back(unit, known.id, now)? {
        return next(NEXT_PUSH_BUT_FOR_THE_CLOCK);
    }
    Ok(soonest)
}

fn order(unit: &Unit, known: Known) -> DeliveryOrder {
    known.own_order.unwrap_or(unit.rules.switches.order)
}

pub(super) const DUE: &str = "
    SELECT position, event, jti, accepted_at, hand_outs, refusals, refused_since, endpoint_failures
    FROM outstanding INDEXED BY outstanding_push
    WHERE tpp = ?1 AND push_at <= ?2 AND position < coalesce(?4, 1 << 62)
    ORDER BY push_at, position LIMIT ?3";

pub(super) const OLDEST_DUE: &str = concat!(
    "
    SELECT position, event, jti, accepted_at, hand_outs, refusals, refused_since, endpoint_failures
    FROM (SELECT * FROM outstanding WHERE tpp = ?1 ORDER BY position LIMIT 1)
    WHERE position < coalesce(?4, 1 << 62) AND max(",
    clock::but_for_it!("push_at"),
    ", ",
    clock::but_for_it!("due_at"),
    ") <= ?2 LIMIT ?3"
);

// ?2 is of the other statements for the same question.
pub(super) const NEXT_PUSH: &str = "
    SELECT min(push_at) FROM outstanding INDEXED BY outstanding_push
    WHERE tpp = ?1 AND push_at IS NOT NULL AND ?2 IS NOT NULL";

// max() of a NULL is NULL: the oldest waits for a poll, and everything behind it.
pub(super) const OLDEST_PUSH: &str = concat!(
    "
    SELECT max(",
    clock::but_for_it!("push_at"),
    ", ",
    clock::but_for_it!("due_at"),
    ")
    FROM outstanding WHERE tpp = ?1 ORDER BY position LIMIT 1"
);

pub(super) const DUE_BUT_FOR_THE_CLOCK: &str = concat!(
    "
    SELECT position, event, jti, accepted_at, hand_outs, refusals, refused_since, endpoint_failures
    FROM outstanding INDEXED BY outstanding_push
    WHERE tpp = ?1 AND push_at > ?2 AND ",
    clock::but_for_it!("push_at"),
    " <= ?2 AND position < coalesce(?4, 1 << 62)
    ORDER BY push_at, position LIMIT ?3"
);

// The first that is due answers it; only if there is none, all are looked at.
pub(super) const NEXT_PUSH_BUT_FOR_THE_CLOCK: &str = concat!(
    "
    SELECT coalesce(
        (SELECT ?2 FROM outstanding INDEXED BY outstanding_push
            WHERE tpp = ?1 AND push_at > ?2 AND ",
    clock::but_for_it!("push_at"),
    " <= ?2 LIMIT 1),
        (SELECT min(",
    clock::but_for_it!("push_at"),
    ") FROM outstanding INDEXED BY outstanding_push
            WHERE tpp = ?1 AND push_at IS NOT NULL))"
);

pub(super) const TAKE_OFF: &str = "
    UPDATE outstanding SET due_at = max(due_at, ?3), push_at = ?3, flight_until = ?3, begun = ?4
    WHERE tpp = ?1 AND position = ?2";

// An event's turn is by its acceptance, though not while a poll may still bring its acknowledgement.
pub(super) const PUT_BACK: &str = concat!(
    "
    UPDATE outstanding SET due_at = max(accepted_at, polled_until),
        push_at = max(accepted_at, polled_until), flight_until = NULL
    WHERE jti = ?1 AND tpp = ?3 AND flight_until = ?4",
    is_open!(),
    " RETURNING ",
    clock::but_for_it!("push_at")
);

/// At most so many rows are entered into the order of pushes before a choice: some milliseconds of the writer, and more than
/// any choice takes.
const LISTED_MAX: u32 = 1_024;

/// The first position that is left for the next time.
pub(super) const LISTED_AT_ONCE: &str = "
    SELECT position FROM outstanding WHERE tpp = ?1 AND position >= ?2 ORDER BY position LIMIT 1 OFFSET ?3";

// What is used up has been refused.
pub(super) const LIST: &str = "
    UPDATE outstanding SET push_at = max(accepted_at, polled_until, coalesce(flight_until, 0))
    WHERE tpp = ?1 AND position >= ?2 AND position < coalesce(?3, 1 << 62)
        AND push_at IS NULL AND refusals = 0";

const LISTED: &str = "UPDATE queues SET unlisted_from = ?2 WHERE tpp = ?1";

const BEGIN: &str = "UPDATE queues SET begun = begun + 1 WHERE tpp = ?1";

pub(super) const BEGIN_ANEW: &str = "
    UPDATE outstanding INDEXED BY outstanding_charged SET
        push_at = max(accepted_at, polled_until, iif(flight_until > ?2, flight_until, 0)),
        refusals = 0, refused_since = NULL, endpoint_failures = 0
    WHERE tpp = ?1 AND (refusals > 0 OR endpoint_failures > 0)";

// The event alone begins anew, so no count of its TPP's tells: -1 is none of them.
pub(super) const BEGIN_ONE_ANEW: &str = concat!(
    "
    UPDATE outstanding SET
        push_at = max(accepted_at, polled_until, iif(flight_until > ?2, flight_until, 0)),
        refusals = 0, refused_since = NULL, endpoint_failures = 0,
        begun = iif(flight_until IS NULL, begun, -1)
    WHERE tpp = ?1 AND jti = ?3",
    is_open!()
);
