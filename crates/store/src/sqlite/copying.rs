//! One side of a copy ([`crate::copy`]) in a file: how its tables are read in the order that both backends have, and written.
//!
//! What this backend finds by an event's number the other finds by its jti, so history is walked along the events of a TPP.
//! Numbers of events and of entries are drawn anew, in the same order.

mod statements;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use oyez_domain::event::Notice;
use oyez_domain::rules::Rules;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Statement, params};

use self::statements::{READINGS, WRITINGS};
use super::errors::expect_rows;
use super::file::{self, Lock};
use super::tally::Tally;
use super::withdraw;
use super::writer::Unit;
use super::{migrations, tally};
use crate::Error;
use crate::codes::{family_code, from_json, to_json};
use crate::copy::{Form, Reading, Row, Side, Table, Unfinished, Value, before_all};
use crate::error::contradiction;
use crate::newsboard::Newsboard;

/// A file that is copied, or copied to.
pub(crate) struct Copying {
    db: Connection,
    /// Nobody else works with it meanwhile. A look takes none.
    _lock: Option<Lock>,
    has_owners: bool,
}

impl Copying {
    /// To read from. What a change of registrations has withdrawn is written before, as a server would.
    pub(crate) fn source(path: &Path, rules: &Arc<Rules>) -> Result<Self, Error> {
        let resolved = file::resolve(path)?;
        refuse_other_schemas(&resolved)?;
        let lock = file::lock(&resolved)?;
        let (db, _) = file::open_for_writing(&resolved)?;
        let mut unit = Unit {
            db,
            place: file::Place::of(&resolved)?,
            rules: Arc::clone(rules),
            tally: Tally::default(),
            news: Newsboard::default(),
            pushed_strictly: HashMap::new(),
            withdrawn_at_once_max: super::Options::default().withdrawn_at_once_max,
        };
        finish_withdrawals(&mut unit)?;
        Self::of(unit.db, Some(lock))
    }

    /// To write to; made if it is not there.
    pub(crate) fn target(path: &Path) -> Result<Self, Error> {
        let resolved = file::resolve(path)?;
        let lock = file::lock(&resolved)?;
        let (db, _) = file::open_finished_or_not(&resolved)?;
        Self::of(db, Some(lock))
    }

    /// To count.
    pub(crate) fn look(path: &Path) -> Result<Self, Error> {
        let resolved = file::resolve(path)?;
        refuse_other_schemas(&resolved)?;
        Self::of(file::open_for_looking(&resolved)?, None)
    }

    fn of(db: Connection, lock: Option<Lock>) -> Result<Self, Error> {
        // Who made which poll may be more than fits into memory.
        db.pragma_update(None, "temp_store", "default")?;
        Ok(Self {
            db,
            _lock: lock,
            has_owners: false,
        })
    }

    /// Whose polls are whose: a poll's row does not say it.
    fn find_owners(&mut self) -> Result<(), Error> {
        if !self.has_owners {
            self.db.execute_batch(statements::POLL_OWNERS)?;
            self.has_owners = true;
        }
        Ok(())
    }
}

impl Side for Copying {
    fn count(&mut self, table: &'static Table) -> Result<u64, Error> {
        let counted = format!("SELECT count(*) FROM {}", table.name);
        Ok(self.db.query_row(&counted, [], |row| row.get(0))?)
    }

    fn page(&mut self, table: &'static Table, after: Option<&[Value]>) -> Result<Vec<Row>, Error> {
        if table.name == "polls" {
            self.find_owners()?;
        }
        let reading = READINGS.iter().find(|reading| reading.table == table.name);
        let mut statement = self
            .db
            .prepare_cached(&Reading::statement(reading, table, '?'))?;
        bind(
            &mut statement,
            &after.map_or_else(|| before_all(table), <[Value]>::to_vec),
        )?;
        let mut found = statement.raw_query();
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while bytes < PAGE_BYTES
            && rows.len() < PAGE_ROWS
            && let Some(row) = found.next()?
        {
            let columns = table.columns.iter().enumerate();
            let values = columns.map(|(place, column)| value(column.form, row.get_ref(place)?));
            let mut values = values.collect::<Result<Row, Error>>()?;
            if table.name == "events" {
                read_notice(&mut values)?;
            }
            bytes += values.iter().map(Value::bytes).sum::<usize>();
            rows.push(values);
        }
        Ok(rows)
    }

    fn marked_by(&mut self) -> Result<Option<String>, Error> {
        if !is_there(&self.db, "being_copied")? {
            return Ok(None);
        }
        let mark = self
            .db
            .query_row("SELECT copy FROM being_copied", [], |row| row.get(0));
        Ok(mark.optional()?)
    }

    fn stand_still(&mut self, copy: &str) -> Result<(), Error> {
        let marking = self.db.transaction()?;
        marking.execute_batch(
            "DROP TABLE IF EXISTS being_copied; CREATE TABLE being_copied (copy TEXT NOT NULL) STRICT",
        )?;
        marking.execute("INSERT INTO being_copied VALUES (?1)", [copy])?;
        marking.commit()?;
        // The lock keeps servers away; other programs that know no locks change nothing of what is read from here on.
        self.db.execute_batch("BEGIN; SELECT 1 FROM tpps LIMIT 1")?;
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Error> {
        self.db.execute_batch("COMMIT")?;
        forget_mark(&self.db)
    }

    fn unfinished(&mut self) -> Result<Option<Unfinished>, Error> {
        if !is_there(&self.db, "unfinished_copy")? {
            return Ok(None);
        }
        let found = self.db.query_row(
            "SELECT copy, source, progress FROM unfinished_copy",
            [],
            |row| {
                Ok(Unfinished {
                    copy: row.get(0)?,
                    source: row.get(1)?,
                    progress: row.get(2)?,
                })
            },
        );
        Ok(Some(found?))
    }

    fn begin(&mut self, copy: &Unfinished) -> Result<(), Error> {
        let beginning = self.db.transaction()?;
        beginning.execute_batch(statements::BEGIN)?;
        beginning.execute(
            "INSERT INTO unfinished_copy VALUES (?1, ?2, ?3)",
            params![copy.copy, copy.source, copy.progress],
        )?;
        Ok(beginning.commit()?)
    }

    fn write(&mut self, table: &'static Table, rows: &[Row], progress: &str) -> Result<(), Error> {
        let writing = self.db.transaction()?;
        let own = WRITINGS.iter().find(|(name, _)| *name == table.name);
        let plain = plain_insert(table);
        let statements = own.map_or_else(|| vec![plain.as_str()], |(_, all)| all.to_vec());
        let mut prepared = statements
            .iter()
            .map(|sql| writing.prepare_cached(sql))
            .collect::<Result<Vec<_>, _>>()?;
        for row in rows {
            for (nth, statement) in prepared.iter_mut().enumerate() {
                bind(statement, row)?;
                let changed = statement.raw_execute()?;
                // What follows the first is what else it says: there may be none of it.
                if nth == 0 {
                    expect_rows(changed, 1, table.name)?;
                }
            }
        }
        drop(prepared);
        writing.execute("UPDATE unfinished_copy SET progress = ?1", [progress])?;
        Ok(writing.commit()?)
    }

    fn finish(&mut self) -> Result<(), Error> {
        let finishing = self.db.transaction()?;
        finishing.execute_batch(statements::FINISH)?;
        finishing.commit()?;
        // A server that opens it finds everything in the file.
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        Ok(self.db.query_row(checkpoint, [], |_| Ok(()))?)
    }
}

/// That no copy is unfinished here.
pub(super) fn refuse_unfinished(db: &Connection) -> Result<(), Error> {
    if !is_there(db, "unfinished_copy")? {
        return Ok(());
    }
    let source = db.query_row("SELECT source FROM unfinished_copy", [], |row| row.get(0))?;
    Err(Error::Unfinished {
        source_place: source,
    })
}

/// Somebody works with the ledger: a copy that was begun of it is no copy of what it will be.
pub(super) fn forget_mark(db: &Connection) -> Result<(), Error> {
    if is_there(db, "being_copied")? {
        db.execute_batch("DROP TABLE being_copied")?;
    }
    Ok(())
}

fn is_there(db: &Connection, table: &str) -> Result<bool, Error> {
    let mut found = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?;
    Ok(found.exists([table])?)
}

/// A copy reads what this binary knows, and changes no schema of its source.
fn refuse_other_schemas(resolved: &Path) -> Result<(), Error> {
    file::judge(resolved)?;
    let found = migrations::version(&file::open_for_looking(resolved)?)?;
    if found < migrations::newest() {
        return Err(Error::Schema {
            detail: format!(
                "it has schema {found} and {} is needed: run oyez migrate first",
                migrations::newest()
            ),
        });
    }
    Ok(())
}

fn finish_withdrawals(unit: &mut Unit) -> Result<(), Error> {
    while withdraw::rest(&unit.db)?.is_some() {
        unit.db.execute_batch("BEGIN IMMEDIATE")?;
        withdraw::go_on(unit)?;
        tally::write(&mut unit.tally, &unit.db)?;
        unit.db.execute_batch("COMMIT")?;
    }
    Ok(())
}

fn plain_insert(table: &Table) -> String {
    let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    let parameters: Vec<_> = (1..=names.len()).map(|nth| format!("?{nth}")).collect();
    format!(
        "INSERT INTO {} ({}) VALUES ({})",
        table.name,
        names.join(", "),
        parameters.join(", ")
    )
}

/// As many of a row's values as a statement asks for.
fn bind(statement: &mut Statement<'_>, values: &[Value]) -> Result<(), Error> {
    for (place, value) in (1..=statement.parameter_count()).zip(values) {
        match value {
            Value::Null => statement.raw_bind_parameter(place, rusqlite::types::Null)?,
            Value::Int(number) => statement.raw_bind_parameter(place, number)?,
            Value::Text(text) => statement.raw_bind_parameter(place, text)?,
            Value::Bytes(bytes) => statement.raw_bind_parameter(place, bytes)?,
            Value::Jti(jti) => statement.raw_bind_parameter(place, jti)?,
            Value::Ints(numbers) => statement.raw_bind_parameter(place, to_json(numbers))?,
            // Polls are found by what they handed out.
            Value::Jtis(_) => {}
        }
    }
    Ok(())
}

/// What a column says. PostgreSQL cannot keep a text with the character of number zero, and neither does a copy.
fn value(form: Form, found: ValueRef<'_>) -> Result<Value, Error> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
    Ok(match (form, found) {
        (Form::Jtis, ValueRef::Null) => Value::Jtis(Vec::new()),
        (_, ValueRef::Null) => Value::Null,
        (Form::Int, ValueRef::Integer(number)) => Value::Int(number),
        (Form::Text, ValueRef::Text(bytes)) => Value::Text(text(bytes)),
        (Form::Bytes, ValueRef::Blob(bytes)) => Value::Bytes(bytes.to_owned()),
        (Form::Jti, ValueRef::Blob(bytes)) => Value::Jti(jti(bytes)?),
        (Form::Ints, ValueRef::Text(bytes)) => Value::Ints(from_json(&text(bytes), "a list")?),
        (Form::Jtis, ValueRef::Blob(bytes)) => {
            Value::Jtis(bytes.chunks(16).map(jti).collect::<Result<_, _>>()?)
        }
        (form, other) => {
            let found: Type = other.data_type();
            return Err(contradiction(format!("{found} where {form:?} should be")));
        }
    })
}

fn jti(bytes: &[u8]) -> Result<[u8; 16], Error> {
    let jti = bytes.try_into();
    jti.map_err(|_| contradiction(format!("a jti of {} bytes", bytes.len())))
}

/// An event's family and types, which stand in its notice alone.
fn read_notice(row: &mut Row) -> Result<(), Error> {
    let [.., family, types, _, _, Value::Text(notice)] = &mut row[..] else {
        return Err(contradiction("an event without a notice"));
    };
    let notice: Notice = from_json(notice, "a notice")?;
    *family = Value::Int(family_code(notice.resource.family));
    *types = Value::Text(to_json(&notice.types()));
    Ok(())
}

/// A page is written in one transaction, whose commit costs as much as some thousand rows; it is small beside what a server
/// holds in memory.
const PAGE_BYTES: usize = 4 << 20;

/// Rows are small where there are this many.
const PAGE_ROWS: usize = 20_000;

#[cfg(test)]
mod tests;
