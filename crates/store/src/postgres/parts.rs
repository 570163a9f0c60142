//! Dropping history whole: four weeks go as tables, not as rows, once all that is in them may go (I-06).
//!
//! An event may be kept for some weeks longer that way; what ended so late that it would be kept for longer than that is
//! removed by the row. A part that cannot go yet, because something in it is open or ended late, does not hold up those after it.
//!
//! To take a part away from its table needs a lock of the whole table. Everything that takes time is done before or after it:
//! a part is looked at and counted without the lock; under it the look is repeated and the catalogue changed, and the tables
//! get names that nobody asks for; their files are removed afterwards, by whoever comes by. If the lock is not to be had at
//! once it is let be: the next round tries again.

use oyez_domain::time::Timestamp;
use uuid::Uuid;

use super::columns::natural;
use super::doors::Concerns;
use super::partitions::{MAKING, Of, Span, TABLES};
use super::unit::Unit;
use super::{Shared, Work, rights};
use crate::Error;

/// Drops the oldest part that can go: nothing in it is open or ended after that moment. Answers how many events it had; `None` if
/// there was none to drop.
pub(super) async fn drop_oldest(
    shared: &Shared,
    ended_before: Timestamp,
) -> Result<Option<u64>, Error> {
    remove_files(shared).await?;
    let mut dropped = None;
    for span in old_spans(shared, ended_before).await? {
        dropped = unless_later(drop_part(shared, &Part { span, ended_before }).await)?.flatten();
        if dropped.is_some() {
            break;
        }
    }
    let polls =
        unless_later(shared.write(Concerns::Nobody, &(), &detach_polls).await)?.unwrap_or(0);
    if dropped.is_some() || polls > 0 {
        shared.partitions.forget();
        remove_files(shared).await?;
    }
    Ok(dropped)
}

/// Some weeks of history, and what they may go by.
struct Part {
    span: Span,
    ended_before: Timestamp,
}

/// What is locked, takes too long just now or was done by another node meanwhile is left to the next round.
fn unless_later<T>(done: Result<T, Error>) -> Result<Option<T>, Error> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(Error::Busy { .. } | Error::TimedOut { .. } | Error::Schema { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The spans whose time is over by their end, the oldest first.
async fn old_spans(shared: &Shared, ended_before: Timestamp) -> Result<Vec<Span>, Error> {
    let db = shared.pool.take().await?;
    let mut spans = Vec::new();
    for row in db.rows(PARTS, &[&"events"]).await? {
        spans.extend(Span::of_part("events", row.try_get(0)?));
    }
    spans.retain(|span| span.next().start() <= ended_before);
    Ok(spans)
}

async fn drop_part(shared: &Shared, part: &Part) -> Result<Option<u64>, Error> {
    if !shared.write(Concerns::Nobody, part, &may_go).await? {
        return Ok(None);
    }
    // What failed in it can be queued again no more.
    shared.write(Concerns::Nobody, part, &forget_failed).await?;
    let events = shared.write(Concerns::Nobody, part, &count).await?;
    let is_gone = shared.write(Concerns::Nobody, part, &detach).await?;
    Ok(is_gone.then_some(events))
}

/// Nothing in it is open, and nothing ended late.
fn may_go<'a>(unit: &'a mut Unit, part: &'a Part) -> Work<'a, bool> {
    Box::pin(async move {
        let (first, next) = part.bounds();
        if unit.one(IS_OPEN, &[&first, &next]).await?.try_get(0)? {
            return Ok(false);
        }
        let before = part.ended_before.unix_ms();
        let ended_late = unit.one(ENDED_LATE, &[&first, &next, &before]).await?;
        Ok(!ended_late.try_get::<_, bool>(0)?)
    })
}

/// Under the locks of their TPPs: who is queueing such an event again has its TPP's, and goes first.
fn forget_failed<'a>(unit: &'a mut Unit, part: &'a Part) -> Work<'a, ()> {
    Box::pin(async move {
        let (first, next) = part.bounds();
        let rows = unit.rows(HOLD_FAILED, &[&first, &next]).await?;
        let held: Vec<i64> = rows
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()?;
        unit.execute(FORGET_FAILED, &[&held, &first, &next]).await?;
        Ok(())
    })
}

fn count<'a>(unit: &'a mut Unit, part: &'a Part) -> Work<'a, u64> {
    Box::pin(async move {
        unit.take_its_time().await?;
        let (first, next) = part.bounds();
        natural(&unit.one(COUNT, &[&first, &next]).await?, 0)
    })
}

/// Takes the part away from its tables, if it still may go. Who left a failure or queued an event again in it has done so by
/// now, or does it after us and finds nothing.
fn detach<'a>(unit: &'a mut Unit, part: &'a Part) -> Work<'a, bool> {
    Box::pin(async move {
        let of_jti = TABLES.iter().filter(|(_, key)| *key == Of::Jti);
        let tables: Vec<_> = of_jti
            .map(|(table, _)| (*table, part.span.part_of(table)))
            .collect();
        if !lock_whole(unit, &tables).await? {
            return Ok(false);
        }
        let (first, next) = part.bounds();
        let set_aside = unit.one(IS_SET_ASIDE, &[&first, &next]).await?;
        if set_aside.try_get(0)? || !may_go(unit, part).await? {
            return Ok(false);
        }
        rename(unit, &tables).await?;
        Ok(true)
    })
}

/// Takes away the polls of long before the oldest events: they handed out nothing that is left. The part just before those stays:
/// an event's jti was drawn by one clock, and a poll that handed it out was dated by another. Answers how many parts.
fn detach_polls<'a>(unit: &'a mut Unit, _: &'a ()) -> Work<'a, usize> {
    Box::pin(async move {
        let mut oldest = None;
        for row in unit.rows(PARTS, &[&"events"]).await? {
            oldest = oldest.or(Span::of_part("events", row.try_get(0)?));
        }
        let mut tables = Vec::new();
        for row in unit.rows(PARTS, &[&"polls"]).await? {
            let name: &str = row.try_get(0)?;
            let span = Span::of_part("polls", name);
            if span
                .zip(oldest)
                .is_some_and(|(polls, events)| polls.next() < events)
            {
                tables.push(("polls", name.to_owned()));
            }
        }
        if tables.is_empty() || !lock_whole(unit, &tables).await? {
            return Ok(0);
        }
        rename(unit, &tables).await?;
        Ok(tables.len())
    })
}

/// Locks these tables and parts against everybody, for a moment, in the owner's name. `false`: another node is at it.
async fn lock_whole(unit: &Unit, tables: &[(&str, String)]) -> Result<bool, Error> {
    let db = unit.db();
    db.prepare(&[IS_SET_ASIDE, IS_OPEN, ENDED_LATE]).await?;
    if !unit.one(ALONE, &[&MAKING]).await?.try_get::<_, bool>(0)? {
        return Ok(false);
    }
    rights::act_as_owner(db).await?;
    db.run(&format!(
        "SET LOCAL lock_timeout = {LOCK_MS_MAX}; SET LOCAL statement_timeout = {LOCKED_MS_MAX}"
    ))
    .await?;
    let mut names: Vec<String> = Vec::with_capacity(2 * tables.len());
    for (table, part) in tables {
        let whole = format!("ONLY {table}");
        if !names.contains(&whole) {
            names.push(whole);
        }
        names.push(format!("ONLY {part}"));
    }
    let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", names.join(", "));
    db.run(&lock).await?;
    Ok(true)
}

async fn rename(unit: &Unit, tables: &[(&str, String)]) -> Result<(), Error> {
    let statements: Vec<String> = tables
        .iter()
        .map(|(table, part)| {
            format!(
                "ALTER TABLE {table} DETACH PARTITION {part}; ALTER TABLE {part} RENAME TO {GONE}{part};"
            )
        })
        .collect();
    unit.db().run(&statements.concat()).await
}

/// Drops the tables that were taken away, each for itself: nobody waits for their files.
async fn remove_files(shared: &Shared) -> Result<(), Error> {
    let db = shared.pool.take().await?;
    let gone = db.rows(GONE_TABLES, &[&GONE]).await?;
    drop(db);
    for row in &gone {
        let name: String = row.try_get(0)?;
        let is_ours = TABLES.iter().any(|(table, _)| {
            let part = name.strip_prefix(GONE);
            part.is_some_and(|part| Span::of_part(table, part).is_some())
        });
        if is_ours {
            unless_later(shared.write(Concerns::Nobody, &name, &remove).await)?;
        }
    }
    Ok(())
}

fn remove<'a>(unit: &'a mut Unit, name: &'a String) -> Work<'a, ()> {
    Box::pin(async move {
        rights::act_as_owner(unit.db()).await?;
        unit.take_its_time().await?;
        let drop = format!("SET LOCAL lock_timeout = {LOCK_MS_MAX}; DROP TABLE IF EXISTS {name}");
        unit.db().run(&drop).await
    })
}

impl Part {
    fn bounds(&self) -> (Uuid, Uuid) {
        (self.span.first_jti(), self.span.next().first_jti())
    }
}

/// Everybody who comes meanwhile waits behind who waits for a table's lock: not for long.
const LOCK_MS_MAX: u32 = 200;
/// Nor for what is done under it: a look at every TPP, and some rows of the catalogue.
const LOCKED_MS_MAX: u32 = 500;

/// What the names of tables begin with that are no parts any more.
const GONE: &str = "gone_";

const ALONE: &str = "SELECT pg_try_advisory_xact_lock($1)";

// Their names end in their days, so that their order is the order of time.
const PARTS: &str = "
    SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass($1::text) ORDER BY 1";

const GONE_TABLES: &str = "
    SELECT relname::text FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND NOT relispartition
        AND starts_with(relname::text, $1) ORDER BY 1";

pub(super) const IS_OPEN: &str = "
    SELECT EXISTS (
        SELECT 1 FROM queues q CROSS JOIN LATERAL (
            SELECT 1 FROM outstanding o WHERE o.tpp = q.tpp AND o.jti >= $1 AND o.jti < $2 ORDER BY o.jti LIMIT 1) o)";

const ENDED_LATE: &str = "
    SELECT EXISTS (
        SELECT 1 FROM settlements WHERE NOT superseded AND at >= $3 AND jti >= $1 AND jti < $2)";

const IS_SET_ASIDE: &str = "
    SELECT EXISTS (
        SELECT 1 FROM queues q CROSS JOIN LATERAL (
            SELECT 1 FROM failed f WHERE f.tpp = q.tpp AND f.jti >= $1 AND f.jti < $2 ORDER BY f.jti LIMIT 1) f)";

const HOLD_FAILED: &str = "
    SELECT q.tpp FROM queues q
    WHERE EXISTS (SELECT 1 FROM failed f WHERE f.tpp = q.tpp AND f.jti >= $1 AND f.jti < $2)
    ORDER BY q.tpp FOR UPDATE OF q SKIP LOCKED";

const FORGET_FAILED: &str = "
    DELETE FROM failed WHERE tpp = ANY ($1::bigint[]) AND jti >= $2 AND jti < $3";

const COUNT: &str = "SELECT count(*) FROM events WHERE jti >= $1 AND jti < $2";
