//! Dropping history whole: the oldest four weeks go as tables, not as rows, once all that is in them may go (I-06).
//!
//! An event may be kept for some weeks longer that way; what ended so late that it would be kept for longer than that is
//! removed by the row. To drop a part takes a lock of the whole table, for a moment: who drops waits for it a little and lets
//! it be if it is not to be had, so that nobody else waits for long.

use oyez_domain::time::Timestamp;
use uuid::Uuid;

use super::columns::natural;
use super::partitions::{Of, Span, TABLES};
use super::unit::Unit;
use crate::Error;

/// Drops the oldest part, if nothing in it ended after that moment or is open. Answers how many events it had; `None` if there
/// was nothing to drop.
pub(super) async fn drop_oldest(
    unit: &Unit,
    ended_before: Timestamp,
) -> Result<Option<u64>, Error> {
    let db = unit.db();
    let Some(oldest) = oldest(unit).await? else {
        return Ok(None);
    };
    if oldest.next().start() > ended_before {
        return Ok(None);
    }
    db.run("SAVEPOINT parts").await?;
    match drop_part(unit, oldest, ended_before).await {
        Ok(Some(events)) => Ok(Some(events)),
        Ok(None) | Err(Error::Busy { .. }) => {
            db.run("ROLLBACK TO SAVEPOINT parts").await?;
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

async fn oldest(unit: &Unit) -> Result<Option<Span>, Error> {
    let row = unit.one(OLDEST, &[]).await?;
    let name: Option<&str> = row.try_get(0)?;
    Ok(name.and_then(|name| Span::of_part("events", name)))
}

async fn drop_part(unit: &Unit, span: Span, ended_before: Timestamp) -> Result<Option<u64>, Error> {
    let db = unit.db();
    let parts: Vec<String> = TABLES
        .iter()
        .filter(|(_, key)| *key == Of::Jti)
        .map(|(table, _)| span.part_of(table))
        .collect();
    // Who left a failure or queued an event again in this part has done so by now, or does it after us and finds nothing.
    db.run(&format!(
        "SET LOCAL lock_timeout = {LOCK_MS_MAX}; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
        parts.join(", ")
    ))
    .await?;
    let (first, next): (Uuid, Uuid) = (span.first_jti(), span.next().first_jti());
    if unit.one(IS_OPEN, &[&first, &next]).await?.try_get(0)? {
        return Ok(None);
    }
    let settlements = span.part_of("settlements");
    let late =
        format!("SELECT EXISTS (SELECT 1 FROM {settlements} WHERE NOT superseded AND at >= $1)");
    if unit
        .one(&late, &[&ended_before.unix_ms()])
        .await?
        .try_get(0)?
    {
        return Ok(None);
    }
    let count = format!("SELECT count(*) FROM {}", span.part_of("events"));
    let events = natural(&unit.one(&count, &[]).await?, 0)?;
    unit.execute(FORGET_FAILED, &[&first, &next]).await?;
    db.run(&format!("DROP TABLE {}", parts.join(", "))).await?;
    drop_polls(unit, span).await?;
    Ok(Some(events))
}

/// Polls that were made until then handed out nothing that is left.
async fn drop_polls(unit: &Unit, span: Span) -> Result<(), Error> {
    let last = span.part_of("polls");
    for row in unit.rows(POLLS_UNTIL, &[&last]).await? {
        let part: &str = row.try_get(0)?;
        unit.db().run(&format!("DROP TABLE {part}")).await?;
    }
    Ok(())
}

/// Everybody who comes meanwhile waits behind who waits for a table's lock: not for long.
const LOCK_MS_MAX: u32 = 200;

// Their names end in their days, so that their order is the order of time.
const OLDEST: &str = "
    SELECT min(c.relname)::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'events'::regclass";

const POLLS_UNTIL: &str = "
    SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'polls'::regclass AND c.relname <= $1::text ORDER BY 1";

const IS_OPEN: &str = "
    SELECT EXISTS (
        SELECT 1 FROM queues q WHERE EXISTS (
            SELECT 1 FROM outstanding o WHERE o.tpp = q.tpp AND o.jti >= $1 AND o.jti < $2))";

const FORGET_FAILED: &str = "
    DELETE FROM failed f USING queues q WHERE f.tpp = q.tpp AND f.jti >= $1 AND f.jti < $2";
