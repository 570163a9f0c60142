//! Leases: which nodes are alive, by the database's clock.
//!
//! The clock is read by a statement of its own and given to the others: what a statement writes then depends on nothing but its
//! values, wherever a copy of the table stands.

use std::time::Duration;

use oyez_domain::ids::NodeId;
use oyez_domain::ledger::lanes::Lease;
use oyez_domain::time::Timestamp;

use super::columns::{count, moment, natural};
use super::session::Session;
use super::unit::Unit;
use crate::Error;

/// See [`crate::Store::hold_lease`].
pub(super) async fn hold(
    unit: &Unit,
    node_id: &NodeId,
    renew: Option<u64>,
    ttl: Duration,
) -> Result<Option<Lease>, Error> {
    let clock = clock(unit.db()).await?;
    let expires_at = clock + ttl;
    let (name, until) = (node_id.as_str(), expires_at.unix_ms());
    let held = match renew {
        Some(epoch) => {
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
                [&name, &count(epoch), &until, &clock.unix_ms()];
            unit.row(RENEW_LEASE, &values).await?
        }
        None => Some(unit.one(TAKE_LEASE, &[&name, &until]).await?),
    };
    held.map(|row| {
        Ok(Lease {
            node_id: node_id.clone(),
            epoch: natural(&row, 0)?,
            expires_at,
        })
    })
    .transpose()
}

/// See [`crate::Store::release_lease`].
pub(super) async fn release(unit: &Unit, lease: &Lease) -> Result<(), Error> {
    let (name, epoch) = (lease.node_id.as_str(), count(lease.epoch));
    // An epoch that is over already is what was wanted.
    let clock = clock(unit.db()).await?.unix_ms();
    unit.execute(RELEASE_LEASE, &[&name, &epoch, &clock])
        .await?;
    Ok(())
}

/// Forgets nodes that have long been gone: one without a name of its own comes back as another. Their lanes are free already,
/// and stay so if the name is used again.
pub(super) async fn forget_old(unit: &Unit) -> Result<(), Error> {
    let long_ago = (clock(unit.db()).await? - FORGOTTEN_AFTER).unix_ms();
    unit.execute(FREE_LANES, &[&long_ago]).await?;
    unit.execute(FORGET_OLD, &[&long_ago]).await?;
    Ok(())
}

/// The database's clock, by which leases go.
pub(super) async fn clock(db: &Session) -> Result<Timestamp, Error> {
    moment(&db.one(CLOCK, &[]).await?, 0)
}

/// The clock, and whether a lease holds by it.
pub(super) async fn judge(db: &Session, lease: &Lease) -> Result<(Timestamp, bool), Error> {
    let (name, epoch) = (lease.node_id.as_str(), count(lease.epoch));
    let row = db.one(JUDGE, &[&name, &epoch]).await?;
    let clock = moment(&row, 0)?;
    let expires_at: Option<i64> = row.try_get(1)?;
    Ok((
        clock,
        expires_at.is_some_and(|expires_at| expires_at > clock.unix_ms()),
    ))
}

/// Long after any node would renew.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);

// In the order of TPPs, as everybody locks lanes; those that are locked just now are left to the next round, and so is their node.
const FREE_LANES: &str = "
    WITH free AS (
        SELECT l.tpp FROM nodes n JOIN lanes l ON l.owner = n.node_id
        WHERE n.expires_at < $1 ORDER BY l.tpp FOR UPDATE OF l SKIP LOCKED)
    UPDATE lanes l SET owner = NULL, epoch = NULL FROM free f WHERE l.tpp = f.tpp";

const FORGET_OLD: &str = "
    WITH old AS (
        SELECT n.node_id FROM nodes n
        WHERE n.expires_at < $1 AND NOT EXISTS (SELECT 1 FROM lanes l WHERE l.owner = n.node_id)
        ORDER BY n.node_id FOR UPDATE OF n SKIP LOCKED)
    DELETE FROM nodes n USING old o WHERE n.node_id = o.node_id";

const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

const JUDGE: &str = "
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
        (SELECT expires_at FROM nodes WHERE node_id = $1 AND epoch = $2)";

const TAKE_LEASE: &str = "
    INSERT INTO nodes AS n (node_id, epoch, expires_at) VALUES ($1, 1, $2)
    ON CONFLICT (node_id) DO UPDATE SET epoch = n.epoch + 1, expires_at = excluded.expires_at
    RETURNING epoch";

const RENEW_LEASE: &str = "
    UPDATE nodes SET expires_at = $3 WHERE node_id = $1 AND epoch = $2 AND expires_at > $4
    RETURNING epoch";

const RELEASE_LEASE: &str = "
    UPDATE nodes SET expires_at = least(expires_at, $3) WHERE node_id = $1 AND epoch = $2";
