//! How far a copy has come: what stands in the target beside its rows.

use serde::{Deserialize, Serialize};

use super::table::{TABLES, Table};
use super::value::{Row, Value};
use crate::Error;
use crate::codes::{from_json, to_json};
use crate::error::contradiction;

/// A copy that a target holds a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfinished {
    /// Its name; the source is marked by the same.
    pub(crate) copy: String,
    /// Where it is copied from, for people.
    pub(crate) source: String,
    /// See [`Progress`].
    pub(crate) progress: String,
}

/// The last row that was written, and how many were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The table that rows were written to last. Those before it are done.
    table: Option<String>,
    /// The key of the last row in it.
    after: Option<Vec<Value>>,
    /// Rows of all tables so far.
    pub(super) rows: u64,
}

impl Progress {
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        from_json(text, "the progress of a copy")
    }

    pub(super) fn text(&self) -> String {
        to_json(self)
    }

    /// Where to go on: the tables that are left, and the key in the first of them.
    pub(super) fn rest(&self) -> Result<(&'static [&'static Table], Option<Vec<Value>>), Error> {
        let Some(name) = &self.table else {
            return Ok((TABLES, None));
        };
        let place = TABLES.iter().position(|table| table.name == name);
        let place = place.ok_or_else(|| contradiction(format!("a copy of a table {name}")))?;
        Ok((&TABLES[place..], self.after.clone()))
    }

    /// These rows come next.
    pub(super) fn advance(&mut self, table: &'static Table, rows: &[Row]) {
        self.table = Some(table.name.to_owned());
        self.after = rows.last().map(|row| row[..table.key].to_vec());
        self.rows += rows.len() as u64;
    }
}
