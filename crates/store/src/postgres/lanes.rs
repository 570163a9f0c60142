//! Lanes: who pushes to whom, and what is known of endpoints (D-05, D-06).
//!
//! A wake-up is never lost: news is written into the lane whoever owns it, and an owner that lets go is woken again by news
//! that came since it claimed. News of a lane that is held back wakes it at its probe, and no sooner.
//!
//! Whatever an owner may have read of its TPP takes the lane away from it when it changes: its next choice finds nothing, its
//! report is not written, and the next owner reads anew.
//!
//! Moments are by the database's clock: see [`super::skew`].
//!
//! Claims hold no TPP's lock and pass over lanes that somebody is writing to: nodes that claim at once share what is free, and
//! wait for nobody.

use futures_util::future::try_join_all;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::history::Page;
use oyez_domain::ledger::lanes::{
    Health, Hold, Lane, LaneFilter, LaneReport, LaneStatus, LaneTotals, Lease, Reported, Wanted,
};
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use tokio_postgres::Row;

use super::columns::{count, moment_or_null, natural};
use super::leases;
use super::overview;
use super::pool::Held;
use super::registrations;
use super::skew::Skew;
use super::unit::Unit;
use crate::Error;
use crate::codes::{TppId, own_order, parse};
use crate::health::{self, HealthColumns};
use crate::page::{page, rows_wanted};

/// See [`crate::Store::claim_lanes`]. For whoever asks for all of them [`super::sleepers`] were woken before.
pub(super) async fn claim(
    unit: &Unit,
    lease: &Lease,
    wanted: Wanted,
    lanes_max: u32,
    now: Timestamp,
) -> Result<Vec<Lane>, Error> {
    let (clock, is_live) = leases::judge(unit.db(), lease).await?;
    if !is_live {
        return Ok(Vec::new());
    }
    let skew = Skew::between(now, clock);
    let now = skew.stored(now);
    let (by, room) = match wanted {
        Wanted::Due => (now, u64::MAX),
        Wanted::Share => {
            let company = leases::company(unit.db(), now, clock).await?;
            (now, company.room(&lease.node_id))
        }
        Wanted::All => (Timestamp::MAX, u64::MAX),
    };
    let limit = i64::try_from(room.min(lanes_max.into())).unwrap_or(i64::MAX);
    if limit == 0 {
        return Ok(Vec::new());
    }
    let found = unit
        .rows(FREE_LANES, &[&by.unix_ms(), &clock.unix_ms(), &limit])
        .await?;
    let found: Vec<i64> = found
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    let (node, epoch) = (lease.node_id.as_str(), count(lease.epoch));
    let rows = unit
        .rows(
            CLAIM_LANES,
            &[&found, &node, &epoch, &now.unix_ms(), &clock.unix_ms()],
        )
        .await?;
    rows.iter().map(|row| told(row, skew)).collect()
}

/// See [`crate::Store::report_lanes`].
pub(super) async fn report(
    unit: &Unit,
    lease: &Lease,
    reports: &[LaneReport],
    now: Timestamp,
) -> Result<Vec<Reported>, Error> {
    let (clock, is_live) = leases::judge(unit.db(), lease).await?;
    if !is_live {
        return Ok(vec![Reported::NotOwner; reports.len()]);
    }
    let skew = Skew::between(now, clock);
    // Sent together, and done one after another in their order. Lanes are locked in the order of TPPs first, as whoever has news
    // of several does.
    let statements = [LOCK_LANES, overview::NOTE_REPORTED_HEALTH, REPORT_LANE];
    unit.db().prepare(&statements).await?;
    let names = reports.iter().map(|report| report.client_id.as_str());
    let names: Vec<&str> = names.collect();
    let reports = reports.iter();
    let let_go_at = skew.stored(now);
    let reports = reports.map(|report| report_one(unit, lease, report, (skew, let_go_at, now)));
    let (_, reported) = futures_util::try_join!(
        async { unit.rows(LOCK_LANES, &[&names]).await },
        try_join_all(reports)
    )?;
    Ok(reported)
}

async fn report_one(
    unit: &Unit,
    lease: &Lease,
    report: &LaneReport,
    (skew, let_go_at, now): (Skew, Timestamp, Timestamp),
) -> Result<Reported, Error> {
    let columns = HealthColumns::of(&report.health);
    let stored = |at: Option<Timestamp>| at.map(|at| skew.stored(at).unix_ms());
    let (let_go, wake_at) = match report.hold {
        Hold::Keep => (false, None),
        Hold::LetGo { wake_at } => (true, stored(wake_at)),
    };
    let next_probe_at = stored(report.health.next_probe_at());
    let (client_id, node_id) = (report.client_id.as_str(), lease.node_id.as_str());
    let (epoch, claim) = (count(lease.epoch), count(report.claim));
    let (failures, now, let_go_at) = (
        i64::from(columns.failures),
        now.unix_ms(),
        let_go_at.unix_ms(),
    );
    let of_change: [&(dyn tokio_postgres::types::ToSql + Sync); 8] = [
        &client_id,
        &node_id,
        &epoch,
        &claim,
        &now,
        &columns.state,
        &failures,
        &columns.reason,
    ];
    let of_report: [&(dyn tokio_postgres::types::ToSql + Sync); 13] = [
        &client_id,
        &node_id,
        &epoch,
        &columns.state,
        &columns.since,
        &columns.declared_at,
        &failures,
        &next_probe_at,
        &let_go,
        &wake_at,
        &columns.reason,
        &claim,
        &let_go_at,
    ];
    let (_, changed) = futures_util::try_join!(
        async {
            unit.execute(overview::NOTE_REPORTED_HEALTH, &of_change)
                .await
        },
        async { unit.execute(REPORT_LANE, &of_report).await }
    )?;
    Ok(if changed == 1 {
        Reported::Written
    } else {
        Reported::NotOwner
    })
}

/// See [`crate::Store::find_lane`]. Whoever asks may let go of the lane by what it is told, so it is told by its own clock.
pub(super) async fn find(
    db: &super::session::Session,
    client_id: &ClientId,
    skew: Skew,
) -> Result<Option<Lane>, Error> {
    let row = db.row(FIND_LANE, &[&client_id.as_str()]).await?;
    row.as_ref().map(|row| told(row, skew)).transpose()
}

/// See [`crate::Store::list_lanes`]. It is for people, and by the database's clock, whichever process they ask.
pub(super) async fn list(
    db: &Held,
    filter: LaneFilter,
    after: Option<&ClientId>,
    rows_max: u32,
) -> Result<Page<LaneStatus, ClientId>, Error> {
    let clock = leases::clock(db).await?;
    let after = after.map_or("", ClientId::as_str);
    let state = filter.state.map(health::state_code);
    let limit = i64::from(rows_wanted(rows_max)) + 1;
    let rows = db
        .rows(LIST_LANES, &[&after, &state, &clock.unix_ms(), &limit])
        .await?;
    let status = |row: &Row| -> Result<LaneStatus, Error> {
        let Lane {
            client_id, health, ..
        } = lane(row)?;
        let owner: Option<&str> = row.try_get(9)?;
        Ok(LaneStatus {
            client_id,
            health,
            wake_at: moment_or_null(row, 8)?,
            owner: owner.map(|owner| parse(owner, "node id")).transpose()?,
            outstanding: natural(row, 10)?,
        })
    };
    let lanes = rows.iter().map(status).collect::<Result<_, _>>()?;
    Ok(page(lanes, rows_max, |lane: &LaneStatus| {
        lane.client_id.clone()
    }))
}

/// See [`crate::Store::lane_totals`].
pub(super) async fn totals(db: &Held) -> Result<LaneTotals, Error> {
    let (lanes, outstanding) =
        futures_util::try_join!(async { db.rows(LANE_TOTALS, &[]).await }, async {
            db.one(OUTSTANDING, &[]).await
        })?;
    let mut totals = LaneTotals::default();
    for row in lanes {
        let state: i16 = row.try_get(0)?;
        *totals.of(health::state(state.into())?) = natural(&row, 1)?;
    }
    totals.outstanding = natural(&outstanding, 0)?;
    let oldest: Option<i64> = outstanding.try_get(1)?;
    totals.oldest_accepted_at = oldest.map(Timestamp::from_unix_ms);
    Ok(totals)
}

/// There is something to push from now on.
pub(super) async fn news(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    now: Timestamp,
) -> Result<(), Error> {
    let at = stored(unit, now).await?;
    unit.execute(NEWS, &[&tpp.0, &at.unix_ms()]).await?;
    unit.news.of((tpp, owner)).pushes = true;
    Ok(())
}

/// This moment, by the clock that lanes wake by.
pub(super) async fn stored(unit: &Unit, now: Timestamp) -> Result<Timestamp, Error> {
    let clock = leases::clock(unit.db()).await?;
    Ok(Skew::between(now, clock).stored(now))
}

/// There is something to push if any outstanding event is pushed at all. For who has an address.
pub(super) async fn news_if_pushable(
    unit: &mut Unit,
    owner: (TppId, &ClientId),
    now: Timestamp,
) -> Result<(), Error> {
    if is_pushable(unit, owner.0).await? {
        news(unit, owner, now).await?;
    }
    Ok(())
}

async fn is_pushable(unit: &Unit, tpp: TppId) -> Result<bool, Error> {
    Ok(unit.one(IS_PUSHABLE, &[&tpp.0]).await?.try_get(0)?)
}

/// Whether there is anywhere to push to.
pub(super) async fn has_address(unit: &Unit, tpp: TppId) -> Result<bool, Error> {
    let registrations = registrations::of(unit.db(), tpp).await?;
    Ok(routing::push_address(&unit.rules, &registrations).is_some())
}

/// In strict order an end is news for the lane, if there is one: whatever stood behind the oldest may go now (D-10).
pub(super) async fn next_in_line(
    unit: &mut Unit,
    owner: (TppId, &ClientId),
    now: Timestamp,
) -> Result<(), Error> {
    let row = unit.one(LANE_AND_ORDER, &[&owner.0.0]).await?;
    let (has_lane, own): (bool, i16) = (row.try_get(0)?, row.try_get(1)?);
    let order = own_order(own.into()).unwrap_or(unit.rules.switches.order);
    if has_lane && order == DeliveryOrder::Strict && has_address(unit, owner.0).await? {
        news(unit, owner, now).await?;
    }
    Ok(())
}

/// Something changed that the lane's owner may have read: whoever claims it next reads anew.
pub(super) async fn free(unit: &mut Unit, owner: (TppId, &ClientId)) -> Result<(), Error> {
    if unit.execute(FREE_LANE, &[&owner.0.0]).await? > 0 {
        unit.news.of(owner).free();
    }
    Ok(())
}

/// The TPP put its registration anew, or pushes go elsewhere: what was held against its endpoint is over (D-06), but not an
/// operator's pause.
pub(super) async fn mend(
    unit: &mut Unit,
    owner: (TppId, &ClientId),
    now: Timestamp,
) -> Result<(), Error> {
    let before = find(unit.db(), owner.1, Skew::NONE).await?;
    let before = before.map(|lane| lane.health);
    if !matches!(before, None | Some(Health::Paused { .. })) {
        overview::note_health(unit, owner.0, &Health::Responsive, now).await?;
    }
    if unit.execute(MEND_LANE, &[&owner.0.0]).await? > 0 {
        unit.news.of(owner).pushes = true;
    }
    Ok(())
}

/// A lane, its moments by the caller's clock.
fn told(row: &Row, skew: Skew) -> Result<Lane, Error> {
    let lane = lane(row)?;
    Ok(Lane {
        health: skew.told_health(lane.health),
        ..lane
    })
}

/// A lane from `claim, client_id, health, since, declared_at, failures, next_probe_at, reason`.
fn lane(row: &Row) -> Result<Lane, Error> {
    let client_id: &str = row.try_get(1)?;
    let (state, failures): (i16, i64) = (row.try_get(2)?, row.try_get(5)?);
    let columns = HealthColumns {
        state: state.into(),
        since: row.try_get(3)?,
        declared_at: row.try_get(4)?,
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        next_probe_at: row.try_get(6)?,
        reason: row.try_get(7)?,
    };
    Ok(Lane {
        claim: natural(row, 0)?,
        health: columns.read(client_id)?,
        client_id: parse(client_id, "client_id")?,
    })
}

/// Whether a lane has an owner whose lease holds at a moment of the database's clock.
macro_rules! is_owned {
    ($clock:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM nodes n
                WHERE n.node_id = ANY (ARRAY[l.owner]) AND n.epoch = l.epoch AND n.expires_at > ",
            $clock,
            ")"
        )
    };
}

// Only locked here: who had a lane in between is seen by the statement that claims.
pub(super) const FREE_LANES: &str = concat!(
    "
    SELECT l.tpp FROM lanes l JOIN tpps t ON t.tpp = ANY (ARRAY[l.tpp])
    WHERE l.wake_at <= $1 AND NOT ",
    is_owned!("$2"),
    "
    ORDER BY l.wake_at, t.client_id LIMIT $3 FOR UPDATE OF l SKIP LOCKED"
);

// Whoever takes the lane away again wakes nobody: then it is due, though it was claimed before its time.
pub(super) const CLAIM_LANES: &str = concat!(
    "
    WITH claimed AS (
        UPDATE lanes l SET owner = $2, epoch = $3, claim = l.claim + 1, wake_at = least(l.wake_at, $4), news_at = NULL
        FROM unnest($1::bigint[]) WITH ORDINALITY f (tpp, nth)
        WHERE l.tpp = ANY (ARRAY[f.tpp]) AND NOT ",
    is_owned!("$5"),
    "
        RETURNING f.nth, l.*)
    SELECT c.claim, t.client_id, c.health, c.since, c.declared_at, c.failures, c.next_probe_at, c.reason
    FROM claimed c JOIN tpps t ON t.tpp = ANY (ARRAY[c.tpp]) ORDER BY c.nth"
);

const LOCK_LANES: &str = "
    SELECT 1 FROM tpps t JOIN lanes l ON l.tpp = ANY (ARRAY[t.tpp]) WHERE t.client_id = ANY($1::text[])
    ORDER BY l.tpp FOR UPDATE OF l";

// A lane that is let go sleeps until its owner's moment, or until news it may not have seen: at once if its endpoint is well,
// at its probe if it is held back. It has waited for nobody yet. least() and greatest() pass over NULL.
const REPORT_LANE: &str = "
    UPDATE lanes SET
        health = $4::bigint, since = $5, declared_at = $6, failures = $7, next_probe_at = $8, reason = $11,
        owner = CASE WHEN $9::boolean THEN NULL ELSE owner END,
        epoch = CASE WHEN $9 THEN NULL ELSE epoch END,
        wake_at = CASE WHEN $9 THEN (
            SELECT greatest(w.at, $13::bigint)
            FROM (SELECT least($10::bigint,
                CASE WHEN $4 = 0 OR news_at > $8 THEN news_at WHEN news_at IS NOT NULL THEN $8 END)) w (at)
            WHERE w.at IS NOT NULL)
            ELSE wake_at END,
        news_at = CASE WHEN $9 THEN NULL ELSE news_at END
    WHERE tpp = (SELECT tpp FROM tpps WHERE client_id = $1) AND owner = $2 AND epoch = $3 AND claim = $12";

const FIND_LANE: &str = "
    SELECT l.claim, t.client_id, l.health, l.since, l.declared_at, l.failures, l.next_probe_at, l.reason
    FROM tpps t JOIN lanes l USING (tpp) WHERE t.client_id = $1";

/// When news of $2 is worth claiming the lane for: at its probe if it is held back, not at all if it has none.
macro_rules! worth {
    () => {
        "CASE WHEN l.health = 0 OR l.next_probe_at <= $2 THEN $2 ELSE l.next_probe_at END"
    };
}

// The condition spares a busy lane a write per request: its first news says it all.
const NEWS: &str = concat!(
    "
    INSERT INTO lanes AS l (tpp, wake_at, news_at) VALUES ($1, $2, $2)
    ON CONFLICT (tpp) DO UPDATE SET news_at = least(l.news_at, $2), wake_at = least(l.wake_at, ",
    worth!(),
    ")
    WHERE l.news_at IS NULL OR l.news_at > $2 OR coalesce(l.wake_at > ",
    worth!(),
    ", (",
    worth!(),
    ") IS NOT NULL)"
);

// What is outstanding is derived from the totals: nothing is counted.
const LIST_LANES: &str = "
    SELECT l.claim, t.client_id, l.health, l.since, l.declared_at, l.failures, l.next_probe_at, l.reason,
        l.wake_at, n.node_id, q.accepted - q.acknowledged - q.failed - q.expired - q.withdrawn
    FROM tpps t JOIN lanes l USING (tpp) JOIN queues q USING (tpp)
    LEFT JOIN nodes n ON n.node_id = l.owner AND n.epoch = l.epoch AND n.expires_at > $3
    WHERE t.client_id > $1 AND ($2::bigint IS NULL OR l.health = $2)
    ORDER BY t.client_id LIMIT $4";

const LANE_TOTALS: &str = "SELECT health, count(*) FROM lanes GROUP BY health";

const OUTSTANDING: &str = "
    SELECT coalesce(sum(accepted - acknowledged - failed - expired - withdrawn), 0)::bigint,
        min((SELECT accepted_at FROM outstanding o
            WHERE o.tpp = queues.tpp AND o.position >= queues.first_position ORDER BY o.position LIMIT 1))
    FROM queues";

const FREE_LANE: &str =
    "UPDATE lanes SET owner = NULL, epoch = NULL WHERE tpp = $1 AND owner IS NOT NULL";

const LANE_AND_ORDER: &str = "
    SELECT EXISTS (SELECT 1 FROM lanes WHERE tpp = $1), own_order FROM tpps WHERE tpp = $1";

// Whatever is not used up. Only what is used up is passed over, and that has begun anew where a TPP asks.
const IS_PUSHABLE: &str = "
    SELECT EXISTS (SELECT 1 FROM outstanding WHERE tpp = $1 AND push_at IS NOT NULL)
        OR EXISTS (SELECT 1 FROM outstanding WHERE tpp = $1 AND refusals = 0)";

const MEND_LANE: &str = "
    UPDATE lanes SET health = 0, since = NULL, declared_at = NULL, failures = 0, next_probe_at = NULL,
        reason = NULL
    WHERE tpp = $1 AND health IN (1, 2)";
