//! Aggregated polling: acknowledgements and errors first, then a choice (P-02 … P-14).
//!
//! What is visible to a token is a handful of families, and each is one walk along an index: events that the token may not
//! see cost it nothing, however many they are. As many are read as a choice may take, and one that it may not: that one says
//! when the next falls due, and from where on later walks have to look.

use std::sync::Arc;

use oyez_domain::event::Family;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::poll::{NothingToPoll, Patience, Poll, Polled, SetError};
use oyez_domain::ledger::sets::{SetState, Work};
use oyez_domain::life::Acknowledged;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use uuid::Uuid;

use super::Shared;
use super::changes::{Changes, ErrorEntry, Fate, Key, Polls, SetAside};
use super::clock::{self, Noted};
use super::columns::uuid;
use super::group::{self, Known, Work as GroupWork};
use super::line::{Kind, Request};
use super::open::{Open, open_columns};
use super::partitions::Span;
use super::session::{Session, Values};
use super::state::{FAMILIES, State, family};
use super::waiting::Waiting;
use super::work::{self, Candidate, candidates};
use crate::Error;
use crate::codes::{TppId, family_code};

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
                } = &concurrent;
                db.rows(FIRST_DUE, &[tpps, families, rows_max, gone, gone_jtis])
                    .await
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
            moved_back: Vec::new(),
        })
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
            if !is_strict && state.was_set_back(ask.now) {
                read_set_back(db, (state.tpp, ask), known, *nth, before).await?;
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
        match known.get(&ask.poll.client_id) {
            Some(tpp) => {
                let noted = if before.moved_back.contains(tpp) {
                    Noted::MovedBack
                } else {
                    Noted::AsRead
                };
                answer(changes, (*tpp, ask), candidates, noted)
            }
            None => Ok(refused(Vec::new(), NothingToPoll::NotServed)),
        }
    }

    fn waiting(shared: &Shared) -> &Waiting<Self> {
        &shared.waiting.poll
    }
}

/// Adds to the candidates what waits for its turn only, and reads what falls due next.
async fn read_set_back(
    db: &Session,
    (tpp, ask): (TppId, &Polling),
    known: &Known,
    nth: usize,
    before: &mut Before,
) -> Result<(), Error> {
    let (families, rows_max) = (visible(&ask.poll), ask.rows_max());
    let (gone, gone_jtis) = Named::of(&[ask], known).acknowledged;
    let now = ask.now.unix_ms();
    let values: Values<'_> = &[&tpp.0, &families, &rows_max, &gone, &gone_jtis, &now];
    let mut found = vec![Vec::new()];
    work::by_request(&db.rows(DUE_BUT_FOR_THE_CLOCK, values).await?, &mut found)?;
    let candidates = &mut before.candidates[nth];
    for more in found.into_iter().flatten() {
        if !candidates.iter().any(|it| it.key() == more.key()) {
            candidates.push(more);
        }
    }
    candidates.sort_by_key(|it| (it.row.due_at, it.row.position));
    for row in db.rows(NEXT_BUT_FOR_THE_CLOCK, values).await? {
        before.named.push(Open::read(&row, 0)?);
    }
    Ok(())
}

impl Polling {
    /// As many as can be chosen or fail, and another: two where the first alone says what is next.
    fn rows_max(&self) -> i64 {
        let poll = &self.poll;
        let may_go = match poll.limits.order {
            DeliveryOrder::Concurrent => i64::from(poll.events_max),
            DeliveryOrder::Strict => 1,
        };
        let errors = poll.errors.iter();
        let errors = errors.filter(|(_, error)| !error.is_duplicate_notice());
        may_go + i64::try_from(errors.count()).unwrap_or(i64::MAX >> 1) + 1
    }
}

/// The events that a group of polls names.
struct Named {
    tpps: Vec<i64>,
    jtis: Vec<Uuid>,
    /// Those that end by it.
    acknowledged: (Vec<i64>, Vec<Uuid>),
}

impl Named {
    fn of(group: &[&Polling], known: &Known) -> Self {
        let mut named = Self {
            tpps: Vec::new(),
            jtis: Vec::new(),
            acknowledged: (Vec::new(), Vec::new()),
        };
        for ask in group {
            let Some(tpp) = known.get(&ask.poll.client_id) else {
                continue;
            };
            let acks = ask.poll.acks.iter().map(|jti| (jti, true));
            let errors = ask.poll.errors.iter();
            let errors = errors.map(|(jti, error)| (jti, error.is_duplicate_notice()));
            for (jti, ends) in acks.chain(errors) {
                named.tpps.push(tpp.0);
                named.jtis.push(uuid(*jti));
                if ends {
                    named.acknowledged.0.push(tpp.0);
                    named.acknowledged.1.push(uuid(*jti));
                }
            }
        }
        named
    }
}

/// The bounds of walks, by request; those of another order, and of TPPs that nobody knows, have none.
struct Bounds {
    tpps: Vec<Option<i64>>,
    families: Vec<i32>,
    rows_max: Vec<i64>,
}

impl Bounds {
    fn of(group: &[&Polling], known: &Known, order: DeliveryOrder) -> Self {
        let tpp = |ask: &&Polling| {
            let is_meant = ask.poll.limits.order == order;
            let tpp = known.get(&ask.poll.client_id).filter(|_| is_meant);
            tpp.map(|tpp| tpp.0)
        };
        Self {
            tpps: group.iter().map(tpp).collect(),
            families: group.iter().map(|ask| visible(&ask.poll)).collect(),
            rows_max: group.iter().map(|ask| ask.rows_max()).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.tpps.iter().all(Option::is_none)
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
    candidates: Vec<Candidate>,
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
        if !state.was_set_back(ask.now) {
            for visible in Family::ALL
                .into_iter()
                .filter(|it| ask.poll.families.contains(it))
            {
                let family = family(i16::try_from(family_code(visible)).unwrap_or_default());
                let least = first[family].into_iter().chain(self.beyond).min();
                state.bounds.due_from[family] = least.unwrap_or(ask.now).unix_ms();
            }
        }
        Ok(next)
    }
}

/// The families that a token may see, a bit each.
fn visible(poll: &Poll) -> i32 {
    let families = poll.families.iter();
    families.fold(0, |bits, family| bits | 1 << family_code(*family))
}

fn is_visible(poll: &Poll, family: i16) -> bool {
    visible(poll) >> family & 1 == 1
}

pub(super) const FIRST_DUE: &str = candidates!(
    "unnest($1::bigint[], $2::integer[], $3::bigint[]) WITH ORDINALITY a (tpp, families, rows_max, nth)
        JOIN queues q ON q.tpp = a.tpp
        CROSS JOIN LATERAL (
            SELECT d.* FROM generate_series(0, 3) f (family)
                CROSS JOIN LATERAL (
                    SELECT d.* FROM outstanding d
                    WHERE d.tpp = a.tpp AND d.family = f.family::smallint AND d.due_at >= q.due_from[f.family + 1]
                        AND (d.tpp, d.jti) NOT IN (SELECT * FROM unnest($4::bigint[], $5::uuid[]))
                    ORDER BY d.due_at, d.position LIMIT a.rows_max) d
            WHERE a.families >> f.family & 1 = 1
            ORDER BY d.due_at, d.position LIMIT a.rows_max) o",
    "o.due_at, o.position"
);

pub(super) const OLDEST: &str = candidates!(
    "unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY a (tpp, rows_max, nth)
        JOIN queues q ON q.tpp = a.tpp
        CROSS JOIN LATERAL (
            SELECT d.* FROM outstanding d
            WHERE d.tpp = a.tpp AND d.position >= q.first_position
                AND (d.tpp, d.jti) NOT IN (SELECT * FROM unnest($3::bigint[], $4::uuid[]))
            ORDER BY d.position LIMIT a.rows_max) o",
    "o.position"
);

const DUE_BUT_FOR_THE_CLOCK: &str = candidates!(
    concat!(
        "(VALUES (1::bigint)) a (nth) CROSS JOIN LATERAL (
            SELECT d.* FROM outstanding d
            WHERE d.tpp = $1::bigint AND $2::integer >> d.family & 1 = 1 AND d.due_at > $6::bigint
                AND (d.tpp, d.jti) NOT IN (SELECT * FROM unnest($4::bigint[], $5::uuid[])) AND ",
        clock::but_for_it!("d.due_at"),
        " <= $6::bigint ORDER BY d.due_at, d.position LIMIT $3::bigint) o"
    ),
    "o.due_at, o.position"
);

const NEXT_BUT_FOR_THE_CLOCK: &str = concat!(
    "SELECT ",
    open_columns!("d"),
    " FROM outstanding d
    WHERE d.tpp = $1::bigint AND $2::integer >> d.family & 1 = 1
        AND (d.tpp, d.jti) NOT IN (SELECT * FROM unnest($4::bigint[], $5::uuid[]))
    ORDER BY ",
    clock::but_for_it!("d.due_at"),
    " LIMIT $3::bigint"
);
