//! How a statement is written that has one plan, whatever the statistics say.
//!
//! Plans are generic and stay (see [`super::session::settings`]), so one that was made while a table was empty is kept until
//! somebody counts again: with tens of thousands of rows by then. For an empty table all plans cost the same, and the planner
//! may take any: the whole index walked once per key, or an index that has the key as a later column. So nothing is left to it:
//!
//! - **Joins go one way.** `q.tpp = ANY (ARRAY[a.tpp])` instead of `q.tpp = a.tpp`: no order of `q` is of use for that, so `q` is
//!   not walked from end to end. It is looked into once per row of `a`, by its index.
//! - **One index is in order.** Where several indexes begin alike, the key is looked up as a walk of one step (`of_key!`):
//!   a range of rows that is one row, in the order of its columns. Only the index on exactly these columns has that order, and
//!   sorting is switched off.
//! - **What changes is looked up first.** UPDATE and DELETE know no order, so they are given the places (`ctid`) that such
//!   a walk found. A place is good for as long as its row is not written: whoever writes to `outstanding` or `failed` has the lock
//!   of the row's TPP before the statement begins. Parts of history have places that are alike, and are given keys.
//! - **A partial index is not asked by accident.** `superseded IS NOT TRUE` says what `NOT superseded` does, and does not match the
//!   indexes that are for the ages and the ends of all TPPs.
//!
//! A test holds all hot statements to it (tests/plans.rs).

/// The conditions and the order of a look-up: of what (a table's other name), by two columns, and the values of these.
macro_rules! of_key {
    ($of:literal, ($first:literal, $second:literal) = ($one:literal, $two:literal)) => {
        concat!(
            "(",
            $of,
            ".",
            $first,
            ", ",
            $of,
            ".",
            $second,
            ") BETWEEN (",
            $one,
            ", ",
            $two,
            ") AND (",
            $one,
            ", ",
            $two,
            ") ORDER BY ",
            $of,
            ".",
            $first,
            ", ",
            $of,
            ".",
            $second,
            " LIMIT 1"
        )
    };
}
pub(super) use of_key;
