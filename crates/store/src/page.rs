//! Pages of lists: how long they may be, and whether there is another.

use oyez_domain::ledger::history::Page;

/// How many rows a list may have: what was asked, within reason.
pub(crate) const fn rows_wanted(rows_max: u32) -> u32 {
    if rows_max < ROWS_MAX {
        rows_max
    } else {
        ROWS_MAX
    }
}

/// A page from rows that were asked for with one to spare.
pub(crate) fn page<T, C>(mut rows: Vec<T>, rows_max: u32, cursor: impl Fn(&T) -> C) -> Page<T, C> {
    let wanted = usize::try_from(rows_wanted(rows_max)).unwrap_or(usize::MAX);
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = rows.last().filter(|_| has_more).map(cursor);
    Page { rows, next }
}

/// More than a screen and less than a burden.
const ROWS_MAX: u32 = 1000;
