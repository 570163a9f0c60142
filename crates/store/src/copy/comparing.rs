//! Whether both sides say the same: read again, side by side.

use std::vec;

use sha2::{Digest, Sha256};

use super::table::{Growth, TABLES, Table};
use super::value::{Row, Value};
use super::{Compared, Difference, Fault, Side, Step, hex};
use crate::Error;

/// Compares all tables; the first difference ends it.
pub(super) fn run(
    source: &mut dyn Side,
    target: &mut dyn Side,
    tell: &mut dyn FnMut(Step),
) -> Result<Vec<Compared>, Fault> {
    let tables = TABLES.iter();
    tables
        .map(|table| compare(table, source, target, tell))
        .collect()
}

fn compare(
    table: &'static Table,
    source: &mut dyn Side,
    target: &mut dyn Side,
    tell: &mut dyn FnMut(Step),
) -> Result<Compared, Fault> {
    let (mut here, mut there) = (Walk::of(source, table), Walk::of(target, table));
    let (mut digest, mut rows, mut told) = (Sha256::new(), 0, 0);
    let mut bytes = Vec::new();
    loop {
        let row = here.next().map_err(Fault::Source)?;
        let mut other = there.next().map_err(Fault::Target)?;
        // What the target had to add to a table of words, such as a kind of settled events alone.
        while table.growth == Growth::MayGrow && is_before(table, other.as_deref(), row.as_deref())
        {
            other = there.next().map_err(Fault::Target)?;
        }
        let (row, other) = match (row, other) {
            (None, None) => break,
            (Some(row), Some(other)) => (row, other),
            (Some(row), None) => return Err(differs(table, &row, Difference::Missing)),
            (None, Some(other)) => return Err(differs(table, &other, Difference::Extra)),
        };
        if !table.compared(&row).eq(table.compared(&other)) {
            return Err(first_of(table, &row, &other));
        }
        bytes.clear();
        table
            .compared(&row)
            .for_each(|value| value.encode(&mut bytes));
        digest.update(&bytes);
        rows += 1;
        if rows % TOLD_EVERY == 0 {
            told = rows;
            tell(Step::Compared {
                table: table.name,
                rows: TOLD_EVERY,
            });
        }
    }
    tell(Step::Compared {
        table: table.name,
        rows: rows - told,
    });
    let digest = digest.finalize();
    Ok(Compared {
        table: table.name,
        rows,
        checksum: hex(&digest),
    })
}

fn is_before(table: &Table, one: Option<&[Value]>, other: Option<&[Value]>) -> bool {
    one.is_some_and(|one| other.is_none_or(|other| one[..table.key] < other[..table.key]))
}

/// Of two rows that are not the same, the one that the other side lacks, if it does.
fn first_of(table: &'static Table, row: &Row, other: &Row) -> Fault {
    let (key, other_key): (Vec<_>, Vec<_>) =
        (table.key_of(row).collect(), table.key_of(other).collect());
    match key.cmp(&other_key) {
        std::cmp::Ordering::Less => differs(table, row, Difference::Missing),
        std::cmp::Ordering::Greater => differs(table, other, Difference::Extra),
        std::cmp::Ordering::Equal => differs(table, row, Difference::Changed),
    }
}

fn differs(table: &'static Table, row: &Row, what: Difference) -> Fault {
    let names = table.columns[..table.key].iter().map(|column| column.name);
    let parts = names
        .zip(row)
        .map(|(name, value)| format!("{name} {value}"));
    Fault::Differs {
        table: table.name,
        key: parts.collect::<Vec<_>>().join(", "),
        what,
    }
}

/// The rows of one side, one at a time.
struct Walk<'a> {
    side: &'a mut dyn Side,
    table: &'static Table,
    page: vec::IntoIter<Row>,
    after: Option<Vec<Value>>,
}

impl<'a> Walk<'a> {
    fn of(side: &'a mut dyn Side, table: &'static Table) -> Self {
        Self {
            side,
            table,
            page: Vec::new().into_iter(),
            after: None,
        }
    }

    fn next(&mut self) -> Result<Option<Row>, Error> {
        if self.page.len() == 0 {
            let page = self.side.page(self.table, self.after.as_deref())?;
            if let Some(last) = page.last() {
                self.after = Some(last[..self.table.key].to_vec());
            }
            self.page = page.into_iter();
        }
        Ok(self.page.next())
    }
}

/// Rows between two words about it.
const TOLD_EVERY: u64 = 1_000;
