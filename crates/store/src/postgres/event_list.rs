//! Lists of events, newest first, a page at a time (I-03).
//!
//! A statement is put together from fixed pieces; values are always bound. A walk has the order of the list, so that nothing is
//! sorted, and looks at so many candidates at most: the cost of a page follows the page, and who is sought among millions is
//! found page by page. Some filters name their events without a walk. Where these are few they are gathered and sorted; where
//! they turn out to be many the walk is taken.

use oyez_domain::event::Notice;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::history::{EventFilter, EventSummary, Page, StateFilter};
use oyez_domain::life::{Ending, State};
use oyez_domain::time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::columns::{jti, moment, natural, uuid};
use super::pool::Held;
use super::session::Session;
use super::tpps;
use crate::Error;
use crate::codes::{self, TppId, from_json, outcome_range, parse};
use crate::page::rows_wanted;

/// An event as lists and look-ups read it.
pub(super) struct Listed {
    pub(super) tpp: TppId,
    pub(super) summary: EventSummary,
    pub(super) notice: Notice,
}

/// One event by its jti.
pub(super) async fn find(db: &Session, jti: Jti) -> Result<Option<Listed>, Error> {
    let sql = format!(
        "{COLUMNS} FROM events e {JOINS} WHERE e.jti BETWEEN $1 AND $1 ORDER BY e.jti LIMIT 1"
    );
    let row = db.row(&sql, &[&uuid(jti)]).await?;
    row.as_ref().map(read).transpose()
}

/// See [`crate::Store::list_events`].
pub(super) async fn list(
    db: &Held,
    filter: &EventFilter,
    before: Option<Jti>,
    rows_max: u32,
) -> Result<Page<EventSummary, Jti>, Error> {
    let tpp = match &filter.client_id {
        None => None,
        Some(client_id) => match tpps::id(db, client_id).await? {
            Some(tpp) => Some(tpp),
            None => return Ok(nothing()),
        },
    };
    let before = before.map_or(Uuid::max(), uuid);
    if let Some(gathered) = Query::gathering(filter, before) {
        let row = gathered.sized().one(db).await?;
        if row.try_get(0)? {
            return page(db, gathered.matching(filter, tpp), rows_max, None).await;
        }
    }
    let walk = Query::walk(filter, tpp, before);
    let beyond = walk.last_candidate();
    page(db, walk.matching(filter, tpp), rows_max, Some(beyond)).await
}

fn nothing() -> Page<EventSummary, Jti> {
    Page {
        rows: Vec::new(),
        next: None,
    }
}

/// One more row than wanted says that there is another page; fewer do not, if more candidates were left than are looked at.
async fn page(
    db: &Held,
    mut query: Query,
    rows_max: u32,
    beyond: Option<Query>,
) -> Result<Page<EventSummary, Jti>, Error> {
    let limit = query.value(i64::from(rows_wanted(rows_max)) + 1);
    query.sql.push_str(&format!(" LIMIT {limit}"));
    let rows = query.rows(db).await?;
    let rows: Vec<EventSummary> = rows
        .iter()
        .map(|row| Ok(read(row)?.summary))
        .collect::<Result<_, Error>>()?;
    let mut page = crate::page::page(rows, rows_max, |event: &EventSummary| event.jti);
    if page.next.is_none()
        && let Some(beyond) = beyond
        && let Some(last) = beyond.rows(db).await?.first()
    {
        page.next = Some(jti(last, 0)?);
    }
    Ok(page)
}

/// A statement in the making, and its values in their order.
#[derive(Default)]
struct Query {
    sql: String,
    values: Vec<Value>,
}

#[derive(Clone)]
enum Value {
    Number(i64),
    Text(String),
    Id(Uuid),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Uuid> for Value {
    fn from(id: Uuid) -> Self {
        Self::Id(id)
    }
}

impl Query {
    /// Binds a value; answers how the statement names it.
    fn value(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    async fn rows(&self, db: &Session) -> Result<Vec<Row>, Error> {
        let values: Vec<&(dyn ToSql + Sync)> = self
            .values
            .iter()
            .map(|value| -> &(dyn ToSql + Sync) {
                match value {
                    Value::Number(number) => number,
                    Value::Text(text) => text,
                    Value::Id(id) => id,
                }
            })
            .collect();
        db.rows(&self.sql, &values).await
    }

    async fn one(&self, db: &Session) -> Result<Row, Error> {
        let rows = self.rows(db).await?;
        rows.into_iter()
            .next()
            .ok_or_else(|| crate::error::contradiction("a count is missing"))
    }

    /// The keys of events that are named without looking along the list, where that may be far fewer.
    fn gathering(filter: &EventFilter, before: Uuid) -> Option<Self> {
        let mut query = Self::default();
        let before = query.value(before);
        query.sql = if let Some(interaction_id) = &filter.interaction_id {
            let interaction = query.value(interaction_id.as_str());
            format!(
                "SELECT tpp, jti FROM attempts WHERE interaction_id = {interaction}
                UNION ALL SELECT tpp, unnest(jtis) FROM polls WHERE interaction_id = {interaction}"
            )
        } else if let Some(txn) = &filter.txn {
            let named = query.value(txn.as_str());
            let own: Option<Jti> = txn.as_str().parse().ok();
            let own = query.value(own.map_or(Uuid::nil(), uuid));
            format!(
                "SELECT tpp, jti FROM events WHERE txn = {named}
                UNION ALL SELECT tpp, jti FROM events WHERE jti = {own} AND txn IS NULL"
            )
        } else {
            let Some(StateFilter::Settled(ending)) = filter.state else {
                return None;
            };
            if ending == Ending::Acknowledged || filter.resource_id.is_some() {
                return None;
            }
            let (from, before) = outcome_range(ending);
            let (from, before) = (query.value(from), query.value(before));
            format!(
                "SELECT tpp, jti FROM settlements WHERE NOT superseded AND outcome >= 20
                    AND outcome >= {from}::bigint AND outcome < {before}::bigint"
            )
        };
        query.sql = format!(
            "SELECT DISTINCT g.tpp, g.jti FROM ({}) g WHERE g.jti < {before}",
            query.sql
        );
        Some(query)
    }

    /// Asks whether the gathered are few, and looks at no more than that takes.
    fn sized(&self) -> Self {
        Self {
            sql: format!(
                "SELECT count(*) <= {LOOKED_AT_MAX} FROM ({} LIMIT {LOOKED_AT_MAX} + 1) g",
                self.sql
            ),
            values: self.values.clone(),
        }
    }

    /// The keys of the newest candidates, along an index that has the order of the list.
    fn walk(filter: &EventFilter, tpp: Option<TppId>, before: Uuid) -> Self {
        let mut query = Self::default();
        let before = query.value(before);
        let (table, of) = match (&filter.resource_id, tpp) {
            (Some(resource_id), _) => {
                let resource = query.value(resource_id.as_str());
                ("events", format!("resource_id = {resource} AND "))
            }
            (None, Some(tpp)) => {
                let tpp = query.value(tpp.0);
                let table = match filter.state {
                    Some(StateFilter::Outstanding) => "outstanding",
                    Some(StateFilter::Settled(_)) | None => "events",
                };
                (table, format!("tpp = {tpp} AND "))
            }
            (None, None) => ("events", String::new()),
        };
        query.sql = format!(
            "SELECT tpp, jti FROM {table} WHERE {of}jti < {before} ORDER BY jti DESC LIMIT {LOOKED_AT_MAX}"
        );
        query
    }

    /// The last of as many candidates as are looked at; none if there are fewer.
    fn last_candidate(&self) -> Self {
        Self {
            sql: format!(
                "SELECT jti FROM ({}) c ORDER BY jti DESC OFFSET {LOOKED_AT_MAX} - 1",
                self.sql
            ),
            values: self.values.clone(),
        }
    }

    /// Those of these keys that answer to the filter, whole and newest first.
    fn matching(mut self, filter: &EventFilter, tpp: Option<TppId>) -> Self {
        let conditions = self.conditions(filter, tpp);
        self.sql = format!(
            "{COLUMNS} FROM ({}) c JOIN events e
                ON (e.tpp, e.jti) BETWEEN (c.tpp, c.jti) AND (c.tpp, c.jti) AND e.jti = ANY (ARRAY[c.jti])
            {JOINS}
            WHERE true{conditions} ORDER BY c.jti DESC",
            self.sql
        );
        self
    }

    fn conditions(&mut self, filter: &EventFilter, tpp: Option<TppId>) -> String {
        let mut sql = String::new();
        if let Some(tpp) = tpp {
            let tpp = self.value(tpp.0);
            sql.push_str(&format!(" AND e.tpp = {tpp}"));
        }
        if let Some(event_type) = &filter.event_type {
            let event_type = self.value(event_type.0.as_str());
            sql.push_str(&format!(
                " AND e.kind IN (SELECT kind FROM kinds WHERE types::jsonb ? {event_type})"
            ));
        }
        if let Some(resource_id) = &filter.resource_id {
            let resource = self.value(resource_id.as_str());
            sql.push_str(&format!(" AND e.resource_id = {resource}"));
        }
        if let Some(txn) = &filter.txn {
            // An event without a transaction answers to its jti.
            let named = self.value(txn.as_str());
            let own: Option<Jti> = txn.as_str().parse().ok();
            let own = self.value(own.map_or(Uuid::nil(), uuid));
            sql.push_str(&format!(
                " AND CASE WHEN e.txn IS NULL THEN e.jti = {own} ELSE e.txn = {named} END"
            ));
        }
        if let Some(interaction_id) = &filter.interaction_id {
            let interaction = self.value(interaction_id.as_str());
            sql.push_str(&format!(
                " AND (EXISTS (SELECT 1 FROM attempts a
                        WHERE a.tpp = e.tpp AND a.jti = e.jti AND a.interaction_id = {interaction})
                    OR EXISTS (SELECT 1 FROM polls p
                        WHERE p.tpp = e.tpp AND e.jti = ANY(p.jtis) AND p.interaction_id = {interaction}))"
            ));
        }
        if let Some(from) = filter.accepted_from {
            let from = self.value(from.unix_ms());
            sql.push_str(&format!(" AND e.accepted_at >= {from}"));
        }
        if let Some(before) = filter.accepted_before {
            let before = self.value(before.unix_ms());
            sql.push_str(&format!(" AND e.accepted_at < {before}"));
        }
        match filter.state {
            None => {}
            Some(StateFilter::Outstanding) => sql.push_str(" AND s.jti IS NULL"),
            Some(StateFilter::Settled(ending)) => {
                let (from, before) = outcome_range(ending);
                let (from, before) = (self.value(from), self.value(before));
                sql.push_str(&format!(
                    " AND s.outcome >= {from}::bigint AND s.outcome < {before}::bigint"
                ));
            }
        }
        sql
    }
}

/// A row of [`COLUMNS`].
fn read(row: &Row) -> Result<Listed, Error> {
    let client_id: ClientId = parse(row.try_get(2)?, "client_id")?;
    let notice: Notice = from_json(row.try_get(5)?, "a notice")?;
    let state = match row.try_get::<_, Option<i16>>(7)? {
        None => State::Outstanding,
        Some(outcome) => {
            let at: Timestamp = moment(row, 6)?;
            let actor: Option<&str> = row.try_get(8)?;
            State::Settled(codes::settlement(at, outcome.into(), actor, &client_id)?)
        }
    };
    let types = notice.happenings.iter();
    Ok(Listed {
        tpp: TppId(row.try_get(0)?),
        summary: EventSummary {
            jti: jti(row, 1)?,
            client_id,
            position: natural(row, 3)?,
            accepted_at: moment(row, 4)?,
            test: notice.test,
            event_types: types.map(|each| each.event_type.clone()).collect(),
            resource_kind: notice.resource.kind.clone(),
            resource_id: notice.resource.id.clone(),
            state,
        },
        notice,
    })
}

const COLUMNS: &str = "
    SELECT e.tpp, e.jti, t.client_id, e.position, e.accepted_at, e.notice, s.at, s.outcome, s.actor";

/// At most one settlement of an event stands: the others are superseded.
const JOINS: &str = "
    JOIN tpps t ON t.tpp = ANY (ARRAY[e.tpp])
    LEFT JOIN settlements s ON s.tpp = ANY (ARRAY[e.tpp]) AND s.jti = e.jti AND s.superseded IS NOT TRUE";

/// A page is made of at most so many candidates, whatever it finds: some tens of milliseconds.
const LOOKED_AT_MAX: u32 = 10_000;
