//! What came of pushes: every attempt is recorded, and its verdict applied to the event (D-02 … D-07, D-14, P-14).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::push::{Ended, Recorded, Verdict};
use oyez_domain::life::{Acknowledged, Settlement};
use oyez_domain::time::Timestamp;
use uuid::Uuid;

use super::Shared;
use super::changes::{Changes, Key, SetAside};
use super::columns::{jti, moment, uuid};
use super::group::{self, Known, Work};
use super::line::{Kind, Request};
use super::open::Open;
use super::session::Session;
use super::waiting::Waiting;
use super::work;
use crate::Error;
use crate::codes::{self, TppId};
use crate::error::contradiction;

/// Attempts at one TPP that ended, and when that was said.
pub(super) struct Record {
    pub(super) client_id: ClientId,
    pub(super) attempts: Vec<Ended>,
    pub(super) now: Timestamp,
}

/// What a group goes by.
pub(super) struct Before {
    rows: Vec<Open>,
    failed: Vec<(Key, SetAside)>,
    /// Of events whose attempt did not end their flight: the interactions recorded, by event.
    recorded: HashSet<(Key, String)>,
    /// Of the same events: how they ended last, if they did.
    past: HashMap<Key, Option<Settlement>>,
}

impl Kind for Record {
    type Ask = Self;
    type Answer = Vec<Recorded>;
    const NAME: &'static str = "attempts";

    fn rows(ask: &Self) -> usize {
        ask.attempts.len().max(1)
    }

    async fn serve(shared: &Arc<Shared>, group: Vec<Request<Self>>) {
        group::serve(shared, group).await;
    }
}

impl Work for Record {
    type Read = Before;
    const READS: &'static [&'static str] = &[work::NAMED, work::FAILED];

    fn clients(ask: &Self) -> impl Iterator<Item = &ClientId> + Send {
        std::iter::once(&ask.client_id)
    }

    async fn read(
        _shared: &Shared,
        db: &Session,
        group: &[&Self],
        known: &Known,
    ) -> Result<Before, Error> {
        let (mut tpps, mut jtis) = (Vec::new(), Vec::new());
        for ask in group {
            if let Some(tpp) = known.get(&ask.client_id) {
                tpps.extend(ask.attempts.iter().map(|_| tpp.0));
                jtis.extend(ask.attempts.iter().map(|ended| uuid(ended.attempt.jti)));
            }
        }
        let (rows, failed) = futures_util::try_join!(
            work::named(db, &tpps, &jtis),
            work::failed(db, &tpps, &jtis)
        )?;
        Ok(Before {
            rows,
            failed,
            recorded: HashSet::new(),
            past: HashMap::new(),
        })
    }

    /// What an attempt that did not end its event's flight met: an earlier record of itself, a later choice, or an end.
    async fn read_more(
        _shared: &Shared,
        db: &Session,
        changes: &mut Changes,
        group: &[(usize, &Self)],
        known: &Known,
        before: &mut Before,
    ) -> Result<(), Error> {
        changes.take_in(before.rows.drain(..));
        changes.failed.extend(before.failed.drain(..));
        let mut owners = HashMap::new();
        let (mut tpps, mut jtis, mut seen) = (Vec::new(), Vec::<Uuid>::new(), HashSet::new());
        for (_, ask) in group {
            let Some(tpp) = known.get(&ask.client_id) else {
                continue;
            };
            owners.insert(*tpp, &ask.client_id);
            for ended in &ask.attempts {
                let key = (*tpp, ended.attempt.jti);
                // One of several for the same event may find the flight ended by the one before.
                let is_first = seen.insert(key);
                if !(is_first && ends_its_flight(changes, key, ended)) {
                    tpps.push(tpp.0);
                    jtis.push(uuid(ended.attempt.jti));
                }
            }
        }
        if tpps.is_empty() {
            return Ok(());
        }
        for row in db.rows(RECORDED, &[&tpps, &jtis]).await? {
            let key = (TppId(row.try_get(0)?), jti(&row, 1)?);
            before.recorded.insert((key, row.try_get(2)?));
        }
        for row in db.rows(PAST, &[&tpps, &jtis]).await? {
            let tpp = TppId(row.try_get(0)?);
            let outcome: Option<i16> = row.try_get(2)?;
            let settlement = match outcome {
                Some(outcome) => Some(codes::settlement(
                    moment(&row, 3)?,
                    outcome.into(),
                    row.try_get(4)?,
                    owners[&tpp],
                )?),
                None => None,
            };
            before.past.insert((tpp, jti(&row, 1)?), settlement);
        }
        Ok(())
    }

    fn decide(
        changes: &mut Changes,
        (_, ask): (usize, &Self),
        known: &Known,
        before: &mut Before,
    ) -> Result<Vec<Recorded>, Error> {
        let Some(tpp) = known.get(&ask.client_id) else {
            return Ok(vec![Recorded::Unknown; ask.attempts.len()]);
        };
        let mut next_push_at = None;
        let outcomes = ask
            .attempts
            .iter()
            .map(|ended| record(changes, (*tpp, ask), ended, before, &mut next_push_at))
            .collect::<Result<_, _>>()?;
        changes.came_back(*tpp, next_push_at, ask.now)?;
        Ok(outcomes)
    }

    fn waiting(shared: &Shared) -> &Waiting<Self> {
        &shared.waiting.record
    }
}

/// Whether it is in flight by the very choice that the attempt was made by.
fn ends_its_flight(changes: &Changes, key: Key, ended: &Ended) -> bool {
    changes
        .outstanding(key)
        .is_some_and(|row| row.flight_until == Some(ended.in_flight_until))
}

fn record(
    changes: &mut Changes,
    (tpp, ask): (TppId, &Record),
    ended: &Ended,
    before: &mut Before,
    next_push_at: &mut Option<Timestamp>,
) -> Result<Recorded, Error> {
    let attempt = &ended.attempt;
    let key = (tpp, attempt.jti);
    let is_open = changes.outstanding(key).is_some();
    let ends_its_flight = ends_its_flight(changes, key, ended);
    if !ends_its_flight && !before.past.contains_key(&key) {
        return Ok(Recorded::Unknown);
    }
    let interaction = (key, attempt.interaction_id.as_str().to_owned());
    // Whoever ends a flight is the first to do so.
    if !ends_its_flight && before.recorded.contains(&interaction) {
        return Ok(Recorded::Repeated);
    }
    before.recorded.insert(interaction);
    let entry = changes.state(tpp)?.next_entry();
    changes.attempts.push((key, entry, attempt.clone()));
    changes.tally.flow(tpp, ask.now).pushed += 1;
    if attempt.verdict == Verdict::Acknowledged
        && changes.acknowledge(key, Acknowledged::Push, ask.now)?
    {
        return Ok(Recorded::Applied);
    }
    if !is_open {
        return last_end(changes, key, &ask.client_id, before).map(Recorded::AlreadySettled);
    }
    if !ends_its_flight {
        return Ok(Recorded::Late);
    }
    let begun = changes.state(tpp)?.begun;
    let push_at = changes.change(key, |row| {
        let push_at = row.charge(attempt.verdict, begun, ask.now);
        row.land(push_at);
        row.pushed_from(ask.now)
    });
    *next_push_at = (*next_push_at).into_iter().chain(push_at.flatten()).min();
    changes.polls_news(tpp, &ask.client_id);
    Ok(Recorded::Applied)
}

/// How an event ended last: in this group, or before.
fn last_end(
    changes: &Changes,
    key: Key,
    owner: &ClientId,
    before: &Before,
) -> Result<Settlement, Error> {
    let mut made = changes.settlements.iter().rev();
    if let Some(settled) = made.find(|it| it.key == key) {
        let outcome = settled.code().into();
        return codes::settlement(settled.at, outcome, settled.actor.as_deref(), owner);
    }
    let past = before.past.get(&key).cloned().flatten();
    past.ok_or_else(|| contradiction(format!("{} ended without an end", key.1)))
}

pub(super) const RECORDED: &str = "
    SELECT t.tpp, t.jti, t.interaction_id
    FROM unnest($1::bigint[], $2::uuid[]) a (tpp, jti) JOIN attempts t ON t.tpp = ANY (ARRAY[a.tpp]) AND t.jti = a.jti";

pub(super) const PAST: &str = "
    SELECT e.tpp, e.jti, s.outcome, s.at, s.actor
    FROM unnest($1::bigint[], $2::uuid[]) a (tpp, jti)
        CROSS JOIN LATERAL (
            SELECT e.tpp, e.jti FROM events e WHERE e.tpp = ANY (ARRAY[a.tpp]) AND e.jti = a.jti
            ORDER BY e.tpp LIMIT 1) e
        LEFT JOIN LATERAL (
            SELECT s.outcome, s.at, s.actor FROM settlements s WHERE s.tpp = a.tpp AND s.jti = a.jti
            ORDER BY s.ends DESC LIMIT 1) s ON true";
