//! What operators do to endpoints: pause and resume them, over the head of whoever owns the lane (D-06, I-04).

use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::Health;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;

use super::anew;
use super::audit::{self, Change};
use super::errors::expect_rows;
use super::lanes;
use super::overview;
use super::registrations;
use super::skew::Skew;
use super::tpps::hold;
use super::unit::Unit;
use crate::Error;
use crate::codes::TppId;
use crate::health::HealthColumns;

/// See [`crate::Store::pause_endpoint`].
pub(super) async fn pause(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(known) = hold(unit, client_id).await? else {
        return Ok(false);
    };
    unit.execute(MAKE_LANE, &[&known.id.0]).await?;
    let before = health_of(unit, client_id).await?;
    if !matches!(before, Health::Paused { .. }) {
        let paused = Health::Paused { since: now };
        let change = Change {
            actor,
            action: "endpoint.paused",
            tpp: Some(known.id),
            before: Some(&before),
            after: Some(&paused),
        };
        set_health_over(unit, (known.id, client_id), (&paused, now), None).await?;
        audit::note(unit, change, now).await?;
    }
    Ok(true)
}

/// See [`crate::Store::resume_endpoint`].
pub(super) async fn resume(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(known) = hold(unit, client_id).await? else {
        return Ok(false);
    };
    let registrations = registrations::of(unit.db(), known.id).await?;
    let begun_anew = match routing::push_address(&unit.rules, &registrations) {
        Some(_) => anew::begin(unit, known.id, now).await?,
        None => 0,
    };
    let before = health_of(unit, client_id).await?;
    let resumed = Health::Responsive;
    if begun_anew > 0 || before != resumed {
        let change = Change {
            actor,
            action: "endpoint.resumed",
            tpp: Some(known.id),
            before: Some(&before),
            after: Some(&resumed),
        };
        unit.execute(MAKE_LANE, &[&known.id.0]).await?;
        set_health_over(unit, (known.id, client_id), (&resumed, now), Some(now)).await?;
        audit::note(unit, change, now).await?;
    }
    Ok(true)
}

/// Changes health over the owner's head; where a moment is given, there is something to do from then on. The lane is free then, so that the owner's next report cannot undo it.
async fn set_health_over(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    (health, at): (&Health, Timestamp),
    now: Option<Timestamp>,
) -> Result<(), Error> {
    overview::note_health(unit, tpp, health, at).await?;
    let columns = HealthColumns::of(health);
    let wake_at = match now {
        Some(now) => Some(lanes::stored(unit, now).await?.unix_ms()),
        None => None,
    };
    let changed = unit
        .execute(
            SET_HEALTH,
            &[&tpp.0, &columns.state, &columns.since, &wake_at],
        )
        .await?;
    expect_rows(changed, 1, "changing an endpoint's health")?;
    unit.news.of((tpp, owner)).free();
    Ok(())
}

async fn health_of(unit: &Unit, client_id: &ClientId) -> Result<Health, Error> {
    let lane = lanes::find(unit.db(), client_id, Skew::NONE).await?;
    Ok(lane.map_or(Health::Responsive, |lane| lane.health))
}

const MAKE_LANE: &str = "INSERT INTO lanes (tpp) VALUES ($1) ON CONFLICT DO NOTHING";

const SET_HEALTH: &str = "
    UPDATE lanes SET health = $2::bigint, since = $3, declared_at = NULL, failures = 0, next_probe_at = NULL,
        reason = NULL, wake_at = $4, owner = NULL, epoch = NULL
    WHERE tpp = $1";
