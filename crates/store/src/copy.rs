//! Moving a ledger into another database, of either kind, while nobody works with it.
//!
//! A ledger is a list of tables here (`table.rs`): rows of plain values in the order of their keys, the same on both
//! sides whatever each side makes of them. They go page by page, and each page is written together with how far the copy has
//! come, so that one that was killed goes on where it stopped. At the end both sides are read again and compared row by row.
//! Only then does the target become a ledger: until then every server, and every other command, refuses it.
//!
//! What is counted within one database alone (the numbers of events, polls and attempts) is drawn anew where it must be; its
//! order stays. Leases end: whoever starts on the copy claims lanes anew.
//!
//! Absent: copying while the source is served. What would have to be followed is everything, and an hour at night is enough.

mod comparing;
mod moving;
mod progress;
mod reading;
mod table;
mod value;

use std::path::PathBuf;
use std::sync::Arc;

use oyez_domain::rules::Rules;
use tokio::runtime::Handle;

use self::progress::Progress;
pub(crate) use self::progress::Unfinished;
pub(crate) use self::reading::{Reading, before_all};
pub(crate) use self::table::{Form, TABLES, Table};
pub(crate) use self::value::{Row, Value};
use crate::{Error, postgres, sqlite};

/// Where a ledger is.
pub enum Place {
    /// In a file.
    Sqlite(PathBuf),
    /// In a database.
    Postgres(Box<postgres::Server>, postgres::Options),
}

/// What a copy needs besides its two places.
pub struct Means {
    /// Bytes that no other copy has: its name on both sides.
    pub id: [u8; 16],
    /// The source's: what a change of registrations withdrew and had no time to write is written first.
    pub rules: Arc<Rules>,
    /// What connections live on.
    pub runtime: Handle,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The source has so many rows.
    Begun {
        /// About; all tables together.
        rows: u64,
        /// Those that an earlier run has copied.
        copied: u64,
    },
    /// So many more were copied.
    Copied {
        /// Of this table.
        table: &'static str,
        /// How many.
        rows: u64,
    },
    /// All were; both sides are read again.
    Comparing {
        /// As of [`Step::Begun`].
        rows: u64,
    },
    /// So many more are the same on both sides.
    Compared {
        /// Of this table.
        table: &'static str,
        /// How many.
        rows: u64,
    },
}

/// What a copy came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// What an earlier run had copied already.
    pub rows_before: u64,
    /// Each table as it stands on both sides.
    pub tables: Vec<Compared>,
}

/// A table that is the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Its name.
    pub table: &'static str,
    /// Rows in it.
    pub rows: u64,
    /// SHA-256 over its rows in their order, in hexadecimal.
    pub checksum: String,
}

/// Why there is no copy, or only a part of one.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// The ledger that is read.
    #[error("the source")]
    Source(#[source] Error),
    /// The ledger that is written.
    #[error("the target")]
    Target(#[source] Error),
    /// There is something in the target already.
    #[error("the target is not empty: there are rows in {table}")]
    NotEmpty {
        /// A table with rows.
        table: &'static str,
    },
    /// The target holds a part of something else.
    #[error(
        "the target holds an unfinished copy of {of}, which is another ledger or has been used since"
    )]
    AnotherCopy {
        /// Where that was copied from.
        of: String,
    },
    /// The two sides are not the same.
    #[error("in {table}, {what} at {key}")]
    Differs {
        /// Which table.
        table: &'static str,
        /// The first row that differs, by its key.
        key: String,
        /// In what way.
        what: Difference,
    },
}

/// How two sides differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// The target lacks a row.
    #[error("the target lacks the row")]
    Missing,
    /// The target has a row too many.
    #[error("the target has a row that the source has not")]
    Extra,
    /// A row is not the same.
    #[error("the rows are not the same")]
    Changed,
}

/// Copies a ledger, or goes on with that, and makes sure that the copy is whole. Blocks for as long as it takes: not for the
/// threads of a runtime.
pub fn run(
    (from, to): (&Place, &Place),
    means: &Means,
    tell: &mut dyn FnMut(Step),
) -> Result<Copied, Fault> {
    let mut source = from.open_source(means).map_err(Fault::Source)?;
    let mut target = to.open_target(means).map_err(Fault::Target)?;
    let progress = begin((&mut *source, from), &mut *target, means)?;
    let rows_before = progress.rows;
    let rows = count_all(&mut *source).map_err(Fault::Source)?;
    tell(Step::Begun {
        rows,
        copied: rows_before,
    });
    moving::run(&mut *source, &mut *target, progress, tell)?;
    tell(Step::Comparing { rows });
    let tables = comparing::run(&mut *source, &mut *target, tell)?;
    target.finish().map_err(Fault::Target)?;
    // The copy is a ledger by now. A mark that stays in the source goes when somebody works with that again.
    source.leave().ok();
    Ok(Copied {
        rows_before,
        tables,
    })
}

/// The tables of a ledger and their rows, whether or not somebody works with it.
pub fn count(place: &Place, runtime: &Handle) -> Result<Vec<(&'static str, u64)>, Error> {
    let mut side = place.look(runtime)?;
    let tables = TABLES.iter();
    tables
        .map(|table| Ok((table.name, side.count(table)?)))
        .collect()
}

/// One side of a copy. A side is used as a source or as a target; either is read.
pub(crate) trait Side: Send {
    /// How many rows a table has, about.
    fn count(&mut self, table: &'static Table) -> Result<u64, Error>;

    /// The rows after a key, in their order: some, or none if there are no more.
    fn page(&mut self, table: &'static Table, after: Option<&[Value]>) -> Result<Vec<Row>, Error>;

    /// As a source: the copy that it was marked by last, if nobody has worked with it since.
    fn marked_by(&mut self) -> Result<Option<String>, Error>;

    /// As a source: marks it, and from now on reads what stands at this moment.
    fn stand_still(&mut self, copy: &str) -> Result<(), Error>;

    /// As a source: the copy is done, the mark goes.
    fn leave(&mut self) -> Result<(), Error>;

    /// As a target: the copy that it holds a part of.
    fn unfinished(&mut self) -> Result<Option<Unfinished>, Error>;

    /// As a target: from now on it is a part of a copy.
    fn begin(&mut self, copy: &Unfinished) -> Result<(), Error>;

    /// As a target: writes rows and how far that is, both or neither.
    fn write(&mut self, table: &'static Table, rows: &[Row], progress: &str) -> Result<(), Error>;

    /// As a target: it is whole, and a ledger.
    fn finish(&mut self) -> Result<(), Error>;
}

impl Place {
    fn open_source(&self, means: &Means) -> Result<Box<dyn Side>, Error> {
        Ok(match self {
            Self::Sqlite(path) => Box::new(sqlite::Copying::source(path, &means.rules)?),
            Self::Postgres(server, options) => {
                Box::new(postgres::Copying::source(server, *options, &means.runtime)?)
            }
        })
    }

    fn open_target(&self, means: &Means) -> Result<Box<dyn Side>, Error> {
        Ok(match self {
            Self::Sqlite(path) => Box::new(sqlite::Copying::target(path)?),
            Self::Postgres(server, options) => {
                Box::new(postgres::Copying::target(server, *options, &means.runtime)?)
            }
        })
    }

    fn look(&self, runtime: &Handle) -> Result<Box<dyn Side>, Error> {
        Ok(match self {
            Self::Sqlite(path) => Box::new(sqlite::Copying::look(path)?),
            Self::Postgres(server, options) => {
                Box::new(postgres::Copying::look(server, *options, runtime)?)
            }
        })
    }

    /// For people.
    fn shown(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(server, _) => server.shown(),
        }
    }
}

/// Begins a copy, or finds the one that was begun: the same name stands on both sides.
fn begin(
    (source, from): (&mut dyn Side, &Place),
    target: &mut dyn Side,
    means: &Means,
) -> Result<Progress, Fault> {
    if let Some(unfinished) = target.unfinished().map_err(Fault::Target)? {
        let marked_by = source.marked_by().map_err(Fault::Source)?;
        if marked_by.as_ref() != Some(&unfinished.copy) {
            return Err(Fault::AnotherCopy {
                of: unfinished.source,
            });
        }
        let progress = Progress::read(&unfinished.progress).map_err(Fault::Target)?;
        source
            .stand_still(&unfinished.copy)
            .map_err(Fault::Source)?;
        return Ok(progress);
    }
    for table in TABLES {
        if target.count(table).map_err(Fault::Target)? > 0 {
            return Err(Fault::NotEmpty { table: table.name });
        }
    }
    let progress = Progress::default();
    let copy = hex(&means.id);
    source.stand_still(&copy).map_err(Fault::Source)?;
    let unfinished = Unfinished {
        copy,
        source: from.shown(),
        progress: progress.text(),
    };
    target.begin(&unfinished).map_err(Fault::Target)?;
    Ok(progress)
}

/// Bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn count_all(side: &mut dyn Side) -> Result<u64, Error> {
    let counts = TABLES.iter().map(|table| side.count(table));
    counts.sum()
}
