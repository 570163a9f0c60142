//! Taking events in (I-01, I-02): the registration is read and the positions are drawn where nothing can come between.

use std::collections::HashMap;

use oyez_domain::event::{Idempotency, Submission};
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::registration::Registrations;
use oyez_domain::routing::{self, Means, Route};
use oyez_domain::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::codes::{family_code, jti, to_json};
use super::errors::expect_rows;
use super::kinds::Kinds;
use super::lanes;
use super::registrations;
use super::tpps::{Known, know};
use super::writer::Unit;
use crate::Error;

/// A TPP that the batch concerns, read once.
struct Addressee {
    known: Known,
    registrations: Registrations,
    position: u64,
    accepted: u64,
    /// Whether what is taken in is pushed.
    is_pushed: bool,
    /// The kinds of what was taken in.
    kinds: Kinds,
}

/// See [`crate::Store::accept`].
pub(super) fn accept(
    unit: &mut Unit,
    batch: &[Submission],
    now: Timestamp,
) -> Result<Vec<Acceptance>, Error> {
    let mut addressees = HashMap::new();
    let mut outcomes = Vec::with_capacity(batch.len());
    for item in batch {
        let client_id = &item.notice.client_id;
        if !addressees.contains_key(client_id) {
            addressees.insert(client_id.clone(), addressee(unit, client_id)?);
        }
        outcomes.push(
            match addressees.get_mut(client_id).and_then(Option::as_mut) {
                Some(addressee) => accept_one(unit, addressee, item, now)?,
                None => Acceptance::UnknownTpp,
            },
        );
    }
    for (client_id, addressee) in &addressees {
        if let Some(addressee) = addressee {
            finish(unit, client_id, addressee, now)?;
        }
    }
    Ok(outcomes)
}

fn addressee(unit: &Unit, client_id: &ClientId) -> Result<Option<Addressee>, Error> {
    let Some(known) = know(&unit.db, client_id)? else {
        return Ok(None);
    };
    let position = unit
        .db
        .prepare_cached(LAST_POSITION)?
        .query_row([known.id], |row| row.get(0))?;
    Ok(Some(Addressee {
        known,
        registrations: registrations::of(&unit.db, known.id)?,
        position,
        accepted: 0,
        is_pushed: false,
        kinds: Kinds::default(),
    }))
}

fn accept_one(
    unit: &Unit,
    addressee: &mut Addressee,
    item: &Submission,
    now: Timestamp,
) -> Result<Acceptance, Error> {
    if let Some(repeat) = &item.idempotency
        && let Some(earlier) = remembered(unit, addressee.known, repeat)?
    {
        return Ok(earlier);
    }
    if !addressee.known.served {
        return Ok(Acceptance::Disabled);
    }
    match routing::route(&unit.rules, &addressee.registrations, &item.notice) {
        Route::NoSubscription => Ok(Acceptance::NoSubscription),
        Route::NotSubscribed => Ok(Acceptance::NotSubscribed),
        Route::Deliver(means) => {
            take_in(unit, addressee, item, means, now)?;
            Ok(Acceptance::Accepted(item.jti))
        }
    }
}

fn remembered(
    unit: &Unit,
    known: Known,
    repeat: &Idempotency,
) -> Result<Option<Acceptance>, Error> {
    let first: Option<([u8; 32], Jti)> = unit
        .db
        .prepare_cached(REMEMBERED)?
        .query_row(params![known.id, repeat.key.as_str()], |row| {
            Ok((row.get(0)?, jti(row, 1)?))
        })
        .optional()?;
    Ok(first.map(|(fingerprint, jti)| {
        if fingerprint == repeat.fingerprint {
            Acceptance::Duplicate(jti)
        } else {
            Acceptance::IdempotencyConflict
        }
    }))
}

fn take_in(
    unit: &Unit,
    addressee: &mut Addressee,
    item: &Submission,
    means: Means,
    now: Timestamp,
) -> Result<(), Error> {
    let tpp = addressee.known.id;
    let position = addressee.position + addressee.accepted + 1;
    let notice = &item.notice;
    let kind = addressee.kinds.enter(unit, tpp, notice, position)?;
    unit.db.prepare_cached(INSERT_EVENT)?.execute(params![
        item.jti.as_bytes(),
        tpp,
        position,
        now.unix_ms(),
        notice.resource.id.as_str(),
        notice.txn.as_ref().map(|txn| txn.as_str()),
        to_json(notice)
    ])?;
    addressee.is_pushed = match means {
        Means::PushAndPoll | Means::PushOnly => true,
        Means::PollOnly => false,
    };
    unit.db
        .prepare_cached(INSERT_OUTSTANDING)?
        .execute(params![
            tpp,
            position,
            unit.db.last_insert_rowid(),
            item.jti.as_bytes(),
            family_code(notice.resource.family),
            kind,
            now.unix_ms(),
            addressee.is_pushed.then_some(now.unix_ms())
        ])?;
    if let Some(first) = &item.idempotency {
        unit.db.prepare_cached(REMEMBER)?.execute(params![
            tpp,
            first.key.as_str(),
            first.fingerprint,
            item.jti.as_bytes(),
            now.unix_ms()
        ])?;
    }
    addressee.accepted += 1;
    Ok(())
}

/// Gives the positions that were drawn away for good.
fn finish(
    unit: &mut Unit,
    client_id: &ClientId,
    addressee: &Addressee,
    now: Timestamp,
) -> Result<(), Error> {
    if addressee.accepted == 0 {
        return Ok(());
    }
    let tpp = addressee.known.id;
    let changed = unit.db.prepare_cached(DRAW_POSITIONS)?.execute(params![
        tpp,
        addressee.accepted,
        addressee.is_pushed
    ])?;
    expect_rows(changed, 1, "drawing positions")?;
    unit.tally.flow(tpp, now).accepted += addressee.accepted;
    unit.news.of((tpp, client_id)).polls = true;
    if addressee.is_pushed {
        lanes::news(unit, (tpp, client_id), now)?;
    }
    Ok(())
}

const LAST_POSITION: &str = "SELECT accepted FROM queues WHERE tpp = ?1";

const DRAW_POSITIONS: &str = "
    UPDATE queues SET accepted = accepted + ?2,
        unlisted_from = iif(?3, unlisted_from, coalesce(unlisted_from, accepted + 1))
    WHERE tpp = ?1";

const REMEMBERED: &str = "SELECT fingerprint, jti FROM idempotency WHERE tpp = ?1 AND key = ?2";

const REMEMBER: &str = "
    INSERT INTO idempotency (tpp, key, fingerprint, jti, accepted_at) VALUES (?1, ?2, ?3, ?4, ?5)";

pub(super) const INSERT_EVENT: &str = "
    INSERT INTO events (jti, tpp, position, accepted_at, resource_id, txn, notice)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const INSERT_OUTSTANDING: &str = "
    INSERT INTO outstanding (tpp, position, event, jti, family, kind, accepted_at, due_at, push_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8)";
