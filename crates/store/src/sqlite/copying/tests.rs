//! That a copy takes along every table and column of this schema, and reads each along an index.

use std::collections::BTreeSet;

use super::*;
use crate::copy::TABLES;

/// What stands in another table of a copy, or is not taken along.
const LEFT: &[(&str, &[&str], &str)] = &[
    (
        "sqlite_sequence",
        &["name", "seq"],
        "SQLite's own; grows with what is written",
    ),
    (
        "queue_kinds",
        &["tpp", "kind", "from_position"],
        "in queues",
    ),
    (
        "withdrawals",
        &["tpp", "from_position", "at", "outcome", "actor"],
        "done before",
    ),
    ("withdrawn_kinds", &["tpp", "kind"], "see withdrawals"),
    ("events", &["event"], "a number of this file"),
    ("outstanding", &["event"], "see events"),
    ("failed", &["event"], "see events"),
    ("sets", &["event"], "see events"),
    (
        "superseded_sets",
        &["event", "entry"],
        "see events; the order is in nth",
    ),
    ("polls", &["poll"], "a number of this file"),
    ("hand_outs", &["event"], "see events"),
    ("set_errors", &["event"], "see events"),
    (
        "attempts",
        &["event", "attempt"],
        "see events; the number is the entry",
    ),
    ("settlements", &["event"], "see events"),
];

fn fresh() -> (tempfile::TempDir, Copying) {
    let directory = tempfile::tempdir().unwrap();
    let side = Copying::target(&directory.path().join("ledger.db")).unwrap();
    (directory, side)
}

#[test]
fn every_column_of_the_schema_is_copied_or_left_for_a_reason() {
    let (_directory, side) = fresh();
    let mut statement = side
        .db
        .prepare(
            "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'",
        )
        .unwrap();
    let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    for column in columns.unwrap() {
        let (table, column): (String, String) = column.unwrap();
        let copied = TABLES
            .iter()
            .any(|known| known.name == table && known.columns.iter().any(|it| it.name == column));
        let left = LEFT
            .iter()
            .any(|(name, columns, _)| *name == table && columns.contains(&column.as_str()));
        assert!(
            copied != left,
            "{table}.{column}: copied {copied}, left {left}"
        );
    }
}

#[test]
fn every_page_is_a_walk_along_indexes() {
    let (_directory, mut side) = fresh();
    side.find_owners().unwrap();
    for table in TABLES {
        let reading = READINGS.iter().find(|reading| reading.table == table.name);
        let sql = Reading::statement(reading, table, '?');
        let mut statement = side
            .db
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        bind(&mut statement, &before_all(table)).unwrap();
        let mut rows = statement.raw_query();
        let mut steps = BTreeSet::new();
        while let Some(row) = rows.next().unwrap() {
            // What is below a column of the answer concerns one row.
            if row.get::<_, i64>(1).unwrap() == 0 {
                steps.insert(row.get::<_, String>(3).unwrap());
            }
        }
        for step in &steps {
            let walks = step.starts_with("SEARCH")
                || step.starts_with("CORRELATED")
                || step.starts_with("SCALAR")
                || step.contains("LAST TERM OF ORDER BY");
            assert!(walks, "{}: {steps:#?}", table.name);
        }
    }
}
