//! Ends that operators and time make: narrow rows go, one line of history each and the counts stay.

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::life::Outcome;
use oyez_domain::time::Timestamp;

use super::columns::{jti, uuids};
use super::lanes;
use super::plans::of_key;
use super::unit::Unit;
use crate::Error;
use crate::codes::{TppId, outcome_code, settling_actor};

/// An end that is about to be written.
pub(super) struct End<'a> {
    pub(super) tpp: TppId,
    pub(super) owner: &'a ClientId,
    pub(super) outcome: Outcome,
    pub(super) actor: &'a Actor,
}

/// Ends outstanding events of a TPP whose lock is held. Answers which of them were outstanding.
pub(super) async fn settle(
    unit: &mut Unit,
    end: &End<'_>,
    jtis: &[Jti],
    now: Timestamp,
) -> Result<Vec<Jti>, Error> {
    let (jtis, code) = (uuids(jtis), outcome_code(end.outcome));
    let by = settling_actor(end.actor, end.owner);
    let rows = unit
        .rows(SETTLE, &[&end.tpp.0, &jtis, &now.unix_ms(), &code, &by])
        .await?;
    let gone: Vec<Jti> = rows
        .iter()
        .map(|row| jti(row, 0))
        .collect::<Result<_, _>>()?;
    if !gone.is_empty() {
        let events = u64::try_from(gone.len()).unwrap_or(u64::MAX);
        unit.tally.ended(end.tpp, end.outcome.ending(), events, now);
        unit.news.of((end.tpp, end.owner)).ends = true;
        lanes::next_in_line(unit, (end.tpp, end.owner), now).await?;
    }
    Ok(gone)
}

pub(super) const SETTLE: &str = concat!(
    "
    WITH gone AS (
        DELETE FROM outstanding WHERE ctid = ANY (ARRAY(
            SELECT o.ctid FROM unnest($2::uuid[]) a (jti) CROSS JOIN LATERAL (
                SELECT o.ctid FROM outstanding o WHERE ",
    of_key!("o", ("tpp", "jti") = ("$1::bigint", "a.jti")),
    ") o))
        RETURNING jti, ends)
    INSERT INTO settlements (tpp, jti, ends, at, outcome, actor)
    SELECT $1, jti, ends, $3, $4::bigint, $5 FROM gone RETURNING jti"
);
