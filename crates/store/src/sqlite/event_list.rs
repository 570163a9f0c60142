//! Lists of events, newest first, a page at a time (I-03).
//!
//! The statement is put together from fixed pieces: the narrowest filter that was given is where the walk begins, the others
//! are conditions along it. Values are always bound.

use oyez_domain::event::Notice;
use oyez_domain::ids::{ClientId, Jti, TransactionId};
use oyez_domain::ledger::history::{EventFilter, EventSummary, Page, StateFilter};
use oyez_domain::life::{Ending, State};
use oyez_domain::time::Timestamp;
use rusqlite::{Connection, Row, named_params};

use super::codes::{self, from_json, jti, moment, outcome_range, parse};
use super::history::{page, rows_wanted};
use crate::Error;

/// An event as lists and look-ups read it.
pub(super) struct Listed {
    pub(super) event: i64,
    pub(super) summary: EventSummary,
    pub(super) notice: Notice,
}

/// One event by its jti.
pub(super) fn find(db: &Connection, jti: Jti) -> Result<Option<Listed>, Error> {
    let sql = format!("{COLUMNS} FROM events e {JOINS} WHERE e.jti = ?1");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([jti.as_bytes()])?;
    rows.next()?.map(read).transpose()
}

/// See [`crate::Store::list_events`].
pub(super) fn list(
    db: &Connection,
    filter: &EventFilter,
    before: Option<Jti>,
    rows_max: u32,
) -> Result<Page<EventSummary, Jti>, Error> {
    let mut statement = db.prepare_cached(&statement(filter))?;
    let (outcome_from, outcome_before) = match filter.state {
        Some(StateFilter::Settled(ending)) => outcome_range(ending),
        Some(StateFilter::Outstanding) | None => (0, 0),
    };
    let before = before.map_or([0xff; 16], |before| *before.as_bytes());
    let txn = filter.txn.as_ref().map(TransactionId::as_str);
    let own_jti: Option<Jti> = txn.and_then(|txn| txn.parse().ok());
    let interaction_id = filter.interaction_id.as_ref();
    // Every statement names every parameter: see CONDITIONS_ALWAYS.
    let mut rows = statement.query(named_params! {
        ":before": before,
        ":rows": rows_wanted(rows_max) + 1,
        ":client": filter.client_id.as_ref().map(ClientId::as_str),
        ":outcome_from": outcome_from,
        ":outcome_before": outcome_before,
        ":type": filter.event_type.as_ref().map(|event_type| &event_type.0),
        ":resource": filter.resource_id.as_ref().map(|id| id.as_str()),
        ":txn": txn,
        ":own_jti": own_jti.as_ref().map(Jti::as_bytes),
        ":interaction": interaction_id.map(|id| id.as_str()),
        ":from": filter.accepted_from.map(Timestamp::unix_ms),
        ":until": filter.accepted_before.map(Timestamp::unix_ms),
    })?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?.summary);
    }
    Ok(page(found, rows_max, |event| event.jti))
}

/// Where to begin, and which conditions remain.
pub(super) fn statement(filter: &EventFilter) -> String {
    let mut conditions = String::from(CONDITIONS_ALWAYS);
    let given = [
        (filter.client_id.is_some(), OF_CLIENT),
        (filter.event_type.is_some(), HAS_TYPE),
        (
            filter.resource_id.is_some(),
            " AND e.resource_id = :resource",
        ),
        (
            filter.accepted_from.is_some(),
            " AND e.accepted_at >= :from",
        ),
        (
            filter.accepted_before.is_some(),
            " AND e.accepted_at < :until",
        ),
    ];
    for (_, condition) in given.iter().filter(|(given, _)| *given) {
        conditions.push_str(condition);
    }
    conditions.push_str(match filter.state {
        None => "",
        Some(StateFilter::Outstanding) => " AND s.event IS NULL",
        Some(StateFilter::Settled(_)) => {
            " AND s.outcome >= :outcome_from AND s.outcome < :outcome_before"
        }
    });
    let txn_too = filter.interaction_id.is_some() && filter.txn.is_some();
    if txn_too {
        conditions.push_str(" AND e.event IN (SELECT event FROM (");
        conditions.push_str(OF_TXN);
        conditions.push_str("))");
    }
    let (source, jti) = source(filter);
    format!(
        "{COLUMNS} FROM {source} {JOINS} WHERE {jti} < :before AND {conditions} ORDER BY {jti} DESC LIMIT :rows"
    )
}

/// The narrowest way in, and the jti that it is ordered by.
fn source(filter: &EventFilter) -> (String, &'static str) {
    let from = |events: &str| {
        (
            format!("({events}) c CROSS JOIN events e USING (event)"),
            "e.jti",
        )
    };
    let along = |index: &str| (format!("events e INDEXED BY {index}"), "e.jti");
    if filter.interaction_id.is_some() {
        return from(OF_INTERACTION);
    }
    if filter.txn.is_some() {
        return from(OF_TXN);
    }
    if filter.resource_id.is_some() {
        return along("events_by_resource");
    }
    match filter.state {
        Some(StateFilter::Outstanding) => {
            let of_client = filter
                .client_id
                .as_ref()
                .map_or("", |_| OUTSTANDING_OF_CLIENT);
            (format!("{FROM_OUTSTANDING}{of_client}"), "o.jti")
        }
        Some(StateFilter::Settled(Ending::Failed | Ending::Expired | Ending::Withdrawn)) => {
            from(OF_RARE_ENDS)
        }
        Some(StateFilter::Settled(Ending::Acknowledged)) | None if filter.client_id.is_some() => {
            along("events_by_tpp")
        }
        Some(StateFilter::Settled(Ending::Acknowledged)) | None => along("events_by_jti"),
    }
}

/// A row of [`COLUMNS`].
fn read(row: &Row<'_>) -> Result<Listed, Error> {
    let owner = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
    let client_id: ClientId = parse(owner, "client_id")?;
    let text = row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)?;
    let notice: Notice = from_json(text, "a notice")?;
    let state = match row.get::<_, Option<i64>>(7)? {
        None => State::Outstanding,
        Some(outcome) => {
            let actor: Option<String> = row.get(8)?;
            let at = moment(row, 6)?;
            State::Settled(codes::settlement(
                at,
                outcome,
                actor.as_deref(),
                &client_id,
            )?)
        }
    };
    let types = notice.happenings.iter();
    Ok(Listed {
        event: row.get(0)?,
        summary: EventSummary {
            jti: jti(row, 1)?,
            client_id,
            position: row.get(3)?,
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
    SELECT e.event, e.jti, t.client_id, e.position, e.accepted_at, e.notice, s.at, s.outcome, s.actor";

/// At most one settlement of an event stands: the others are superseded.
const JOINS: &str = "
    CROSS JOIN tpps t ON t.tpp = e.tpp
    LEFT JOIN settlements s ON s.event = e.event AND s.superseded = 0";

/// The cursor. The second line uses nothing and names everything, so that all statements have the same parameters.
const CONDITIONS_ALWAYS: &str =
    "e.jti < :before AND coalesce(1, :client, :outcome_from, :outcome_before,
    :type, :resource, :txn, :own_jti, :interaction, :from, :until)";

/// Narrow rows in the order of the list: history is read for those alone that are listed.
const FROM_OUTSTANDING: &str = "
    outstanding o INDEXED BY outstanding_by_jti CROSS JOIN events e ON e.event = o.event";

const OUTSTANDING_OF_CLIENT: &str = " AND o.tpp = (SELECT tpp FROM tpps WHERE client_id = :client)";

/// As a number first, so that the TPP's index can be walked in the order of the list.
const OF_CLIENT: &str = " AND e.tpp = (SELECT tpp FROM tpps WHERE client_id = :client)";

const HAS_TYPE: &str = "
    AND EXISTS (SELECT 1 FROM json_each(e.notice, '$.happenings') h WHERE h.value ->> '$.type' = :type)";

/// An event without a transaction answers to its jti.
const OF_TXN: &str = "
    SELECT event FROM events WHERE txn = :txn
    UNION ALL SELECT event FROM events WHERE jti = :own_jti AND txn IS NULL";

const OF_INTERACTION: &str = "
    SELECT event FROM attempts WHERE interaction_id = :interaction
    UNION SELECT h.event FROM polls p JOIN hand_outs h USING (poll) WHERE p.interaction_id = :interaction
    UNION SELECT r.event FROM polls p JOIN set_errors r USING (poll) WHERE p.interaction_id = :interaction";

const OF_RARE_ENDS: &str = "
    SELECT event FROM settlements INDEXED BY settlements_rare
    WHERE superseded = 0 AND outcome >= 20 AND outcome >= :outcome_from AND outcome < :outcome_before";
