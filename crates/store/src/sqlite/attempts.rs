//! What came of pushes: every attempt is recorded, and its verdict applied to the event (D-02 … D-07, D-14, P-14).

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::push::{Answer, Attempt, Ended, Recorded, Verdict};
use oyez_domain::life::{Acknowledged, Outcome, Settlement};
use oyez_domain::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::codes::{moment, moment_or_null};
use super::errors::{contradiction, expect_rows};
use super::history;
use super::push;
use super::settle::{self, End, Left};
use super::tpps::{TppId, know};
use super::withdraw::{self, is_open};
use super::writer::Unit;
use crate::Error;
use crate::codes::{ACKNOWLEDGED, ENDPOINT_FAILED, REFUSED};

/// See [`crate::Store::record_attempts`].
pub(super) fn record(
    unit: &mut Unit,
    client_id: &ClientId,
    attempts: &[Ended],
    now: Timestamp,
) -> Result<Vec<Recorded>, Error> {
    let Some(known) = know(&unit.db, client_id)? else {
        return Ok(vec![Recorded::Unknown; attempts.len()]);
    };
    let mut next_push_at = None;
    let mut outcomes = Vec::with_capacity(attempts.len());
    for ended in attempts {
        let owner = (known.id, client_id);
        outcomes.push(record_one(unit, owner, ended, &mut next_push_at, now)?);
    }
    push::news_of(unit, (known.id, client_id), next_push_at, now)?;
    Ok(outcomes)
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
    left: Left,
    accepted_at: Timestamp,
    polled_until: Timestamp,
    /// The choice it is in flight by.
    flight_until: Option<Timestamp>,
    /// How often the TPP's pushing had begun anew when this was chosen.
    begun: i64,
}

impl Open {
    /// Its place in the order of its TPP: by its acceptance, but not while a poll may still bring its acknowledgement.
    fn turn(&self) -> Timestamp {
        self.accepted_at.max(self.polled_until)
    }
}

fn record_one(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    ended: &Ended,
    next_push_at: &mut Option<Timestamp>,
    now: Timestamp,
) -> Result<Recorded, Error> {
    let attempt = &ended.attempt;
    let Some(standing) = standing(unit, tpp, attempt.jti)? else {
        return Ok(Recorded::Unknown);
    };
    let (event, ends_its_flight) = match &standing {
        Standing::Open(open) => {
            let ends_its_flight = open.flight_until == Some(ended.in_flight_until);
            (open.left.event, ends_its_flight)
        }
        Standing::Failed(event) | Standing::Settled(event) => (*event, false),
    };
    // Whoever ends a flight is the first to do so.
    if !ends_its_flight && was_recorded(unit, event, attempt)? {
        return Ok(Recorded::Repeated);
    }
    insert_attempt(unit, event, attempt)?;
    unit.tally.flow(tpp, now).pushed += 1;
    match (standing, attempt.verdict) {
        (Standing::Open(open), Verdict::Acknowledged) => {
            let end = End {
                tpp,
                owner,
                outcome: Outcome::Acknowledged(Acknowledged::Push),
                actor: &Actor::Tpp(owner.clone()),
            };
            settle::settle_found(unit, &end, open.left, now)?;
            Ok(Recorded::Applied)
        }
        (Standing::Failed(_), Verdict::Acknowledged) => {
            let how = Acknowledged::Push;
            let news = settle::acknowledge(unit, (tpp, owner), attempt.jti, how, now)?;
            expect_rows(usize::from(news), 1, "acknowledging a push")?;
            Ok(Recorded::Applied)
        }
        (Standing::Open(_), _) if !ends_its_flight => Ok(Recorded::Late),
        (Standing::Open(open), failure) => {
            let push_at = give_back(unit, (tpp, owner), &open, failure, now)?;
            *next_push_at = (*next_push_at).into_iter().chain(push_at).min();
            Ok(Recorded::Applied)
        }
        (Standing::Failed(event) | Standing::Settled(event), _) => {
            let last = last_settlement(unit, event, (tpp, owner))?;
            Ok(Recorded::AlreadySettled(last))
        }
    }
}

/// What a failed attempt counts for, and when its event is pushed again.
struct Charge {
    refusals: u32,
    endpoint_failures: u32,
    push_at: Option<Timestamp>,
}

impl Charge {
    fn of(failure: Verdict, open: &Open) -> Self {
        let turn = open.turn();
        let (refusals, endpoint_failures, push_at) = match failure {
            Verdict::Refused { again_at } => (1, 0, again_at.map(|at| at.max(open.polled_until))),
            Verdict::EndpointFailed => (0, 1, Some(turn)),
            Verdict::Acknowledged => (0, 0, None),
        };
        Self {
            refusals,
            endpoint_failures,
            push_at,
        }
    }

    /// Pushing began anew meanwhile: nothing is held against the event.
    fn none(open: &Open) -> Self {
        Self {
            refusals: 0,
            endpoint_failures: 0,
            push_at: Some(open.turn()),
        }
    }
}

/// The event may be polled at once and pushed again at its moment, but neither before a poll's hand-out lapses. Answers when it
/// is pushed again.
fn give_back(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    open: &Open,
    failure: Verdict,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let begun: i64 = unit
        .db
        .prepare_cached(BEGUN)?
        .query_row([tpp], |row| row.get(0))?;
    let charge = if open.begun == begun {
        Charge::of(failure, open)
    } else {
        Charge::none(open)
    };
    let changed = unit.db.prepare_cached(GIVE_BACK)?.execute(params![
        tpp,
        open.left.position,
        open.turn().unix_ms(),
        charge.push_at.map(Timestamp::unix_ms),
        charge.refusals,
        charge.endpoint_failures,
        now.unix_ms()
    ])?;
    expect_rows(changed, 1, "giving an event back")?;
    unit.news.of((tpp, owner)).polls = true;
    // A moment of acceptance that is still to come, by a clock that was set back, is no reason to wait.
    Ok(charge.push_at.map(|push_at| {
        if push_at == open.accepted_at {
            open.polled_until
        } else {
            push_at
        }
    }))
}

fn standing(unit: &Unit, tpp: TppId, jti: Jti) -> Result<Option<Standing>, Error> {
    let key = params![tpp, jti.as_bytes()];
    let open = unit.db.prepare_cached(OPEN)?.query_row(key, |row| {
        Ok(Open {
            left: Left {
                position: row.get(0)?,
                event: row.get(1)?,
                ends: row.get(2)?,
            },
            accepted_at: moment(row, 3)?,
            polled_until: moment(row, 4)?,
            flight_until: moment_or_null(row, 5)?,
            begun: row.get(6)?,
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

/// Whether this very attempt is in history: who asked did not hear the answer.
fn was_recorded(unit: &Unit, event: i64, attempt: &Attempt) -> Result<bool, Error> {
    let mut statement = unit.db.prepare_cached(RECORDED)?;
    let key = params![event, attempt.interaction_id.as_str()];
    Ok(statement.query_row(key, |row| row.get(0))?)
}

/// How an event ended that is not open: a withdrawal that is going on may not have come to it, and then it is the last.
fn last_settlement(
    unit: &Unit,
    event: i64,
    (tpp, owner): (TppId, &ClientId),
) -> Result<Settlement, Error> {
    let is_written: bool = unit
        .db
        .prepare_cached(IS_WRITTEN)?
        .query_row([event], |row| row.get(0))?;
    let last = if is_written {
        history::settlements(&unit.db, event, owner)?
            .into_iter()
            .next_back()
    } else {
        withdraw::end(unit, (tpp, owner))?
    };
    last.ok_or_else(|| contradiction(format!("event {event} ended without an end")))
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

pub(super) const GIVE_BACK: &str = "
    UPDATE outstanding SET due_at = ?3, push_at = ?4, flight_until = NULL,
        refusals = refusals + ?5, refused_since = iif(?5 > 0, coalesce(refused_since, ?7), refused_since),
        endpoint_failures = endpoint_failures + ?6
    WHERE tpp = ?1 AND position = ?2";

pub(super) const OPEN: &str = concat!(
    "
    SELECT position, event, ends, accepted_at, polled_until, flight_until, begun
    FROM outstanding WHERE jti = ?2 AND tpp = ?1",
    is_open!()
);

// By the event: an interaction is one attempt's, but that is for others to see to.
pub(super) const RECORDED: &str = "
    SELECT EXISTS (SELECT 1 FROM attempts INDEXED BY attempts_by_event
        WHERE event = ?1 AND interaction_id = ?2)";

// By the last: a failure that was queued again is superseded.
const IS_WRITTEN: &str =
    "SELECT EXISTS (SELECT 1 FROM settlements WHERE event = ?1 AND superseded = 0)";

const BEGUN: &str = "SELECT begun FROM queues WHERE tpp = ?1";

const FAILED: &str = "SELECT event FROM failed WHERE jti = ?2 AND tpp = ?1";

// +tpp: by the jti, not by all of a TPP's history.
pub(super) const SETTLED: &str = "SELECT event FROM events WHERE jti = ?2 AND +tpp = ?1";

pub(super) const INSERT_ATTEMPT: &str = "
    INSERT INTO attempts (event, started_at, latency_ns, interaction_id, address, tls_version, thumbprint,
        status, body_head, deviation, error_class, error_detail, verdict, again_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
