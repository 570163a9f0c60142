//! Lanes: who pushes to whom, and what is known of endpoints (D-05, D-06).
//!
//! A wake-up is never lost: news is written into the lane whoever owns it, and an owner that lets go is woken again by news
//! that came since it claimed. News of a lane that is held back wakes it at its probe, and no sooner.
//!
//! Whatever an owner may have read of its TPP takes the lane away from it when it changes: its next choice finds nothing, its
//! report is not written, and the next owner reads anew.

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::history::Page;
use oyez_domain::ledger::lanes::{
    Claim, Health, Hold, Lane, LaneFilter, LaneReport, LaneStatus, LaneTotals, Lease, Reported,
};
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use rusqlite::{Connection, OptionalExtension, params};

use super::codes::{moment_or_null, parse};
use super::health::{self, HealthColumns};
use super::history::{page, rows_wanted};
use super::leases::{clock, is_live};
use super::overview;
use super::registrations;
use super::tpps::{TppId, know, own_order};
use super::writer::Unit;
use crate::Error;

/// See [`crate::Store::report_lanes`].
pub(super) fn report(
    unit: &Unit,
    lease: &Lease,
    reports: &[LaneReport],
    now: Timestamp,
) -> Result<Vec<Reported>, Error> {
    let clock = clock(&unit.db)?;
    let live = is_live(&unit.db, lease, clock)?;
    reports
        .iter()
        .map(|report| match know(&unit.db, &report.client_id)? {
            Some(known) if live => report_one(unit, lease, (known.id, report), now),
            _ => Ok(Reported::NotOwner),
        })
        .collect()
}

fn report_one(
    unit: &Unit,
    lease: &Lease,
    (tpp, report): (TppId, &LaneReport),
    now: Timestamp,
) -> Result<Reported, Error> {
    let columns = HealthColumns::of(&report.health);
    let (let_go, wake_at) = match report.hold {
        Hold::Keep => (false, None),
        Hold::LetGo { wake_at } => (true, wake_at.map(Timestamp::unix_ms)),
    };
    if owns(unit, lease, (tpp, report))? {
        overview::note_health(unit, tpp, &report.health, now)?;
    }
    let changed = unit.db.prepare_cached(REPORT_LANE)?.execute(params![
        tpp,
        lease.node_id.as_str(),
        lease.epoch,
        columns.state,
        columns.since,
        columns.declared_at,
        columns.failures,
        columns.next_probe_at,
        let_go,
        wake_at,
        columns.reason,
        report.claim,
        now.unix_ms()
    ])?;
    Ok(if changed == 1 {
        Reported::Written
    } else {
        Reported::NotOwner
    })
}

/// Whether a report is by the claim that has the lane.
fn owns(unit: &Unit, lease: &Lease, (tpp, report): (TppId, &LaneReport)) -> Result<bool, Error> {
    let key = params![tpp, lease.node_id.as_str(), lease.epoch, report.claim];
    let mut statement = unit.db.prepare_cached(OWNS)?;
    Ok(statement.exists(key)?)
}

/// See [`crate::Store::find_lane`].
pub(super) fn find(db: &Connection, client_id: &ClientId) -> Result<Option<Lane>, Error> {
    let mut statement = db.prepare_cached(FIND_LANE)?;
    let mut rows = statement.query([client_id.as_str()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let (client_id, health) = health::of_row(row)?;
    Ok(Some(Lane {
        client_id,
        claim: row.get(8)?,
        health,
    }))
}

/// A lane of one's own, and where pushing to its TPP stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owned {
    /// How often it began anew.
    pub(super) begun: i64,
    /// From this position on there may be events that are not in the order of pushes yet.
    pub(super) unlisted_from: Option<u64>,
}

/// A lane, if this claim's lease holds and it is its own.
pub(super) fn owned(unit: &Unit, claim: &Claim, tpp: TppId) -> Result<Option<Owned>, Error> {
    let (clock, lease) = (clock(&unit.db)?, &claim.lease);
    let node_id = lease.node_id.as_str();
    let key = params![tpp, node_id, lease.epoch, clock.unix_ms(), claim.number];
    let owned = unit.db.prepare_cached(OWNED)?.query_row(key, |row| {
        Ok(Owned {
            begun: row.get(0)?,
            unlisted_from: row.get(1)?,
        })
    });
    Ok(owned.optional()?)
}

/// See [`crate::Store::list_lanes`].
pub(super) fn list(
    db: &Connection,
    filter: LaneFilter,
    after: Option<&ClientId>,
    rows_max: u32,
) -> Result<Page<LaneStatus, ClientId>, Error> {
    let mut statement = db.prepare_cached(LIST_LANES)?;
    let mut rows = statement.query(params![
        after.map_or("", ClientId::as_str),
        filter.state.map(health::state_code),
        clock(db)?.unix_ms(),
        rows_wanted(rows_max) + 1
    ])?;
    let mut lanes = Vec::new();
    while let Some(row) = rows.next()? {
        let (client_id, health) = health::of_row(row)?;
        let owner: Option<String> = row.get(9)?;
        lanes.push(LaneStatus {
            client_id,
            health,
            wake_at: moment_or_null(row, 8)?,
            owner: owner.map(|owner| parse(&owner, "node id")).transpose()?,
            outstanding: row.get(10)?,
        });
    }
    Ok(page(lanes, rows_max, |lane| lane.client_id.clone()))
}

/// See [`crate::Store::lane_totals`].
pub(super) fn totals(db: &Connection) -> Result<LaneTotals, Error> {
    let mut statement = db.prepare_cached(LANE_TOTALS)?;
    let mut rows = statement.query([])?;
    let mut totals = LaneTotals::default();
    while let Some(row) = rows.next()? {
        *totals.of(health::state(row.get(0)?)?) = row.get(1)?;
    }
    let mut outstanding = db.prepare_cached(OUTSTANDING)?;
    (totals.outstanding, totals.oldest_accepted_at) = outstanding.query_row([], |row| {
        let oldest: Option<i64> = row.get(1)?;
        Ok((row.get(0)?, oldest.map(Timestamp::from_unix_ms)))
    })?;
    Ok(totals)
}

/// There is something to push from a moment on.
pub(super) fn news(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    at: Timestamp,
) -> Result<(), Error> {
    unit.db
        .prepare_cached(NEWS)?
        .execute(params![tpp, at.unix_ms()])?;
    unit.news.of((tpp, owner)).pushes = true;
    Ok(())
}

/// There is something to push if any outstanding event is pushed at all. For who has an address.
pub(super) fn news_if_pushable(
    unit: &mut Unit,
    owner: (TppId, &ClientId),
    now: Timestamp,
) -> Result<(), Error> {
    if is_pushable(unit, owner.0)? {
        news(unit, owner, now)?;
    }
    Ok(())
}

pub(super) fn is_pushable(unit: &Unit, tpp: TppId) -> Result<bool, Error> {
    let mut statement = unit.db.prepare_cached(IS_PUSHABLE)?;
    Ok(statement.query_row([tpp], |row| row.get(0))?)
}

/// In strict order an end is news for the lane, if there is one: whatever stood behind the oldest may go now (D-10).
pub(super) fn next_in_line(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    now: Timestamp,
) -> Result<(), Error> {
    let is_pushed_strictly = match unit.pushed_strictly.get(&tpp) {
        Some(known) => *known,
        None => {
            let mut statement = unit.db.prepare_cached(LANE_AND_ORDER)?;
            let (has_lane, own): (bool, _) =
                statement.query_row([tpp], |row| Ok((row.get(0)?, own_order(row, 1)?)))?;
            let order = own.unwrap_or(unit.rules.switches.order);
            let is_pushed = has_lane
                && order == DeliveryOrder::Strict
                && routing::push_address(&unit.rules, &registrations::of(&unit.db, tpp)?).is_some();
            unit.pushed_strictly.insert(tpp, is_pushed);
            is_pushed
        }
    };
    if is_pushed_strictly {
        news(unit, (tpp, owner), now)?;
    }
    Ok(())
}

/// Something changed that the lane's owner may have read: whoever claims it next reads anew.
pub(super) fn free(unit: &mut Unit, owner: (TppId, &ClientId)) -> Result<(), Error> {
    let freed = unit.db.prepare_cached(FREE_LANE)?.execute([owner.0])?;
    if freed > 0 {
        unit.news.of(owner).free();
    }
    Ok(())
}

/// The TPP put its registration anew, or pushes go elsewhere: what was held against its endpoint is over (D-06), but not an operator's pause.
pub(super) fn mend(
    unit: &mut Unit,
    owner: (TppId, &ClientId),
    now: Timestamp,
) -> Result<(), Error> {
    let before = find(&unit.db, owner.1)?.map(|lane| lane.health);
    if !matches!(before, None | Some(Health::Paused { .. })) {
        overview::note_health(unit, owner.0, &Health::Responsive, now)?;
    }
    let mended = unit.db.prepare_cached(MEND_LANE)?.execute([owner.0])?;
    if mended > 0 {
        unit.news.of(owner).pushes = true;
    }
    Ok(())
}

// A lane that is let go sleeps until its owner's moment, or until news it may not have seen: at once if its endpoint is well,
// at its probe if it is held back. It has waited for nobody yet. max() and min() of a NULL are NULL.
const REPORT_LANE: &str = "
    UPDATE lanes SET
        health = ?4, since = ?5, declared_at = ?6, failures = ?7, next_probe_at = ?8, reason = ?11,
        owner = iif(?9, NULL, owner), epoch = iif(?9, NULL, epoch),
        wake_at = iif(?9,
            max(?13, coalesce(min(?10, iif(?4 = 0, news_at, max(?8, news_at))), ?10,
                iif(?4 = 0, news_at, max(?8, news_at)))),
            wake_at),
        news_at = iif(?9, NULL, news_at)
    WHERE tpp = ?1 AND owner = ?2 AND epoch = ?3 AND claim = ?12";

const OWNS: &str =
    "SELECT 1 FROM lanes WHERE tpp = ?1 AND owner = ?2 AND epoch = ?3 AND claim = ?4";

const FIND_LANE: &str = "
    SELECT l.tpp, t.client_id, l.health, l.since, l.declared_at, l.failures, l.next_probe_at, l.reason,
        l.claim
    FROM tpps t JOIN lanes l USING (tpp) WHERE t.client_id = ?1";

// The condition spares a busy lane a write per request: its first news says it all.
const NEWS: &str = "
    INSERT INTO lanes (tpp, wake_at, news_at) VALUES (?1, ?2, ?2)
    ON CONFLICT (tpp) DO UPDATE SET
        news_at = coalesce(min(news_at, ?2), ?2),
        wake_at = coalesce(min(wake_at, iif(health = 0, ?2, max(next_probe_at, ?2))), wake_at,
            iif(health = 0, ?2, max(next_probe_at, ?2)))
    WHERE news_at IS NULL OR news_at > ?2 OR coalesce(
        wake_at > iif(health = 0, ?2, max(next_probe_at, ?2)),
        iif(health = 0, ?2, max(next_probe_at, ?2)) IS NOT NULL)";

pub(super) const OWNED: &str = "
    SELECT q.begun, q.unlisted_from
    FROM lanes l CROSS JOIN nodes n ON n.node_id = l.owner AND n.epoch = l.epoch
        CROSS JOIN queues q ON q.tpp = l.tpp
    WHERE l.tpp = ?1 AND l.owner = ?2 AND l.epoch = ?3 AND l.claim = ?5 AND n.expires_at > ?4";

// What is outstanding is derived from the totals: nothing is counted.
pub(super) const LIST_LANES: &str = "
    SELECT l.tpp, t.client_id, l.health, l.since, l.declared_at, l.failures, l.next_probe_at, l.reason,
        l.wake_at, n.node_id, q.accepted - q.acknowledged - q.failed - q.expired - q.withdrawn
    FROM tpps t CROSS JOIN lanes l USING (tpp) CROSS JOIN queues q USING (tpp)
    LEFT JOIN nodes n ON n.node_id = l.owner AND n.epoch = l.epoch AND n.expires_at > ?3
    WHERE t.client_id > ?1 AND (?2 IS NULL OR l.health = ?2)
    ORDER BY t.client_id LIMIT ?4";

const LANE_TOTALS: &str = "SELECT health, count(*) FROM lanes GROUP BY health";

const OUTSTANDING: &str = "
    SELECT coalesce(sum(accepted - acknowledged - failed - expired - withdrawn), 0),
        min((SELECT accepted_at FROM outstanding o WHERE o.tpp = queues.tpp ORDER BY position LIMIT 1))
    FROM queues";

const FREE_LANE: &str =
    "UPDATE lanes SET owner = NULL, epoch = NULL WHERE tpp = ?1 AND owner IS NOT NULL";

const LANE_AND_ORDER: &str = "
    SELECT EXISTS (SELECT 1 FROM lanes WHERE tpp = ?1), own_order FROM tpps WHERE tpp = ?1";

// Whatever is not used up. Only what is used up is passed over, and that has begun anew where a TPP asks.
pub(super) const IS_PUSHABLE: &str = "
    SELECT EXISTS (
            SELECT 1 FROM outstanding INDEXED BY outstanding_push WHERE tpp = ?1 AND push_at IS NOT NULL)
        OR EXISTS (SELECT 1 FROM outstanding WHERE tpp = ?1 AND refusals = 0)";

const MEND_LANE: &str = "
    UPDATE lanes SET health = 0, since = NULL, declared_at = NULL, failures = 0, next_probe_at = NULL,
        reason = NULL
    WHERE tpp = ?1 AND health IN (1, 2)";
