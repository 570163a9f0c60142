//! The schema's history, and the settings every promise rests on.

use oyez_domain::event::{EventType, EventTypes};
use oyez_domain::ledger::lanes::{Health, HealthState, LaneFilter};
use rusqlite::Connection;

use super::{Home, accept, at, balance, poll, signed, subscribe, tpp};
use crate::Store;
use crate::sqlite::codes::to_json;
use crate::sqlite::{Options, lanes, migrations};

/// Rows that a schema can hold, and a question that must have the same answer in every later one.
struct Sample {
    rows: &'static str,
    question: &'static str,
    answer: i64,
}

/// One per schema, from the empty file to the newest: whoever adds a migration adds what it must keep.
const SAMPLES: &[Sample] = &[
    Sample {
        rows: "",
        question: "SELECT count(*) FROM tpps",
        answer: 0,
    },
    Sample {
        rows: "
            INSERT INTO tpps VALUES (1, 'tpp', '{}', 0, NULL, NULL, 5, 5);
            INSERT INTO queues (tpp, accepted, acknowledged) VALUES (1, 2, 1);
            INSERT INTO registrations VALUES (1, 0, 's-1', '{}', 'v4.0', 5, 5);
            INSERT INTO events VALUES (1, x'01', 1, 1, 5, 'r', NULL, '{}'), (2, x'02', 1, 2, 5, 'r', 't', '{}');
            INSERT INTO outstanding (tpp, position, event, jti, family, accepted_at, due_at)
                VALUES (1, 2, 2, x'02', 0, 5, 5);
            INSERT INTO sets VALUES (1, 'jws', 'k', 6);
            INSERT INTO superseded_sets VALUES (1, 2, 'jws', 'j', 6);
            INSERT INTO disowned_keys VALUES ('j', 7);
            INSERT INTO polls VALUES (1, 'i', 6);
            INSERT INTO hand_outs VALUES (1, 1);
            INSERT INTO set_errors VALUES (1, 1, 1, 'e', '');
            INSERT INTO attempts (event, started_at, latency_ns, interaction_id, verdict) VALUES (1, 6, 1, 'j', 2);
            INSERT INTO settlements VALUES (1, 0, 7, 11, NULL, 0);
            INSERT INTO idempotency VALUES (1, 'k', x'00', x'01', 5);
            INSERT INTO minutes VALUES (1, 0, 2, 1, 1, 1, 0, 0, 0);
            INSERT INTO nodes VALUES ('n', 1, 9);
            INSERT INTO lanes (tpp, wake_at) VALUES (1, 5);
            INSERT INTO audit (at, actor, action, tpp) VALUES (5, 'system', 'tpp.registered', 1);",
        question: "
            SELECT (SELECT sum(accepted - acknowledged) FROM queues) + (SELECT count(*) FROM outstanding)
                + (SELECT count(*) FROM events JOIN settlements USING (event) JOIN sets USING (event))
                + (SELECT count(*) FROM superseded_sets JOIN disowned_keys USING (kid))",
        answer: 4,
    },
    // An outage declared before reasons were kept has one, so that the lane can be read.
    Sample {
        rows: "
            INSERT INTO tpps VALUES (1, 'tpp', '{}', 0, NULL, NULL, 5, 5), (2, 'two', '{}', 0, NULL, NULL, 5, 5);
            INSERT INTO queues (tpp, accepted) VALUES (1, 1);
            INSERT INTO events VALUES (1, x'01', 1, 1, 5, 'r', NULL, '{}');
            INSERT INTO outstanding (tpp, position, event, jti, family, accepted_at, due_at, push_at,
                refusals, refused_since, endpoint_failures, flight_until, is_overtaken)
                VALUES (1, 1, 1, x'01', 0, 5, 5, 9, 2, 6, 3, 9, 1);
            INSERT INTO lanes (tpp, health, since, failures, next_probe_at, reason) VALUES (1, 1, 5, 1, 9, '503');",
        question: "
            SELECT refusals + endpoint_failures + (SELECT count(*) FROM lanes WHERE reason = '503')
            FROM outstanding",
        answer: 6,
    },
    // What was accepted without an address has been so since the first position that is not pushed.
    Sample {
        rows: "
            INSERT INTO tpps VALUES (1, 'tpp', '{}', 0, NULL, NULL, 5, 5);
            INSERT INTO queues (tpp, accepted, begun, unlisted_from) VALUES (1, 1, 2, 1);
            INSERT INTO events VALUES (1, x'01', 1, 1, 5, 'r', NULL, '{}');
            INSERT INTO outstanding (tpp, position, event, jti, family, accepted_at, due_at, push_at, refusals, begun)
                VALUES (1, 1, 1, x'01', 0, 5, 5, 9, 2, 1);",
        question: "SELECT begun + unlisted_from + (SELECT refusals + begun FROM outstanding) FROM queues",
        answer: 6,
    },
    Sample {
        rows: "
            INSERT INTO tpps VALUES (1, 'tpp', '{}', 0, NULL, NULL, 5, 5);
            INSERT INTO queues (tpp, accepted, withdrawn) VALUES (1, 2, 1);
            INSERT INTO events VALUES (1, x'01', 1, 1, 5, 'r', NULL, '{}'), (2, x'02', 1, 2, 5, 'r', NULL, '{}');
            INSERT INTO kinds VALUES (1, '[\"a\"]'), (2, '[\"b\"]');
            INSERT INTO queue_kinds VALUES (1, 1, 1);
            INSERT INTO outstanding (tpp, position, event, jti, family, kind, accepted_at, due_at)
                VALUES (1, 1, 1, x'01', 0, 1, 5, 5), (1, 2, 2, x'02', 0, 2, 5, 5);
            INSERT INTO withdrawals VALUES (1, 2, 6, 41, NULL);
            INSERT INTO withdrawn_kinds VALUES (1, 2);",
        question: "
            SELECT sum(o.position * (1 + (w.kind IS NOT NULL))) FROM outstanding o
            LEFT JOIN withdrawn_kinds w USING (tpp, kind)",
        answer: 5,
    },
    Sample {
        rows: "
            INSERT INTO tpps VALUES (1, 'tpp', '{}', 0, NULL, NULL, 5, 5);
            INSERT INTO lanes (tpp, wake_at, owner, epoch, claim) VALUES (1, 5, 'n', 1, 3);",
        question: "SELECT claim + epoch FROM lanes",
        answer: 4,
    },
    Sample {
        rows: "
            INSERT INTO audit (at, actor, action, number, hash) VALUES (5, 'system', 'key.disowned', 1, x'07');
            INSERT INTO audit_heads VALUES (0, 1, x'07');",
        question: "SELECT count(*) FROM audit a JOIN audit_heads h USING (number, hash)",
        answer: 1,
    },
    Sample {
        rows: "
            INSERT INTO tpps VALUES (1, 'tpp', '{}', 0, NULL, NULL, 5, 5);
            INSERT INTO requests VALUES (1, 5, 'i', 'poll_events', 200, NULL, 3);
            INSERT INTO health_changes VALUES (1, 5, 1, 2, '503');",
        question: "SELECT sum(took_ms + failures) FROM requests JOIN health_changes USING (tpp)",
        answer: 5,
    },
];

/// Notices with one type, with the same in another event, and with two in an order of the publisher's own.
const OF_THREE_KINDS: &str = r#"
    INSERT INTO tpps VALUES (1, 'one', '{}', 0, NULL, NULL, 5, 5), (2, 'two', '{}', 0, NULL, NULL, 5, 5);
    INSERT INTO queues (tpp, accepted) VALUES (1, 4), (2, 1);
    INSERT INTO events VALUES (1, x'01', 1, 1, 5, 'r', NULL, '{"happenings":[{"type":"urn:b"}]}'),
        (2, x'02', 1, 2, 5, 'r', NULL, '{"happenings":[{"type":"urn:b","reason":"x"},{"type":"urn:a"}]}'),
        (3, x'03', 1, 3, 5, 'r', NULL, '{"happenings":[{"type":"urn:b","reason":"y"}]}'),
        (4, x'04', 1, 4, 5, 'r', NULL, '{"happenings":[{"type":"urn:\"c\""}]}'),
        (5, x'05', 2, 1, 5, 'r', NULL, '{"happenings":[{"type":"urn:settled"}]}');
    INSERT INTO outstanding (tpp, position, event, jti, family, accepted_at, due_at, push_at)
        VALUES (1, 1, 1, x'01', 0, 5, 9, 9), (1, 2, 2, x'02', 0, 5, 5, NULL), (1, 3, 3, x'03', 0, 5, 5, NULL);
    INSERT INTO failed VALUES (1, 4, 4, x'04', 0, 5, 1);"#;

// S-05, S-12
#[test]
fn what_was_outstanding_before_kinds_gets_its_kind_from_its_notice() {
    for schema in 1..=3 {
        let mut db = Connection::open_in_memory().unwrap();
        for migration in &migrations::MIGRATIONS[..schema] {
            db.execute_batch(migration.sql).unwrap();
        }
        db.pragma_update(None, "user_version", i64::try_from(schema).unwrap())
            .unwrap();
        db.execute_batch(OF_THREE_KINDS).unwrap();
        migrations::apply(&mut db).unwrap();
        let mut of_rows = db
            .prepare(
                "SELECT position, types FROM (SELECT position, kind FROM outstanding
                    UNION ALL SELECT position, kind FROM failed) JOIN kinds USING (kind) ORDER BY position",
            )
            .unwrap();
        let found = of_rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        let found: Vec<(i64, String)> = found.unwrap().map(Result::unwrap).collect();
        let types = |types: &[&str]| {
            let types = types.iter().map(|urn| EventType((*urn).to_owned()));
            to_json(&EventTypes(types.collect()))
        };
        let expected = [
            (1, types(&["urn:b"])),
            (2, types(&["urn:b", "urn:a"])),
            (3, types(&["urn:b"])),
            (4, types(&["urn:\"c\""])),
        ];
        assert_eq!(found, expected, "schema {schema}");
        let may_be = "SELECT group_concat(from_position) FROM (SELECT from_position FROM queue_kinds ORDER BY 1)";
        let may_be: String = db.query_row(may_be, [], |row| row.get(0)).unwrap();
        assert_eq!(may_be, "1,2", "schema {schema}");
    }
}

// D-07, S-12
#[test]
fn what_was_overtaken_or_had_no_address_before_bounds_stays_so() {
    let mut db = Connection::open_in_memory().unwrap();
    for migration in &migrations::MIGRATIONS[..2] {
        db.execute_batch(migration.sql).unwrap();
    }
    db.pragma_update(None, "user_version", 2).unwrap();
    db.execute_batch(
        "INSERT INTO tpps VALUES (1, 'one', '{}', 0, NULL, NULL, 5, 5), (2, 'two', '{}', 0, NULL, NULL, 5, 5);
        INSERT INTO queues (tpp, accepted) VALUES (1, 3), (2, 0);
        INSERT INTO events VALUES (1, x'01', 1, 1, 5, 'r', NULL, '{}'), (2, x'02', 1, 2, 5, 'r', NULL, '{}'),
            (3, x'03', 1, 3, 5, 'r', NULL, '{}');
        INSERT INTO outstanding (tpp, position, event, jti, family, accepted_at, due_at, push_at, is_overtaken)
            VALUES (1, 1, 1, x'01', 0, 5, 9, 9, 1), (1, 2, 2, x'02', 0, 5, 5, NULL, 0),
                (1, 3, 3, x'03', 0, 5, 5, NULL, 0);",
    )
    .unwrap();
    migrations::apply(&mut db).unwrap();
    let unlisted = "SELECT group_concat(ifnull(unlisted_from, '-')) FROM queues";
    let overtaken =
        "SELECT group_concat(o.begun <> q.begun) FROM outstanding o JOIN queues q USING (tpp)";
    for (question, answer) in [(unlisted, "2,-"), (overtaken, "1,0,0")] {
        let found: String = db.query_row(question, [], |row| row.get(0)).unwrap();
        assert_eq!(found, answer, "{question}");
    }
}

#[test]
fn every_migration_keeps_what_was_there() {
    let newest = usize::try_from(migrations::newest()).unwrap();
    assert_eq!(SAMPLES.len(), newest + 1, "a sample for each schema");
    for (schema, sample) in SAMPLES.iter().enumerate() {
        let mut db = Connection::open_in_memory().unwrap();
        for migration in &migrations::MIGRATIONS[..schema] {
            db.execute_batch(migration.sql).unwrap();
        }
        db.pragma_update(None, "user_version", i64::try_from(schema).unwrap())
            .unwrap();
        db.execute_batch(sample.rows).unwrap();
        migrations::apply(&mut db).unwrap();
        let answer: i64 = db.query_row(sample.question, [], |row| row.get(0)).unwrap();
        assert_eq!(answer, sample.answer, "rows of schema {schema}");
        assert_eq!(migrations::version(&db).unwrap(), migrations::newest());
    }
}

// D-06, D-07
#[test]
fn what_was_pushed_before_its_counters_were_kept_begins_with_none() {
    let mut db = Connection::open_in_memory().unwrap();
    db.execute_batch(migrations::MIGRATIONS[0].sql).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    db.execute_batch(
        "INSERT INTO tpps VALUES (1, 'one', '{}', 0, NULL, NULL, 5, 5), (2, 'two', '{}', 0, NULL, NULL, 5, 5),
            (3, 'three', '{}', 0, NULL, NULL, 5, 5), (4, 'four', '{}', 0, NULL, NULL, 5, 5);
        INSERT INTO queues (tpp, accepted) VALUES (1, 2), (2, 0), (3, 0), (4, 0);
        INSERT INTO events VALUES (1, x'01', 1, 1, 5, 'r', NULL, '{}'), (2, x'02', 1, 2, 5, 'r', NULL, '{}');
        INSERT INTO outstanding (tpp, position, event, jti, family, accepted_at, due_at, push_at)
            VALUES (1, 1, 1, x'01', 0, 5, 9, 9), (1, 2, 2, x'02', 0, 5, 5, NULL);
        INSERT INTO lanes (tpp, health, since, declared_at, failures, next_probe_at) VALUES
            (1, 0, NULL, NULL, 0, NULL), (2, 1, 5, NULL, 3, 9), (3, 2, 5, 7, 9, NULL), (4, 3, 5, NULL, 0, NULL);",
    )
    .unwrap();
    migrations::apply(&mut db).unwrap();
    let counted: i64 = db
        .query_row(
            "SELECT count(*) FROM outstanding WHERE refusals = 0 AND refused_since IS NULL
                AND endpoint_failures = 0 AND flight_until IS NULL",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(counted, 2);
    let all = lanes::list(&db, LaneFilter::default(), None, 9).unwrap();
    let told: Vec<(HealthState, Option<String>)> = all
        .rows
        .into_iter()
        .map(|lane| match lane.health {
            Health::Failing { ref reason, .. } | Health::Unresponsive { ref reason, .. } => {
                (lane.health.state(), Some(reason.to_string()))
            }
            Health::Responsive | Health::Paused { .. } => (lane.health.state(), None),
        })
        .collect();
    let before = || Some("declared before reasons were kept".to_owned());
    let expected = [
        (HealthState::Paused, None),
        (HealthState::Responsive, None),
        (HealthState::Unresponsive, before()),
        (HealthState::Failing, before()),
    ];
    assert_eq!(told, expected, "four, one, three, two");
}

#[tokio::test]
async fn the_settings_are_those_that_durability_needs() {
    let home = Home::new(Options::default());
    let setting = |name: &'static str| {
        home.ledger.write(move |unit| {
            let sql = format!("PRAGMA {name}");
            Ok(unit
                .db
                .query_row(&sql, [], |row| row.get::<_, rusqlite::types::Value>(0))?)
        })
    };
    assert_eq!(setting("synchronous").await.unwrap(), 2.into());
    assert_eq!(
        setting("journal_mode").await.unwrap(),
        "wal".to_owned().into()
    );
    assert_eq!(setting("mmap_size").await.unwrap(), 0.into());
    assert_eq!(setting("page_size").await.unwrap(), 8192.into());
}

// I-03, I-06
#[tokio::test]
async fn every_row_that_names_another_finds_it() {
    let home = Home::new(Options::default());
    let ledger = &home.ledger;
    subscribe(ledger, &tpp()).await;
    accept(ledger, &tpp(), 0..100).await;
    let polled = ledger.poll(poll(&tpp(), vec![], 50), at(1)).await.unwrap();
    let sets = polled
        .work
        .iter()
        .map(|work| signed(&tpp(), work.jti))
        .collect();
    ledger.keep_sets(sets, at(1)).await.unwrap();
    let operator = oyez_domain::actor::Actor::Operator("ops".to_owned());
    let disowned = ledger.disown_key(operator, "k-1".to_owned(), at(1));
    assert_eq!(disowned.await.unwrap(), 50);
    let acks = polled.work.iter().map(|work| work.jti).take(20).collect();
    ledger.poll(poll(&tpp(), acks, 10), at(2)).await.unwrap();
    let retention = oyez_domain::ledger::history::Retention {
        settled_for: std::time::Duration::ZERO,
        keys_for: std::time::Duration::ZERO,
        minutes_for: std::time::Duration::ZERO,
        batch_max: 7,
    };
    let swept = ledger.sweep(retention, at(10)).await.unwrap();
    assert_eq!(swept.events, 7);
    let dangling = ledger.read(|db| {
        let mut statement = db.prepare("PRAGMA foreign_key_check")?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    });
    assert_eq!(dangling.await.unwrap(), [""; 0]);
    balance(ledger).await;
}
