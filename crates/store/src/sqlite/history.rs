//! Looking back (I-03): one event whole, counts and flows. Lists of events have a file of their own.

use std::ops::Range;
use std::time::Duration;

use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::history::{Counts, EventFile, HandOut, KeptSet, Minute, ReportedError};
use oyez_domain::ledger::poll::SetError;
use oyez_domain::ledger::push::{Answer, Attempt, Peer, Verdict};
use oyez_domain::life::Settlement;
use oyez_domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::codes::{self, moment, moment_or_null, parse};
use super::errors::contradiction;
use super::event_list::{self, Listed};
use super::tpps::know;
use crate::Error;
use crate::codes::{ACKNOWLEDGED, ENDPOINT_FAILED, REFUSED};
pub(super) use crate::page::{page, rows_wanted};

/// See [`crate::Store::find_event`].
pub(super) fn find_event(db: &Connection, jti: Jti) -> Result<Option<EventFile>, Error> {
    let Some(Listed {
        event,
        summary,
        notice,
    }) = event_list::find(db, jti)?
    else {
        return Ok(None);
    };
    Ok(Some(EventFile {
        notice,
        sets: sets(db, event)?,
        hand_outs: hand_outs(db, event)?,
        errors: errors(db, event)?,
        attempts: attempts(db, event, jti)?,
        settlements: settlements(db, event, &summary.client_id)?,
        summary,
    }))
}

/// See [`crate::Store::counts`]. What is outstanding is derived: accepted less every end.
pub(super) fn counts(db: &Connection, client_id: &ClientId) -> Result<Counts, Error> {
    let counts = db
        .prepare_cached(COUNTS)?
        .query_row([client_id.as_str()], |row| {
            Ok(Counts {
                accepted: row.get(0)?,
                outstanding: row.get(1)?,
                acknowledged: row.get(2)?,
                failed: row.get(3)?,
                expired: row.get(4)?,
                withdrawn: row.get(5)?,
            })
        });
    Ok(counts.optional()?.unwrap_or_default())
}

/// See [`crate::Store::minutes`].
pub(super) fn minutes(
    db: &Connection,
    client_id: Option<&ClientId>,
    range: &Range<Timestamp>,
) -> Result<Vec<Minute>, Error> {
    let tpp = match client_id {
        None => None,
        Some(client_id) => match know(db, client_id)? {
            Some(known) => Some(known.id),
            None => return Ok(Vec::new()),
        },
    };
    let statement = if tpp.is_some() {
        MINUTES_OF_TPP
    } else {
        MINUTES
    };
    let mut statement = db.prepare_cached(statement)?;
    let bounds = params![range.start.unix_ms(), range.end.unix_ms(), tpp];
    let rows = statement.query_map(bounds, |row| {
        Ok(Minute {
            minute: moment(row, 0)?,
            accepted: row.get(1)?,
            handed_out: row.get(2)?,
            pushed: row.get(3)?,
            acknowledged: row.get(4)?,
            failed: row.get(5)?,
            expired: row.get(6)?,
            withdrawn: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An event's ends, oldest first.
pub(super) fn settlements(
    db: &Connection,
    event: i64,
    owner: &ClientId,
) -> Result<Vec<Settlement>, Error> {
    let mut statement = db.prepare_cached(SETTLEMENTS)?;
    let mut rows = statement.query([event])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let actor: Option<String> = row.get(2)?;
        let (at, outcome) = (moment(row, 0)?, row.get(1)?);
        found.push(codes::settlement(at, outcome, actor.as_deref(), owner)?);
    }
    Ok(found)
}

fn sets(db: &Connection, event: i64) -> Result<Vec<KeptSet>, Error> {
    let mut statement = db.prepare_cached(SETS)?;
    let rows = statement.query_map([event], |row| {
        Ok(KeptSet {
            set: row.get(0)?,
            kid: row.get(1)?,
            kept_at: moment(row, 2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn hand_outs(db: &Connection, event: i64) -> Result<Vec<HandOut>, Error> {
    let mut statement = db.prepare_cached(HAND_OUTS)?;
    let mut rows = statement.query([event])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(HandOut {
            at: moment(row, 0)?,
            interaction_id: parse(&row.get::<_, String>(1)?, "interaction id")?,
        });
    }
    Ok(found)
}

fn errors(db: &Connection, event: i64) -> Result<Vec<ReportedError>, Error> {
    let mut statement = db.prepare_cached(ERRORS)?;
    let mut rows = statement.query([event])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(ReportedError {
            at: moment(row, 0)?,
            interaction_id: parse(&row.get::<_, String>(1)?, "interaction id")?,
            error: SetError {
                err: row.get(2)?,
                description: row.get(3)?,
            },
        });
    }
    Ok(found)
}

fn attempts(db: &Connection, event: i64, jti: Jti) -> Result<Vec<Attempt>, Error> {
    let mut statement = db.prepare_cached(ATTEMPTS)?;
    let mut rows = statement.query([event])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(attempt(row, jti)?);
    }
    Ok(found)
}

fn attempt(row: &Row<'_>, jti: Jti) -> Result<Attempt, Error> {
    let address: Option<String> = row.get(3)?;
    let answer = match row.get::<_, Option<u16>>(6)? {
        Some(status) => Answer::Response {
            status,
            body_head: row.get(7)?,
            deviation: row.get(8)?,
        },
        None => Answer::Error {
            class: row.get(9)?,
            detail: row.get(10)?,
        },
    };
    let verdict = match row.get(11)? {
        ACKNOWLEDGED => Verdict::Acknowledged,
        REFUSED => Verdict::Refused {
            again_at: moment_or_null(row, 12)?,
        },
        ENDPOINT_FAILED => Verdict::EndpointFailed,
        other => return Err(contradiction(format!("verdict {other} on {jti}"))),
    };
    Ok(Attempt {
        jti,
        started_at: moment(row, 0)?,
        latency: Duration::from_nanos(row.get(1)?),
        interaction_id: parse(&row.get::<_, String>(2)?, "interaction id")?,
        peer: Peer {
            address: address
                .map(|address| parse(&address, "address"))
                .transpose()?,
            tls_version: row.get(4)?,
            certificate_thumbprint: row.get(5)?,
        },
        answer,
        verdict,
    })
}

const COUNTS: &str = "
    SELECT q.accepted, q.accepted - q.acknowledged - q.failed - q.expired - q.withdrawn,
        q.acknowledged, q.failed, q.expired, q.withdrawn
    FROM tpps t JOIN queues q USING (tpp) WHERE t.client_id = ?1";

const MINUTES: &str = "
    SELECT minute, sum(accepted), sum(handed_out), sum(pushed), sum(acknowledged), sum(failed),
        sum(expired), sum(withdrawn)
    FROM minutes INDEXED BY minutes_by_age
    WHERE minute >= ?1 AND minute < ?2 AND ?3 IS NULL GROUP BY minute ORDER BY minute";

const MINUTES_OF_TPP: &str = "
    SELECT minute, accepted, handed_out, pushed, acknowledged, failed, expired, withdrawn
    FROM minutes WHERE tpp = ?3 AND minute >= ?1 AND minute < ?2 ORDER BY minute";

const SETTLEMENTS: &str =
    "SELECT at, outcome, actor FROM settlements WHERE event = ?1 ORDER BY ends";

// Those superseded in the order of it; the one to send last.
const SETS: &str = "
    SELECT jws, kid, kept_at, entry FROM superseded_sets WHERE event = ?1
    UNION ALL SELECT jws, kid, kept_at, NULL FROM sets WHERE event = ?1
    ORDER BY entry NULLS LAST";

const HAND_OUTS: &str = "
    SELECT p.at, p.interaction_id FROM hand_outs h JOIN polls p USING (poll)
    WHERE h.event = ?1 ORDER BY h.poll";

const ERRORS: &str = "
    SELECT p.at, p.interaction_id, r.err, r.description FROM set_errors r JOIN polls p USING (poll)
    WHERE r.event = ?1 ORDER BY r.entry";

const ATTEMPTS: &str = "
    SELECT started_at, latency_ns, interaction_id, address, tls_version, thumbprint, status, body_head,
        deviation, error_class, error_detail, verdict, again_at
    FROM attempts WHERE event = ?1 ORDER BY attempt";
