//! That a copy takes along every table and column of this schema, and reads each along an index.

use oyez_testkit::making::DAWN;
use oyez_testkit::postgres::{Database, runtime};

use super::super::session;
use super::*;
use crate::copy::TABLES;

/// What stands in another column of a copy, or is not taken along.
const LEFT: &[(&str, &[&str], &str)] = &[
    (
        "schema_versions",
        &["version", "name", "serves_from", "applied_at"],
        "the target has its own",
    ),
    (
        "queues",
        &["first_position", "due_from", "push_from"],
        "zero is always right",
    ),
    (
        "queues",
        &["unordered_to"],
        "set at the end: nothing is known of the order",
    ),
    ("events", &["kind"], "as types"),
    (
        "disowned_keys",
        &[
            "actor",
            "superseded",
            "walked_tpp",
            "walked_position",
            "is_over",
        ],
        "a source is not copied while a key is being disowned; the audit trail says who did it",
    ),
    ("nodes", &["attends_until"], "nobody serves a copy"),
];

#[tokio::test]
async fn every_column_of_the_schema_is_copied_or_left_for_a_reason() {
    let database = Database::new().await;
    let columns = database
        .ask(
            "SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                AND a.attnum > 0 AND NOT a.attisdropped",
        )
        .await;
    assert!(columns.len() > 100, "{columns:?}");
    for name in columns {
        let (table, column) = name.split_once('.').unwrap();
        let copied = TABLES
            .iter()
            .any(|known| known.name == table && known.columns.iter().any(|it| it.name == column));
        let left = LEFT
            .iter()
            .any(|(name, columns, _)| *name == table && columns.contains(&column));
        assert!(copied != left, "{name}: copied {copied}, left {left}");
    }
}

#[tokio::test]
async fn every_page_is_a_walk_along_indexes() {
    let database = Database::new().await;
    let (address, name) = database.place();
    let server = Server::parse(&address).unwrap().database(name);
    let tasks = Tasks::on(runtime().handle());
    let db = Session::open(&server, &Options::default(), &tasks)
        .await
        .unwrap();
    let span = Span::of(DAWN);
    let parts = Partitions::default();
    parts.make(&db, [span, span.next()]).await.unwrap();
    let settings = session::settings(&Options::default());
    for table in TABLES {
        let reading = READINGS.iter().find(|reading| reading.table == table.name);
        let sql = Reading::statement(reading, table, '$');
        let nulls = vec!["NULL"; table.key].join(", ");
        let plan = database
            .ask(&format!(
                "{settings}; PREPARE it AS {sql} LIMIT 100; EXPLAIN (COSTS off) EXECUTE it ({nulls})"
            ))
            .await;
        assert!(
            !plan.join("\n").contains("Seq Scan"),
            "{}: {plan:#?}",
            table.name
        );
        // What is below a column of the answer concerns one row.
        let mut whole = plan.iter().take_while(|line| !line.contains("SubPlan"));
        assert!(
            !whole.any(|line| line.contains("Sort  ") || line.ends_with("Sort")),
            "{}: {plan:#?}",
            table.name
        );
    }
}
