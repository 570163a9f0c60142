//! Waking lanes that nothing would wake, though they have something to do (D-05): it was accepted while pushing was switched off,
//! or the slow probe was.
//!
//! They are looked for without a lock, so many TPPs at a time, and woken in the order in which everybody locks lanes, each page in
//! a short transaction of its own that waits for no lane: so no group of requests waits for it. A lane that somebody is writing to
//! is passed over: it has news, or an owner who has just looked. One that is woken for nothing lies down again.

use oyez_domain::routing;
use oyez_domain::time::Timestamp;

use super::doors::Concerns;
use super::unit::Unit;
use super::{Shared, Work, lanes, registrations};
use crate::Error;
use crate::codes::TppId;

/// Wakes all of them.
pub(super) async fn wake(shared: &Shared, now: Timestamp) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let (sleepers, last) = look(shared, after).await?;
        if !sleepers.is_empty() {
            shared
                .write(Concerns::Nobody, &(sleepers, now), &get_up)
                .await?;
        }
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

/// Who sleeps of some TPPs behind one; and the last TPP that was looked at, if there are more.
async fn look(shared: &Shared, after: i64) -> Result<(Vec<i64>, Option<i64>), Error> {
    let db = shared.pool.take().await?;
    let mut asleep: Vec<(i64, bool)> = Vec::new();
    for row in db.rows(SLEEPERS, &[&after, &TPPS_MAX]).await? {
        asleep.push((row.try_get(0)?, row.try_get(1)?));
    }
    let tpps: Vec<i64> = asleep.iter().map(|(tpp, _)| *tpp).collect();
    let registered = registrations::of_all(&db, &tpps).await?;
    let is_pushed = |tpp: i64| {
        let registrations = registered.get(&TppId(tpp));
        registrations.is_some_and(|it| routing::push_address(&shared.rules, it).is_some())
    };
    let last = tpps.last().copied();
    let last = last.filter(|_| i64::try_from(tpps.len()) == Ok(TPPS_MAX));
    let to_wake = asleep.into_iter();
    let to_wake = to_wake.filter(|(tpp, was_given_up)| *was_given_up || is_pushed(*tpp));
    Ok((to_wake.map(|(tpp, _)| tpp).collect(), last))
}

fn get_up<'a>(unit: &'a mut Unit, (tpps, now): &'a (Vec<i64>, Timestamp)) -> Work<'a, ()> {
    Box::pin(async {
        let at = lanes::stored(unit, *now).await?;
        unit.execute(MAKE, &[tpps]).await?;
        unit.execute(WAKE, &[tpps, &at.unix_ms()]).await?;
        Ok(())
    })
}

/// Looked at together: fewer than a bank knows, and some milliseconds.
const TPPS_MAX: i64 = 500;

// Whose lane nothing would wake, and who has something to push or was given up without a probe. Of what is outstanding only what
// is used up is not pushed, and that has begun anew where a TPP asks.
const SLEEPERS: &str = "
    SELECT q.tpp, coalesce(l.health = 2 AND l.next_probe_at IS NULL, false)
    FROM queues q JOIN tpps t USING (tpp) LEFT JOIN lanes l USING (tpp)
    WHERE q.tpp > $1 AND l.wake_at IS NULL AND coalesce(l.health, 0) <> 3
        AND (l.health = 2 AND l.next_probe_at IS NULL OR t.disabled_at IS NULL
            AND q.accepted > q.acknowledged + q.failed + q.expired + q.withdrawn
            AND (EXISTS (SELECT 1 FROM outstanding o WHERE o.tpp = ANY (ARRAY[q.tpp]) AND o.push_at IS NOT NULL)
                OR EXISTS (SELECT 1 FROM outstanding o WHERE o.tpp = ANY (ARRAY[q.tpp]) AND o.refusals = 0)))
    ORDER BY q.tpp LIMIT $2";

const MAKE: &str = "
    INSERT INTO lanes (tpp) SELECT tpp FROM unnest($1::bigint[]) s (tpp) ORDER BY tpp ON CONFLICT DO NOTHING";

const WAKE: &str = "
    WITH asleep AS (
        SELECT l.tpp FROM lanes l WHERE l.tpp = ANY($1::bigint[]) AND l.wake_at IS NULL AND l.health <> 3
        ORDER BY l.tpp FOR UPDATE SKIP LOCKED)
    UPDATE lanes l SET wake_at = $2::bigint FROM asleep a WHERE l.tpp = ANY (ARRAY[a.tpp])";
