//! Aggregated polling: acknowledgements and errors first, then a choice (P-02 … P-14).
//!
//! What is visible to a token is a handful of families, and each is one walk along an index: events that the token may not
//! see cost it nothing, however many they are. As many are read as a choice may take, and one that it may not: that one says
//! when the next falls due, and from where on later walks have to look.

mod reading;

use std::sync::Arc;

use oyez_domain::event::Family;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::poll::{NothingToPoll, Patience, Poll, Polled, SetError};
use oyez_domain::ledger::sets::{SetState, Work};
use oyez_domain::life::Acknowledged;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;

use super::Shared;
use super::changes::{Changes, ErrorEntry, Fate, Key, Polls, SetAside};
use super::clock::{self, Noted};
use super::group::{self, Known, Work as GroupWork};
use super::line::{Kind, Request};
use super::open::Open;
use super::partitions::Span;
use super::session::{Session, Values};
use super::state::{FAMILIES, State, family};
use super::waiting::Waiting;
use super::work::{self, Candidate};
use crate::Error;
use crate::codes::{TppId, family_code};
#[cfg(test)]
pub(super) use reading::TURNS;
use reading::{Bounds, Named, is_visible};
pub(super) use reading::{FIRST_DUE, OLDEST};

/// A poll, and when it came.
pub(super) struct Polling {
    pub(super) poll: Poll,
    pub(super) now: Timestamp,
}

/// What a group of polls goes by.
pub(super) struct Before {
    named: Vec<Open>,
    failed: Vec<(Key, SetAside)>,
    /// By request.
    candidates: Vec<Vec<Candidate>>,
    /// By request: what waits for its turn only, by a clock that is behind another's.
    turns: Vec<Vec<Candidate>>,
    /// Those whose events were moved back with the clock.
    moved_back: Vec<TppId>,
}

impl Kind for Polling {
    type Ask = Self;
    type Answer = Polled;
    const NAME: &'static str = "polls";

    fn rows(ask: &Self) -> usize {
        let events_max = usize::try_from(ask.poll.events_max).unwrap_or(usize::MAX);
        events_max.saturating_add(ask.poll.acks.len() + ask.poll.errors.len() + 1)
    }

    async fn serve(shared: &Arc<Shared>, group: Vec<Request<Self>>) {
        group::serve(shared, group).await;
    }
}

impl GroupWork for Polling {
    type Read = Before;
    const READS: &'static [&'static str] = &[work::NAMED, work::FAILED, FIRST_DUE, OLDEST];
    const SHARES_TPPS: bool = false;

    fn clients(ask: &Self) -> impl Iterator<Item = &ClientId> + Send {
        std::iter::once(&ask.poll.client_id)
    }

    async fn prepare(shared: &Shared, db: &Session, group: &[&Self]) -> Result<(), Error> {
        let spans = group.iter().map(|ask| Span::of(ask.now));
        shared.partitions.make(db, spans).await
    }

    async fn read(
        _shared: &Shared,
        db: &Session,
        group: &[&Self],
        known: &Known,
    ) -> Result<Before, Error> {
        let named = Named::of(group, known);
        let concurrent = Bounds::of(group, known, DeliveryOrder::Concurrent);
        let strict = Bounds::of(group, known, DeliveryOrder::Strict);
        let (gone, gone_jtis) = &named.acknowledged;
        let none = || Ok(Vec::new());
        let (rows, failed, due, oldest) = futures_util::try_join!(
            async {
                if named.tpps.is_empty() {
                    return Ok(Vec::new());
                }
                work::named(db, &named.tpps, &named.jtis).await
            },
            async {
                if named.tpps.is_empty() {
                    return Ok(Vec::new());
                }
                work::failed(db, &named.tpps, &named.jtis).await
            },
            async {
                if concurrent.is_empty() {
                    return none();
                }
                let Bounds {
                    tpps,
                    families,
                    rows_max,
                    now,
                } = &concurrent;
                let bounds: Values<'_> = &[tpps, families, rows_max, gone, gone_jtis, now];
                db.rows(FIRST_DUE, bounds).await
            },
            async {
                if strict.is_empty() {
                    return none();
                }
                let Bounds { tpps, rows_max, .. } = &strict;
                db.rows(OLDEST, &[tpps, rows_max, gone, gone_jtis]).await
            }
        )?;
        let mut candidates: Vec<_> = group.iter().map(|_| Vec::new()).collect();
        work::by_request(&due, &mut candidates)?;
        work::by_request(&oldest, &mut candidates)?;
        Ok(Before {
            named: rows,
            failed,
            candidates,
            turns: group.iter().map(|_| Vec::new()).collect(),
            moved_back: Vec::new(),
        })
    }

    fn goes_alone(state: &State, ask: &Self) -> bool {
        state.served && ask.poll.events_max > 0 && clock::is_set_back(state, ask.now)
    }

    /// A clock was set back: what held events is moved back, and what waits for its turn only is due, wherever it stands.
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
            let tpp = known.get(&ask.poll.client_id);
            let state = tpp.and_then(|tpp| changes.states.get_mut(tpp));
            let gives = |state: &&mut State| {
                state.served && routing::may_poll(&rules, &state.registrations).is_ok()
            };
            let Some(state) = state.filter(gives) else {
                continue;
            };
            if ask.poll.events_max > 0 && clock::note(db, state, ask.now).await? == Noted::MovedBack
            {
                let anew = Self::read(shared, db, &[*ask], known).await?;
                before.named.retain(|row| row.tpp != state.tpp);
                before.named.extend(anew.named);
                before.candidates[*nth] = anew.candidates.into_iter().flatten().collect();
                let gone = Named::of(&[*ask], known).acknowledged;
                let pushable =
                    clock::pushable(db, state.tpp, (&gone.0, &gone.1), ask.rows_max()).await?;
                before.named.extend(pushable);
                before.moved_back.push(state.tpp);
            }
            let is_strict = ask.poll.limits.order == DeliveryOrder::Strict;
            let candidates = &before.candidates[*nth];
            let enough_due =
                work::has_enough_due(candidates, ask.rows_max(), |row| row.due_at <= ask.now);
            if !is_strict && !enough_due && state.is_behind(ask.now) {
                before.turns[*nth] = reading::turns(db, state, ask, known).await?;
            }
        }
        Ok(())
    }

    fn decide(
        changes: &mut Changes,
        (nth, ask): (usize, &Self),
        known: &Known,
        before: &mut Before,
    ) -> Result<Polled, Error> {
        changes.take_in(before.named.drain(..));
        changes.failed.extend(before.failed.drain(..));
        let candidates = std::mem::take(&mut before.candidates[nth]);
        let turns = std::mem::take(&mut before.turns[nth]);
        match known.get(&ask.poll.client_id) {
            Some(tpp) => {
                let noted = if before.moved_back.contains(tpp) {
                    Noted::MovedBack
                } else {
                    Noted::AsRead
                };
                answer(changes, (*tpp, ask), (candidates, turns), noted)
            }
            None => Ok(refused(Vec::new(), NothingToPoll::NotServed)),
        }
    }

    fn waiting(shared: &Shared) -> &Waiting<Self> {
        &shared.waiting.poll
    }
}

const fn refused(settled: Vec<oyez_domain::ids::Jti>, refusal: NothingToPoll) -> Polled {
    Polled {
        settled,
        work: Vec::new(),
        more_available: false,
        next_due_at: None,
        refusal: Some(refusal),
    }
}

fn answer(
    changes: &mut Changes,
    (tpp, ask): (TppId, &Polling),
    (candidates, turns): (Vec<Candidate>, Vec<Candidate>),
    noted: Noted,
) -> Result<Polled, Error> {
    let Polling { poll, now } = ask;
    let mut polls = Polls::default();
    let settled = apply(changes, tpp, poll, &mut polls, *now)?;
    let rules = Arc::clone(&changes.rules);
    let state = changes.state(tpp)?;
    if !state.served {
        return Ok(refused(settled, NothingToPoll::NotServed));
    }
    if let Err(refusal) = routing::may_poll(&rules, &state.registrations) {
        return Ok(refused(settled, refusal));
    }
    if noted == Noted::MovedBack {
        clock::tell(changes, tpp, *now)?;
    }
    let walk = Walk::of(&candidates, ask.rows_max());
    let candidates = work::with_turns(candidates, turns, |row| Some(row.due_at));
    changes.take_in(candidates.iter().map(|it| it.row.clone()));
    let work = hand_out(changes, (tpp, ask), candidates, &mut polls)?;
    let next_due_at = match poll.limits.order {
        DeliveryOrder::Concurrent => walk.next_due(changes, tpp, ask)?,
        DeliveryOrder::Strict => {
            let oldest = walk.oldest(changes);
            let next = oldest.filter(|oldest| is_visible(poll, oldest.family));
            let next = next.map(|oldest| oldest.falls_due(*now));
            if let Some(position) = oldest.map(|oldest| oldest.position) {
                changes.state(tpp)?.bounds.first_position = position;
            }
            next
        }
    };
    if !work.is_empty() {
        // Bounds are worth a write that comes with others.
        changes.state(tpp)?.is_changed = true;
    }
    Ok(Polled {
        settled,
        work,
        more_available: next_due_at.is_some_and(|due_at| due_at <= *now),
        next_due_at,
        refusal: None,
    })
}

fn apply(
    changes: &mut Changes,
    tpp: TppId,
    poll: &Poll,
    polls: &mut Polls,
    now: Timestamp,
) -> Result<Vec<oyez_domain::ids::Jti>, Error> {
    let mut settled = Vec::with_capacity(poll.acks.len());
    for jti in &poll.acks {
        if changes.acknowledge((tpp, *jti), Acknowledged::Poll, now)? {
            settled.push(*jti);
        }
    }
    let errors = poll.errors.iter();
    for (jti, error) in errors.filter(|(jti, _)| !poll.acks.contains(jti)) {
        if report_error(changes, (tpp, *jti), poll, error, polls, now)? {
            settled.push(*jti);
        }
    }
    Ok(settled)
}

/// Counts an error; answers whether it settled the event.
fn report_error(
    changes: &mut Changes,
    key: Key,
    poll: &Poll,
    error: &SetError,
    polls: &mut Polls,
    now: Timestamp,
) -> Result<bool, Error> {
    if error.is_duplicate_notice() {
        return changes.acknowledge(key, Acknowledged::Duplicate, now);
    }
    let counted = changes.change(key, |row| {
        row.errors += 1;
        row.errors
    });
    let Some(errors) = counted else {
        return Ok(false);
    };
    let entry = ErrorEntry {
        key,
        poll: changes.poll_entry(key, polls, &poll.interaction_id, now)?,
        entry: changes.state(key.0)?.next_entry(),
        at: now,
        error: error.clone(),
    };
    changes.errors.push(entry);
    let spent = u32::try_from(errors).is_ok_and(|errors| errors >= poll.limits.error_cap.get());
    if spent {
        changes.fail(key, now)?;
    }
    Ok(spent)
}

fn hand_out(
    changes: &mut Changes,
    (tpp, ask): (TppId, &Polling),
    candidates: Vec<Candidate>,
    polls: &mut Polls,
) -> Result<Vec<Work>, Error> {
    let Polling { poll, now } = ask;
    let again_at = *now + poll.limits.redelivery_delay;
    let enough = usize::try_from(poll.events_max).unwrap_or(usize::MAX);
    let mut work = Vec::new();
    for candidate in choose(changes, ask, candidates).into_iter().take(enough) {
        let key: Key = (tpp, candidate.row.jti);
        let Some(ready) = candidate.prepare(changes, *now)? else {
            continue;
        };
        changes.change(key, |row| row.hold_back(again_at));
        if matches!(ready.set, SetState::Kept(_)) {
            let terms = (&poll.interaction_id, poll.limits.hand_out_cap);
            changes.hand_out(key, polls, terms, *now)?;
        }
        work.push(ready);
    }
    Ok(work)
}

/// What may be handed out, in its order. In strict order only the oldest counts, and a token that may not see it sees nothing
/// (D-10, A-10).
fn choose(changes: &Changes, ask: &Polling, candidates: Vec<Candidate>) -> Vec<Candidate> {
    let Polling { poll, now } = ask;
    let open = candidates
        .into_iter()
        .filter(|it| changes.outstanding(it.key()).is_some());
    let is_due = |it: &Candidate| match poll.patience {
        Patience::Immediate => true,
        Patience::WaitForDue => it.row.falls_due(*now) <= *now,
    };
    match poll.limits.order {
        DeliveryOrder::Concurrent => open.filter(is_due).collect(),
        DeliveryOrder::Strict => open
            .take(1)
            .filter(|oldest| is_visible(poll, oldest.row.family) && is_due(oldest))
            .collect(),
    }
}

/// What a walk along an index has shown.
struct Walk {
    keys: Vec<Key>,
    /// The moment of the last row, if there may be more behind it.
    beyond: Option<Timestamp>,
}

impl Walk {
    fn of(candidates: &[Candidate], rows_max: i64) -> Self {
        let is_full = i64::try_from(candidates.len()).is_ok_and(|rows| rows >= rows_max);
        let last = candidates.last().filter(|_| is_full);
        Self {
            keys: candidates.iter().map(Candidate::key).collect(),
            beyond: last.map(|last| last.row.due_at),
        }
    }

    /// The first that is still outstanding.
    fn oldest<'c>(&self, changes: &'c Changes) -> Option<&'c Open> {
        self.keys.iter().find_map(|key| changes.outstanding(*key))
    }

    /// When the next visible event falls due. All that may be sooner than what was not read was read, so that later walks begin
    /// where this one ended.
    fn next_due(
        &self,
        changes: &mut Changes,
        tpp: TppId,
        ask: &Polling,
    ) -> Result<Option<Timestamp>, Error> {
        let mut next: Option<Timestamp> = None;
        let mut first: [Option<Timestamp>; FAMILIES] = [None; FAMILIES];
        let open = changes.open.iter();
        let open = open.filter(|((of, _), held)| *of == tpp && held.fate != Fate::Gone);
        for (_, held) in open {
            let first = &mut first[family(held.row.family)];
            *first = (*first).into_iter().chain([held.row.due_at]).min();
            if is_visible(&ask.poll, held.row.family) {
                let due_at = held.row.falls_due(ask.now);
                next = next.into_iter().chain([due_at]).min();
            }
        }
        let state = changes.state(tpp)?;
        for visible in Family::ALL
            .into_iter()
            .filter(|it| ask.poll.families.contains(it))
        {
            let family = family(i16::try_from(family_code(visible)).unwrap_or_default());
            let least = first[family].into_iter().chain(self.beyond).min();
            state.bounds.due_from[family] = least.unwrap_or(ask.now).unix_ms();
        }
        Ok(next)
    }
}
