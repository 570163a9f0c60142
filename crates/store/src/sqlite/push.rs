//! Pushing: what to send next, and what came of it (D-01 … D-14, P-14).

use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::push::{Answer, Attempt, DueForPush, Recorded, Verdict};
use oyez_domain::ledger::sets::Look;
use oyez_domain::life::{Acknowledged, Settlement};
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use rusqlite::{OptionalExtension, Row, params};

use super::codes::{jti, moment, moment_or_null};
use super::errors::expect_rows;
use super::history;
use super::registrations;
use super::settle;
use super::tpps::{Known, TppId, know};
use super::work::{Chosen, Signer};
use super::writer::Unit;
use crate::Error;

/// See [`crate::Store::due_for_push`].
pub(super) fn due(
    unit: &mut Unit,
    client_id: &ClientId,
    look: Look,
    now: Timestamp,
) -> Result<DueForPush, Error> {
    let nothing = DueForPush {
        callback_url: None,
        work: Vec::new(),
        next_at: None,
    };
    let Some(known) = know(&unit.db, client_id)?.filter(|known| known.served) else {
        return Ok(nothing);
    };
    let registrations = registrations::of(&unit.db, known.id)?;
    let Some(callback_url) = routing::push_address(&unit.rules, &registrations).map(str::to_owned)
    else {
        return Ok(nothing);
    };
    let in_flight_until = now + look.in_flight_for;
    let mut signer = Signer::new(known.id, client_id, registrations);
    let mut work = Vec::new();
    for chosen in choose(unit, known, look.events_max, now)? {
        let Some(ready) = signer.prepare(unit, &chosen, now)? else {
            continue;
        };
        let changed = unit.db.prepare_cached(TAKE_OFF)?.execute(params![
            known.id,
            chosen.position,
            in_flight_until.unix_ms()
        ])?;
        expect_rows(changed, 1, "putting an event in flight")?;
        work.push(ready);
    }
    Ok(DueForPush {
        callback_url: Some(callback_url),
        work,
        next_at: next_push_at(unit, known)?,
    })
}

/// See [`crate::Store::record_attempts`].
pub(super) fn record(
    unit: &mut Unit,
    client_id: &ClientId,
    attempts: &[Attempt],
    now: Timestamp,
) -> Result<Vec<Recorded>, Error> {
    let Some(known) = know(&unit.db, client_id)? else {
        return Ok(vec![Recorded::Unknown; attempts.len()]);
    };
    attempts
        .iter()
        .map(|attempt| record_one(unit, (known.id, client_id), attempt, now))
        .collect()
}

/// Where an attempted event stands.
enum Standing {
    /// Outstanding.
    Open(Open),
    /// Set aside as failed: an acknowledgement still counts.
    Failed(i64),
    /// Ended for good.
    Settled(i64),
}

/// An outstanding event, as far as a verdict needs it.
struct Open {
    event: i64,
    position: u64,
    polled_until: Timestamp,
}

fn record_one(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    attempt: &Attempt,
    now: Timestamp,
) -> Result<Recorded, Error> {
    let Some(standing) = standing(unit, tpp, attempt.jti)? else {
        return Ok(Recorded::Unknown);
    };
    let (Standing::Open(Open { event, .. }) | Standing::Failed(event) | Standing::Settled(event)) =
        standing;
    insert_attempt(unit, event, attempt)?;
    unit.tally.flow(tpp, now).pushed += 1;
    match (standing, attempt.verdict) {
        (Standing::Open(_) | Standing::Failed(_), Verdict::Acknowledged) => {
            let how = Acknowledged::Push;
            let news = settle::acknowledge(unit, (tpp, owner), attempt.jti, how, now)?;
            expect_rows(usize::from(news), 1, "acknowledging a push")?;
            Ok(Recorded::Applied)
        }
        (Standing::Open(open), Verdict::Refused { again_at }) => {
            give_back(unit, (tpp, owner), &open, again_at, now)
        }
        (Standing::Open(open), Verdict::EndpointFailed) => {
            give_back(unit, (tpp, owner), &open, Some(now), now)
        }
        (Standing::Failed(event) | Standing::Settled(event), _) => {
            let last = last_settlement(unit, event, owner)?;
            Ok(Recorded::AlreadySettled(last))
        }
    }
}

/// The event may be polled at once and pushed again at its moment, but neither before a poll's hand-out lapses. What was
/// made poll only meanwhile, or lost its address, stays so.
fn give_back(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    open: &Open,
    again_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Recorded, Error> {
    let changed = unit.db.prepare_cached(GIVE_BACK)?.execute(params![
        tpp,
        open.position,
        now.max(open.polled_until).unix_ms(),
        again_at.map(|again_at| again_at.max(open.polled_until).unix_ms())
    ])?;
    expect_rows(changed, 1, "giving an event back")?;
    unit.news.of((tpp, owner)).polls = true;
    Ok(Recorded::Applied)
}

fn standing(unit: &Unit, tpp: TppId, jti: Jti) -> Result<Option<Standing>, Error> {
    let key = params![tpp, jti.as_bytes()];
    let open = unit.db.prepare_cached(OPEN)?.query_row(key, |row| {
        Ok(Open {
            event: row.get(0)?,
            position: row.get(1)?,
            polled_until: moment(row, 2)?,
        })
    });
    if let Some(open) = open.optional()? {
        return Ok(Some(Standing::Open(open)));
    }
    let event = |statement| -> Result<Option<i64>, Error> {
        let found = unit
            .db
            .prepare_cached(statement)?
            .query_row(key, |row| row.get(0));
        Ok(found.optional()?)
    };
    if let Some(failed) = event(FAILED)? {
        return Ok(Some(Standing::Failed(failed)));
    }
    Ok(event(SETTLED)?.map(Standing::Settled))
}

fn last_settlement(unit: &Unit, event: i64, owner: &ClientId) -> Result<Settlement, Error> {
    let settlements = history::settlements(&unit.db, event, owner)?;
    let last = settlements.into_iter().next_back();
    last.ok_or_else(|| super::errors::contradiction(format!("event {event} ended without an end")))
}

fn insert_attempt(unit: &Unit, event: i64, attempt: &Attempt) -> Result<(), Error> {
    let (status, body_head, deviation, class, detail) = match &attempt.answer {
        Answer::Response {
            status,
            body_head,
            deviation,
        } => (
            Some(*status),
            Some(body_head),
            deviation.as_ref(),
            None,
            None,
        ),
        Answer::Error { class, detail } => (None, None, None, Some(class), Some(detail)),
    };
    let (verdict, again_at) = match attempt.verdict {
        Verdict::Acknowledged => (ACKNOWLEDGED, None),
        Verdict::Refused { again_at } => (REFUSED, again_at),
        Verdict::EndpointFailed => (ENDPOINT_FAILED, None),
    };
    let peer = &attempt.peer;
    unit.db.prepare_cached(INSERT_ATTEMPT)?.execute(params![
        event,
        attempt.started_at.unix_ms(),
        u64::try_from(attempt.latency.as_nanos()).unwrap_or(u64::MAX >> 1),
        attempt.interaction_id.as_str(),
        peer.address.map(|address| address.to_string()),
        peer.tls_version,
        peer.certificate_thumbprint,
        status,
        body_head,
        deviation,
        class,
        detail,
        verdict,
        again_at.map(Timestamp::unix_ms)
    ])?;
    Ok(())
}

fn choose(
    unit: &Unit,
    known: Known,
    events_max: u32,
    now: Timestamp,
) -> Result<Vec<Chosen>, Error> {
    let statement = match known.order {
        DeliveryOrder::Concurrent => DUE,
        DeliveryOrder::Strict => OLDEST_DUE,
    };
    let mut statement = unit.db.prepare_cached(statement)?;
    let rows = statement.query_map(params![known.id, now.unix_ms(), events_max], chosen)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn next_push_at(unit: &Unit, known: Known) -> Result<Option<Timestamp>, Error> {
    let statement = match known.order {
        DeliveryOrder::Concurrent => NEXT_PUSH,
        DeliveryOrder::Strict => OLDEST_PUSH,
    };
    let next = unit
        .db
        .prepare_cached(statement)?
        .query_row([known.id], |row| moment_or_null(row, 0));
    Ok(next.optional()?.flatten())
}

/// A choice from `position, event, jti, accepted_at, hand_outs`.
fn chosen(row: &Row<'_>) -> rusqlite::Result<Chosen> {
    Ok(Chosen {
        position: row.get(0)?,
        event: row.get(1)?,
        jti: jti(row, 2)?,
        accepted_at: moment(row, 3)?,
        hand_outs: row.get(4)?,
    })
}

pub(super) const ACKNOWLEDGED: i64 = 0;
pub(super) const REFUSED: i64 = 1;
pub(super) const ENDPOINT_FAILED: i64 = 2;

pub(super) const DUE: &str = "
    SELECT position, event, jti, accepted_at, hand_outs FROM outstanding INDEXED BY outstanding_push
    WHERE tpp = ?1 AND push_at <= ?2 ORDER BY push_at, position LIMIT ?3";

pub(super) const OLDEST_DUE: &str = "
    SELECT position, event, jti, accepted_at, hand_outs
    FROM (SELECT * FROM outstanding WHERE tpp = ?1 ORDER BY position LIMIT 1)
    WHERE push_at <= ?2 AND due_at <= ?2 LIMIT ?3";

pub(super) const NEXT_PUSH: &str = "
    SELECT min(push_at) FROM outstanding INDEXED BY outstanding_push
    WHERE tpp = ?1 AND push_at IS NOT NULL";

// max() of a NULL is NULL: the oldest waits for a poll, and everything behind it.
pub(super) const OLDEST_PUSH: &str =
    "SELECT max(push_at, due_at) FROM outstanding WHERE tpp = ?1 ORDER BY position LIMIT 1";

pub(super) const TAKE_OFF: &str = "
    UPDATE outstanding SET due_at = max(due_at, ?3), push_at = ?3 WHERE tpp = ?1 AND position = ?2";

pub(super) const GIVE_BACK: &str = "
    UPDATE outstanding SET due_at = ?3, push_at = iif(push_at IS NULL, NULL, ?4)
    WHERE tpp = ?1 AND position = ?2";

pub(super) const OPEN: &str =
    "SELECT event, position, polled_until FROM outstanding WHERE jti = ?2 AND tpp = ?1";

const FAILED: &str = "SELECT event FROM failed WHERE jti = ?2 AND tpp = ?1";

// +tpp: by the jti, not by all of a TPP's history.
pub(super) const SETTLED: &str = "SELECT event FROM events WHERE jti = ?2 AND +tpp = ?1";

pub(super) const INSERT_ATTEMPT: &str = "
    INSERT INTO attempts (event, started_at, latency_ns, interaction_id, address, tls_version, thumbprint,
        status, body_head, deviation, error_class, error_detail, verdict, again_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
