//! Pushing: what to send next (D-01 … D-10, P-14).

use std::sync::Arc;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::Claim;
use oyez_domain::ledger::push::DueForPush;
use oyez_domain::ledger::sets::Look;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;

use super::Shared;
use super::changes::{Changes, Fate, Key};
use super::clock::{self, Noted};
use super::errors::expect_rows;
use super::group::{self, Known, Work};
use super::line::{Kind, Request};
use super::open::Open;
use super::session::{Session, Values};
use super::state::State;
use super::waiting::Waiting;
use super::work::{self, Candidate, candidates};
use crate::Error;
use crate::codes::TppId;

/// A lane's owner looks for work.
pub(super) struct Due {
    pub(super) claim: Claim,
    pub(super) client_id: ClientId,
    pub(super) look: Look,
    pub(super) now: Timestamp,
}

/// What a group of looks goes by.
pub(super) struct Before {
    /// By request.
    candidates: Vec<Vec<Candidate>>,
    /// By request: what waits for its turn only, by a clock that is behind another's.
    turns: Vec<Vec<Candidate>>,
    /// Those who have to come again at once: not everything of theirs is in the order of pushes yet.
    unlisted: Vec<TppId>,
}

impl Kind for Due {
    type Ask = Self;
    type Answer = Option<DueForPush>;
    const NAME: &'static str = "looks for work";

    fn rows(ask: &Self) -> usize {
        usize::try_from(ask.look.events_max)
            .unwrap_or(usize::MAX)
            .max(1)
    }

    async fn serve(shared: &Arc<Shared>, group: Vec<Request<Self>>) {
        group::serve(shared, group).await;
    }
}

impl Work for Due {
    type Read = Before;
    const READS: &'static [&'static str] = &[FIRST_PUSHED];
    const SHARES_TPPS: bool = false;

    fn clients(ask: &Self) -> impl Iterator<Item = &ClientId> + Send {
        std::iter::once(&ask.client_id)
    }

    async fn read(
        shared: &Shared,
        db: &Session,
        group: &[&Self],
        known: &Known,
    ) -> Result<Before, Error> {
        let of = |ask: &&Self| known.get(&ask.client_id).map(|tpp| tpp.0);
        let tpps: Vec<Option<i64>> = group.iter().map(of).collect();
        let rows_max: Vec<i64> = group.iter().map(|ask| ask.rows_max()).collect();
        let before = vec![i64::MAX; group.len()];
        let now: Vec<i64> = group.iter().map(|ask| ask.now.unix_ms()).collect();
        let is_strict = shared.rules.switches.order == DeliveryOrder::Strict;
        let rows = db
            .rows(FIRST_PUSHED, &[&tpps, &rows_max, &before, &is_strict, &now])
            .await?;
        let mut candidates: Vec<_> = group.iter().map(|_| Vec::new()).collect();
        work::by_request(&rows, &mut candidates)?;
        Ok(Before {
            candidates,
            turns: group.iter().map(|_| Vec::new()).collect(),
            unlisted: Vec::new(),
        })
    }

    fn goes_alone(state: &State, ask: &Self) -> bool {
        state.is_owned_by(&ask.claim)
            && ask.look.events_max > 0
            && clock::is_set_back(state, ask.now)
    }

    /// A clock may have been set back; and what was accepted while there was no address is to be entered into the order of
    /// pushes.
    async fn read_more(
        shared: &Shared,
        db: &Session,
        changes: &mut Changes,
        group: &[(usize, &Self)],
        known: &Known,
        before: &mut Before,
    ) -> Result<(), Error> {
        let rules = Arc::clone(&changes.rules);
        for (nth, ask) in group {
            let tpp = known.get(&ask.client_id);
            let state = tpp.and_then(|tpp| changes.states.get_mut(tpp));
            let pushes = |state: &&mut State| {
                state.is_owned_by(&ask.claim)
                    && state.served
                    && routing::push_address(&rules, &state.registrations).is_some()
            };
            let Some(state) = state.filter(pushes) else {
                continue;
            };
            let tpp = state.tpp;
            let noted = match ask.look.events_max {
                0 => Noted::AsRead,
                _ => clock::note(db, state, ask.now).await?,
            };
            let listed = list_more(db, state).await?;
            if listed == Listed::InPart {
                before.unlisted.push(tpp);
            }
            if noted == Noted::MovedBack || listed != Listed::Before {
                let beyond = state.unlisted_from.unwrap_or(i64::MAX);
                before.candidates[*nth] = first_pushed(shared, db, (tpp, ask), beyond).await?;
            }
            let order = state.order(&rules);
            let is_behind = state.is_behind(ask.now).then_some(state.accepted_until);
            if noted == Noted::MovedBack {
                changes.take_in(clock::pushable(db, tpp, (&[], &[]), 1).await?);
                clock::tell(changes, tpp, ask.now)?;
            }
            let candidates = &before.candidates[*nth];
            let enough_due = work::has_enough_due(candidates, ask.rows_max(), |row| {
                row.push_at.is_some_and(|at| at <= ask.now)
            });
            if let Some(until) = is_behind
                && order == DeliveryOrder::Concurrent
                && !enough_due
            {
                before.turns[*nth] = turns(db, (tpp, ask), until).await?;
            }
        }
        Ok(())
    }

    fn decide(
        changes: &mut Changes,
        (nth, ask): (usize, &Self),
        known: &Known,
        before: &mut Before,
    ) -> Result<Option<DueForPush>, Error> {
        let candidates = std::mem::take(&mut before.candidates[nth]);
        let turns = std::mem::take(&mut before.turns[nth]);
        let Some(tpp) = known.get(&ask.client_id) else {
            return Ok(None);
        };
        let rules = Arc::clone(&changes.rules);
        let state = changes.state(*tpp)?;
        if !state.is_owned_by(&ask.claim) {
            return Ok(None);
        }
        let in_flight_until = ask.now + ask.look.in_flight_for;
        let callback_url = routing::push_address(&rules, &state.registrations);
        let Some(callback_url) = callback_url.filter(|_| state.served).map(str::to_owned) else {
            return Ok(Some(DueForPush {
                callback_url: None,
                work: Vec::new(),
                in_flight_until,
                next_at: None,
            }));
        };
        let order = state.order(&rules);
        let is_all_listed = !before.unlisted.contains(tpp);
        let found = (candidates, turns);
        let due = choose(changes, (*tpp, ask), order, found, in_flight_until)?;
        Ok(Some(DueForPush {
            callback_url: Some(callback_url),
            work: due.work,
            in_flight_until,
            next_at: if is_all_listed {
                due.next_at
            } else {
                Some(ask.now)
            },
        }))
    }

    fn waiting(shared: &Shared) -> &Waiting<Self> {
        &shared.waiting.due
    }
}

impl Due {
    /// As many as may be chosen, and the one that says when the next is due.
    fn rows_max(&self) -> i64 {
        i64::from(self.look.events_max) + 1
    }
}

/// Whether everything that was accepted while there was no address is in the order of pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    /// It was so before.
    Before,
    /// It is so now.
    Now,
    /// Not yet. Until it is, only what stands before the rest may be chosen (D-10).
    InPart,
}

/// Enters a few more of the events that were accepted while there was no address into the order of pushes, the oldest first.
async fn list_more(db: &Session, state: &mut State) -> Result<Listed, Error> {
    let Some(from) = state.unlisted_from else {
        return Ok(Listed::Before);
    };
    let listed = db.one(LIST, &[&state.tpp.0, &from, &LISTED_MAX]).await?;
    state.unlisted_from = listed.try_get(0)?;
    state.is_changed = true;
    let first: Option<i64> = listed.try_get(1)?;
    state.bounds.push_from = first.unwrap_or(i64::MAX).min(state.bounds.push_from);
    // It has to be found from there on, though the bound is not written with the rest yet.
    let values: Values<'_> = &[&state.tpp.0, &state.bounds.push_from];
    expect_rows(db.execute(LOWER, values).await?, 1, "lowering a bound")?;
    Ok(match state.unlisted_from {
        Some(_) => Listed::InPart,
        None => Listed::Now,
    })
}

/// What one TPP is pushed next, of what stands before a position.
async fn first_pushed(
    shared: &Shared,
    db: &Session,
    (tpp, ask): (TppId, &Due),
    beyond: i64,
) -> Result<Vec<Candidate>, Error> {
    let is_strict = shared.rules.switches.order == DeliveryOrder::Strict;
    let values: Values<'_> = &[
        &vec![Some(tpp.0)],
        &vec![ask.rows_max()],
        &vec![beyond],
        &is_strict,
        &vec![ask.now.unix_ms()],
    ];
    let mut found = vec![Vec::new()];
    work::by_request(&db.rows(FIRST_PUSHED, values).await?, &mut found)?;
    Ok(found.into_iter().flatten().collect())
}

/// What waits for its turn only, by a clock that is behind another's: as much as may be chosen, and what else comes next.
async fn turns(
    db: &Session,
    (tpp, ask): (TppId, &Due),
    until: Timestamp,
) -> Result<Vec<Candidate>, Error> {
    let (now, until, rows_max) = (ask.now.unix_ms(), until.unix_ms(), ask.rows_max());
    let rows = db.rows(TURNS, &[&tpp.0, &now, &until, &rows_max]).await?;
    let mut found = vec![Vec::new()];
    work::by_request(&rows, &mut found)?;
    Ok(found.into_iter().flatten().collect())
}

/// What was chosen, and when the next may go.
struct Chosen {
    work: Vec<oyez_domain::ledger::sets::Work>,
    next_at: Option<Timestamp>,
}

fn choose(
    changes: &mut Changes,
    (tpp, ask): (TppId, &Due),
    order: DeliveryOrder,
    (candidates, turns): (Vec<Candidate>, Vec<Candidate>),
    in_flight_until: Timestamp,
) -> Result<Chosen, Error> {
    let keys: Vec<Key> = candidates.iter().map(Candidate::key).collect();
    let rows_max = usize::try_from(ask.rows_max()).unwrap_or(usize::MAX);
    let last = candidates.last().and_then(|last| last.row.push_at);
    let beyond = last.filter(|last| keys.len() >= rows_max || *last > ask.now);
    let candidates = work::with_turns(candidates, turns, |row| row.push_at);
    changes.take_in(candidates.iter().map(|it| it.row.clone()));
    let events_max = match order {
        DeliveryOrder::Strict => ask.look.events_max.min(1),
        DeliveryOrder::Concurrent => ask.look.events_max,
    };
    let heads = match order {
        DeliveryOrder::Strict => 1,
        DeliveryOrder::Concurrent => candidates.len(),
    };
    let due = candidates.into_iter().take(heads);
    let due = due.filter(|it| may_go(order, &it.row, ask.now).is_some_and(|at| at <= ask.now));
    let mut work = Vec::new();
    for candidate in due.take(usize::try_from(events_max).unwrap_or(usize::MAX)) {
        let key = candidate.key();
        let Some(ready) = candidate.prepare(changes, ask.now)? else {
            continue;
        };
        let begun = changes.state(tpp)?.begun;
        changes.change(key, |row| row.take_off(in_flight_until, begun));
        work.push(ready);
    }
    let next_at = match order {
        DeliveryOrder::Strict => {
            let oldest = keys.iter().find_map(|key| changes.outstanding(*key));
            let next = oldest.and_then(|oldest| may_go(order, oldest, ask.now));
            if let Some(position) = oldest.map(|oldest| oldest.position) {
                changes.state(tpp)?.bounds.first_position = position;
            }
            next
        }
        DeliveryOrder::Concurrent => next_at(changes, tpp, beyond, ask.now)?,
    };
    if !work.is_empty() {
        // Bounds are worth a write that comes with others.
        changes.state(tpp)?.is_changed = true;
    }
    Ok(Chosen { work, next_at })
}

/// From when on an event may be pushed. In strict order not before it is due for polls either.
fn may_go(order: DeliveryOrder, row: &Open, now: Timestamp) -> Option<Timestamp> {
    let push_from = row.pushed_from(now)?;
    Some(match order {
        DeliveryOrder::Strict => push_from.max(row.falls_due(now)),
        DeliveryOrder::Concurrent => push_from,
    })
}

/// When the next may go. All that may be sooner than what was not read was read, so that later walks begin where this one ended.
fn next_at(
    changes: &mut Changes,
    tpp: TppId,
    beyond: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let open = changes.open.iter();
    let open = open.filter(|((of, _), held)| *of == tpp && held.fate != Fate::Gone);
    let (mut next, mut first): (Option<Timestamp>, Option<Timestamp>) = (None, beyond);
    for (_, held) in open {
        next = next.into_iter().chain(held.row.pushed_from(now)).min();
        first = first.into_iter().chain(held.row.push_at).min();
    }
    let state = changes.state(tpp)?;
    if state.unlisted_from.is_none() {
        state.bounds.push_from = first.unwrap_or(now).unix_ms();
    }
    Ok(next)
}

// In the TPP's own order, where it has one: $4 is the deployment's. Of what is not due, and mostly in flight, the first alone.
pub(super) const FIRST_PUSHED: &str = candidates!(
    "unnest($1::bigint[], $2::bigint[], $3::bigint[], $5::bigint[]) WITH ORDINALITY a (tpp, rows_max, before, now, nth)
        JOIN queues q ON q.tpp = ANY (ARRAY[a.tpp])
        JOIN tpps t ON t.tpp = ANY (ARRAY[a.tpp])
        CROSS JOIN LATERAL (
            (SELECT d.* FROM (
                    (SELECT d.*, ARRAY[d.tpp] AS read FROM outstanding d
                        WHERE d.tpp = a.tpp AND d.push_at >= q.push_from AND d.push_at <= a.now AND d.position < a.before
                        ORDER BY d.push_at, d.position LIMIT a.rows_max)
                    UNION ALL
                    (SELECT d.*, '{}'::bigint[] FROM outstanding d
                        WHERE d.tpp = a.tpp AND d.push_at >= q.push_from AND d.push_at > a.now AND d.position < a.before
                        ORDER BY d.push_at, d.position LIMIT 1)) d
                WHERE NOT CASE t.own_order WHEN 1 THEN true WHEN 2 THEN false ELSE $4::boolean END
                LIMIT a.rows_max)
            UNION ALL
            (SELECT d.*, ARRAY[d.tpp] FROM outstanding d
                WHERE d.tpp = a.tpp AND d.position >= q.first_position AND d.position < a.before
                    AND CASE t.own_order WHEN 1 THEN true WHEN 2 THEN false ELSE $4::boolean END
                ORDER BY d.position LIMIT 2)) o",
    "CASE t.own_order WHEN 1 THEN o.position WHEN 2 THEN o.push_at
        ELSE CASE WHEN $4::boolean THEN o.position ELSE o.push_at END END, o.position"
);

// A flight may hold what waits for its turn beyond others that stand behind it: the first of those comes too.
pub(super) const TURNS: &str = candidates!(
    concat!(
        "(VALUES (1::bigint)) a (nth) CROSS JOIN LATERAL (
            (SELECT d.*, ARRAY[d.tpp] AS read FROM (",
        clock::walk_but_for_it!("d.push_at", ""),
        ") d WHERE ",
        clock::turns_but_for_it!("d.push_at"),
        ")
            UNION ALL
            (SELECT d.*, '{}'::bigint[] FROM (",
        clock::walk_but_for_it!("d.push_at", ""),
        ") d WHERE NOT (",
        clock::is_turn!("d.push_at"),
        ") ORDER BY d.push_at, d.position LIMIT 1)
            UNION ALL
            (SELECT d.*, '{}'::bigint[] FROM outstanding d WHERE d.tpp = $1::bigint AND d.push_at > $3::bigint
                ORDER BY d.push_at, d.position LIMIT 1)) o"
    ),
    "o.push_at, o.position"
);

/// At most so many rows are entered into the order of pushes before a choice: some milliseconds of the TPP's lock, and more than
/// any choice takes.
const LISTED_MAX: i64 = 1_024;

// The first position that is left for the next time, and the first moment that was entered. What is used up has been refused.
pub(super) const LIST: &str = "
    WITH beyond AS (
        SELECT position FROM outstanding WHERE tpp = $1::bigint AND position >= $2::bigint
        ORDER BY position LIMIT 1 OFFSET $3::bigint),
    listed AS (
        UPDATE outstanding SET push_at = greatest(accepted_at, polled_until, coalesce(flight_until, 0))
        WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM outstanding WHERE tpp = $1::bigint AND position >= $2::bigint
                ORDER BY position LIMIT $3::bigint))
            AND push_at IS NULL AND refusals = 0
        RETURNING push_at)
    SELECT (SELECT position FROM beyond), (SELECT min(push_at) FROM listed)";

const LOWER: &str = "UPDATE queues SET push_from = $2::bigint WHERE tpp = $1::bigint";
