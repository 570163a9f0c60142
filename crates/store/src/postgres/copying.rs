//! One side of a copy ([`crate::copy`]) in a database: how its tables are read in the order that both backends have, and
//! written.
//!
//! Nobody else works with the ledger meanwhile. Every node that starts asks for the copy's advisory lock and is refused; nodes
//! that are there already are found by their leases and their connections. A source is read in one snapshot, with its tables
//! locked against writes; a target is filled by COPY, a page and its progress in a transaction.

mod guard;
mod rows;
mod statements;

use std::collections::{BTreeSet, HashMap};

use oyez_domain::ids::Jti;
use oyez_domain::time::Timestamp;
use tokio::runtime::Handle;
use tokio_postgres::types::Type;

use self::guard::{is_there, refuse_half_disowned, refuse_other_schemas, take};
pub(super) use self::guard::{refuse_unfinished, refuse_while_copied};
use self::statements::{READINGS, WRITINGS};
use super::migrations::{self, MIGRATIONS};
use super::options::Options;
use super::partitions::{self, Of, Partitions, Span};
use super::rights;
use super::server::Server;
use super::session::Session;
use super::tasks::Tasks;
use crate::Error;
use crate::copy::{Reading, Row, Side, Table, Unfinished, Value, before_all};
use crate::error::contradiction;

/// A database that is copied, or copied to.
pub(crate) struct Copying {
    db: Session,
    runtime: Handle,
    partitions: Partitions,
    /// The numbers of kinds here, by the text of their types.
    kinds: HashMap<String, i64>,
    /// What the columns of tables are here, as COPY has to know.
    types: HashMap<&'static str, Vec<Type>>,
    /// Rows to ask for next.
    page_rows: i64,
}

impl Copying {
    /// To read from.
    pub(crate) fn source(
        server: &Server,
        options: Options,
        runtime: &Handle,
    ) -> Result<Self, Error> {
        runtime.block_on(async {
            let db = open(server, options, runtime).await?;
            refuse_other_schemas(&db).await?;
            refuse_unfinished(&db).await?;
            take(&db).await?;
            refuse_half_disowned(&db).await?;
            // Whoever copies: servers must be able to take its marks away.
            rights::stay_owner(&db).await?;
            Ok(Self::of(db, runtime))
        })
    }

    /// To write to; the schema is made if it is not there.
    pub(crate) fn target(
        server: &Server,
        options: Options,
        runtime: &Handle,
    ) -> Result<Self, Error> {
        runtime.block_on(async {
            let db = open(server, options, runtime).await?;
            take(&db).await?;
            migrations::apply_on(MIGRATIONS, &db).await?;
            rights::stay_owner(&db).await?;
            Ok(Self::of(db, runtime))
        })
    }

    /// To count.
    pub(crate) fn look(server: &Server, options: Options, runtime: &Handle) -> Result<Self, Error> {
        runtime.block_on(async {
            let db = open(server, options, runtime).await?;
            refuse_other_schemas(&db).await?;
            Ok(Self::of(db, runtime))
        })
    }

    fn of(db: Session, runtime: &Handle) -> Self {
        Self {
            db,
            runtime: runtime.clone(),
            partitions: Partitions::default(),
            kinds: HashMap::new(),
            types: HashMap::new(),
            page_rows: PAGE_ROWS_FIRST,
        }
    }

    /// Sees to it that there is a part of history for every row.
    async fn make_parts(&self, table: &Table, rows: &[Row]) -> Result<(), Error> {
        let Some((_, by)) = partitions::TABLES
            .iter()
            .find(|(name, _)| *name == table.name)
        else {
            return Ok(());
        };
        let name = match by {
            Of::Jti => "jti",
            Of::Moment => "at",
        };
        let column = place_of(table, name)?;
        let spans: BTreeSet<Span> = rows
            .iter()
            .filter_map(|row| match row[column] {
                Value::Jti(jti) => Some(Span::of_jti(Jti::from_bytes(jti))),
                Value::Int(at) => Some(Span::of(Timestamp::from_unix_ms(at))),
                _ => None,
            })
            .collect();
        self.partitions.make(&self.db, spans).await
    }

    /// Events name their kind by a number; the types that these have may be new here.
    async fn number_kinds(&mut self, table: &Table, rows: &[Row]) -> Result<Vec<Row>, Error> {
        let types = place_of(table, "types")?;
        let of = |row: &Row| match &row[types] {
            Value::Text(types) => types.clone(),
            _ => String::new(),
        };
        let new: BTreeSet<String> = rows.iter().map(of).collect();
        let new: Vec<String> = new
            .into_iter()
            .filter(|types| !self.kinds.contains_key(types))
            .collect();
        if !new.is_empty() {
            self.db.execute(statements::MAKE_KINDS, &[&new]).await?;
            for row in self.db.rows(statements::KINDS, &[&new]).await? {
                let kind: i32 = row.try_get(1)?;
                self.kinds.insert(row.try_get(0)?, kind.into());
            }
        }
        let numbered = rows.iter().map(|row| {
            let kind = self.kinds.get(&of(row));
            let kind = kind.ok_or_else(|| contradiction("a kind is missing that was made"))?;
            let mut row = row.clone();
            row[types] = Value::Int(*kind);
            Ok(row)
        });
        numbered.collect()
    }

    async fn types_of(&mut self, table: &'static Table, columns: &str) -> Result<(), Error> {
        if !self.types.contains_key(table.name) {
            let all = format!("SELECT {columns} FROM {}", table.name);
            let statement = self.db.statement(&all).await?;
            let types = statement.columns().iter().map(|it| it.type_().clone());
            self.types.insert(table.name, types.collect());
        }
        Ok(())
    }

    async fn write_page(
        &mut self,
        table: &'static Table,
        rows: &[Row],
        progress: &str,
    ) -> Result<(), Error> {
        self.make_parts(table, rows).await?;
        let numbered;
        let rows = if table.name == "events" {
            numbered = self.number_kinds(table, rows).await?;
            &numbered[..]
        } else {
            rows
        };
        let own = WRITINGS.iter().find(|(name, _)| *name == table.name);
        let columns: Vec<(usize, &str)> = table
            .columns
            .iter()
            .enumerate()
            .filter_map(|(place, column)| {
                let other = own
                    .and_then(|(_, columns)| columns.iter().find(|(name, _)| *name == column.name));
                other.map_or(Some((place, column.name)), |(_, other)| {
                    other.map(|other| (place, other))
                })
            })
            .collect();
        let names: Vec<_> = columns.iter().map(|(_, name)| *name).collect();
        let names = names.join(", ");
        self.types_of(table, &names).await?;
        let types = &self.types[table.name];
        let values = rows
            .iter()
            .map(|row| {
                let values = columns.iter().zip(types);
                values
                    .map(|((place, _), kind)| rows::parameter(&row[*place], kind))
                    .collect::<Result<Vec<_>, Error>>()
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let load = format!("COPY {} ({names}) FROM STDIN (FORMAT binary)", table.name);
        self.db.begin().await?;
        self.db.load(&load, types, &values).await?;
        if let Some((_, drawn)) = statements::DRAWN
            .iter()
            .find(|(name, _)| *name == table.name)
        {
            self.db.rows(drawn, &[]).await?;
        }
        self.db
            .execute("UPDATE unfinished_copy SET progress = $1", &[&progress])
            .await?;
        self.db.commit().await
    }

    async fn read_page(
        &mut self,
        table: &'static Table,
        after: Option<&[Value]>,
    ) -> Result<Vec<Row>, Error> {
        let reading = READINGS.iter().find(|reading| reading.table == table.name);
        let walk = Reading::statement(reading, table, '$');
        let walk = format!("{walk} LIMIT ${}", table.key + 1);
        let statement = self.db.statement(&walk).await?;
        let key = after.map_or_else(|| before_all(table), <[Value]>::to_vec);
        let mut parameters = key
            .iter()
            .zip(statement.params())
            .map(|(value, kind)| rows::parameter(value, kind))
            .collect::<Result<Vec<_>, _>>()?;
        parameters.push(Box::new(self.page_rows));
        let parameters: Vec<_> = parameters
            .iter()
            .map(|it| &**it as &(dyn tokio_postgres::types::ToSql + Sync))
            .collect();
        let found = self.db.rows(&walk, &parameters).await?;
        let page = found
            .iter()
            .map(|row| {
                (0..table.columns.len())
                    .map(|place| Ok(row.try_get(place)?))
                    .collect()
            })
            .collect::<Result<Vec<Row>, Error>>()?;
        self.page_rows = next_page_rows(&page);
        Ok(page)
    }
}

impl Side for Copying {
    fn count(&mut self, table: &'static Table) -> Result<u64, Error> {
        let runtime = self.runtime.clone();
        runtime.block_on(async {
            let counted = format!("SELECT count(*) FROM {}", table.name);
            super::columns::natural(&self.db.one(&counted, &[]).await?, 0)
        })
    }

    fn page(&mut self, table: &'static Table, after: Option<&[Value]>) -> Result<Vec<Row>, Error> {
        let runtime = self.runtime.clone();
        runtime.block_on(self.read_page(table, after))
    }

    fn marked_by(&mut self) -> Result<Option<String>, Error> {
        self.runtime.clone().block_on(async {
            if !is_there(&self.db, "being_copied").await? {
                return Ok(None);
            }
            let row = self.db.row("SELECT copy FROM being_copied", &[]).await?;
            Ok(row.map(|row| row.try_get(0)).transpose()?)
        })
    }

    fn stand_still(&mut self, copy: &str) -> Result<(), Error> {
        self.runtime.clone().block_on(async {
            self.db.begin().await?;
            self.db.run(statements::MARK).await?;
            self.db
                .execute("INSERT INTO being_copied (copy) VALUES ($1)", &[&copy])
                .await?;
            self.db.commit().await?;
            self.db.begin_snapshot().await?;
            // Before anything is read: the snapshot is of a moment at which nobody writes any more.
            self.db.run(statements::LOCK_OUT).await
        })
    }

    fn leave(&mut self) -> Result<(), Error> {
        self.runtime.clone().block_on(async {
            self.db.commit().await?;
            self.db.run("DROP TABLE IF EXISTS being_copied").await
        })
    }

    fn unfinished(&mut self) -> Result<Option<Unfinished>, Error> {
        self.runtime.clone().block_on(async {
            if !is_there(&self.db, "unfinished_copy").await? {
                return Ok(None);
            }
            let row = self
                .db
                .one("SELECT copy, source, progress FROM unfinished_copy", &[])
                .await?;
            Ok(Some(Unfinished {
                copy: row.try_get(0)?,
                source: row.try_get(1)?,
                progress: row.try_get(2)?,
            }))
        })
    }

    fn begin(&mut self, copy: &Unfinished) -> Result<(), Error> {
        self.runtime.clone().block_on(async {
            self.db.begin().await?;
            self.db.run(statements::BEGIN).await?;
            self.db
                .execute(
                    "INSERT INTO unfinished_copy (copy, source, progress) VALUES ($1, $2, $3)",
                    &[&copy.copy, &copy.source, &copy.progress],
                )
                .await?;
            self.db.commit().await
        })
    }

    fn write(&mut self, table: &'static Table, rows: &[Row], progress: &str) -> Result<(), Error> {
        let runtime = self.runtime.clone();
        runtime.block_on(self.write_page(table, rows, progress))
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.runtime
            .clone()
            .block_on(self.db.run("DROP TABLE unfinished_copy"))
    }
}

async fn open(server: &Server, options: Options, runtime: &Handle) -> Result<Session, Error> {
    let db = Session::open(server, &options, &Tasks::on(runtime)).await?;
    db.take_any_time().await?;
    db.run(statements::SETTINGS).await?;
    Ok(db)
}

fn place_of(table: &Table, name: &str) -> Result<usize, Error> {
    let place = table.columns.iter().position(|column| column.name == name);
    place.ok_or_else(|| contradiction(format!("{} without {name}", table.name)))
}

/// As many rows as make a page, if they are as large as the last ones.
fn next_page_rows(page: &[Row]) -> i64 {
    let Ok(rows) = i64::try_from(page.len()) else {
        return PAGE_ROWS_MAX;
    };
    let bytes = page.iter().flatten().map(Value::bytes).sum::<usize>();
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX).max(1);
    match rows {
        0 => PAGE_ROWS_FIRST,
        _ => (rows * PAGE_BYTES / bytes).clamp(1, PAGE_ROWS_MAX),
    }
}

/// A page is written in one transaction, whose commit costs as much as some thousand rows.
const PAGE_BYTES: i64 = 4 << 20;

/// Rows may be of any size where nothing is known of them.
const PAGE_ROWS_FIRST: i64 = 100;

const PAGE_ROWS_MAX: i64 = 20_000;

#[cfg(test)]
mod tests;
