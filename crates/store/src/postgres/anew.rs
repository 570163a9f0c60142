//! Pushing begins anew: what is held against events is forgotten, and they go in their old turn (D-07, S-12).
//!
//! Who pushes one just now goes on, and what comes of that is not charged. What a poll was handed waits for its
//! acknowledgement.

use oyez_domain::ids::Jti;
use oyez_domain::time::Timestamp;

use super::columns::{count, jti, uuids};
use super::errors::expect_rows;
use super::plans::of_key;
use super::unit::Unit;
use crate::Error;
use crate::codes::TppId;

/// Everything outstanding of a TPP begins anew. Answers how many had something held against them: no other row is touched.
pub(super) async fn begin(unit: &Unit, tpp: TppId, now: Timestamp) -> Result<u64, Error> {
    let changed = unit.execute(BEGIN, &[&tpp.0]).await?;
    expect_rows(changed, 1, "beginning anew")?;
    let begin = |events_max: Option<i64>| async move {
        let now = now.unix_ms();
        unit.execute(BEGIN_ANEW, &[&tpp.0, &now, &events_max]).await
    };
    let begun = begin(Some(AT_ONCE_MAX)).await?;
    if count(begun) < AT_ONCE_MAX {
        return Ok(begun);
    }
    unit.take_its_time().await?;
    Ok(begun + begin(None).await?)
}

/// As [`begin`], for some events; answers which of them are outstanding.
pub(super) async fn begin_some(
    unit: &Unit,
    tpp: TppId,
    jtis: &[Jti],
    now: Timestamp,
) -> Result<Vec<Jti>, Error> {
    unit.execute(PUSH_FROM_THE_START, &[&tpp.0]).await?;
    let jtis = uuids(jtis);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&tpp.0, &now.unix_ms(), &jtis];
    let rows = unit.rows(BEGIN_SOME_ANEW, &values).await?;
    rows.iter().map(|row| jti(row, 0)).collect()
}

/// Some tenths of a second. An endpoint that is away has a few charged at a time; one that refuses everything may have a whole
/// backlog.
const AT_ONCE_MAX: i64 = 10_000;

// What is due sooner than it was may be due before everything else.
const BEGIN: &str = "UPDATE queues SET begun = begun + 1, push_from = 0 WHERE tpp = $1";

const PUSH_FROM_THE_START: &str = "UPDATE queues SET push_from = 0 WHERE tpp = $1";

pub(super) const BEGIN_ANEW: &str = "
    UPDATE outstanding SET
        push_at = greatest(accepted_at, polled_until, CASE WHEN flight_until > $2 THEN flight_until END),
        refusals = 0, refused_since = NULL, endpoint_failures = 0
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM outstanding WHERE tpp = $1 AND (refusals > 0 OR endpoint_failures > 0)
        LIMIT $3::bigint))";

// The events alone begin anew, so no count of their TPP's tells: -1 is none of them.
pub(super) const BEGIN_SOME_ANEW: &str = concat!(
    "
    UPDATE outstanding SET
        push_at = greatest(accepted_at, polled_until, CASE WHEN flight_until > $2 THEN flight_until END),
        refusals = 0, refused_since = NULL, endpoint_failures = 0,
        begun = CASE WHEN flight_until IS NULL THEN begun ELSE -1 END
    WHERE ctid = ANY (ARRAY(
        SELECT o.ctid FROM unnest($3::uuid[]) a (jti) CROSS JOIN LATERAL (
            SELECT o.ctid FROM outstanding o WHERE ",
    of_key!("o", ("tpp", "jti") = ("$1::bigint", "a.jti")),
    ") o))
    RETURNING jti"
);
