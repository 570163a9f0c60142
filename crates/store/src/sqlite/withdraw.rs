//! Taking outstanding events back: what a registration no longer wants, and what an operator names (S-05, S-12, C-07a, I-04).
//!
//! A change of registration may withdraw a million events, and everybody's requests go through one writer. So its transaction
//! writes a batch of their ends and leaves the rest: two small rows per TPP say which kinds are withdrawn, and from that
//! commit on no event of theirs is found, handed out, pushed, or counted as outstanding. The writer goes on batch by batch
//! between other requests, over a restart too. Until it is done nothing goes out to the TPP, its registrations cannot be
//! changed again, and lists and the files of single events still show ends that are not written as open.

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::life::{Ending, Outcome, Settlement, Withdrawn};
use oyez_domain::registration::Registrations;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::audit::note_events;
use super::codes::{self, moment, outcome_code, parse, settling_actor};
use super::kinds::{self, Unwanted};
use super::lanes;
use super::registrations;
use super::settle::{self, End, Left};
use super::tpps::{Known, TppId, know};
use super::writer::Unit;
use crate::Error;

/// Withdraws what these registrations do not want; answers how many.
pub(super) fn unwanted(
    unit: &mut Unit,
    owner: (TppId, &ClientId),
    actor: &Actor,
    after: &Registrations,
    now: Timestamp,
) -> Result<u64, Error> {
    let Some(unwanted) = kinds::unwanted(unit, owner.0, after)? else {
        return Ok(0);
    };
    begin(unit, owner, actor, &unwanted, now)?;
    let batch = write_batch(unit, owner.0)?;
    let left: u64 = if batch.is_last {
        0
    } else {
        let mut left = unit.db.prepare_cached(LEFT)?;
        left.query_row([owner.0], |row| row.get(0))?
    };
    let withdrawn = batch.ends + left;
    if withdrawn > 0 {
        unit.tally.ended(owner.0, Ending::Withdrawn, withdrawn, now);
        unit.news.of(owner).ends = true;
        lanes::next_in_line(unit, owner, now)?;
    }
    Ok(withdrawn)
}

/// Whether a TPP's registrations may be changed: one change is done with before the next.
pub(super) fn refuse_while_going_on(known: Known) -> Result<(), Error> {
    if known.is_withdrawing {
        return Err(going_on());
    }
    Ok(())
}

/// What cannot be done before a withdrawal is done with.
pub(super) fn going_on() -> Error {
    Error::Busy {
        detail: "what the last change of this TPP's registrations withdrew is being written"
            .to_owned(),
    }
}

/// How far a withdrawal has come that was too much for one transaction; `None` if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    tpp: TppId,
    from_position: u64,
}

/// What is left to write, of one TPP.
pub(super) fn rest(db: &Connection) -> Result<Option<Rest>, Error> {
    let rest = db.prepare_cached(REST)?.query_row([], |row| {
        Ok(Rest {
            tpp: row.get(0)?,
            from_position: row.get(1)?,
        })
    });
    Ok(rest.optional()?)
}

/// Writes another batch of what is left, if something is. What stood still meanwhile goes on after the last.
pub(super) fn go_on(unit: &mut Unit) -> Result<(), Error> {
    let Some(Rest { tpp, .. }) = rest(&unit.db)? else {
        return Ok(());
    };
    let (owner, at): (String, _) = unit
        .db
        .prepare_cached(WHOSE)?
        .query_row([tpp], |row| Ok((row.get(0)?, moment(row, 1)?)))?;
    let owner: ClientId = parse(&owner, "client_id")?;
    if write_batch(unit, tpp)?.is_last {
        unit.news.of((tpp, &owner)).polls = true;
        let registrations = registrations::of(&unit.db, tpp)?;
        if routing::push_address(&unit.rules, &registrations).is_some() {
            lanes::news_if_pushable(unit, (tpp, &owner), at)?;
        }
    }
    Ok(())
}

/// The end of whatever a TPP's withdrawal that is going on has not come to.
pub(super) fn end(
    unit: &Unit,
    (tpp, owner): (TppId, &ClientId),
) -> Result<Option<Settlement>, Error> {
    let mut statement = unit.db.prepare_cached(GOING_ON)?;
    let mut rows = statement.query([tpp])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let actor: Option<String> = row.get(2)?;
    let (at, outcome) = (moment(row, 0)?, row.get(1)?);
    codes::settlement(at, outcome, actor.as_deref(), owner).map(Some)
}

/// See [`crate::Store::withdraw`].
pub(super) fn named(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    jtis: &[Jti],
    now: Timestamp,
) -> Result<u64, Error> {
    let Some(known) = know(&unit.db, client_id)? else {
        return Ok(0);
    };
    let end = End {
        tpp: known.id,
        owner: client_id,
        outcome: Outcome::Withdrawn(Withdrawn::ByOperator),
        actor,
    };
    let mut taken_back = Vec::new();
    for jti in jtis {
        if settle::settle(unit, &end, *jti, now)? {
            taken_back.push(*jti);
        }
    }
    note_events(unit, (known.id, actor), "event.withdrawn", &taken_back, now)
}

/// These kinds are withdrawn, whatever is written of it.
fn begin(
    unit: &Unit,
    (tpp, owner): (TppId, &ClientId),
    actor: &Actor,
    unwanted: &Unwanted,
    now: Timestamp,
) -> Result<(), Error> {
    unit.db.prepare_cached(BEGIN)?.execute(params![
        tpp,
        unwanted.from_position,
        now.unix_ms(),
        outcome_code(Outcome::Withdrawn(unwanted.reason)),
        settling_actor(actor, owner)
    ])?;
    for kind in &unwanted.kinds {
        kinds::leave(unit, tpp, *kind)?;
        unit.db
            .prepare_cached(BEGIN_KIND)?
            .execute(params![tpp, kind])?;
    }
    Ok(())
}

/// A batch of ends that was written.
struct Batch {
    ends: u64,
    is_last: bool,
}

/// Writes the ends of the oldest that are withdrawn.
fn write_batch(unit: &Unit, tpp: TppId) -> Result<Batch, Error> {
    let mut batch = unit
        .db
        .prepare_cached(BATCH)?
        .query_map(params![tpp, unit.withdrawn_at_once_max + 1], settle::left)?
        .collect::<Result<Vec<Left>, _>>()?;
    let most = usize::try_from(unit.withdrawn_at_once_max).unwrap_or(usize::MAX);
    let next = if batch.len() > most {
        batch.pop()
    } else {
        None
    };
    let mut write = unit.db.prepare_cached(WRITE_END)?;
    let mut delete = unit.db.prepare_cached(settle::OUTSTANDING.delete)?;
    for left in &batch {
        write.execute(params![left.event, left.ends, tpp])?;
        delete.execute(params![tpp, left.position])?;
    }
    match next {
        Some(next) => {
            let mut go_on = unit.db.prepare_cached(GO_ON)?;
            go_on.execute(params![tpp, next.position])?;
        }
        None => {
            unit.db.prepare_cached(END_KINDS)?.execute([tpp])?;
            unit.db.prepare_cached(END)?.execute([tpp])?;
        }
    }
    Ok(Batch {
        ends: u64::try_from(batch.len()).unwrap_or(u64::MAX),
        is_last: next.is_none(),
    })
}

/// Whether a row of `outstanding` is, or is only not written to be withdrawn.
macro_rules! is_open {
    () => {
        " AND NOT EXISTS (
            SELECT 1 FROM withdrawn_kinds w WHERE w.tpp = outstanding.tpp AND w.kind = outstanding.kind)"
    };
}
pub(super) use is_open;

const BEGIN: &str = "
    INSERT INTO withdrawals (tpp, from_position, at, outcome, actor) VALUES (?1, ?2, ?3, ?4, ?5)";

const BEGIN_KIND: &str = "INSERT INTO withdrawn_kinds (tpp, kind) VALUES (?1, ?2)";

const REST: &str = "SELECT tpp, from_position FROM withdrawals LIMIT 1";

const GOING_ON: &str = "SELECT at, outcome, actor FROM withdrawals WHERE tpp = ?1";

const WHOSE: &str =
    "SELECT t.client_id, w.at FROM withdrawals w JOIN tpps t USING (tpp) WHERE w.tpp = ?1";

pub(super) const BATCH: &str = "
    SELECT position, event, ends FROM outstanding
    WHERE tpp = ?1 AND position >= (SELECT from_position FROM withdrawals WHERE tpp = ?1)
        AND kind IN (SELECT kind FROM withdrawn_kinds WHERE tpp = ?1)
    ORDER BY position LIMIT ?2";

const WRITE_END: &str = "
    INSERT INTO settlements (event, ends, at, outcome, actor)
    SELECT ?1, ?2, at, outcome, actor FROM withdrawals WHERE tpp = ?3";

pub(super) const LEFT: &str = "
    SELECT count(*) FROM outstanding
    WHERE tpp = ?1 AND position >= (SELECT from_position FROM withdrawals WHERE tpp = ?1)
        AND kind IN (SELECT kind FROM withdrawn_kinds WHERE tpp = ?1)";

const GO_ON: &str = "UPDATE withdrawals SET from_position = ?2 WHERE tpp = ?1";

const END_KINDS: &str = "DELETE FROM withdrawn_kinds WHERE tpp = ?1";

const END: &str = "DELETE FROM withdrawals WHERE tpp = ?1";
