//! Second chances by operators: pushing at once, and making failed events outstanding again (I-04, D-07).

use std::collections::BTreeMap;
use std::ops::Range;

use oyez_domain::actor::Actor;
use oyez_domain::event::EventTypes;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::registration::Registrations;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;

use super::anew;
use super::audit::note_events;
use super::columns::{jti, uuids};
use super::errors::expect_rows;
use super::lanes;
use super::plans::of_key;
use super::registrations;
use super::tpps::hold;
use super::unit::Unit;
use crate::Error;
use crate::codes::{TppId, from_json};

/// See [`crate::Store::retry_pushes`].
pub(super) async fn retry_pushes(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    jtis: &[Jti],
    now: Timestamp,
) -> Result<u64, Error> {
    let Some(known) = hold(unit, client_id).await? else {
        return Ok(0);
    };
    if !lanes::has_address(unit, known.id).await? {
        return Ok(0);
    }
    let begun = anew::begin_some(unit, known.id, jtis, now).await?;
    // The trail names them in the order of the request.
    let mut retried: Vec<Jti> = Vec::with_capacity(begun.len());
    for jti in jtis {
        if begun.contains(jti) && !retried.contains(jti) {
            retried.push(*jti);
        }
    }
    if !retried.is_empty() {
        lanes::news(unit, (known.id, client_id), now).await?;
    }
    note_events(unit, (known.id, actor), "event.retried", &retried, now).await
}

/// See [`crate::Store::requeue_failed`].
pub(super) async fn requeue_failed(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    accepted: &Range<Timestamp>,
    events_max: u32,
    now: Timestamp,
) -> Result<Vec<Jti>, Error> {
    let Some(known) = hold(unit, client_id).await? else {
        return Ok(Vec::new());
    };
    let registrations = registrations::of(unit.db(), known.id).await?;
    let failed = wanted(unit, known.id, &registrations, accepted, events_max).await?;
    if failed.is_empty() {
        return Ok(Vec::new());
    }
    queue_again(unit, known.id, &failed).await?;
    let requeued: Vec<Jti> = failed.into_iter().map(|failed| failed.jti).collect();
    let events = u64::try_from(requeued.len()).unwrap_or(u64::MAX);
    unit.tally.left_failed(known.id, events);
    unit.news.of((known.id, client_id)).polls = true;
    if routing::push_address(&unit.rules, &registrations).is_some() {
        lanes::news(unit, (known.id, client_id), now).await?;
    }
    note_events(unit, (known.id, actor), "event.requeued", &requeued, now).await?;
    Ok(requeued)
}

struct Failed {
    position: i64,
    jti: Jti,
    kind: i32,
    /// How many ends it has behind it, its failure included.
    ends: i32,
}

/// The oldest failed events of the range that the TPP still wants.
async fn wanted(
    unit: &Unit,
    tpp: TppId,
    registrations: &Registrations,
    accepted: &Range<Timestamp>,
    events_max: u32,
) -> Result<Vec<Failed>, Error> {
    let mut kinds: Vec<i32> = Vec::new();
    for row in unit.rows(ALL_KINDS, &[]).await? {
        let types: EventTypes = from_json(row.try_get(1)?, "the types of a kind")?;
        if routing::outlives(&unit.rules, registrations, &types).is_ok() {
            kinds.push(row.try_get(0)?);
        }
    }
    let (from, before) = (accepted.start.unix_ms(), accepted.end.unix_ms());
    let limit = i64::from(events_max);
    let rows = unit
        .rows(FAILED_OF_TPP, &[&tpp.0, &from, &before, &kinds, &limit])
        .await?;
    let failed = rows.iter().map(|row| {
        Ok(Failed {
            position: row.try_get(0)?,
            jti: jti(row, 1)?,
            kind: row.try_get(2)?,
            ends: row.try_get(3)?,
        })
    });
    failed.collect()
}

/// Their failures are their ends no more, and they stand where they stood, due by their acceptance.
async fn queue_again(unit: &Unit, tpp: TppId, failed: &[Failed]) -> Result<(), Error> {
    let jtis: Vec<Jti> = failed.iter().map(|failed| failed.jti).collect();
    let jtis = uuids(&jtis);
    let last_ends: Vec<i32> = failed.iter().map(|failed| failed.ends - 1).collect();
    let positions: Vec<i64> = failed.iter().map(|failed| failed.position).collect();
    let expected = u64::try_from(failed.len()).unwrap_or(u64::MAX);
    let superseded = unit
        .execute(SUPERSEDE, &[&tpp.0, &jtis, &last_ends])
        .await?;
    expect_rows(superseded, expected, "superseding failures")?;
    let again = unit
        .execute(OUTSTANDING_AGAIN, &[&tpp.0, &positions])
        .await?;
    expect_rows(again, expected, "queueing failed events again")?;
    enter_kinds(unit, tpp, failed).await
}

/// They have old positions, which the queue's row may have left behind.
async fn enter_kinds(unit: &Unit, tpp: TppId, failed: &[Failed]) -> Result<(), Error> {
    let row = unit.one(KINDS_OF_TPP, &[&tpp.0]).await?;
    let (kinds, from): (Vec<i32>, Vec<i64>) = (row.try_get(0)?, row.try_get(1)?);
    let mut kinds: BTreeMap<i32, i64> = kinds.into_iter().zip(from).collect();
    for failed in failed {
        let from = kinds.entry(failed.kind).or_insert(failed.position);
        *from = failed.position.min(*from);
    }
    let first = failed.iter().map(|failed| failed.position).min();
    let (kinds, from): (Vec<i32>, Vec<i64>) = kinds.into_iter().unzip();
    let changed = unit
        .execute(ENTER_KINDS, &[&tpp.0, &kinds, &from, &first])
        .await?;
    expect_rows(changed, 1, "entering kinds")
}

const ALL_KINDS: &str = "SELECT kind, types FROM kinds";

const FAILED_OF_TPP: &str = "
    SELECT position, jti, kind, ends FROM failed
    WHERE tpp = $1 AND accepted_at >= $2 AND accepted_at < $3 AND kind = ANY($4)
    ORDER BY position LIMIT $5";

pub(super) const SUPERSEDE: &str = "
    UPDATE settlements s SET superseded = true
    FROM unnest($2::uuid[], $3::integer[]) f (jti, ends)
    WHERE (s.tpp, s.jti) BETWEEN ($1::bigint, f.jti) AND ($1::bigint, f.jti) AND s.jti = f.jti AND s.ends = f.ends
        AND s.superseded IS NOT TRUE";

pub(super) const OUTSTANDING_AGAIN: &str = concat!(
    "
    WITH again AS (
        DELETE FROM failed WHERE ctid = ANY (ARRAY(
            SELECT f.ctid FROM unnest($2::bigint[]) a (position) CROSS JOIN LATERAL (
                SELECT f.ctid FROM failed f WHERE ",
    of_key!("f", ("tpp", "position") = ("$1::bigint", "a.position")),
    ") f))
        RETURNING *)
    INSERT INTO outstanding (tpp, position, jti, accepted_at, due_at, push_at, kind, ends, family)
    SELECT tpp, position, jti, accepted_at, accepted_at, accepted_at, kind, ends, family FROM again"
);

const KINDS_OF_TPP: &str = "SELECT kinds, kinds_from FROM queues WHERE tpp = $1";

const ENTER_KINDS: &str = "
    UPDATE queues SET kinds = $2, kinds_from = $3, first_position = least(first_position, $4),
        due_from = DEFAULT, push_from = DEFAULT
    WHERE tpp = $1";
