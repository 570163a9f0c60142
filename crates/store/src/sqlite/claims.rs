//! Claiming lanes (D-05): those that have something to do by now, or every one that sleeps.
//!
//! A lane whose time is never can have work for all that: it was accepted while pushing was switched off, or the slow probe was.
//! Who asks for all lanes wakes such lanes first. That is when a node starts, and once an hour.

use oyez_domain::ledger::lanes::{Lane, Lease, Wanted};
use oyez_domain::time::Timestamp;
use rusqlite::params;

use super::errors::expect_rows;
use super::health;
use super::lanes;
use super::leases::{clock, company, is_live};
use super::push;
use super::tpps::TppId;
use super::writer::Unit;
use crate::Error;

/// See [`crate::Store::claim_lanes`].
pub(super) fn claim(
    unit: &Unit,
    lease: &Lease,
    wanted: Wanted,
    lanes_max: u32,
    now: Timestamp,
) -> Result<Vec<Lane>, Error> {
    let clock = clock(&unit.db)?;
    if !is_live(&unit.db, lease, clock)? {
        return Ok(Vec::new());
    }
    let (by, room) = match wanted {
        Wanted::Due => (now, u32::MAX),
        Wanted::Share => {
            let room = company(&unit.db, now, clock)?.room(&lease.node_id);
            (now, u32::try_from(room).unwrap_or(u32::MAX))
        }
        Wanted::All => {
            wake_sleepers(unit, now)?;
            (Timestamp::MAX, u32::MAX)
        }
    };
    let lanes_max = lanes_max.min(room);
    let mut found = Vec::new();
    let mut statement = unit.db.prepare_cached(FREE_LANES)?;
    let mut rows = statement.query(params![by.unix_ms(), clock.unix_ms(), lanes_max])?;
    while let Some(row) = rows.next()? {
        found.push((row.get::<_, TppId>(0)?, health::of_row(row)?));
    }
    let mut claim = unit.db.prepare_cached(CLAIM_LANE)?;
    found
        .into_iter()
        .map(|(tpp, (client_id, health))| {
            let key = params![tpp, lease.node_id.as_str(), lease.epoch, now.unix_ms()];
            Ok(Lane {
                client_id,
                claim: claim.query_row(key, |row| row.get(0))?,
                health,
            })
        })
        .collect()
}

/// Lanes that nothing would wake, though they have something to do.
fn wake_sleepers(unit: &Unit, now: Timestamp) -> Result<(), Error> {
    let mut statement = unit.db.prepare_cached(SLEEPERS)?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found: Vec<(TppId, bool)> = found.collect::<Result<_, _>>()?;
    let mut wake = unit.db.prepare_cached(WAKE)?;
    for (tpp, was_given_up) in found {
        if was_given_up || push::has_address(unit, tpp)? && lanes::is_pushable(unit, tpp)? {
            let changed = wake.execute(params![tpp, now.unix_ms()])?;
            expect_rows(changed, 1, "waking a lane")?;
        }
    }
    Ok(())
}

pub(super) const FREE_LANES: &str = "
    SELECT l.tpp, t.client_id, l.health, l.since, l.declared_at, l.failures, l.next_probe_at, l.reason
    FROM lanes l CROSS JOIN tpps t USING (tpp)
    WHERE l.wake_at <= ?1 AND NOT EXISTS (
        SELECT 1 FROM nodes n
        WHERE n.node_id = l.owner AND n.epoch = l.epoch AND n.expires_at > ?2)
    ORDER BY l.wake_at, t.client_id LIMIT ?3";

// Whoever takes the lane away again wakes nobody: then it is due, though it was claimed before its time.
const CLAIM_LANE: &str = "
    UPDATE lanes SET owner = ?2, epoch = ?3, claim = claim + 1, wake_at = min(wake_at, ?4), news_at = NULL
    WHERE tpp = ?1 RETURNING claim";

// Whose lane nothing would wake, and who may have something to push or was given up without a probe.
pub(super) const SLEEPERS: &str = "
    SELECT q.tpp, coalesce(l.health = 2 AND l.next_probe_at IS NULL, 0)
    FROM queues q CROSS JOIN tpps t USING (tpp) LEFT JOIN lanes l USING (tpp)
    WHERE l.wake_at IS NULL AND coalesce(l.health, 0) <> 3
        AND (l.health = 2 AND l.next_probe_at IS NULL OR t.disabled_at IS NULL
            AND q.accepted > q.acknowledged + q.failed + q.expired + q.withdrawn)";

const WAKE: &str = "
    INSERT INTO lanes (tpp, wake_at) VALUES (?1, ?2)
    ON CONFLICT (tpp) DO UPDATE SET wake_at = excluded.wake_at";
