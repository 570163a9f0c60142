//! Kinds: what routing goes by when a registration changes, as small numbers, and which of them may be outstanding of whom.
//!
//! A TPP may change its mind as often as it likes, over any number of outstanding events. So a change is judged once per kind;
//! narrow rows are looked at only from the first one on that may have to go, and no notice is read. What was looked for once
//! is not looked for again: the row that names it goes, and comes back with the next event of its kind, at that one's
//! position.

use std::collections::{HashMap, HashSet};

use oyez_domain::event::{EventTypes, Notice};
use oyez_domain::life::Withdrawn;
use oyez_domain::registration::Registrations;
use oyez_domain::routing;
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, params};

use super::codes::{from_json, to_json};
use super::tpps::TppId;
use super::withdraw;
use super::writer::Unit;
use crate::Error;

/// A kind's number in this file. It never leaves the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct KindId(i64);

impl ToSql for KindId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for KindId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

/// The kinds of a batch for one TPP, each looked up once.
#[derive(Default)]
pub(super) struct Kinds(HashMap<String, KindId>);

impl Kinds {
    /// The kind of a notice that is about to stand at this position; the first of its kind makes it.
    pub(super) fn enter(
        &mut self,
        unit: &Unit,
        tpp: TppId,
        notice: &Notice,
        position: u64,
    ) -> Result<KindId, Error> {
        let types = to_json(&notice.types());
        if let Some(known) = self.0.get(&types) {
            return Ok(*known);
        }
        let found = unit
            .db
            .prepare_cached(FIND)?
            .query_row(params![types, tpp], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (kind, may_be_there) = match found {
            Some(found) => found,
            None => {
                let mut make = unit.db.prepare_cached(MAKE)?;
                (make.query_row([&types], |row| row.get(0))?, false)
            }
        };
        if !may_be_there {
            enter(unit, tpp, kind, position)?;
        }
        self.0.insert(types, kind);
        Ok(kind)
    }
}

/// From this position on, or an earlier one, there may be events of this kind. Not while it is being withdrawn: the event would
/// be, too. What was not wanted then is wanted now only if the server was started with other rules in between.
pub(super) fn enter(unit: &Unit, tpp: TppId, kind: KindId, position: u64) -> Result<(), Error> {
    let mut is_withdrawn = unit.db.prepare_cached(IS_WITHDRAWN)?;
    if is_withdrawn.exists(params![tpp, kind])? {
        return Err(withdraw::going_on());
    }
    let mut statement = unit.db.prepare_cached(ENTER)?;
    statement.execute(params![tpp, kind, position])?;
    Ok(())
}

/// The kinds that are not wanted among those that may be outstanding of a TPP.
pub(super) struct Unwanted {
    /// Which.
    pub(super) kinds: Vec<KindId>,
    /// The first position at which there may be one.
    pub(super) from_position: u64,
    /// Why.
    pub(super) reason: Withdrawn,
}

/// What these registrations do not want of what may be outstanding.
pub(super) fn unwanted(
    unit: &Unit,
    tpp: TppId,
    after: &Registrations,
) -> Result<Option<Unwanted>, Error> {
    let mut statement = unit.db.prepare_cached(OF_TPP)?;
    let mut rows = statement.query([tpp])?;
    let mut unwanted: Option<Unwanted> = None;
    while let Some(row) = rows.next()? {
        let Err(reason) = outlives(
            unit,
            after,
            row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?,
        )?
        else {
            continue;
        };
        let from_position = row.get(1)?;
        let unwanted = unwanted.get_or_insert(Unwanted {
            kinds: Vec::new(),
            from_position,
            reason,
        });
        unwanted.kinds.push(row.get(0)?);
        unwanted.from_position = unwanted.from_position.min(from_position);
    }
    Ok(unwanted)
}

/// Those of all kinds that these registrations want.
pub(super) fn wanted(unit: &Unit, after: &Registrations) -> Result<HashSet<KindId>, Error> {
    let mut statement = unit.db.prepare_cached(ALL)?;
    let mut rows = statement.query([])?;
    let mut wanted = HashSet::new();
    while let Some(row) = rows.next()? {
        if outlives(
            unit,
            after,
            row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?,
        )?
        .is_ok()
        {
            wanted.insert(row.get(0)?);
        }
    }
    Ok(wanted)
}

/// Nothing of this kind is left to look for.
pub(super) fn leave(unit: &Unit, tpp: TppId, kind: KindId) -> Result<(), Error> {
    let mut statement = unit.db.prepare_cached(LEAVE)?;
    statement.execute(params![tpp, kind])?;
    Ok(())
}

fn outlives(
    unit: &Unit,
    after: &Registrations,
    types: &str,
) -> Result<Result<(), Withdrawn>, Error> {
    let types: EventTypes = from_json(types, "the types of a kind")?;
    Ok(routing::outlives(&unit.rules, after, &types))
}

// Positions only grow where they are drawn: an earlier one is there already.
pub(super) const FIND: &str = "
    SELECT kind, EXISTS (SELECT 1 FROM queue_kinds q WHERE q.tpp = ?2 AND q.kind = kinds.kind)
    FROM kinds WHERE types = ?1";

const MAKE: &str = "INSERT INTO kinds (types) VALUES (?1) RETURNING kind";

const IS_WITHDRAWN: &str = "SELECT 1 FROM withdrawn_kinds WHERE tpp = ?1 AND kind = ?2";

// What is queued again has an old position.
const ENTER: &str = "
    INSERT INTO queue_kinds (tpp, kind, from_position) VALUES (?1, ?2, ?3)
    ON CONFLICT (tpp, kind) DO UPDATE SET from_position = excluded.from_position
    WHERE excluded.from_position < from_position";

pub(super) const OF_TPP: &str = "
    SELECT q.kind, q.from_position, k.types FROM queue_kinds q CROSS JOIN kinds k USING (kind) WHERE q.tpp = ?1";

const ALL: &str = "SELECT kind, types FROM kinds";

const LEAVE: &str = "DELETE FROM queue_kinds WHERE tpp = ?1 AND kind = ?2";
