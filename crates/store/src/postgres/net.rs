//! The net under news from other nodes: what somebody here waits for is looked for by the clock.
//!
//! Once in a while those who listen are asked what they wait for, the database is asked in one statement for all of it whether
//! there is any, and they are told as if it had been news. So word that was lost costs no more than the time between two looks,
//! and the question costs the same however many wait for one TPP. It walks indexes from the bounds that the TPPs' queues keep,
//! one entry per TPP and family.
//!
//! Who was told and has changed nothing (it does not want what there is, or cannot have it) is told again ever more rarely.
//! Absent: lanes that nobody drives. Nodes look for those themselves, when they claim.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ids::ClientId;
use tokio::time::sleep;
use tokio_postgres::Row;

use super::Shared;
use super::columns::natural;
use crate::codes::family_code;
use crate::{Error, News};

/// One thing that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Want {
    client_id: ClientId,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Poll(Family),
    Push,
}

/// All that may change what there is to be had of a TPP, and the first event that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen([u64; 5]);

/// What was found at the last look.
struct Found {
    seen: Seen,
    /// It is not told for so many looks more.
    silent_for: u32,
    /// Nor, if it is the same then, for so many after.
    pause: u32,
}

/// Looks until the ledger is closed.
pub(super) fn open(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    let tasks = shared.tasks.clone();
    tasks.connection(async move {
        let mut found = HashMap::new();
        loop {
            tokio::select! {
                () = sleep(EVERY) => {}
                () = shared.newsroom.look_at_everything.notified() => found.clear(),
                () = shared.tasks.closing() => return,
            }
            // One that fails is made up for by the next.
            if let Ok(there) = look(&shared).await {
                shared
                    .newsroom
                    .listeners
                    .tell(&worth_telling(&mut found, there));
            }
        }
    });
}

/// What there is of all that is waited for.
async fn look(shared: &Shared) -> Result<HashMap<Want, Seen>, Error> {
    let mut wants: Vec<Want> = Vec::new();
    for awaited in shared.newsroom.listeners.awaited() {
        let polls = awaited.polls.into_iter().map(What::Poll);
        let whats = polls.chain(awaited.pushes.then_some(What::Push));
        wants.extend(whats.map(|what| Want {
            client_id: awaited.client_id.clone(),
            what,
        }));
    }
    let mut there = HashMap::new();
    for some in wants.chunks(WANTS_MAX) {
        let names: Vec<&str> = some.iter().map(|want| want.client_id.as_str()).collect();
        let families: Vec<i16> = some.iter().map(Want::column).collect();
        let db = shared.pool.take().await?;
        for row in db.rows(DUE, &[&names, &families]).await? {
            let nth = usize::try_from(natural(&row, 0)?).unwrap_or(usize::MAX);
            if let Some(want) = some.get(nth) {
                there.insert(want.clone(), Seen::read(&row)?);
            }
        }
    }
    Ok(there)
}

/// Whom it concerns, but for those who were told of the same.
fn worth_telling(found: &mut HashMap<Want, Found>, there: HashMap<Want, Seen>) -> Vec<News> {
    found.retain(|want, _| there.contains_key(want));
    let mut news: HashMap<ClientId, News> = HashMap::new();
    for (want, seen) in there {
        let known = found.entry(want.clone()).or_insert(Found {
            seen,
            silent_for: 0,
            pause: 0,
        });
        if known.seen != seen {
            (known.seen, known.silent_for, known.pause) = (seen, 0, 0);
        }
        if known.silent_for > 0 {
            known.silent_for -= 1;
            continue;
        }
        known.pause = (known.pause * 2 + 1).min(PAUSE_MAX);
        known.silent_for = known.pause;
        let told = news.entry(want.client_id.clone());
        let told = told.or_insert_with(|| News::of(want.client_id));
        match want.what {
            What::Poll(_) => told.polls = true,
            What::Push => told.pushes = true,
        }
    }
    news.into_values().collect()
}

impl Want {
    fn column(&self) -> i16 {
        match self.what {
            What::Poll(family) => i16::try_from(family_code(family)).unwrap_or(PUSH),
            What::Push => PUSH,
        }
    }
}

impl Seen {
    fn read(row: &Row) -> Result<Self, Error> {
        let mut seen = [0; 5];
        for (nth, number) in seen.iter_mut().enumerate() {
            *number = natural(row, nth + 1)?;
        }
        Ok(Self(seen))
    }
}

/// How late lost news may be. Delivery looks for lanes as often.
const EVERY: Duration = Duration::from_secs(1);

/// Longer than a poll waits, in looks.
const PAUSE_MAX: u32 = 31;

/// Asked in one statement: more than wait on one node in any market, and some milliseconds.
const WANTS_MAX: usize = 4_000;

/// No family has this code.
const PUSH: i16 = -1;

// What was accepted by a clock ahead of the database's is due for whoever asks (see [`super::clock`]): it is taken for due here.
pub(super) const DUE: &str = "
    SELECT a.nth - 1, q.accepted, q.acknowledged + q.failed + q.expired + q.withdrawn, q.revision, q.begun, d.position
    FROM unnest($1::text[], $2::smallint[]) WITH ORDINALITY a (client_id, family, nth)
        JOIN tpps t ON t.client_id = ANY (ARRAY[a.client_id])
        JOIN queues q ON q.tpp = ANY (ARRAY[t.tpp])
        CROSS JOIN LATERAL (
            (SELECT o.position FROM outstanding o
                WHERE a.family >= 0 AND o.tpp = q.tpp AND o.family = a.family
                    AND o.due_at >= q.due_from[a.family + 1]
                    AND o.due_at <= greatest(q.accepted_until, (extract(epoch FROM statement_timestamp()) * 1000)::bigint)
                ORDER BY o.due_at, o.position LIMIT 1)
            UNION ALL
            (SELECT o.position FROM outstanding o
                WHERE a.family < 0 AND o.tpp = q.tpp AND o.push_at >= q.push_from
                    AND o.push_at <= greatest(q.accepted_until, (extract(epoch FROM statement_timestamp()) * 1000)::bigint)
                ORDER BY o.push_at, o.position LIMIT 1)) d";

#[cfg(test)]
mod tests {
    use super::*;

    fn polls(name: &str) -> Want {
        Want {
            client_id: name.parse().unwrap(),
            what: What::Poll(Family::Aisp),
        }
    }

    fn told(found: &mut HashMap<Want, Found>, there: &[(Want, u64)]) -> Vec<String> {
        let there = there.iter().cloned();
        let there = there.map(|(want, accepted)| (want, Seen([accepted, 0, 0, 0, 1])));
        let news = worth_telling(found, there.collect());
        news.iter().map(|news| news.client_id.to_string()).collect()
    }

    // P-07
    #[test]
    fn who_cannot_have_what_there_is_is_told_of_it_ever_more_rarely() {
        let (mut found, there) = (HashMap::new(), [(polls("acme"), 1)]);
        let looks = (0..200).filter(|_| !told(&mut found, &there).is_empty());
        assert_eq!(
            looks.collect::<Vec<_>>(),
            [0, 2, 6, 14, 30, 62, 94, 126, 158, 190]
        );
    }

    // P-07
    #[test]
    fn whatever_changed_is_told_at_the_next_look() {
        let mut found = HashMap::new();
        assert_eq!(told(&mut found, &[(polls("acme"), 1)]), ["acme"]);
        assert_eq!(told(&mut found, &[(polls("acme"), 1)]), [""; 0]);
        assert_eq!(told(&mut found, &[(polls("acme"), 2)]), ["acme"]);
        assert_eq!(
            told(&mut found, &[(polls("acme"), 2), (polls("bolt"), 1)]),
            ["bolt"]
        );
        assert_eq!(told(&mut found, &[]), [""; 0]);
        assert_eq!(
            told(&mut found, &[(polls("acme"), 2)]),
            ["acme"],
            "it had gone"
        );
    }
}
