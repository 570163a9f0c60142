//! Writes what a group changed, in one message that ends with COMMIT.
//!
//! The server sees the statements one by one and we see their answers only when all is over, so those that must meet a
//! number of rows hold themselves to it: where the number differs they divide by zero, and COMMIT commits nothing.

pub(super) mod history;

use oyez_domain::time::Timestamp;
use tokio_postgres::types::ToSql;

use super::changes::{Changes, Fate, Held, SetAside};
use super::columns::uuid;
use super::plans::of_key;
use super::session::Session;
use super::state::State;
use super::tally::ADD_FLOWS;
use crate::tally::Flow;
use crate::{Error, News};

/// A statement and its columns.
pub(super) struct Write {
    pub(super) sql: &'static str,
    columns: Vec<Column>,
}

type Column = Box<dyn ToSql + Sync + Send>;

impl Write {
    /// The columns as the driver takes them.
    pub(super) fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        let columns = self.columns.iter();
        columns
            .map(|column| &**column as &(dyn ToSql + Sync))
            .collect()
    }
}

/// Writes everything and commits; answers whom it concerns. Where there is nothing to write nothing is committed yet: nobody
/// needs to wait for the end of that.
pub(super) async fn commit(mut changes: Changes, db: &Session) -> Result<Vec<News>, Error> {
    let writes = writes(&mut changes);
    if !writes.is_empty() {
        db.commit_with(&writes).await?;
    }
    Ok(changes.news.take())
}

fn writes(changes: &mut Changes) -> Vec<Write> {
    add_up(changes);
    let mut writes = Vec::with_capacity(WRITES);
    narrow_rows(changes, &mut writes);
    history::add(changes, &mut writes);
    sets_aside(changes, &mut writes);
    flows(changes, &mut writes);
    queues(changes, &mut writes);
    if !changes.lane_news.is_empty() {
        let (tpps, moments): (Vec<i64>, Vec<i64>) = changes
            .lane_news
            .iter()
            .map(|(tpp, at)| (tpp.0, at.unix_ms()))
            .unzip();
        writes.push(Write {
            sql: LANE_NEWS,
            columns: vec![Box::new(tpps), Box::new(moments)],
        });
    }
    writes
}

/// What was counted goes into the TPPs' totals.
fn add_up(changes: &mut Changes) {
    for (tpp, totals) in changes.tally.take_totals() {
        if let Some(state) = changes.states.get_mut(&tpp) {
            state.totals.acknowledged += totals.acknowledged;
            state.totals.failed += totals.failed;
            state.totals.expired += totals.expired;
            state.totals.withdrawn += totals.withdrawn;
            state.is_changed = true;
        }
    }
}

/// A column of some rows.
fn column<R, T>(rows: &[R], of: impl Fn(&R) -> T) -> Column
where
    Vec<T>: ToSql + Sync + Send + 'static,
{
    Box::new(rows.iter().map(of).collect::<Vec<T>>())
}

/// How many rows a statement has to meet.
fn count<R>(rows: &[R]) -> Column {
    Box::new(i64::try_from(rows.len()).unwrap_or(i64::MAX))
}

/// An array as text.
fn array<T: ToString>(elements: impl Iterator<Item = T>) -> String {
    let elements: Vec<_> = elements.map(|element| element.to_string()).collect();
    format!("{{{}}}", elements.join(","))
}

fn ms(moment: Option<Timestamp>) -> Option<i64> {
    moment.map(Timestamp::unix_ms)
}

fn narrow_rows(changes: &Changes, writes: &mut Vec<Write>) {
    let with = |fate: Fate| -> Vec<&Held> {
        let mut rows: Vec<_> = changes.open.values().filter(|it| it.fate == fate).collect();
        rows.sort_unstable_by_key(|it| (it.row.tpp, it.row.position));
        rows
    };
    // A row that was made and has gone in one group never was one: nothing is handed out before it was accepted.
    let gone = with(Fate::Gone);
    if !gone.is_empty() {
        writes.push(Write {
            sql: DELETE_OPEN,
            columns: vec![
                column(&gone, |it| it.row.tpp.0),
                column(&gone, |it| it.row.position),
                count(&gone),
            ],
        });
    }
    let changed = with(Fate::Changed);
    if !changed.is_empty() {
        writes.push(Write {
            sql: UPDATE_OPEN,
            columns: vec![
                column(&changed, |it| it.row.tpp.0),
                column(&changed, |it| it.row.position),
                column(&changed, |it| it.row.due_at.unix_ms()),
                column(&changed, |it| ms(it.row.push_at)),
                column(&changed, |it| it.row.polled_until.unix_ms()),
                column(&changed, |it| ms(it.row.flight_until)),
                column(&changed, |it| it.row.begun),
                column(&changed, |it| ms(it.row.refused_since)),
                column(&changed, |it| it.row.hand_outs),
                column(&changed, |it| it.row.errors),
                column(&changed, |it| it.row.refusals),
                column(&changed, |it| it.row.endpoint_failures),
                count(&changed),
            ],
        });
    }
    let made = with(Fate::Made);
    if !made.is_empty() {
        writes.push(Write {
            sql: INSERT_OPEN,
            columns: vec![
                column(&made, |it| it.row.tpp.0),
                column(&made, |it| it.row.position),
                column(&made, |it| uuid(it.row.jti)),
                column(&made, |it| it.row.accepted_at.unix_ms()),
                column(&made, |it| it.row.due_at.unix_ms()),
                column(&made, |it| ms(it.row.push_at)),
                column(&made, |it| it.row.kind),
                column(&made, |it| it.row.family),
            ],
        });
    }
}

fn sets_aside(changes: &Changes, writes: &mut Vec<Write>) {
    let with = |fate: Fate| -> Vec<(_, &SetAside)> {
        let failed = changes.failed.iter();
        failed.filter(|(_, it)| it.fate == fate).collect()
    };
    let made = with(Fate::Made);
    if !made.is_empty() {
        writes.push(Write {
            sql: INSERT_FAILED,
            columns: vec![
                column(&made, |((tpp, _), _)| tpp.0),
                column(&made, |(_, it)| it.position),
                column(&made, |((_, jti), _)| uuid(*jti)),
                column(&made, |(_, it)| it.accepted_at.unix_ms()),
                column(&made, |(_, it)| it.kind),
                column(&made, |(_, it)| it.ends),
                column(&made, |(_, it)| it.family),
            ],
        });
    }
    let gone = with(Fate::Gone);
    if !gone.is_empty() {
        writes.push(Write {
            sql: DELETE_FAILED,
            columns: vec![
                column(&gone, |((tpp, _), _)| tpp.0),
                column(&gone, |(_, it)| it.position),
                count(&gone),
            ],
        });
    }
    let superseded = &changes.superseded;
    if !superseded.is_empty() {
        writes.push(Write {
            sql: SUPERSEDE,
            columns: vec![
                column(superseded, |((tpp, _), _)| tpp.0),
                column(superseded, |((_, jti), _)| uuid(*jti)),
                column(superseded, |(_, ends)| *ends),
                count(superseded),
            ],
        });
    }
}

fn flows(changes: &mut Changes, writes: &mut Vec<Write>) {
    let mut flows: Vec<_> = changes.tally.take_flows().collect();
    if flows.is_empty() {
        return;
    }
    flows.sort_unstable_by_key(|(key, _)| *key);
    let of = |it: fn(&Flow) -> u64| {
        column(&flows, move |(_, flow)| {
            i64::try_from(it(flow)).unwrap_or(i64::MAX)
        })
    };
    writes.push(Write {
        sql: ADD_FLOWS,
        columns: vec![
            column(&flows, |((tpp, _), _)| tpp.0),
            column(&flows, |((_, minute), _)| minute.unix_ms()),
            of(|flow| flow.accepted),
            of(|flow| flow.handed_out),
            of(|flow| flow.pushed),
            of(|flow| flow.acknowledged),
            of(|flow| flow.failed),
            of(|flow| flow.expired),
            of(|flow| flow.withdrawn),
        ],
    });
}

fn queues(changes: &Changes, writes: &mut Vec<Write>) {
    let states = changes.states.values();
    let states: Vec<&State> = states.filter(|state| state.is_to_be_written()).collect();
    if states.is_empty() {
        return;
    }
    let due_from = |family: usize| column(&states, move |it| it.bounds.due_from[family]);
    writes.push(Write {
        sql: UPDATE_QUEUES,
        columns: vec![
            column(&states, |it| it.tpp.0),
            column(&states, |it| it.totals.accepted),
            column(&states, |it| it.totals.acknowledged),
            column(&states, |it| it.totals.failed),
            column(&states, |it| it.totals.expired),
            column(&states, |it| it.totals.withdrawn),
            column(&states, |it| it.entries),
            column(&states, |it| array(it.kinds.iter().map(|(kind, _)| kind))),
            column(&states, |it| array(it.kinds.iter().map(|(_, from)| from))),
            column(&states, |it| it.unlisted_from),
            column(&states, |it| it.accepted_until.unix_ms()),
            column(&states, |it| it.seen_at.unix_ms()),
            column(&states, |it| it.bounds.first_position),
            due_from(0),
            due_from(1),
            due_from(2),
            due_from(3),
            column(&states, |it| it.bounds.push_from),
            column(&states, |it| it.unordered_to),
            count(&states),
        ],
    });
}

/// How many statements there are at most.
const WRITES: usize = 18;

/// A statement that fails unless it meets as many rows as its last value says.
macro_rules! exactly {
    ($statement:expr, $rows:literal) => {
        concat!(
            "WITH met AS (",
            $statement,
            " RETURNING 1) SELECT 1 / (count(*) = ",
            $rows,
            "::bigint)::integer FROM met"
        )
    };
}

pub(super) const DELETE_OPEN: &str = exactly!(
    concat!(
        "DELETE FROM outstanding WHERE ctid = ANY (ARRAY(
            SELECT o.ctid FROM unnest($1::bigint[], $2::bigint[]) k (tpp, position) CROSS JOIN LATERAL (
                SELECT o.ctid FROM outstanding o WHERE ",
        of_key!("o", ("tpp", "position") = ("k.tpp", "k.position")),
        ") o))"
    ),
    "$3"
);

pub(super) const UPDATE_OPEN: &str = exactly!(
    concat!(
        "UPDATE outstanding o SET due_at = n.due_at, push_at = n.push_at, polled_until = n.polled_until,
        flight_until = n.flight_until, begun = n.begun, refused_since = n.refused_since, hand_outs = n.hand_outs,
        errors = n.errors, refusals = n.refusals, endpoint_failures = n.endpoint_failures
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
        $8::bigint[], $9::integer[], $10::integer[], $11::integer[], $12::integer[])
        n (tpp, position, due_at, push_at, polled_until, flight_until, begun, refused_since, hand_outs, errors,
            refusals, endpoint_failures)
        CROSS JOIN LATERAL (SELECT o.ctid AS place FROM outstanding o WHERE ",
        of_key!("o", ("tpp", "position") = ("n.tpp", "n.position")),
        ") found
    WHERE o.ctid = found.place"
    ),
    "$13"
);

const INSERT_OPEN: &str = "
    INSERT INTO outstanding (tpp, position, jti, accepted_at, due_at, push_at, kind, family)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::integer[], $8::smallint[])";

const INSERT_FAILED: &str = "
    INSERT INTO failed (tpp, position, jti, accepted_at, kind, ends, family)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::bigint[], $5::integer[], $6::integer[],
        $7::smallint[])";

pub(super) const DELETE_FAILED: &str = exactly!(
    concat!(
        "DELETE FROM failed WHERE ctid = ANY (ARRAY(
            SELECT f.ctid FROM unnest($1::bigint[], $2::bigint[]) k (tpp, position) CROSS JOIN LATERAL (
                SELECT f.ctid FROM failed f WHERE ",
        of_key!("f", ("tpp", "position") = ("k.tpp", "k.position")),
        ") f))"
    ),
    "$3"
);

pub(super) const SUPERSEDE: &str = exactly!(
    "UPDATE settlements s SET superseded = true FROM unnest($1::bigint[], $2::uuid[], $3::integer[]) k (tpp, jti, ends)
    WHERE s.tpp = ANY (ARRAY[k.tpp]) AND s.jti = k.jti AND s.ends = k.ends AND s.superseded IS NOT TRUE",
    "$4"
);

pub(super) const UPDATE_QUEUES: &str = exactly!(
    "UPDATE queues q SET accepted = n.accepted, acknowledged = n.acknowledged, failed = n.failed, expired = n.expired,
        withdrawn = n.withdrawn, entries = n.entries, kinds = n.kinds::integer[], kinds_from = n.kinds_from::bigint[],
        unlisted_from = n.unlisted_from, accepted_until = n.accepted_until, seen_at = n.seen_at,
        unordered_to = n.unordered_to, first_position = n.first_position,
        due_from = ARRAY[n.due_0, n.due_1, n.due_2, n.due_3], push_from = n.push_from
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
        $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[],
        $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[])
        n (tpp, accepted, acknowledged, failed, expired, withdrawn, entries, kinds, kinds_from, unlisted_from,
            accepted_until, seen_at, first_position, due_0, due_1, due_2, due_3, push_from, unordered_to)
    WHERE q.tpp = ANY (ARRAY[n.tpp])",
    "$20"
);

// In the order of TPPs, as everybody locks lanes. A lane that is held back sleeps until its probe for all that (D-06); least()
// passes over NULLs, greatest() does too and must not.
const LANE_NEWS: &str = "
    INSERT INTO lanes AS l (tpp, wake_at, news_at)
    SELECT tpp, at, at FROM unnest($1::bigint[], $2::bigint[]) n (tpp, at) ORDER BY tpp
    ON CONFLICT (tpp) DO UPDATE SET
        news_at = least(l.news_at, excluded.news_at),
        wake_at = least(l.wake_at, CASE
            WHEN l.health = 0 THEN excluded.news_at
            WHEN l.next_probe_at IS NOT NULL THEN greatest(l.next_probe_at, excluded.news_at) END)";
