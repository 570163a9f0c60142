//! The bank's own keys, as far as the ledger holds what they signed (M-06).
//!
//! There is no index by key: it would cost every SET a write for the sake of two rare requests. They walk the narrow tables of
//! what nobody has settled instead.
//!
//! A key is disowned by its row, which is committed first. Whoever reads a SET to send or to keep it looks for such rows under
//! its TPP's lock, so from then on nothing of that key goes out. What it signed is superseded afterwards, some events of one
//! TPP at a time: no transaction holds more than one TPP's lock. How far that has come stands in the row; where a process dies
//! over it, housekeeping goes on.

use oyez_domain::actor::Actor;
use oyez_domain::ledger::sets::KeyUse;
use oyez_domain::time::Timestamp;
use serde_json::Value;

use super::audit::{self, Change};
use super::columns::{moment, natural};
use super::doors::Concerns;
use super::errors::expect_rows;
use super::pool::Held;
use super::state;
use super::unit::Unit;
use super::{Shared, Work};
use crate::Error;
use crate::codes;
use crate::trail::key_disowned;

/// See [`crate::Store::disown_key`].
pub(super) async fn disown(
    shared: &Shared,
    actor: Actor,
    kid: String,
    now: Timestamp,
) -> Result<u64, Error> {
    let ask = Disowning { actor, kid, now };
    match shared.write(Concerns::Nobody, &ask, &begin).await? {
        Before::Over => Ok(0),
        Before::UnderWay => supersede_all(shared, ask.kid).await,
    }
}

/// Goes on with what a process that is gone left undone. What is locked just now is left to the next round.
pub(super) async fn go_on(shared: &Shared) -> Result<(), Error> {
    let db = shared.pool.take().await?;
    let unfinished = db.rows(UNFINISHED, &[]).await?;
    drop(db);
    for row in unfinished {
        match supersede_all(shared, row.try_get(0)?).await {
            Ok(_) | Err(Error::Busy { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(())
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

struct Disowning {
    actor: Actor,
    kid: String,
    now: Timestamp,
}

/// What was known of a key.
enum Before {
    /// It was disowned long ago, and nothing is left of it.
    Over,
    /// There may be SETs by it.
    UnderWay,
}

/// What a step came to.
enum Step {
    More,
    /// Nothing is left: so many were superseded in all.
    Over(u64),
}

fn begin<'a>(unit: &'a mut Unit, ask: &'a Disowning) -> Work<'a, Before> {
    Box::pin(async move {
        let (actor, at) = (ask.actor.to_string(), ask.now.unix_ms());
        unit.execute(DISOWN, &[&ask.kid, &at, &actor]).await?;
        let row = unit.one(IS_OVER, &[&ask.kid]).await?;
        Ok(if row.try_get(0)? {
            Before::Over
        } else {
            Before::UnderWay
        })
    })
}

async fn supersede_all(shared: &Shared, kid: String) -> Result<u64, Error> {
    loop {
        match shared.write(Concerns::Many, &kid, &supersede_some).await? {
            Step::More => {}
            Step::Over(superseded) => return Ok(superseded),
        }
    }
}

/// Some events of the next TPP. The key's row is locked first, and its TPP's second: whoever has a TPP's lock only reads rows of
/// keys.
fn supersede_some<'a>(unit: &'a mut Unit, kid: &'a String) -> Work<'a, Step> {
    Box::pin(async move {
        let walk = unit.one(WALK, &[kid]).await?;
        let superseded: i64 = walk.try_get(2)?;
        if walk.try_get(3)? {
            return Ok(Step::Over(u64::try_from(superseded).unwrap_or_default()));
        }
        let (mut tpp, mut position): (i64, i64) = (walk.try_get(0)?, walk.try_get(1)?);
        let Some(next) = unit.row(NEXT, &[&tpp]).await? else {
            let (actor, at) = (codes::actor(walk.try_get(4)?)?, moment(&walk, 5)?);
            let superseded = u64::try_from(superseded).unwrap_or_default();
            finish(unit, key_disowned(&actor, kid, superseded), kid, at).await?;
            return Ok(Step::Over(superseded));
        };
        let next: i64 = next.try_get(0)?;
        if next != tpp {
            (tpp, position) = (next, 0);
        }
        unit.rows(state::LOCK, &[&vec![tpp]]).await?;
        let to = unit.one(STEP, &[&tpp, &position, &STEP_EVENTS]).await?;
        let (to, events): (Option<i64>, i64) = (to.try_get(0)?, to.try_get(1)?);
        let mut more = 0;
        if let Some(to) = to {
            let gone = unit
                .execute(SUPERSEDE, &[&tpp, &position, &to, kid])
                .await?;
            more = i64::try_from(gone).unwrap_or(i64::MAX);
            position = to;
        }
        if events < STEP_EVENTS {
            (tpp, position) = (tpp + 1, 0);
        }
        let noted = unit.execute(NOTE, &[kid, &more, &tpp, &position]).await?;
        expect_rows(noted, 1, "noting how far a key's SETs are superseded")?;
        Ok(Step::More)
    })
}

async fn finish(
    unit: &Unit,
    change: Change<'_, Value, Value>,
    kid: &str,
    at: Timestamp,
) -> Result<(), Error> {
    let over = unit.execute(FINISH, &[&kid]).await?;
    expect_rows(over, 1, "finishing with a key")?;
    audit::note(unit, change, at).await
}

/// Some milliseconds under a TPP's lock.
const STEP_EVENTS: i64 = 2_000;

/// Whether the key of a SET is none that was disowned while what it signed is still being superseded. Asked once a statement.
macro_rules! may_be_sent {
    ($of:literal) => {
        concat!(
            $of,
            ".kid <> ALL (ARRAY(SELECT d.kid FROM disowned_keys d WHERE NOT d.is_over))"
        )
    };
}
pub(super) use may_be_sent;

/// A statement that takes SETs away from being sent, and keeps their bytes.
macro_rules! supersede {
    ($which:literal) => {
        concat!(
            "WITH gone AS (
                DELETE FROM sets s ",
            $which,
            " RETURNING s.tpp, s.jti, s.kept_at, s.kid, s.jws)
            INSERT INTO superseded_sets (tpp, jti, nth, kept_at, kid, jws)
            SELECT g.tpp, g.jti, 1 + (
                    SELECT count(*) FROM superseded_sets x WHERE x.tpp = g.tpp AND x.jti = g.jti)::integer,
                g.kept_at, g.kid, g.jws
            FROM gone g"
        )
    };
}
pub(super) use supersede;

const DISOWN: &str = "
    INSERT INTO disowned_keys (kid, disowned_at, actor, is_over) VALUES ($1, $2, $3, false) ON CONFLICT DO NOTHING";

const IS_OVER: &str = "SELECT is_over FROM disowned_keys WHERE kid = $1";

const UNFINISHED: &str = "SELECT kid FROM disowned_keys WHERE NOT is_over ORDER BY kid";

const WALK: &str = "
    SELECT walked_tpp, walked_position, superseded, is_over, actor, disowned_at
    FROM disowned_keys WHERE kid = $1 FOR UPDATE";

// What failed may be queued again, and counts as left.
const NEXT: &str = "
    SELECT tpp FROM queues WHERE tpp >= $1 AND accepted > acknowledged + expired + withdrawn ORDER BY tpp LIMIT 1";

// An event that fails, or is queued again, between two steps keeps its position: it is passed by neither.
const STEP: &str = "
    SELECT max(position), count(*) FROM (
        SELECT position FROM (
            (SELECT position FROM outstanding WHERE tpp = $1 AND position > $2 ORDER BY position LIMIT $3)
            UNION ALL
            (SELECT position FROM failed WHERE tpp = $1 AND position > $2 ORDER BY position LIMIT $3)) b
        ORDER BY position LIMIT $3) s";

const SUPERSEDE: &str = supersede!(
    "USING (
        (SELECT tpp, jti FROM outstanding WHERE tpp = $1 AND position > $2 AND position <= $3 ORDER BY position)
        UNION ALL (SELECT tpp, jti FROM failed WHERE tpp = $1 AND position > $2 AND position <= $3 ORDER BY position)) o
    WHERE s.tpp = ANY (ARRAY[o.tpp]) AND s.jti = o.jti AND s.kid = $4"
);

const NOTE: &str = "
    UPDATE disowned_keys SET superseded = superseded + $2, walked_tpp = $3, walked_position = $4 WHERE kid = $1";

const FINISH: &str = "UPDATE disowned_keys SET is_over = true WHERE kid = $1";

const IN_USE: &str = concat!(
    "SELECT s.kid, count(*), max(s.kept_at)
    FROM (SELECT tpp, jti FROM outstanding UNION ALL SELECT tpp, jti FROM failed) o
        JOIN sets s USING (tpp, jti)
    WHERE ",
    may_be_sent!("s"),
    " GROUP BY s.kid ORDER BY s.kid COLLATE \"C\""
);
