//! Taking events in (I-01, I-02): the registration is read and the positions are drawn where nothing can come between.

use std::collections::HashMap;
use std::sync::Arc;

use oyez_domain::event::{Idempotency, Submission};
use oyez_domain::ids::{ClientId, IdempotencyKey};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::routing::{self, Means, Route};
use oyez_domain::time::Timestamp;

use super::Shared;
use super::changes::{Changes, NewEvent, Remembered};
use super::columns::jti;
use super::group::{self, Known, Work};
use super::line::{Kind, Request};
use super::open::Open;
use super::partitions::Span;
use super::session::Session;
use super::waiting::Waiting;
use crate::Error;
use crate::codes::{TppId, family_code, to_json};
use crate::error::contradiction;

/// A batch to be taken in, and when it came.
pub(super) struct Accept {
    pub(super) batch: Vec<Submission>,
    pub(super) now: Timestamp,
}

/// What a group of batches goes by.
pub(super) struct Before {
    /// The kinds of their notices, by batch and item.
    kinds: Vec<Vec<i32>>,
    /// What idempotency keys stand for.
    remembered: HashMap<(TppId, IdempotencyKey), First>,
}

/// What was first said under an idempotency key.
struct First {
    fingerprint: [u8; 32],
    jti: oyez_domain::ids::Jti,
}

impl Kind for Accept {
    type Ask = Self;
    type Answer = Vec<Acceptance>;
    const NAME: &'static str = "acceptances";

    fn rows(ask: &Self) -> usize {
        ask.batch.len().max(1)
    }

    async fn serve(shared: &Arc<Shared>, group: Vec<Request<Self>>) {
        group::serve(shared, group).await;
    }
}

impl Work for Accept {
    type Read = Before;
    const READS: &'static [&'static str] = &[REMEMBERED];

    fn clients(ask: &Self) -> impl Iterator<Item = &ClientId> + Send {
        ask.batch.iter().map(|item| &item.notice.client_id)
    }

    /// Kinds and parts of history are not the TPPs': they are made, once in a long while, before anything is locked.
    async fn prepare(shared: &Shared, db: &Session, group: &[&Self]) -> Result<(), Error> {
        let items = || group.iter().flat_map(|ask| &ask.batch);
        let notices = items().map(|item| &item.notice);
        shared.kinds.make(db, notices).await?;
        let spans = items().map(|item| Span::of_jti(item.jti));
        shared.partitions.make(db, spans).await
    }

    async fn read(
        shared: &Shared,
        db: &Session,
        group: &[&Self],
        known: &Known,
    ) -> Result<Before, Error> {
        let kinds = group.iter().map(|ask| {
            let notices = ask.batch.iter().map(|item| &item.notice);
            let kinds = notices.map(|it| shared.kinds.of(it));
            kinds.collect::<Option<Vec<_>>>()
        });
        let kinds: Option<Vec<_>> = kinds.collect();
        let keyed = group.iter().flat_map(|ask| &ask.batch).filter_map(|item| {
            let tpp = known.get(&item.notice.client_id)?;
            let key = &item.idempotency.as_ref()?.key;
            Some((tpp.0, key.as_str().to_owned()))
        });
        let (tpps, keys): (Vec<i64>, Vec<String>) = keyed.unzip();
        Ok(Before {
            kinds: kinds.ok_or_else(|| contradiction("a kind is missing that was made"))?,
            remembered: if keys.is_empty() {
                HashMap::new()
            } else {
                remembered(db, &tpps, &keys).await?
            },
        })
    }

    fn decide(
        changes: &mut Changes,
        (nth, ask): (usize, &Self),
        known: &Known,
        before: &mut Before,
    ) -> Result<Vec<Acceptance>, Error> {
        let items = ask.batch.iter().enumerate();
        let outcomes = items.map(|(place, item)| {
            let Some(tpp) = known.get(&item.notice.client_id) else {
                return Ok(Acceptance::UnknownTpp);
            };
            let kind = before.kinds[nth][place];
            accept_one(changes, (*tpp, kind), item, &mut before.remembered, ask.now)
        });
        outcomes.collect()
    }

    fn waiting(shared: &Shared) -> &Waiting<Self> {
        &shared.waiting.accept
    }
}

async fn remembered(
    db: &Session,
    tpps: &[i64],
    keys: &[String],
) -> Result<HashMap<(TppId, IdempotencyKey), First>, Error> {
    let mut found = HashMap::new();
    for row in db.rows(REMEMBERED, &[&tpps, &keys]).await? {
        let fingerprint: Vec<u8> = row.try_get(2)?;
        let fingerprint = fingerprint
            .try_into()
            .map_err(|_| contradiction("a fingerprint of another length"))?;
        let key = crate::codes::parse(row.try_get(1)?, "idempotency key")?;
        let first = First {
            fingerprint,
            jti: jti(&row, 3)?,
        };
        found.insert((TppId(row.try_get(0)?), key), first);
    }
    Ok(found)
}

fn accept_one(
    changes: &mut Changes,
    (tpp, kind): (TppId, i32),
    item: &Submission,
    remembered: &mut HashMap<(TppId, IdempotencyKey), First>,
    now: Timestamp,
) -> Result<Acceptance, Error> {
    if let Some(Idempotency { key, fingerprint }) = &item.idempotency
        && let Some(first) = remembered.get(&(tpp, key.clone()))
    {
        return Ok(if first.fingerprint == *fingerprint {
            Acceptance::Duplicate(first.jti)
        } else {
            Acceptance::IdempotencyConflict
        });
    }
    let rules = Arc::clone(&changes.rules);
    let state = changes.state(tpp)?;
    if !state.served {
        return Ok(Acceptance::Disabled);
    }
    match routing::route(&rules, &state.registrations, &item.notice) {
        Route::NoSubscription => Ok(Acceptance::NoSubscription),
        Route::NotSubscribed => Ok(Acceptance::NotSubscribed),
        Route::Deliver(means) => {
            take_in(changes, (tpp, kind), item, means, now)?;
            if let Some(Idempotency { key, fingerprint }) = &item.idempotency {
                let first = First {
                    fingerprint: *fingerprint,
                    jti: item.jti,
                };
                remembered.insert((tpp, key.clone()), first);
                changes.remembered.push(Remembered {
                    tpp,
                    key: key.clone(),
                    fingerprint: *fingerprint,
                    jti: item.jti,
                    accepted_at: now,
                });
            }
            Ok(Acceptance::Accepted(item.jti))
        }
    }
}

fn take_in(
    changes: &mut Changes,
    (tpp, kind): (TppId, i32),
    item: &Submission,
    means: Means,
    now: Timestamp,
) -> Result<(), Error> {
    let is_pushed = match means {
        Means::PushAndPoll | Means::PushOnly => true,
        Means::PollOnly => false,
    };
    let notice = &item.notice;
    let family = i16::try_from(family_code(notice.resource.family)).unwrap_or_default();
    let state = changes.state(tpp)?;
    let position = state.accepts(now);
    if !state.kinds.iter().any(|(known, _)| *known == kind) {
        state.kinds.push((kind, position));
    }
    if !is_pushed {
        state.unlisted_from.get_or_insert(position);
    }
    let owner = state.client_id.clone();
    changes.insert(Open {
        tpp,
        position,
        jti: item.jti,
        accepted_at: now,
        due_at: now,
        push_at: is_pushed.then_some(now),
        polled_until: Timestamp::from_unix_ms(0),
        flight_until: None,
        begun: 0,
        refused_since: None,
        kind,
        hand_outs: 0,
        errors: 0,
        ends: 0,
        refusals: 0,
        endpoint_failures: 0,
        family,
    })?;
    changes.events.push(NewEvent {
        key: (tpp, item.jti),
        position,
        accepted_at: now,
        kind,
        family,
        resource_id: notice.resource.id.as_str().to_owned(),
        txn: notice.txn.as_ref().map(|txn| txn.as_str().to_owned()),
        notice: to_json(notice),
    });
    changes.tally.flow(tpp, now).accepted += 1;
    changes.polls_news(tpp, &owner);
    if is_pushed {
        changes.lane_news(tpp, now, now)?;
    }
    Ok(())
}

pub(super) const REMEMBERED: &str = "
    SELECT i.tpp, i.key, i.fingerprint, i.jti
    FROM unnest($1::bigint[], $2::text[]) a (tpp, key) JOIN idempotency i ON i.tpp = ANY (ARRAY[a.tpp]) AND i.key = a.key";
