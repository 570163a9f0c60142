//! Lists of events, newest first, a page at a time (I-03).
//!
//! The statement is put together from fixed pieces: the narrowest filter that was given is where the walk begins, the others
//! are conditions along it. Values are always bound. A walk has the order of the list, so that nothing is sorted, and looks at
//! so many candidates at most: the cost of a page follows the page, and who is sought among millions is found page by page.
//! Some filters name their events without a walk. Where these are few they are gathered and sorted; where they turn out to be
//! many the walk is taken.

use oyez_domain::event::Notice;
use oyez_domain::ids::{ClientId, Jti, TransactionId};
use oyez_domain::ledger::history::{EventFilter, EventSummary, Page, StateFilter};
use oyez_domain::life::{Ending, State};
use oyez_domain::time::Timestamp;
use rusqlite::{Connection, Row, named_params};

use super::codes::{self, from_json, jti, moment, outcome_range, parse};
use super::history::rows_wanted;
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
    let (outcome_from, outcome_before) = match filter.state {
        Some(StateFilter::Settled(ending)) => outcome_range(ending),
        Some(StateFilter::Outstanding) | None => (0, 0),
    };
    let before = before.map_or([0xff; 16], |before| *before.as_bytes());
    let txn = filter.txn.as_ref().map(TransactionId::as_str);
    let own_jti: Option<Jti> = txn.and_then(|txn| txn.parse().ok());
    let interaction_id = filter.interaction_id.as_ref();
    // Every statement names every parameter: see NAMES_ALL.
    let values = named_params! {
        ":before": before,
        ":looked_at": LOOKED_AT_MAX,
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
    };
    let way = match gathering(filter) {
        Some(gather)
            if db
                .prepare_cached(&size(gather))?
                .query_row(values, is_small)? =>
        {
            Way::Gather
        }
        Some(_) | None => Way::Walk,
    };
    let mut statement = db.prepare_cached(&statement(filter, way))?;
    let mut rows = statement.query(values)?;
    let wanted = usize::try_from(rows_wanted(rows_max)).unwrap_or(usize::MAX);
    let mut found: Vec<EventSummary> = Vec::new();
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        if row.get(ANSWERS)? {
            if found.len() == wanted {
                let next = found.last().map(|event| event.jti);
                return Ok(Page { rows: found, next });
            }
            found.push(read(row)?.summary);
        }
        looked_at += 1;
        if looked_at == LOOKED_AT_MAX {
            let next = Some(jti(row, 1)?);
            return Ok(Page { rows: found, next });
        }
    }
    Ok(Page {
        rows: found,
        next: None,
    })
}

/// How a list is come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Along an index that has the order of the list.
    Walk,
    /// The few events that [`gathering`] names, sorted.
    Gather,
}

/// The statement for a list; the last column says whether a row answers to the filter.
pub(super) fn statement(filter: &EventFilter, way: Way) -> String {
    let conditions = conditions(filter);
    match (way, gathering(filter)) {
        (Way::Gather, Some(gather)) => format!(
            "{COLUMNS}, 1 FROM (SELECT DISTINCT event FROM ({gather})) c CROSS JOIN events e USING (event) {JOINS}
            WHERE e.jti < :before AND {NAMES_ALL}{conditions} ORDER BY e.jti DESC LIMIT :looked_at"
        ),
        _ if is_outstanding_of_all(filter) => format!(
            "{NEWEST_OUTSTANDING} {COLUMNS}, ({NAMES_ALL}{conditions}) IS TRUE
            FROM {FROM_NEWEST} {JOINS} WHERE n.jti IS NOT NULL"
        ),
        _ => {
            let (source, jti, key) = walk(filter);
            format!(
                "{COLUMNS}, ({NAMES_ALL}{conditions}) IS TRUE
                FROM {source} {JOINS} WHERE {jti} < :before{key} ORDER BY {jti} DESC"
            )
        }
    }
}

/// Events that are named without looking along the list, where that may be far fewer.
pub(super) fn gathering(filter: &EventFilter) -> Option<&'static str> {
    match filter.state {
        _ if filter.interaction_id.is_some() => Some(OF_INTERACTION),
        _ if filter.txn.is_some() => Some(OF_TXN),
        _ if filter.resource_id.is_some() => None,
        Some(StateFilter::Settled(Ending::Failed | Ending::Expired | Ending::Withdrawn)) => {
            Some(OF_RARE_ENDS)
        }
        Some(StateFilter::Settled(Ending::Acknowledged) | StateFilter::Outstanding) | None => None,
    }
}

/// Asks whether these are few, and looks at no more than that takes.
fn size(gather: &str) -> String {
    format!(
        "SELECT count(*) <= :looked_at, {NAMES_ALL} FROM (SELECT 1 FROM ({gather}) LIMIT :looked_at + 1)"
    )
}

fn is_small(row: &Row<'_>) -> rusqlite::Result<bool> {
    row.get(0)
}

fn conditions(filter: &EventFilter) -> String {
    let state = match filter.state {
        None => None,
        Some(StateFilter::Outstanding) => Some(" AND s.event IS NULL"),
        Some(StateFilter::Settled(_)) => {
            Some(" AND ifnull(s.outcome >= :outcome_from AND s.outcome < :outcome_before, 0)")
        }
    };
    let given = [
        filter.client_id.as_ref().map(|_| OF_CLIENT),
        filter.event_type.as_ref().map(|_| HAS_TYPE),
        filter
            .resource_id
            .as_ref()
            .map(|_| " AND e.resource_id = :resource"),
        filter.txn.as_ref().map(|_| HAS_TXN),
        filter.interaction_id.as_ref().map(|_| HAS_INTERACTION),
        filter.accepted_from.map(|_| " AND e.accepted_at >= :from"),
        filter
            .accepted_before
            .map(|_| " AND e.accepted_at < :until"),
        state,
    ];
    given.into_iter().flatten().collect()
}

fn is_outstanding_of_all(filter: &EventFilter) -> bool {
    filter.state == Some(StateFilter::Outstanding)
        && filter.client_id.is_none()
        && filter.resource_id.is_none()
}

/// Where to walk, the jti that the walk is ordered by, and what else of its index is given.
fn walk(filter: &EventFilter) -> (&'static str, &'static str, &'static str) {
    let is_outstanding = filter.state == Some(StateFilter::Outstanding);
    if filter.resource_id.is_some() {
        let along = "events e INDEXED BY events_by_resource";
        return (along, "e.jti", " AND e.resource_id = :resource");
    }
    if filter.client_id.is_none() {
        return ("events e INDEXED BY events_by_jti", "e.jti", "");
    }
    if is_outstanding {
        return (OUTSTANDING_OF_CLIENT, "o.jti", IN_OUTSTANDING);
    }
    ("events e INDEXED BY events_by_tpp", "e.jti", OF_CLIENT)
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

/// A page is made of at most so many candidates, whatever it finds: some tens of milliseconds.
pub(super) const LOOKED_AT_MAX: u32 = 10_000;

/// The column that says whether a row answers to the filter: the one after [`COLUMNS`].
const ANSWERS: usize = 9;

/// Uses nothing and names everything, so that all statements have the same parameters.
const NAMES_ALL: &str = "coalesce(1, :before, :looked_at, :client, :outcome_from, :outcome_before,
    :type, :resource, :txn, :own_jti, :interaction, :from, :until)";

/// Narrow rows in the order of the list: history is read for those alone that are looked at.
const OUTSTANDING_OF_CLIENT: &str = "
    outstanding o INDEXED BY outstanding_of_tpp CROSS JOIN events e ON e.event = o.event";

const IN_OUTSTANDING: &str = " AND o.tpp = (SELECT tpp FROM tpps WHERE client_id = :client)";

/// The outstanding events of all TPPs, newest first: of each TPP its newest that is left waits in the queue of the recursion,
/// which hands out the greatest. It costs one look per TPP, and one per row.
const NEWEST_OUTSTANDING: &str = "
    WITH RECURSIVE newest (tpp, jti) AS (
        SELECT q.tpp, (SELECT max(jti) FROM outstanding WHERE tpp = q.tpp AND jti < :before) FROM queues q
        UNION ALL
        SELECT n.tpp, (SELECT max(jti) FROM outstanding WHERE tpp = n.tpp AND jti < n.jti)
        FROM newest n WHERE n.jti IS NOT NULL
        ORDER BY 2 DESC)";

const FROM_NEWEST: &str = "
    newest n CROSS JOIN outstanding o INDEXED BY outstanding_of_tpp ON o.tpp = n.tpp AND o.jti = n.jti
    CROSS JOIN events e ON e.event = o.event";

/// As a number first, so that the TPP's index can be walked in the order of the list.
const OF_CLIENT: &str = " AND e.tpp = (SELECT tpp FROM tpps WHERE client_id = :client)";

const HAS_TYPE: &str = "
    AND EXISTS (SELECT 1 FROM json_each(e.notice, '$.happenings') h WHERE h.value ->> '$.type' = :type)";

/// An event without a transaction answers to its jti.
const HAS_TXN: &str = " AND iif(e.txn IS NULL, e.jti IS :own_jti, e.txn = :txn)";

const OF_TXN: &str = "
    SELECT event FROM events WHERE txn = :txn
    UNION ALL SELECT event FROM events WHERE jti = :own_jti AND txn IS NULL";

const HAS_INTERACTION: &str = "
    AND (EXISTS (SELECT 1 FROM attempts a WHERE a.event = e.event AND a.interaction_id = :interaction)
        OR EXISTS (SELECT 1 FROM hand_outs h JOIN polls p USING (poll)
            WHERE h.event = e.event AND p.interaction_id = :interaction)
        OR EXISTS (SELECT 1 FROM set_errors r JOIN polls p USING (poll)
            WHERE r.event = e.event AND p.interaction_id = :interaction))";

const OF_INTERACTION: &str = "
    SELECT event FROM attempts WHERE interaction_id = :interaction
    UNION ALL SELECT h.event FROM polls p JOIN hand_outs h USING (poll) WHERE p.interaction_id = :interaction
    UNION ALL SELECT r.event FROM polls p JOIN set_errors r USING (poll) WHERE p.interaction_id = :interaction";

const OF_RARE_ENDS: &str = "
    SELECT event FROM settlements INDEXED BY settlements_rare
    WHERE superseded = 0 AND outcome >= 20 AND outcome >= :outcome_from AND outcome < :outcome_before";
