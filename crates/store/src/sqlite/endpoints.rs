//! What operators do to endpoints: pause and resume them, over the head of whoever owns the lane (D-06, I-04).

use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::Health;
use oyez_domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::audit::{self, Change};
use super::errors::expect_rows;
use super::health::HealthColumns;
use super::lanes;
use super::overview;
use super::push;
use super::tpps::{TppId, know};
use super::writer::Unit;
use crate::Error;

/// See [`crate::Store::pause_endpoint`].
pub(super) fn pause(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(known) = know(&unit.db, client_id)? else {
        return Ok(false);
    };
    let before = health_of(&unit.db, client_id)?;
    if !matches!(before, Health::Paused { .. }) {
        let act = (actor, "endpoint.paused");
        let paused = Health::Paused { since: now };
        change_over(unit, act, (known.id, client_id), (&before, &paused), now)?;
    }
    Ok(true)
}

/// See [`crate::Store::resume_endpoint`].
pub(super) fn resume(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(known) = know(&unit.db, client_id)? else {
        return Ok(false);
    };
    let begun_anew = if push::has_address(unit, known.id)? {
        push::begin_anew(unit, known.id, now)?
    } else {
        0
    };
    let before = health_of(&unit.db, client_id)?;
    let resumed = Health::Responsive;
    if begun_anew > 0 || before != resumed {
        let act = (actor, "endpoint.resumed");
        change_over(unit, act, (known.id, client_id), (&before, &resumed), now)?;
    }
    Ok(true)
}

/// Changes health over the owner's head, and notes who did. The lane is free then, so that the owner's next report cannot undo
/// it. Who is paused sleeps; who is not has something to look at now.
fn change_over(
    unit: &mut Unit,
    (actor, action): (&Actor, &'static str),
    (tpp, owner): (TppId, &ClientId),
    (before, after): (&Health, &Health),
    now: Timestamp,
) -> Result<(), Error> {
    overview::note_health(unit, tpp, after, now)?;
    let columns = HealthColumns::of(after);
    let wake_at = (*after == Health::Responsive).then_some(now.unix_ms());
    let row = params![tpp, columns.state, columns.since, wake_at];
    let changed = unit.db.prepare_cached(SET_HEALTH)?.execute(row)?;
    expect_rows(changed, 1, "changing an endpoint's health")?;
    unit.news.of((tpp, owner)).free();
    let change = Change {
        actor,
        action,
        tpp: Some(tpp),
        before: Some(before),
        after: Some(after),
    };
    audit::note(unit, &change, now)
}

fn health_of(db: &Connection, client_id: &ClientId) -> Result<Health, Error> {
    Ok(lanes::find(db, client_id)?.map_or(Health::Responsive, |lane| lane.health))
}

const SET_HEALTH: &str = "
    INSERT INTO lanes (tpp, health, since, wake_at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (tpp) DO UPDATE SET health = excluded.health, since = excluded.since, declared_at = NULL,
        failures = 0, next_probe_at = NULL, reason = NULL, wake_at = excluded.wake_at, owner = NULL, epoch = NULL";
