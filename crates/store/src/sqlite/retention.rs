//! Time passes: what nobody acknowledged expires, and what has been kept long enough goes, a small batch at a time (I-06).

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::history::{Retention, Swept};
use oyez_domain::life::Outcome;
use oyez_domain::time::Timestamp;
use rusqlite::params;

use super::codes::{jti, parse};
use super::errors::expect_rows;
use super::settle::{self, End};
use super::tpps::TppId;
use super::withdraw::is_open;
use super::writer::Unit;
use crate::Error;

/// See [`crate::Store::expire`].
pub(super) fn expire(
    unit: &mut Unit,
    accepted_before: Timestamp,
    events_max: u32,
    now: Timestamp,
) -> Result<u64, Error> {
    let old = expired(unit, accepted_before, events_max)?;
    for (tpp, owner, jti) in &old {
        let end = End {
            tpp: *tpp,
            owner,
            outcome: Outcome::Expired,
            actor: &Actor::System,
        };
        let settled = settle::settle(unit, &end, *jti, now)?;
        expect_rows(usize::from(settled), 1, "expiring an event")?;
    }
    Ok(u64::try_from(old.len()).unwrap_or(u64::MAX))
}

/// See [`crate::Store::sweep`].
pub(super) fn sweep(unit: &Unit, retention: Retention, now: Timestamp) -> Result<Swept, Error> {
    let batch_max = retention.batch_max;
    Ok(Swept {
        events: sweep_events(unit, now - retention.settled_for, batch_max)?,
        keys: sweep_rows(unit, SWEEP_KEYS, now - retention.keys_for, batch_max)?,
        minutes: sweep_rows(unit, SWEEP_MINUTES, now - retention.minutes_for, batch_max)?,
        health_changes: sweep_rows(
            unit,
            SWEEP_HEALTH_CHANGES,
            now - retention.settled_for,
            batch_max,
        )?,
    })
}

fn expired(
    unit: &Unit,
    accepted_before: Timestamp,
    events_max: u32,
) -> Result<Vec<(TppId, ClientId, Jti)>, Error> {
    let mut statement = unit.db.prepare_cached(EXPIRED)?;
    let mut rows = statement.query(params![accepted_before.unix_ms(), events_max])?;
    let mut old = Vec::new();
    while let Some(row) = rows.next()? {
        let owner = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        old.push((row.get(0)?, parse(owner, "client_id")?, jti(row, 2)?));
    }
    Ok(old)
}

/// Removes settled events and everything of theirs. Their TPP's totals keep them.
fn sweep_events(unit: &Unit, settled_before: Timestamp, batch_max: u32) -> Result<u64, Error> {
    let mut statement = unit.db.prepare_cached(OLD_SETTLED)?;
    let old = statement
        .query_map(params![settled_before.unix_ms(), batch_max], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<Vec<(i64, i64)>, _>>()?;
    for (event, outcome) in &old {
        for polls in [POLLS_OF_HAND_OUTS, POLLS_OF_ERRORS] {
            sweep_polls(unit, polls, *event)?;
        }
        for statement in OF_EVENT {
            unit.db.prepare_cached(statement)?.execute([event])?;
        }
        if *outcome == settle::FAILED {
            let changed = unit.db.prepare_cached(FORGET_FAILED)?.execute([event])?;
            expect_rows(changed, 1, "forgetting a failed event")?;
        }
        let changed = unit.db.prepare_cached(FORGET_EVENT)?.execute([event])?;
        expect_rows(changed, 1, "forgetting an event")?;
    }
    Ok(u64::try_from(old.len()).unwrap_or(u64::MAX))
}

/// A poll goes with the last event that it handed out or reported against.
fn sweep_polls(unit: &Unit, polls: &str, event: i64) -> Result<(), Error> {
    let mut statement = unit.db.prepare_cached(polls)?;
    let polls = statement
        .query_map([event], |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    for poll in polls {
        unit.db
            .prepare_cached(FORGET_POLL)?
            .execute(params![poll, event])?;
    }
    Ok(())
}

fn sweep_rows(
    unit: &Unit,
    statement: &str,
    before: Timestamp,
    batch_max: u32,
) -> Result<u64, Error> {
    let gone = unit
        .db
        .prepare_cached(statement)?
        .execute(params![before.unix_ms(), batch_max])?;
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}

pub(super) const EXPIRED: &str = concat!(
    "
    SELECT outstanding.tpp, t.client_id, jti
    FROM outstanding INDEXED BY outstanding_by_age CROSS JOIN tpps t USING (tpp)
    WHERE accepted_at < ?1",
    is_open!(),
    " ORDER BY accepted_at, jti LIMIT ?2"
);

// One moment can end any number of events (a registration deleted): their order is the index's own, and nothing is sorted.
pub(super) const OLD_SETTLED: &str = "
    SELECT event, outcome FROM settlements INDEXED BY settlements_by_age
    WHERE superseded = 0 AND at < ?1 ORDER BY at, event LIMIT ?2";

const POLLS_OF_HAND_OUTS: &str = "SELECT poll FROM hand_outs WHERE event = ?1";

const POLLS_OF_ERRORS: &str = "SELECT poll FROM set_errors WHERE event = ?1";

const FORGET_POLL: &str = "
    DELETE FROM polls WHERE poll = ?1
        AND NOT EXISTS (SELECT 1 FROM hand_outs WHERE poll = ?1 AND event <> ?2)
        AND NOT EXISTS (SELECT 1 FROM set_errors WHERE poll = ?1 AND event <> ?2)";

/// Everything of an event but the event, by its number.
const OF_EVENT: [&str; 6] = [
    "DELETE FROM settlements WHERE event = ?1",
    "DELETE FROM attempts WHERE event = ?1",
    "DELETE FROM set_errors WHERE event = ?1",
    "DELETE FROM hand_outs WHERE event = ?1",
    "DELETE FROM sets WHERE event = ?1",
    "DELETE FROM superseded_sets WHERE event = ?1",
];

const FORGET_FAILED: &str = "
    DELETE FROM failed WHERE (tpp, position) = (SELECT tpp, position FROM events WHERE event = ?1)";

const FORGET_EVENT: &str = "DELETE FROM events WHERE event = ?1";

const SWEEP_KEYS: &str = "
    DELETE FROM idempotency WHERE (tpp, key) IN (
        SELECT tpp, key FROM idempotency INDEXED BY idempotency_by_age
        WHERE accepted_at < ?1 ORDER BY accepted_at LIMIT ?2)";

const SWEEP_HEALTH_CHANGES: &str = "
    DELETE FROM health_changes WHERE (tpp, at, health) IN (
        SELECT tpp, at, health FROM health_changes INDEXED BY health_changes_by_age
        WHERE at < ?1 ORDER BY at LIMIT ?2)";

const SWEEP_MINUTES: &str = "
    DELETE FROM minutes WHERE (tpp, minute) IN (
        SELECT tpp, minute FROM minutes INDEXED BY minutes_by_age
        WHERE minute < ?1 ORDER BY minute LIMIT ?2)";
