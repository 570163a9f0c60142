//! Second chances by operators: pushing at once, and making failed events outstanding again (I-04, D-07).

use std::ops::Range;

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::registration::Registrations;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use rusqlite::params;

use super::audit::note_events;
use super::codes::jti;
use super::errors::expect_rows;
use super::kinds::{self, KindId};
use super::lanes;
use super::push;
use super::registrations;
use super::settle;
use super::tpps::{TppId, know};
use super::writer::Unit;
use crate::Error;

/// See [`crate::Store::retry_pushes`].
pub(super) fn retry_pushes(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    jtis: &[Jti],
    now: Timestamp,
) -> Result<u64, Error> {
    let Some(known) = know(&unit.db, client_id)? else {
        return Ok(0);
    };
    if routing::push_address(&unit.rules, &registrations::of(&unit.db, known.id)?).is_none() {
        return Ok(0);
    }
    let mut retried: Vec<Jti> = Vec::new();
    for jti in jtis {
        if !retried.contains(jti) && push::begin_one_anew(unit, known.id, *jti, now)? {
            retried.push(*jti);
        }
    }
    if !retried.is_empty() {
        lanes::news(unit, (known.id, client_id), now)?;
    }
    note_events(unit, (known.id, actor), "event.retried", &retried, now)
}

/// See [`crate::Store::requeue_failed`].
pub(super) fn requeue_failed(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    accepted: &Range<Timestamp>,
    events_max: u32,
    now: Timestamp,
) -> Result<Vec<Jti>, Error> {
    let Some(known) = know(&unit.db, client_id)? else {
        return Ok(Vec::new());
    };
    let registrations = registrations::of(&unit.db, known.id)?;
    let is_pushed = routing::push_address(&unit.rules, &registrations).is_some();
    let failed = wanted(unit, known.id, &registrations, accepted, events_max)?;
    for failed in &failed {
        settle::supersede(unit, failed.event, failed.ends)?;
        let key = params![known.id, failed.position];
        let changed = unit.db.prepare_cached(OUTSTANDING_AGAIN)?.execute(key)?;
        expect_rows(changed, 1, "queueing a failed event again")?;
        kinds::enter(unit, known.id, failed.kind, failed.position)?;
        unit.db
            .prepare_cached(NO_LONGER_FAILED)?
            .execute(params![known.id, failed.position])?;
    }
    let requeued: Vec<Jti> = failed.into_iter().map(|failed| failed.jti).collect();
    if !requeued.is_empty() {
        let events = u64::try_from(requeued.len()).unwrap_or(u64::MAX);
        unit.tally.left_failed(known.id, events);
        unit.news.of((known.id, client_id)).polls = true;
        if is_pushed {
            lanes::news(unit, (known.id, client_id), now)?;
        }
    }
    note_events(unit, (known.id, actor), "event.requeued", &requeued, now)?;
    Ok(requeued)
}

struct Failed {
    position: u64,
    event: i64,
    jti: Jti,
    ends: u32,
    kind: KindId,
}

/// The oldest failed events of the range that the TPP still wants.
fn wanted(
    unit: &Unit,
    tpp: TppId,
    registrations: &Registrations,
    accepted: &Range<Timestamp>,
    events_max: u32,
) -> Result<Vec<Failed>, Error> {
    let kinds = kinds::wanted(unit, registrations)?;
    let enough = usize::try_from(events_max).unwrap_or(usize::MAX);
    let mut statement = unit.db.prepare_cached(FAILED_OF_TPP)?;
    let range = (accepted.start.unix_ms(), accepted.end.unix_ms());
    let mut rows = statement.query(params![tpp, range.0, range.1])?;
    let mut wanted = Vec::new();
    while wanted.len() < enough
        && let Some(row) = rows.next()?
    {
        let failed = Failed {
            position: row.get(0)?,
            event: row.get(1)?,
            jti: jti(row, 2)?,
            ends: row.get(3)?,
            kind: row.get(4)?,
        };
        if kinds.contains(&failed.kind) {
            wanted.push(failed);
        }
    }
    Ok(wanted)
}

const FAILED_OF_TPP: &str = "
    SELECT position, event, jti, ends, kind FROM failed
    WHERE tpp = ?1 AND accepted_at >= ?2 AND accepted_at < ?3 ORDER BY position";

const OUTSTANDING_AGAIN: &str = "
    INSERT INTO outstanding (tpp, position, event, jti, family, kind, accepted_at, due_at, push_at, ends)
    SELECT tpp, position, event, jti, family, kind, accepted_at, accepted_at, accepted_at, ends
    FROM failed WHERE tpp = ?1 AND position = ?2";

const NO_LONGER_FAILED: &str = "DELETE FROM failed WHERE tpp = ?1 AND position = ?2";
