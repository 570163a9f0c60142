//! Aggregated polling: acknowledgements and errors first, then a choice (P-02 … P-14).
//!
//! What is visible to a token is a handful of families, and each is one walk along an index: events that the token may not
//! see cost it nothing, however many they are.

use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::poll::{NothingToPoll, Patience, Poll, Polled, SetError};
use oyez_domain::ledger::sets::{SetState, Work};
use oyez_domain::life::Acknowledged;
use oyez_domain::registration::Registrations;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use rusqlite::{OptionalExtension, Row, params};

use super::clock;
use super::codes::{family_code, moment, moment_or_null};
use super::errors::expect_rows;
use super::hand_outs::{HandOuts, Handed};
use super::registrations;
use super::settle;
use super::tpps::{Known, TppId, know};
use super::withdraw::is_open;
use super::work::{Chosen, Signer};
use super::writer::Unit;
use crate::Error;

/// See [`crate::Store::poll`].
pub(super) fn poll(unit: &mut Unit, poll: &Poll, now: Timestamp) -> Result<Polled, Error> {
    let Some(known) = know(&unit.db, &poll.client_id)? else {
        return Ok(nothing(Vec::new(), Some(NothingToPoll::NotServed)));
    };
    let mut hand_outs = HandOuts::default();
    let settled = apply(unit, known.id, poll, &mut hand_outs, now)?;
    if !known.served {
        return Ok(nothing(settled, Some(NothingToPoll::NotServed)));
    }
    let registrations = registrations::of(&unit.db, known.id)?;
    if let Err(refusal) = routing::may_poll(&unit.rules, &registrations) {
        return Ok(nothing(settled, Some(refusal)));
    }
    if known.is_withdrawing {
        // Whoever waits hears of it when that is done.
        return Ok(nothing(settled, None));
    }
    if poll.events_max > 0 {
        clock::note(unit, (known.id, &poll.client_id), now)?;
    }
    let work = hand_out(unit, known, registrations, poll, &mut hand_outs, now)?;
    let next_due_at = next_due_at(unit, known.id, poll, now)?;
    Ok(Polled {
        settled,
        work,
        more_available: next_due_at.is_some_and(|due_at| due_at <= now),
        next_due_at,
        refusal: None,
    })
}

const fn nothing(settled: Vec<Jti>, refusal: Option<NothingToPoll>) -> Polled {
    Polled {
        settled,
        work: Vec::new(),
        more_available: false,
        next_due_at: None,
        refusal,
    }
}

fn apply(
    unit: &mut Unit,
    tpp: TppId,
    poll: &Poll,
    hand_outs: &mut HandOuts,
    now: Timestamp,
) -> Result<Vec<Jti>, Error> {
    let mut settled = Vec::with_capacity(poll.acks.len());
    for jti in &poll.acks {
        let owner = (tpp, &poll.client_id);
        if settle::acknowledge(unit, owner, *jti, Acknowledged::Poll, now)? {
            settled.push(*jti);
        }
    }
    let errors = poll.errors.iter();
    for (jti, error) in errors.filter(|(jti, _)| !poll.acks.contains(jti)) {
        if report_error(unit, tpp, poll, (*jti, error), hand_outs, now)? {
            settled.push(*jti);
        }
    }
    Ok(settled)
}

/// Counts an error; answers whether it settled the event.
fn report_error(
    unit: &mut Unit,
    tpp: TppId,
    poll: &Poll,
    (jti, error): (Jti, &SetError),
    hand_outs: &mut HandOuts,
    now: Timestamp,
) -> Result<bool, Error> {
    let owner: (TppId, &ClientId) = (tpp, &poll.client_id);
    if error.is_duplicate_notice() {
        return settle::acknowledge(unit, owner, jti, Acknowledged::Duplicate, now);
    }
    let counted: Option<(i64, u32)> = unit
        .db
        .prepare_cached(COUNT_ERROR)?
        .query_row(params![tpp, jti.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((event, errors)) = counted else {
        return Ok(false);
    };
    let row = hand_outs.poll_row(unit, &poll.interaction_id, now)?;
    unit.db.prepare_cached(INSERT_ERROR)?.execute(params![
        event,
        row,
        error.err,
        error.description
    ])?;
    let spent = errors >= poll.limits.error_cap.get();
    if spent {
        settle::fail(unit, owner, jti, now)?;
    }
    Ok(spent)
}

fn hand_out(
    unit: &mut Unit,
    known: Known,
    registrations: Registrations,
    poll: &Poll,
    hand_outs: &mut HandOuts,
    now: Timestamp,
) -> Result<Vec<Work>, Error> {
    let chosen = choose(unit, known.id, poll, now)?;
    let mut signer = Signer::new(known.id, &poll.client_id, registrations);
    let again_at = now + poll.limits.redelivery_delay;
    let mut work = Vec::with_capacity(chosen.len());
    for chosen in chosen {
        let Some(ready) = signer.prepare(unit, &chosen, now)? else {
            continue;
        };
        let goes_out = matches!(ready.set, SetState::Kept(_));
        let changed = unit.db.prepare_cached(HOLD_BACK)?.execute(params![
            known.id,
            chosen.position,
            again_at.unix_ms(),
            goes_out
        ])?;
        expect_rows(changed, 1, "holding a handed-out event back")?;
        if goes_out {
            let handed = Handed {
                tpp: known.id,
                owner: &poll.client_id,
                jti: chosen.jti,
                event: chosen.event,
                hand_outs: chosen.hand_outs + 1,
            };
            let cap = poll.limits.hand_out_cap;
            hand_outs.record(unit, &handed, cap, &poll.interaction_id, now)?;
        }
        work.push(ready);
    }
    Ok(work)
}

fn choose(unit: &Unit, tpp: TppId, poll: &Poll, now: Timestamp) -> Result<Vec<Chosen>, Error> {
    let due_max = match poll.patience {
        Patience::Immediate => Timestamp::MAX,
        Patience::WaitForDue => now,
    };
    let mut found: Vec<(Timestamp, Chosen)> = match poll.limits.order {
        DeliveryOrder::Strict => oldest_visible(unit, tpp, poll, now)?
            .filter(|(due_at, _)| *due_at <= due_max)
            .into_iter()
            .collect(),
        DeliveryOrder::Concurrent => {
            let mut found = due(unit, CHOOSE, tpp, poll, due_max)?;
            let enough = usize::try_from(poll.events_max).unwrap_or(usize::MAX);
            if found.len() < enough && due_max == now && clock::was_set_back(unit, tpp, now)? {
                found.append(&mut due(unit, CHOOSE_BUT_FOR_THE_CLOCK, tpp, poll, now)?);
            }
            found
        }
    };
    found.sort_by_key(|(due_at, chosen)| (*due_at, chosen.position));
    found.truncate(usize::try_from(poll.events_max).unwrap_or(usize::MAX));
    Ok(found.into_iter().map(|(_, chosen)| chosen).collect())
}

/// What falls due until then, by this statement, of each family that the token may see.
fn due(
    unit: &Unit,
    statement: &str,
    tpp: TppId,
    poll: &Poll,
    until: Timestamp,
) -> Result<Vec<(Timestamp, Chosen)>, Error> {
    let mut statement = unit.db.prepare_cached(statement)?;
    let mut found = Vec::new();
    for family in visible(poll) {
        let bounds = params![tpp, until.unix_ms(), family, poll.events_max];
        for row in statement.query_map(bounds, chosen)? {
            let (due_at, _, chosen) = row?;
            found.push((due_at, chosen));
        }
    }
    Ok(found)
}

/// In strict order only the oldest counts, and a token that may not see it sees nothing (D-10, A-10).
fn oldest_visible(
    unit: &Unit,
    tpp: TppId,
    poll: &Poll,
    now: Timestamp,
) -> Result<Option<(Timestamp, Chosen)>, Error> {
    let oldest = unit
        .db
        .prepare_cached(OLDEST)?
        .query_row(params![tpp, now.unix_ms()], chosen)
        .optional()?;
    Ok(oldest
        .filter(|(_, family, _)| visible(poll).any(|visible| visible == *family))
        .map(|(due_at, _, chosen)| (due_at, chosen)))
}

fn next_due_at(
    unit: &Unit,
    tpp: TppId,
    poll: &Poll,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    if poll.limits.order == DeliveryOrder::Strict {
        let oldest = oldest_visible(unit, tpp, poll, now)?;
        return Ok(oldest.map(|(due_at, _)| due_at));
    }
    let earliest = |statement| -> Result<Option<Timestamp>, Error> {
        let mut statement = unit.db.prepare_cached(statement)?;
        let mut earliest: Option<Timestamp> = None;
        for family in visible(poll) {
            let due_at = statement.query_row(params![tpp, now.unix_ms(), family], |row| {
                moment_or_null(row, 0)
            })?;
            earliest = earliest.into_iter().chain(due_at).min();
        }
        Ok(earliest)
    };
    let soonest = earliest(NEXT_DUE)?;
    if soonest.is_some_and(|at| at > now) && clock::was_set_back(unit, tpp, now)? {
        return earliest(NEXT_DUE_BUT_FOR_THE_CLOCK);
    }
    Ok(soonest)
}

/// Each family once, however often a caller names it.
fn visible(poll: &Poll) -> impl Iterator<Item = i64> {
    Family::ALL
        .into_iter()
        .filter(|family| poll.families.contains(family))
        .map(family_code)
}

/// A choice from `due_at, family` and the columns of [`Chosen::read`].
fn chosen(row: &Row<'_>) -> rusqlite::Result<(Timestamp, i64, Chosen)> {
    Ok((moment(row, 0)?, row.get(1)?, Chosen::read(row, 2)?))
}

pub(super) const CHOOSE: &str = "
    SELECT due_at, family, position, event, jti, accepted_at, hand_outs, refusals,
        refused_since, endpoint_failures
    FROM outstanding INDEXED BY outstanding_due
    WHERE tpp = ?1 AND family = ?3 AND due_at <= ?2 ORDER BY due_at, position LIMIT ?4";

pub(super) const CHOOSE_BUT_FOR_THE_CLOCK: &str = concat!(
    "
    SELECT due_at, family, position, event, jti, accepted_at, hand_outs, refusals,
        refused_since, endpoint_failures
    FROM outstanding INDEXED BY outstanding_due
    WHERE tpp = ?1 AND family = ?3 AND due_at > ?2 AND ",
    clock::but_for_it!("due_at"),
    " <= ?2
    ORDER BY due_at, position LIMIT ?4"
);

pub(super) const OLDEST: &str = concat!(
    "
    SELECT ",
    clock::but_for_it!("due_at"),
    ", family, position, event, jti, accepted_at, hand_outs, refusals,
        refused_since, endpoint_failures
    FROM outstanding WHERE tpp = ?1 ORDER BY position LIMIT 1"
);

// ?2 is of the other statement for the same question.
pub(super) const NEXT_DUE: &str = "
    SELECT min(due_at) FROM outstanding INDEXED BY outstanding_due
    WHERE tpp = ?1 AND family = ?3 AND ?2 IS NOT NULL";

// The first that is due answers it; only if there is none, all are looked at.
pub(super) const NEXT_DUE_BUT_FOR_THE_CLOCK: &str = concat!(
    "
    SELECT coalesce(
        (SELECT ?2 FROM outstanding INDEXED BY outstanding_due
            WHERE tpp = ?1 AND family = ?3 AND due_at > ?2 AND ",
    clock::but_for_it!("due_at"),
    " <= ?2 LIMIT 1),
        (SELECT min(",
    clock::but_for_it!("due_at"),
    ") FROM outstanding INDEXED BY outstanding_due
            WHERE tpp = ?1 AND family = ?3))"
);

// max() of a NULL is NULL: what is not pushed stays so. By a clock that was set back an earlier hand-out may end later: its
// acknowledgement may still come, and who pushes knows no other moment.
pub(super) const HOLD_BACK: &str = "
    UPDATE outstanding SET due_at = ?3, polled_until = max(polled_until, ?3), push_at = max(push_at, ?3),
        hand_outs = hand_outs + ?4
    WHERE tpp = ?1 AND position = ?2";

const COUNT_ERROR: &str = concat!(
    "
    UPDATE outstanding SET errors = errors + 1 WHERE jti = ?2 AND tpp = ?1",
    is_open!(),
    " RETURNING event, errors"
);

const INSERT_ERROR: &str =
    "INSERT INTO set_errors (event, poll, err, description) VALUES (?1, ?2, ?3, ?4)";
