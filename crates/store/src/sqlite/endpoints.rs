//! What operators do to endpoints: pause and resume them, over the head of whoever owns the lane (D-06, I-04).

use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::Health;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::audit::{self, Change};
use super::errors::expect_rows;
use super::health::HealthColumns;
use super::lanes;
use super::push;
use super::registrations;
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
    unit.db.prepare_cached(MAKE_LANE)?.execute([known.id])?;
    let before = health_of(&unit.db, client_id)?;
    if !matches!(before, Health::Paused { .. }) {
        let paused = Health::Paused { since: now };
        set_health_over(unit, (known.id, client_id), &paused, None)?;
        let change = (&before, &paused);
        note_health(unit, actor, "endpoint.paused", known.id, change, now)?;
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
    let registrations = registrations::of(&unit.db, known.id)?;
    let begun_anew = match routing::push_address(&unit.rules, &registrations) {
        Some(_) => push::begin_anew(unit, known.id, now)?,
        None => 0,
    };
    let before = health_of(&unit.db, client_id)?;
    let resumed = Health::Responsive;
    if begun_anew > 0 || before != resumed {
        unit.db.prepare_cached(MAKE_LANE)?.execute([known.id])?;
        set_health_over(unit, (known.id, client_id), &resumed, Some(now))?;
        let change = (&before, &resumed);
        note_health(unit, actor, "endpoint.resumed", known.id, change, now)?;
    }
    Ok(true)
}

/// Changes health over the owner's head. The lane is free then, so that the owner's next report cannot undo it.
fn set_health_over(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    health: &Health,
    wake_at: Option<Timestamp>,
) -> Result<(), Error> {
    let columns = HealthColumns::of(health);
    let changed = unit.db.prepare_cached(SET_HEALTH)?.execute(params![
        tpp,
        columns.state,
        columns.since,
        wake_at.map(Timestamp::unix_ms)
    ])?;
    expect_rows(changed, 1, "changing an endpoint's health")?;
    unit.news.of((tpp, owner)).free();
    Ok(())
}

fn note_health(
    unit: &Unit,
    actor: &Actor,
    action: &'static str,
    tpp: TppId,
    (before, after): (&Health, &Health),
    now: Timestamp,
) -> Result<(), Error> {
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

const MAKE_LANE: &str = "INSERT INTO lanes (tpp) VALUES (?1) ON CONFLICT DO NOTHING";

const SET_HEALTH: &str = "
    UPDATE lanes SET health = ?2, since = ?3, declared_at = NULL, failures = 0, next_probe_at = NULL,
        reason = NULL, wake_at = ?4, owner = NULL, epoch = NULL
    WHERE tpp = ?1";
