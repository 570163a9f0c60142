//! Leases: which nodes push and which answer TPPs, by the database's clock, and how lanes are shared out over the former.
//!
//! The clock is read by a statement of its own and given to the others: what a statement writes then depends on nothing but its
//! values, wherever a copy of the table stands.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::ids::NodeId;
use oyez_domain::ledger::lanes::Lease;
use oyez_domain::ledger::sharing::{Company, PASSED_OVER};
use oyez_domain::time::Timestamp;

use super::columns::{count, moment, natural};
use super::session::{Session, Values};
use super::unit::Unit;
use crate::Error;
use crate::codes::parse;

/// See [`crate::Store::hold_lease`].
pub(super) async fn hold(
    unit: &Unit,
    node_id: &NodeId,
    renew: Option<u64>,
    ttl: Duration,
) -> Result<Option<Lease>, Error> {
    let (clock, epoch) = match renew {
        Some(epoch) => (clock(unit.db()).await?, count(epoch)),
        None => {
            let row = unit.one(CLOCK_AND_EPOCH, &[]).await?;
            (moment(&row, 0)?, row.try_get(1)?)
        }
    };
    let expires_at = clock + ttl;
    let (name, until, now) = (node_id.as_str(), expires_at.unix_ms(), clock.unix_ms());
    unit.db()
        .prepare(&[TAKE_LEASE, RENEW_LEASE, COMPANY])
        .await?;
    // Sent together: who shares the lanes costs no round trip of its own.
    let (held, company) = futures_util::try_join!(
        async {
            match renew {
                Some(_) => {
                    unit.execute(RENEW_LEASE, &[&name, &epoch, &until, &now])
                        .await
                }
                None => unit.execute(TAKE_LEASE, &[&name, &epoch, &until]).await,
            }
        },
        company(unit.db(), clock, clock)
    )?;
    Ok((held == 1).then(|| Lease {
        node_id: node_id.clone(),
        epoch: u64::try_from(epoch).unwrap_or_default(),
        expires_at,
        surplus: company.surplus(node_id),
    }))
}

/// Who shares the lanes, and those that are free and due by then.
pub(super) async fn company(
    db: &Session,
    by: Timestamp,
    clock: Timestamp,
) -> Result<Company, Error> {
    let long_since = by - PASSED_OVER;
    let values: Values<'_> = &[&clock.unix_ms(), &by.unix_ms(), &long_since.unix_ms()];
    let rows = db.rows(COMPANY, values).await?;
    let mut company = Company::default();
    let mut epochs = HashMap::new();
    let mut lanes = Vec::with_capacity(rows.len());
    for row in &rows {
        let owner: Option<(&str, i64)> = row
            .try_get::<_, Option<&str>>(0)?
            .zip(row.try_get::<_, Option<i64>>(1)?);
        if let (None, Some((node_id, epoch))) = (row.try_get::<_, Option<i64>>(2)?, owner) {
            company.loads.insert(parse(node_id, "node id")?, 0);
            epochs.insert(node_id, epoch);
        } else {
            lanes.push((owner, row));
        }
    }
    for (owner, row) in lanes {
        let is_live = |(node_id, epoch): &(&str, i64)| epochs.get(node_id) == Some(epoch);
        match owner.filter(is_live) {
            Some((node_id, _)) => {
                let load = company.loads.entry(parse(node_id, "node id")?).or_default();
                *load += natural(row, 2)?;
            }
            None => {
                company.free += natural(row, 3)?;
                company.passed_over += natural(row, 4)?;
            }
        }
    }
    Ok(company)
}

/// See [`crate::Store::attend`].
pub(super) async fn attend(
    unit: &Unit,
    node_id: &NodeId,
    ttl: Duration,
) -> Result<NonZeroU32, Error> {
    let name = node_id.as_str();
    let row = unit.one(CLOCK_AND_ATTENDED, &[&name]).await?;
    let (clock, said): (_, Option<i64>) = (moment(&row, 0)?, row.try_get(1)?);
    let until = (clock + ttl).unix_ms();
    // Who could not say so in time takes it that the others could not either, and for once counts those who attended when it
    // last did: after an outage the first is not alone.
    let (from, to) = match said.map(Timestamp::from_unix_ms) {
        Some(said) if said <= clock => (said - ttl, said + ttl),
        _ => (clock, clock),
    };
    unit.db().prepare(&[ATTEND, ATTENDING]).await?;
    let values: Values<'_> = &[&clock.unix_ms(), &from.unix_ms(), &to.unix_ms()];
    let (_, attending) = futures_util::try_join!(
        async { unit.execute(ATTEND, &[&name, &until]).await },
        async { unit.one(ATTENDING, values).await }
    )?;
    let attending = u32::try_from(natural(&attending, 0)?).unwrap_or(u32::MAX);
    Ok(NonZeroU32::new(attending).unwrap_or(NonZeroU32::MIN))
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
        WHERE n.expires_at < $1 AND n.attends_until < $1 ORDER BY l.tpp FOR UPDATE OF l SKIP LOCKED)
    UPDATE lanes l SET owner = NULL, epoch = NULL FROM free f WHERE l.tpp = f.tpp";

const FORGET_OLD: &str = "
    WITH old AS (
        SELECT n.node_id FROM nodes n
        WHERE n.expires_at < $1 AND n.attends_until < $1 AND NOT EXISTS (SELECT 1 FROM lanes l WHERE l.owner = n.node_id)
        ORDER BY n.node_id FOR UPDATE OF n SKIP LOCKED)
    DELETE FROM nodes n USING old o WHERE n.node_id = o.node_id";

pub(super) const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

const JUDGE: &str = "
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
        (SELECT expires_at FROM nodes WHERE node_id = $1 AND epoch = $2)";

// Drawn, not counted: the epochs of a node whose row was forgotten do not begin anew.
const CLOCK_AND_EPOCH: &str = "
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, nextval('epochs')";

const TAKE_LEASE: &str = "
    INSERT INTO nodes (node_id, epoch, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (node_id) DO UPDATE SET epoch = excluded.epoch, expires_at = excluded.expires_at";

const RENEW_LEASE: &str = "
    UPDATE nodes SET expires_at = $3 WHERE node_id = $1 AND epoch = $2 AND expires_at > $4";

const RELEASE_LEASE: &str = "
    UPDATE nodes SET expires_at = least(expires_at, $3) WHERE node_id = $1 AND epoch = $2";

// The nodes that live, and every lane counted once by its owner, who may be none or dead. A dead one's lanes wait since its
// lease was over.
const COMPANY: &str = "
    SELECT n.node_id, n.epoch, NULL::bigint, NULL::bigint, NULL::bigint FROM nodes n WHERE n.expires_at > $1::bigint
    UNION ALL
    SELECT l.owner, l.epoch, count(*),
        count(*) FILTER (WHERE l.wake_at <= $2::bigint),
        count(*) FILTER (WHERE greatest(l.wake_at, n.expires_at) <= $3::bigint AND l.wake_at IS NOT NULL)
    FROM lanes l LEFT JOIN nodes n ON n.node_id = l.owner AND n.epoch = l.epoch
    GROUP BY l.owner, l.epoch";

const ATTEND: &str = "
    INSERT INTO nodes (node_id, attends_until) VALUES ($1, $2)
    ON CONFLICT (node_id) DO UPDATE SET attends_until = excluded.attends_until";

const CLOCK_AND_ATTENDED: &str = "
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
        (SELECT attends_until FROM nodes WHERE node_id = $1)";

// Who stopped in good order said so at a moment, and not for one to come: see [`attend`].
const ATTENDING: &str = "
    SELECT count(*) FROM nodes WHERE attends_until > $1 OR attends_until > $2 AND attends_until <= $3";
