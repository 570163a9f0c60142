//! The bank's own keys, as far as the ledger holds what they signed (M-06).
//!
//! There is no index by key: it would cost every SET a write for the sake of two rare requests. They walk the narrow tables of
//! what nobody has settled instead. To disown a key all TPPs' locks are taken: it is the one request that does.

use oyez_domain::actor::Actor;
use oyez_domain::ledger::sets::KeyUse;
use oyez_domain::time::Timestamp;

use super::audit::{self, Change};
use super::columns::{moment, natural};
use super::pool::Held;
use super::unit::Unit;
use crate::Error;

/// See [`crate::Store::disown_key`].
pub(super) async fn disown(
    unit: &Unit,
    actor: &Actor,
    kid: &str,
    now: Timestamp,
) -> Result<u64, Error> {
    unit.take_its_time().await?;
    let is_news = unit.execute(DISOWN, &[&kid, &now.unix_ms()]).await?;
    if is_news == 0 {
        return Ok(0);
    }
    // Who keeps a SET has its TPP's lock: whoever had it before us is seen by the next statement, whoever comes after us
    // sees the key disowned.
    unit.rows(LOCK_ALL, &[]).await?;
    let superseded = unit.execute(SUPERSEDE, &[&kid]).await?;
    let change = Change {
        actor,
        action: "key.disowned",
        tpp: None,
        before: Some(serde_json::json!({"kid": kid, "sets": superseded})),
        after: Some(serde_json::json!({"kid": kid, "sets": 0})),
    };
    audit::note(unit, change, now).await?;
    Ok(superseded)
}

/// See [`crate::Store::keys_in_use`].
pub(super) async fn in_use(db: &Held) -> Result<Vec<KeyUse>, Error> {
    let rows = db.rows(IN_USE, &[]).await?;
    let uses = rows.iter().map(|row| {
        Ok(KeyUse {
            kid: row.try_get(0)?,
            outstanding: natural(row, 1)?,
            last_kept_at: moment(row, 2)?,
        })
    });
    uses.collect()
}

const DISOWN: &str =
    "INSERT INTO disowned_keys (kid, disowned_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";

const LOCK_ALL: &str = "SELECT 1 FROM queues ORDER BY tpp FOR UPDATE";

const SUPERSEDE: &str = "
    WITH gone AS (
        DELETE FROM sets s USING (
            SELECT tpp, jti FROM outstanding UNION ALL SELECT tpp, jti FROM failed) o
        WHERE s.tpp = o.tpp AND s.jti = o.jti AND s.kid = $1
        RETURNING s.tpp, s.jti, s.kept_at, s.kid, s.jws)
    INSERT INTO superseded_sets (tpp, jti, nth, kept_at, kid, jws)
    SELECT g.tpp, g.jti, 1 + (
            SELECT count(*) FROM superseded_sets x WHERE x.tpp = g.tpp AND x.jti = g.jti)::integer,
        g.kept_at, g.kid, g.jws
    FROM gone g";

const IN_USE: &str = "
    SELECT s.kid, count(*), max(s.kept_at)
    FROM (SELECT tpp, jti FROM outstanding UNION ALL SELECT tpp, jti FROM failed) o
        JOIN sets s USING (tpp, jti)
    GROUP BY s.kid ORDER BY s.kid COLLATE \"C\"";
