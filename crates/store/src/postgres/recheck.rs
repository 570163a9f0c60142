//! Is an event still outstanding, just before its bytes go out again? (P-14) One message, no lock: what changes in the moment
//! after is what a send cannot know anyway.

use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::lanes::Claim;
use oyez_domain::ledger::sets::Kept;
use tokio_postgres::Row;
use uuid::Uuid;

use super::Shared;
use super::columns::{count, jti, uuid};
use super::keys::may_be_sent;
use super::plans::of_key;
use super::session::Session;
use crate::Error;
use crate::error::contradiction;

/// What is looked at again, and by whom.
pub(super) struct Recheck {
    pub(super) claim: Option<Claim>,
    pub(super) client_id: ClientId,
    pub(super) jtis: Vec<Jti>,
}

/// See [`crate::Store::recheck`].
pub(super) async fn recheck(
    shared: &Shared,
    db: &Session,
    ask: &Recheck,
) -> Result<Option<Vec<Kept>>, Error> {
    let known = shared
        .roster
        .numbers(db, std::iter::once(&ask.client_id))
        .await?;
    let Some(tpp) = known.get(&ask.client_id) else {
        let none = vec![Kept::NoLongerOutstanding; ask.jtis.len()];
        return Ok(ask.claim.is_none().then_some(none));
    };
    db.prepare(&[OWNED, KEPT]).await?;
    let jtis: Vec<Uuid> = ask.jtis.iter().map(|jti| uuid(*jti)).collect();
    let (owned, rows) = futures_util::try_join!(
        async {
            match &ask.claim {
                Some(Claim { lease, number }) => {
                    let node_id = lease.node_id.as_str();
                    let (epoch, number) = (count(lease.epoch), count(*number));
                    let row = db.row(OWNED, &[&tpp.0, &node_id, &epoch, &number]).await?;
                    Ok(row.is_some())
                }
                None => Ok(true),
            }
        },
        async { db.rows(KEPT, &[&tpp.0, &jtis]).await }
    )?;
    if !owned {
        return Ok(None);
    }
    let kept = ask.jtis.iter().map(|wanted| {
        let mut rows = rows.iter();
        let row = rows.find(|row| jti(row, 0).is_ok_and(|jti| jti == *wanted));
        row.map_or(Ok(Kept::NoLongerOutstanding), |row| kept(row, *wanted))
    });
    kept.collect::<Result<_, _>>().map(Some)
}

fn kept(row: &Row, jti: Jti) -> Result<Kept, Error> {
    if let Some(bytes) = row.try_get(1)? {
        return Ok(Kept::Send(bytes));
    }
    if row.try_get(2)? {
        return Ok(Kept::ChooseAgain);
    }
    Err(contradiction(format!("no SET was ever kept for {jti}")))
}

/// Leases go by the database's clock.
const OWNED: &str = "
    SELECT 1 FROM lanes l JOIN nodes n ON n.node_id = l.owner AND n.epoch = l.epoch
    WHERE l.tpp = $1::bigint AND l.owner = $2::text AND l.epoch = $3::bigint AND l.claim = $4::bigint
        AND n.expires_at > (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

pub(super) const KEPT: &str = concat!(
    "SELECT o.jti, CASE WHEN ",
    may_be_sent!("s"),
    " THEN s.jws END, s.kid IS NOT NULL OR EXISTS (
            SELECT 1 FROM superseded_sets p WHERE p.tpp = ANY (ARRAY[o.tpp]) AND p.jti = o.jti)
    FROM unnest($2::uuid[]) a (jti)
        CROSS JOIN LATERAL (SELECT o.tpp, o.jti FROM outstanding o WHERE ",
    of_key!("o", ("tpp", "jti") = ("$1::bigint", "a.jti")),
    ") o
        LEFT JOIN sets s ON s.tpp = ANY (ARRAY[o.tpp]) AND s.jti = o.jti"
);
