//! What may be chosen, read together with what there is of its SET; and a chosen event made ready.

use std::sync::Arc;

use oyez_domain::actor::Actor;
use oyez_domain::event::Notice;
use oyez_domain::ledger::sets::{SetState, Work};
use oyez_domain::life::{Outcome, Withdrawn};
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::changes::{Changes, Fate, Key, SetAside};
use super::columns::{jti, moment};
use super::open::{OPEN_COLUMNS, Open, open_columns};
use super::plans::of_key;
use super::session::Session;
use crate::Error;
use crate::codes::{TppId, from_json};
use crate::error::contradiction;

/// An outstanding event that may be chosen.
pub(super) struct Candidate {
    pub(super) row: Open,
    bytes: Bytes,
}

/// Whether a walk found as many as it may, all of them due: then nothing that it did not come to goes before them, whatever the
/// clock says.
pub(super) fn has_enough_due(
    candidates: &[Candidate],
    rows_max: i64,
    is_due: impl Fn(&Open) -> bool,
) -> bool {
    let due = candidates.iter().filter(|it| is_due(&it.row)).count();
    i64::try_from(due).is_ok_and(|due| due >= rows_max)
}

/// What there is of its SET.
enum Bytes {
    /// Nobody looked, since it is not due: it says only when the next one is.
    Unread,
    Kept(String),
    /// What the publisher said.
    Unsigned(String),
}

impl Candidate {
    /// From the number of its request in the group, the columns of an open event, and what [`candidates`] adds.
    pub(super) fn read(row: &Row) -> Result<(usize, Self), Error> {
        let nth: i64 = row.try_get(0)?;
        let nth = usize::try_from(nth).map_err(|_| contradiction("a request before the first"))?;
        let kept: Option<String> = row.try_get(1 + OPEN_COLUMNS)?;
        let notice: Option<String> = row.try_get(2 + OPEN_COLUMNS)?;
        let bytes = kept.map(Bytes::Kept);
        let bytes = bytes.or(notice.map(Bytes::Unsigned));
        let bytes = bytes.unwrap_or(Bytes::Unread);
        let row = Open::read(row, 1)?;
        Ok((nth, Self { row, bytes }))
    }

    pub(super) const fn key(&self) -> Key {
        (self.row.tpp, self.row.jti)
    }

    /// What is to be sent. `None`: nothing of it is wanted any more, and it is withdrawn.
    pub(super) fn prepare(
        self,
        changes: &mut Changes,
        now: Timestamp,
    ) -> Result<Option<Work>, Error> {
        let key = self.key();
        let set = match self.bytes {
            Bytes::Unread => return Err(contradiction("an event is chosen before it is due")),
            Bytes::Kept(set) => SetState::Kept(set),
            Bytes::Unsigned(notice) => match tailored(changes, key.0, &notice)? {
                Some(unsigned) => unsigned,
                None => {
                    let outcome = Outcome::Withdrawn(Withdrawn::TypeNoLongerWanted);
                    changes.settle(key, outcome, Some(&Actor::System), now)?;
                    return Ok(None);
                }
            },
        };
        let count = |count: i32| u32::try_from(count).unwrap_or_default();
        Ok(Some(Work {
            jti: self.row.jti,
            position: u64::try_from(self.row.position).unwrap_or_default(),
            accepted_at: self.row.accepted_at,
            refusals: count(self.row.refusals),
            refused_since: self.row.refused_since,
            endpoint_failures: count(self.row.endpoint_failures),
            set,
        }))
    }
}

/// What a TPP's registrations leave of a notice.
fn tailored(changes: &mut Changes, tpp: TppId, notice: &str) -> Result<Option<SetState>, Error> {
    let notice: Notice = from_json(notice, "a notice")?;
    let rules = Arc::clone(&changes.rules);
    let state = changes.state(tpp)?;
    let tailored = routing::tailored(&rules, &state.registrations, &notice);
    Ok(tailored.map(|notice| SetState::Unsigned {
        notice: Box::new(notice),
        revision: state.revision,
    }))
}

/// Candidates by request, in their order, from rows that name their request first.
pub(super) fn by_request(rows: &[Row], found: &mut [Vec<Candidate>]) -> Result<(), Error> {
    for row in rows {
        let (nth, candidate) = Candidate::read(row)?;
        let of_request = found.get_mut(nth);
        let of_request = of_request.ok_or_else(|| contradiction("a request beyond the last"))?;
        of_request.push(candidate);
    }
    Ok(())
}

/// What a walk found, and what waits for its turn only, which it may have come to as well: in the order of what they go by.
pub(super) fn with_turns(
    mut candidates: Vec<Candidate>,
    turns: Vec<Candidate>,
    by: impl Fn(&Open) -> Option<Timestamp>,
) -> Vec<Candidate> {
    if turns.is_empty() {
        return candidates;
    }
    candidates.retain(|it| !turns.iter().any(|turn| turn.key() == it.key()));
    candidates.extend(turns);
    candidates.sort_by_key(|it| (by(&it.row), it.row.position));
    candidates
}

/// Outstanding events by their jtis.
pub(super) async fn named(db: &Session, tpps: &[i64], jtis: &[Uuid]) -> Result<Vec<Open>, Error> {
    let rows = db.rows(NAMED, &[&tpps, &jtis]).await?;
    rows.iter().map(|row| Open::read(row, 0)).collect()
}

/// Of these events those that are set aside as failed. A TPP that has none is asked for none.
pub(super) async fn failed(
    db: &Session,
    tpps: &[i64],
    jtis: &[Uuid],
) -> Result<Vec<(Key, SetAside)>, Error> {
    let mut of: Vec<i64> = tpps.to_vec();
    of.sort_unstable();
    of.dedup();
    let rows = db.rows(FAILED, &[&of, &tpps, &jtis]).await?;
    let read = |row: &Row| -> Result<(Key, SetAside), Error> {
        let key = (TppId(row.try_get(0)?), jti(row, 2)?);
        let aside = SetAside {
            position: row.try_get(1)?,
            accepted_at: moment(row, 3)?,
            kind: row.try_get(4)?,
            ends: row.try_get(5)?,
            family: row.try_get(6)?,
            fate: Fate::Untouched,
        };
        Ok((key, aside))
    };
    rows.iter().map(read).collect()
}

/// A statement for candidates: the columns of [`Candidate::read`] of what `$from` calls `a.nth` and `o`, in an order. The bytes
/// are most of what there is to read: only those that may be due have their TPP in `o.read` and come with them.
macro_rules! candidates {
    ($from:expr, $order:literal) => {
        concat!(
            "SELECT a.nth - 1, ",
            $crate::postgres::open::open_columns!("o"),
            ", s.jws, CASE WHEN s.jws IS NULL THEN (
                SELECT e.notice FROM events e WHERE e.tpp = ANY (o.read) AND e.jti = o.jti
                ORDER BY e.tpp LIMIT 1) END
            FROM ",
            $from,
            " LEFT JOIN LATERAL (
                SELECT s.jws FROM sets s WHERE s.tpp = ANY (o.read) AND s.jti = o.jti AND ",
            $crate::postgres::keys::may_be_sent!("s"),
            ") s ON true
            ORDER BY a.nth, ",
            $order
        )
    };
}
pub(super) use candidates;

pub(super) const NAMED: &str = concat!(
    "SELECT ",
    open_columns!("o"),
    " FROM unnest($1::bigint[], $2::uuid[]) a (tpp, jti) CROSS JOIN LATERAL (SELECT o.* FROM outstanding o WHERE ",
    of_key!("o", ("tpp", "jti") = ("a.tpp", "a.jti")),
    ") o"
);

// In this order: a TPP that has none set aside costs one look, however many events are named.
pub(super) const FAILED: &str = concat!(
    "
    SELECT f.tpp, f.position, f.jti, f.accepted_at, f.kind, f.ends, f.family
    FROM (
            SELECT q.tpp FROM unnest($1::bigint[]) t (tpp) JOIN queues q ON q.tpp = ANY (ARRAY[t.tpp])
            WHERE q.failed > 0 OFFSET 0) t
        CROSS JOIN LATERAL (
            SELECT f.* FROM unnest($2::bigint[], $3::uuid[]) a (tpp, jti)
                CROSS JOIN LATERAL (SELECT f.* FROM failed f WHERE ",
    of_key!("f", ("tpp", "jti") = ("a.tpp", "a.jti")),
    ") f
            WHERE a.tpp = t.tpp OFFSET 0) f"
);
