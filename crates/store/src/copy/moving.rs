//! Rows from the source to the target: one thread reads a page while another writes the one before.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::progress::Progress;
use super::table::Table;
use super::value::{Row, Value};
use super::{Fault, Side, Step};
use crate::Error;

/// Rows of one table that follow each other.
struct Page {
    table: &'static Table,
    rows: Vec<Row>,
}

/// Copies what is left.
pub(super) fn run(
    source: &mut dyn Side,
    target: &mut dyn Side,
    mut progress: Progress,
    tell: &mut dyn FnMut(Step),
) -> Result<(), Fault> {
    let rest = progress.rest().map_err(Fault::Target)?;
    thread::scope(|scope| {
        let (sender, pages) = sync_channel(PAGES_AHEAD);
        scope.spawn(move || read(source, rest, &sender));
        for page in pages {
            let Page { table, rows } = page.map_err(Fault::Source)?;
            progress.advance(table, &rows);
            target
                .write(table, &rows, &progress.text())
                .map_err(Fault::Target)?;
            tell(Step::Copied {
                table: table.name,
                rows: rows.len() as u64,
            });
        }
        Ok(())
    })
}

/// Reads until there are no more rows, or nobody to write them.
fn read(
    source: &mut dyn Side,
    (tables, mut after): (&'static [&'static Table], Option<Vec<Value>>),
    pages: &SyncSender<Result<Page, Error>>,
) {
    for &table in tables {
        let mut key = after.take();
        loop {
            let page = source.page(table, key.as_deref());
            let page = page.map(|rows| Page { table, rows });
            match &page {
                Ok(page) => match page.rows.last() {
                    Some(last) => key = Some(last[..table.key].to_vec()),
                    None => break,
                },
                Err(_) => return drop(pages.send(page)),
            }
            if pages.send(page).is_err() {
                return;
            }
        }
    }
}

/// One that is written, one that waits, one that is read: what is held in memory is three pages.
const PAGES_AHEAD: usize = 1;
