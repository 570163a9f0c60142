//! Time passes: what nobody acknowledged expires, and what has been kept long enough goes, a small batch at a time (I-06).
//!
//! Housekeeping waits for no lock: a TPP that is busy just now is left to the next batch. Each sort of rows goes in a transaction
//! of its own. What is past its time is so by the database's clock too: a process whose own is far ahead removes nothing for it.

use std::collections::BTreeMap;
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::history::{Retention, Swept};
use oyez_domain::life::Outcome;
use oyez_domain::time::Timestamp;
use tokio::time::sleep;
use uuid::Uuid;

use super::columns::jti;
use super::doors::Concerns;
use super::ends::{self, End};
use super::leases;
use super::partitions::Span;
use super::session::Values;
use super::state::OUT_OF_ORDER_MAX;
use super::unit::Unit;
use super::{Shared, Work, keys, parts};
use crate::Error;
use crate::codes::{TppId, parse};

/// What came of a batch that passes over TPPs whose locks are not free.
struct Batch {
    events: u64,
    passed_over: bool,
}

/// Does a batch again while it passes TPPs over, a few times: a group that changed nothing answers a moment before it lets go of
/// its locks. Nothing is held meanwhile. `ask` says what is to be done when so much is.
async fn again<A, F>(shared: &Shared, ask: impl Fn(u64) -> A, work: F) -> Result<u64, Error>
where
    A: Sync,
    F: for<'a> Fn(&'a mut Unit, &'a A) -> Work<'a, Batch> + Sync,
{
    let mut events = 0;
    for _ in 0..TURNS {
        let batch = shared.write(Concerns::Nobody, &ask(events), &work).await?;
        events += batch.events;
        if !batch.passed_over {
            break;
        }
        sleep(LET_GO_WITHIN).await;
    }
    Ok(events)
}

const TURNS: u32 = 3;
/// Longer than the end of a transaction takes to reach the database.
const LET_GO_WITHIN: Duration = Duration::from_millis(10);

/// What is to expire.
struct Expiring {
    accepted_before: Timestamp,
    events_max: u32,
    now: Timestamp,
}

/// See [`crate::Store::expire`].
pub(super) async fn expire(
    shared: &Shared,
    accepted_before: Timestamp,
    events_max: u32,
    now: Timestamp,
) -> Result<u64, Error> {
    let ask = |done| Expiring {
        accepted_before,
        events_max: events_max.saturating_sub(u32::try_from(done).unwrap_or(u32::MAX)),
        now,
    };
    again(shared, ask, |unit, ask| Box::pin(expire_some(unit, ask))).await
}

async fn expire_some(unit: &mut Unit, ask: &Expiring) -> Result<Batch, Error> {
    let Expiring {
        accepted_before,
        events_max,
        now,
    } = *ask;
    let ahead = now.since(leases::clock(unit.db()).await?);
    let (now, accepted_before) = (now - ahead, accepted_before - ahead);
    let before = accepted_before.unix_ms();
    let perhaps_before = (accepted_before + OUT_OF_ORDER_MAX).unix_ms();
    let limit = i64::from(events_max);
    let window = limit.max(WINDOW_MIN);
    let mut old: BTreeMap<TppId, (ClientId, Vec<Jti>)> = BTreeMap::new();
    let values: Values<'_> = &[&before, &limit, &window, &perhaps_before];
    for row in unit.rows(EXPIRED, values).await? {
        let owner: ClientId = parse(row.try_get(1)?, "client_id")?;
        let of_tpp = old.entry(TppId(row.try_get(0)?));
        of_tpp
            .or_insert_with(|| (owner, Vec::new()))
            .1
            .push(jti(&row, 2)?);
    }
    let mut expired = 0;
    let held = hold_free(unit, old.keys().copied()).await?;
    let passed_over = held.len() < old.len();
    for (tpp, (owner, jtis)) in old.into_iter().filter(|(tpp, _)| held.contains(&tpp.0)) {
        let end = End {
            tpp,
            owner: &owner,
            outcome: Outcome::Expired,
            actor: &Actor::System,
        };
        let gone = ends::settle(unit, &end, &jtis, now).await?;
        expired += u64::try_from(gone.len()).unwrap_or(u64::MAX);
    }
    Ok(Batch {
        events: expired,
        passed_over,
    })
}

/// See [`crate::Store::sweep`]. Parts of history that will be needed are made here, before anybody waits for them.
pub(super) async fn sweep(
    shared: &Shared,
    retention: Retention,
    now: Timestamp,
) -> Result<Swept, Error> {
    let db = shared.pool.take().await?;
    let now = now - now.since(leases::clock(&db).await?);
    let span = Span::of(now);
    shared.partitions.make(&db, [span, span.next()]).await?;
    drop(db);
    let limit = i64::from(retention.batch_max);
    let settled_before = now - retention.settled_for;
    let past = |kept_for: Duration| Past {
        before: now - kept_for,
        limit,
    };
    keys::go_on(shared).await?;
    let late = |done| Past {
        limit: limit.saturating_sub_unsigned(done),
        ..past(retention.settled_for + shared.options.kept_longer_max)
    };
    let swept = Swept {
        events: again(shared, late, |unit, past| {
            Box::pin(remove_events(unit, past))
        })
        .await?,
        keys: shared
            .write(Concerns::Nobody, &past(retention.keys_for), &sweep_keys)
            .await?,
        minutes: shared
            .write(
                Concerns::Nobody,
                &past(retention.minutes_for),
                &sweep_minutes,
            )
            .await?,
        health_changes: shared
            .write(
                Concerns::Nobody,
                &past(retention.settled_for),
                &sweep_health_changes,
            )
            .await?,
    };
    shared.write(Concerns::Nobody, &(), &forget_nodes).await?;
    let part = parts::drop_oldest(shared, settled_before).await?;
    Ok(Swept {
        events: swept.events + part.unwrap_or(0),
        ..swept
    })
}

/// Rows older than this, so many.
struct Past {
    before: Timestamp,
    limit: i64,
}

fn sweep_keys<'a>(unit: &'a mut Unit, past: &'a Past) -> Work<'a, u64> {
    Box::pin(async {
        unit.execute(SWEEP_KEYS, &[&past.before.unix_ms(), &past.limit])
            .await
    })
}

fn sweep_minutes<'a>(unit: &'a mut Unit, past: &'a Past) -> Work<'a, u64> {
    Box::pin(async {
        unit.execute(SWEEP_MINUTES, &[&past.before.unix_ms(), &past.limit])
            .await
    })
}

fn sweep_health_changes<'a>(unit: &'a mut Unit, past: &'a Past) -> Work<'a, u64> {
    Box::pin(async {
        let values: Values<'_> = &[&past.before.unix_ms(), &past.limit];
        unit.execute(SWEEP_HEALTH_CHANGES, values).await
    })
}

fn forget_nodes<'a>(unit: &'a mut Unit, _: &'a ()) -> Work<'a, ()> {
    Box::pin(leases::forget_old(unit))
}

/// Removes settled events and everything of theirs. Their TPP's totals keep them.
async fn remove_events(unit: &Unit, past: &Past) -> Result<Batch, Error> {
    let before = past.before.unix_ms();
    let mut found: Vec<(i64, Uuid)> = Vec::new();
    for row in unit.rows(OLD_SETTLED, &[&before, &past.limit]).await? {
        found.push((row.try_get(0)?, row.try_get(1)?));
    }
    let held = hold_free(unit, found.iter().map(|(tpp, _)| TppId(*tpp))).await?;
    let all = found.len();
    found.retain(|(tpp, _)| held.contains(tpp));
    let passed_over = found.len() < all;
    let (tpps, jtis): (Vec<i64>, Vec<Uuid>) = found.into_iter().unzip();
    // Once more under the locks: a failure may have been left meanwhile.
    let rows = unit
        .rows(FORGET_SETTLEMENTS, &[&tpps, &jtis, &before])
        .await?;
    let (mut tpps, mut jtis): (Vec<i64>, Vec<Uuid>) = (Vec::new(), Vec::new());
    for row in rows {
        tpps.push(row.try_get(0)?);
        jtis.push(row.try_get(1)?);
    }
    if !jtis.is_empty() {
        for statement in OF_EVENTS {
            unit.execute(statement, &[&tpps, &jtis]).await?;
        }
    }
    Ok(Batch {
        events: u64::try_from(jtis.len()).unwrap_or(u64::MAX),
        passed_over,
    })
}

/// Takes the locks of those TPPs that nobody else has just now; answers which.
async fn hold_free(unit: &Unit, tpps: impl Iterator<Item = TppId>) -> Result<Vec<i64>, Error> {
    let mut tpps: Vec<i64> = tpps.map(|tpp| tpp.0).collect();
    tpps.sort_unstable();
    tpps.dedup();
    if tpps.is_empty() {
        return Ok(tpps);
    }
    let rows = unit.rows(HOLD_FREE, &[&tpps]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// So many of a TPP's oldest are compared by their acceptance: after a clock was set back their positions do not tell.
const WINDOW_MIN: i64 = 1000;

// Positions follow acceptances but for a clock that was set back, and a little disorder between nodes: a TPP whose first event
// is not old, and who has none out of order, costs one row. What is out of order beyond the window expires after what stands
// before it.
pub(super) const EXPIRED: &str = "
    SELECT o.tpp, t.client_id, o.jti
    FROM queues q
        CROSS JOIN LATERAL (
            SELECT position, accepted_at FROM outstanding
            WHERE tpp = q.tpp AND position >= q.first_position ORDER BY position LIMIT 1) f
        CROSS JOIN LATERAL (
            SELECT tpp, jti, accepted_at FROM outstanding
            WHERE tpp = q.tpp AND position >= f.position AND (f.accepted_at < $4 OR f.position <= q.unordered_to)
            ORDER BY position LIMIT $3) o
        JOIN tpps t ON t.tpp = ANY (ARRAY[q.tpp])
    WHERE q.accepted > q.acknowledged + q.failed + q.expired + q.withdrawn AND o.accepted_at < $1
    ORDER BY o.accepted_at, o.jti LIMIT $2";

const HOLD_FREE: &str =
    "SELECT tpp FROM queues WHERE tpp = ANY($1) ORDER BY tpp FOR UPDATE SKIP LOCKED";

const OLD_SETTLED: &str = "
    SELECT tpp, jti FROM settlements WHERE NOT superseded AND at < $1 ORDER BY at, jti LIMIT $2";

pub(super) const FORGET_SETTLEMENTS: &str = "
    WITH old AS (
        SELECT o.tpp, o.jti FROM unnest($1::bigint[], $2::uuid[]) o (tpp, jti)
            JOIN settlements s ON s.tpp = ANY (ARRAY[o.tpp]) AND s.jti = o.jti AND s.superseded IS NOT TRUE AND s.at < $3),
    gone AS (DELETE FROM settlements s USING old WHERE s.tpp = ANY (ARRAY[old.tpp]) AND s.jti = old.jti)
    SELECT tpp, jti FROM old";

/// Everything of events whose settlements are gone. A poll goes with the last event that it handed out or reported against.
pub(super) const OF_EVENTS: [&str; 8] = [
    "DELETE FROM events e USING unnest($1::bigint[], $2::uuid[]) o (tpp, jti)
        WHERE (e.tpp, e.jti) BETWEEN (o.tpp, o.jti) AND (o.tpp, o.jti) AND e.jti = ANY (ARRAY[o.jti])",
    "WITH gone AS (
        SELECT DISTINCT h.tpp, h.poll, h.at FROM unnest($1::bigint[], $2::uuid[]) o (tpp, jti)
            JOIN (SELECT tpp, jti, poll, at FROM hand_outs UNION ALL SELECT tpp, jti, poll, at FROM set_errors) h
                ON h.tpp = ANY (ARRAY[o.tpp]) AND h.jti = o.jti)
    DELETE FROM polls p USING gone g
        WHERE p.tpp = ANY (ARRAY[g.tpp]) AND p.entry = g.poll AND p.at = g.at
            AND NOT EXISTS (SELECT 1 FROM events e WHERE e.tpp = p.tpp AND e.jti = ANY(p.jtis))",
    "DELETE FROM hand_outs h USING unnest($1::bigint[], $2::uuid[]) o (tpp, jti)
        WHERE h.tpp = ANY (ARRAY[o.tpp]) AND h.jti = o.jti",
    "DELETE FROM set_errors r USING unnest($1::bigint[], $2::uuid[]) o (tpp, jti)
        WHERE r.tpp = ANY (ARRAY[o.tpp]) AND r.jti = o.jti",
    "DELETE FROM attempts a USING unnest($1::bigint[], $2::uuid[]) o (tpp, jti)
        WHERE a.tpp = ANY (ARRAY[o.tpp]) AND a.jti = o.jti",
    "DELETE FROM sets s USING unnest($1::bigint[], $2::uuid[]) o (tpp, jti)
        WHERE s.tpp = ANY (ARRAY[o.tpp]) AND s.jti = o.jti",
    "DELETE FROM superseded_sets s USING unnest($1::bigint[], $2::uuid[]) o (tpp, jti)
        WHERE s.tpp = ANY (ARRAY[o.tpp]) AND s.jti = o.jti",
    "DELETE FROM failed f USING unnest($1::bigint[], $2::uuid[]) o (tpp, jti)
        WHERE f.tpp = ANY (ARRAY[o.tpp]) AND f.jti = o.jti",
];

const SWEEP_KEYS: &str = "
    DELETE FROM idempotency WHERE (tpp, key) IN (
        SELECT tpp, key FROM idempotency WHERE accepted_at < $1 ORDER BY accepted_at LIMIT $2
        FOR UPDATE SKIP LOCKED)";

const SWEEP_HEALTH_CHANGES: &str = "
    DELETE FROM health_changes WHERE (tpp, at, health) IN (
        SELECT tpp, at, health FROM health_changes WHERE at < $1 ORDER BY at LIMIT $2
        FOR UPDATE SKIP LOCKED)";

const SWEEP_MINUTES: &str = "
    DELETE FROM minutes WHERE (tpp, minute) IN (
        SELECT tpp, minute FROM minutes WHERE minute < $1 ORDER BY minute LIMIT $2
        FOR UPDATE SKIP LOCKED)";
