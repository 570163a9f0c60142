//! Looking back (I-03): one event whole, counts and flows. Lists of events have a file of their own.

use std::ops::Range;
use std::time::Duration;

use futures_util::try_join;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::history::{Counts, EventFile, HandOut, KeptSet, Minute, ReportedError};
use oyez_domain::ledger::poll::SetError;
use oyez_domain::ledger::push::{Answer, Attempt, Peer, Verdict};
use oyez_domain::life::Settlement;
use oyez_domain::time::Timestamp;
use tokio_postgres::Row;

use super::columns::{moment, moment_or_null, natural, uuid};
use super::errors::contradiction;
use super::event_list::{self, Listed};
use super::pool::Held;
use super::tpps;
use crate::Error;
use crate::codes::{self, ACKNOWLEDGED, ENDPOINT_FAILED, REFUSED, parse};

/// See [`crate::Store::find_event`].
pub(super) async fn find_event(db: &Held, jti: Jti) -> Result<Option<EventFile>, Error> {
    db.begin_snapshot().await?;
    let found = read_event(db, jti).await;
    db.roll_back().await;
    found
}

async fn read_event(db: &Held, jti: Jti) -> Result<Option<EventFile>, Error> {
    let Some(Listed {
        tpp,
        summary,
        notice,
    }) = event_list::find(db, jti).await?
    else {
        return Ok(None);
    };
    let id = uuid(jti);
    let of_event = |sql| async move { db.rows(sql, &[&tpp.0, &id]).await };
    let (sets, hand_outs, errors, attempts, settlements) = try_join!(
        of_event(SETS),
        of_event(HAND_OUTS),
        of_event(ERRORS),
        of_event(ATTEMPTS),
        of_event(SETTLEMENTS)
    )?;
    Ok(Some(EventFile {
        notice,
        sets: all(&sets, set)?,
        hand_outs: all(&hand_outs, hand_out)?,
        errors: all(&errors, error)?,
        attempts: all(&attempts, |row| attempt(row, jti))?,
        settlements: all(&settlements, |row| settlement(row, &summary.client_id))?,
        summary,
    }))
}

fn all<T>(rows: &[Row], read: impl Fn(&Row) -> Result<T, Error>) -> Result<Vec<T>, Error> {
    rows.iter().map(read).collect()
}

/// See [`crate::Store::counts`]. What is outstanding is derived: accepted less every end.
pub(super) async fn counts(db: &Held, client_id: &ClientId) -> Result<Counts, Error> {
    let Some(row) = db.row(COUNTS, &[&client_id.as_str()]).await? else {
        return Ok(Counts::default());
    };
    Ok(Counts {
        accepted: natural(&row, 0)?,
        outstanding: natural(&row, 1)?,
        acknowledged: natural(&row, 2)?,
        failed: natural(&row, 3)?,
        expired: natural(&row, 4)?,
        withdrawn: natural(&row, 5)?,
    })
}

/// See [`crate::Store::minutes`].
pub(super) async fn minutes(
    db: &Held,
    client_id: Option<&ClientId>,
    range: &Range<Timestamp>,
) -> Result<Vec<Minute>, Error> {
    let (from, before) = (range.start.unix_ms(), range.end.unix_ms());
    let rows = match client_id {
        None => db.rows(MINUTES, &[&from, &before]).await?,
        Some(client_id) => match tpps::id(db, client_id).await? {
            Some(tpp) => db.rows(MINUTES_OF_TPP, &[&from, &before, &tpp.0]).await?,
            None => Vec::new(),
        },
    };
    all(&rows, |row| {
        Ok(Minute {
            minute: moment(row, 0)?,
            accepted: natural(row, 1)?,
            handed_out: natural(row, 2)?,
            pushed: natural(row, 3)?,
            acknowledged: natural(row, 4)?,
            failed: natural(row, 5)?,
            expired: natural(row, 6)?,
            withdrawn: natural(row, 7)?,
        })
    })
}

fn set(row: &Row) -> Result<KeptSet, Error> {
    Ok(KeptSet {
        set: row.try_get(0)?,
        kid: row.try_get(1)?,
        kept_at: moment(row, 2)?,
    })
}

fn hand_out(row: &Row) -> Result<HandOut, Error> {
    Ok(HandOut {
        at: moment(row, 0)?,
        interaction_id: parse(row.try_get(1)?, "interaction id")?,
    })
}

fn error(row: &Row) -> Result<ReportedError, Error> {
    Ok(ReportedError {
        at: moment(row, 0)?,
        interaction_id: parse(row.try_get(1)?, "interaction id")?,
        error: SetError {
            err: row.try_get(2)?,
            description: row.try_get(3)?,
        },
    })
}

fn attempt(row: &Row, jti: Jti) -> Result<Attempt, Error> {
    let address: Option<&str> = row.try_get(3)?;
    let answer = match row.try_get::<_, Option<i32>>(6)? {
        Some(status) => Answer::Response {
            status: u16::try_from(status)
                .map_err(|_| contradiction(format!("status {status} on {jti}")))?,
            body_head: row.try_get(7)?,
            deviation: row.try_get(8)?,
        },
        None => Answer::Error {
            class: row.try_get(9)?,
            detail: row.try_get(10)?,
        },
    };
    let verdict = match i64::from(row.try_get::<_, i16>(11)?) {
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
        latency: Duration::from_nanos(natural(row, 1)?),
        interaction_id: parse(row.try_get(2)?, "interaction id")?,
        peer: Peer {
            address: address
                .map(|address| parse(address, "address"))
                .transpose()?,
            tls_version: row.try_get(4)?,
            certificate_thumbprint: row.try_get(5)?,
        },
        answer,
        verdict,
    })
}

fn settlement(row: &Row, owner: &ClientId) -> Result<Settlement, Error> {
    let outcome: i16 = row.try_get(1)?;
    codes::settlement(moment(row, 0)?, outcome.into(), row.try_get(2)?, owner)
}

const COUNTS: &str = "
    SELECT q.accepted, q.accepted - q.acknowledged - q.failed - q.expired - q.withdrawn,
        q.acknowledged, q.failed, q.expired, q.withdrawn
    FROM tpps t JOIN queues q USING (tpp) WHERE t.client_id = $1";

const MINUTES: &str = "
    SELECT minute, sum(accepted)::bigint, sum(handed_out)::bigint, sum(pushed)::bigint,
        sum(acknowledged)::bigint, sum(failed)::bigint, sum(expired)::bigint, sum(withdrawn)::bigint
    FROM minutes WHERE minute >= $1 AND minute < $2 GROUP BY minute ORDER BY minute";

const MINUTES_OF_TPP: &str = "
    SELECT minute, accepted, handed_out, pushed, acknowledged, failed, expired, withdrawn
    FROM minutes WHERE tpp = $3 AND minute >= $1 AND minute < $2 ORDER BY minute";

const SETTLEMENTS: &str =
    "SELECT at, outcome, actor FROM settlements WHERE tpp = $1 AND jti = $2 ORDER BY ends";

// Those superseded in the order of it; the one to send last.
const SETS: &str = "
    SELECT jws, kid, kept_at, nth FROM superseded_sets WHERE tpp = $1 AND jti = $2
    UNION ALL SELECT jws, kid, kept_at, NULL FROM sets WHERE tpp = $1 AND jti = $2
    ORDER BY nth NULLS LAST";

const HAND_OUTS: &str = "
    SELECT h.at, p.interaction_id
    FROM hand_outs h JOIN polls p ON p.tpp = h.tpp AND p.entry = h.poll AND p.at = h.at
    WHERE h.tpp = $1 AND h.jti = $2 ORDER BY h.poll";

const ERRORS: &str = "
    SELECT r.at, p.interaction_id, r.err, r.description
    FROM set_errors r JOIN polls p ON p.tpp = r.tpp AND p.entry = r.poll AND p.at = r.at
    WHERE r.tpp = $1 AND r.jti = $2 ORDER BY r.entry";

const ATTEMPTS: &str = "
    SELECT started_at, latency_ns, interaction_id, address, tls_version, thumbprint, status, body_head,
        deviation, error_class, error_detail, verdict, again_at
    FROM attempts WHERE tpp = $1 AND jti = $2 ORDER BY entry";
