//! Every hot statement walks the index that was made for it, whatever the planner thinks of the sizes.

use oyez_domain::event::EventType;
use oyez_domain::ids::{InteractionId, ResourceId, TransactionId};
use oyez_domain::ledger::history::{EventFilter, StateFilter};
use oyez_domain::life::Ending;
use rusqlite::{Connection, StatementStatus};

use super::tpp;
use crate::sqlite::{
    attempts, clock, event_list, file, keys, lanes, migrations, poll, push, retention, sets,
    settle, work,
};

fn plan(db: &Connection, statement: &str) -> Vec<String> {
    let mut explained = db
        .prepare(&format!("EXPLAIN QUERY PLAN {statement}"))
        .unwrap();
    let mut rows = explained.raw_query();
    let mut plan = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        plan.push(row.get(3).unwrap());
    }
    plan
}

fn empty() -> Connection {
    let mut db = Connection::open_in_memory().unwrap();
    migrations::apply(&mut db).unwrap();
    db
}

fn assert_plans(expected: &[(&str, &[&str])]) {
    let db = empty();
    for (statement, expected) in expected {
        let plan = plan(&db, statement);
        let steps: Vec<&str> = plan
            .iter()
            .map(|step| step.trim_start_matches("SEARCH "))
            .collect();
        assert_eq!(steps, *expected, "{statement}");
    }
}

// I-06
#[test]
fn no_value_makes_a_statement_be_prepared_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = file::resolve(&directory.path().join("ledger.db")).unwrap();
    let (db, _) = file::open_for_writing(&path).unwrap();
    for statement in [
        push::DUE,
        push::NEXT_PUSH,
        push::OLDEST_DUE,
        lanes::OWNS,
        poll::CHOOSE,
        poll::NEXT_DUE,
    ] {
        let mut prepared = db.prepare(statement).unwrap();
        for value in 0..3 {
            for parameter in 1..=prepared.parameter_count() {
                prepared.raw_bind_parameter(parameter, value).unwrap();
            }
            prepared.raw_query().next().unwrap();
        }
        let again = prepared.get_status(StatementStatus::RePrepare);
        assert_eq!(again, 0, "{statement}");
    }
}

// I-06
#[test]
fn hot_statements_use_their_index() {
    let by_jti = "outstanding USING INDEX outstanding_by_jti (jti=?)";
    let by_key = "outstanding USING PRIMARY KEY (tpp=? AND position=?)";
    let oldest = "outstanding USING PRIMARY KEY (tpp=?)";
    let expected: &[(&str, &[&str])] = &[
        (
            poll::CHOOSE,
            &["outstanding USING INDEX outstanding_due (tpp=? AND family=? AND due_at<?)"],
        ),
        (
            poll::NEXT_DUE,
            &["outstanding USING COVERING INDEX outstanding_due (tpp=? AND family=?)"],
        ),
        (
            poll::CHOOSE_BUT_FOR_THE_CLOCK,
            &["outstanding USING INDEX outstanding_due (tpp=? AND family=? AND due_at>?)"],
        ),
        (poll::OLDEST, &[oldest]),
        (poll::HOLD_BACK, &[by_key]),
        (sets::COUNT_HAND_OUT, &[by_key]),
        (sets::RELEASE, &[by_key]),
        (settle::OUTSTANDING.find, &[by_jti]),
        (settle::OUTSTANDING.delete, &[by_key]),
        (
            settle::FAILED_ROWS.find,
            &["failed USING INDEX failed_by_jti (jti=?)"],
        ),
        (sets::FIND_OUTSTANDING, &[by_jti]),
        (work::KEPT, &["sets USING INTEGER PRIMARY KEY (rowid=?)"]),
        (
            work::NOTICE,
            &["events USING INTEGER PRIMARY KEY (rowid=?)"],
        ),
        (
            retention::EXPIRED,
            &[
                "o USING INDEX outstanding_by_age (accepted_at<?)",
                "t USING INTEGER PRIMARY KEY (rowid=?)",
                "USE TEMP B-TREE FOR LAST TERM OF ORDER BY",
            ],
        ),
        (
            retention::OLD_SETTLED,
            &["settlements USING INDEX settlements_by_age (at<?)"],
        ),
    ];
    assert_plans(expected);
}

// D-10, I-04
#[test]
fn statements_of_pushes_and_lanes_use_their_index() {
    let by_jti = "outstanding USING INDEX outstanding_by_jti (jti=?)";
    let by_key = "outstanding USING PRIMARY KEY (tpp=? AND position=?)";
    let oldest = "outstanding USING PRIMARY KEY (tpp=?)";
    let expected: &[(&str, &[&str])] = &[
        (
            push::DUE,
            &["outstanding USING INDEX outstanding_push (tpp=? AND push_at<?)"],
        ),
        (
            push::NEXT_PUSH,
            &["outstanding USING COVERING INDEX outstanding_push (tpp=? AND push_at>?)"],
        ),
        (
            push::DUE_BUT_FOR_THE_CLOCK,
            &["outstanding USING INDEX outstanding_push (tpp=? AND push_at>?)"],
        ),
        (
            clock::ACCEPTED_LATER,
            &[
                "SCAN CONSTANT ROW",
                "SCALAR SUBQUERY 1",
                "outstanding USING COVERING INDEX outstanding_by_age (accepted_at>?)",
            ],
        ),
        (push::TAKE_OFF, &[by_key]),
        (attempts::GIVE_BACK, &[by_key]),
        (attempts::OPEN, &[by_jti]),
        (push::PUT_BACK, &[by_jti]),
        (
            push::BEGIN_ONE_ANEW,
            &["outstanding USING COVERING INDEX outstanding_by_jti (jti=?)"],
        ),
        (push::BEGIN_ANEW, &[oldest]),
        (
            lanes::OWNS,
            &[
                "SCAN CONSTANT ROW",
                "SCALAR SUBQUERY 1",
                "l USING INTEGER PRIMARY KEY (rowid=?)",
                "n USING PRIMARY KEY (node_id=?)",
            ],
        ),
        (
            lanes::LIST_LANES,
            &[
                "t USING COVERING INDEX sqlite_autoindex_tpps_1 (client_id>?)",
                "l USING INTEGER PRIMARY KEY (rowid=?)",
                "q USING INTEGER PRIMARY KEY (rowid=?)",
                "n USING PRIMARY KEY (node_id=?) LEFT-JOIN",
            ],
        ),
        (
            attempts::SETTLED,
            &["events USING INDEX events_by_jti (jti=?)"],
        ),
    ];
    assert_plans(expected);
}

#[test]
fn strict_order_looks_at_the_oldest_alone() {
    let db = empty();
    for statement in [push::OLDEST_DUE, push::OLDEST_PUSH] {
        let plan = plan(&db, statement);
        let searches = plan.iter().filter(|step| step.starts_with("SEARCH"));
        assert!(
            searches
                .clone()
                .all(|step| step == "SEARCH outstanding USING PRIMARY KEY (tpp=?)"),
            "{plan:?}"
        );
        assert_eq!(searches.count(), 1, "{plan:?}");
    }
}

// M-06
#[test]
fn a_key_is_looked_for_among_what_is_not_settled_and_never_in_history() {
    let db = empty();
    let by_number = "USING INTEGER PRIMARY KEY (rowid=?)";
    for statement in [keys::SUPERSEDE, keys::NO_LONGER_SENT, keys::IN_USE] {
        let plan = plan(&db, statement);
        let reads_sets = |step: &&String| step.contains(" s ") || step.contains(" sets ");
        let mut of_sets = plan.iter().filter(reads_sets).peekable();
        assert!(of_sets.peek().is_some(), "{statement}\n{plan:?}");
        assert!(
            of_sets.all(|step| step.ends_with(by_number)),
            "{statement}\n{plan:?}"
        );
    }
}

// I-03
#[test]
fn lists_begin_at_the_narrowest_filter_and_are_never_sorted_when_they_may_be_long() {
    let all = EventFilter::default();
    let of_tpp = EventFilter {
        client_id: Some(tpp()),
        ..all.clone()
    };
    let of_resource = EventFilter {
        resource_id: Some(ResourceId::new("r").unwrap()),
        ..of_tpp.clone()
    };
    let of_txn = EventFilter {
        txn: Some(TransactionId::new("t").unwrap()),
        ..of_tpp.clone()
    };
    let of_interaction = EventFilter {
        interaction_id: Some(InteractionId::new("i").unwrap()),
        event_type: Some(EventType("urn:x".to_owned())),
        ..of_txn.clone()
    };
    let outstanding = EventFilter {
        state: Some(StateFilter::Outstanding),
        ..of_tpp.clone()
    };
    let failed = EventFilter {
        state: Some(StateFilter::Settled(Ending::Failed)),
        ..all.clone()
    };
    let expected = [
        (&all, "events_by_jti (jti<?)", false),
        (&of_tpp, "events_by_tpp (tpp=? AND jti<?)", false),
        (
            &of_resource,
            "events_by_resource (resource_id=? AND jti<?)",
            false,
        ),
        (&of_txn, "events_by_txn (txn=?)", true),
        (
            &of_interaction,
            "attempts_by_interaction (interaction_id=?)",
            true,
        ),
        (&outstanding, "outstanding_by_jti (jti<?)", false),
        (&failed, "settlements_rare (outcome>? AND outcome<?)", true),
    ];
    let db = empty();
    for (filter, index, is_sorted) in expected {
        let plan = plan(&db, &event_list::statement(filter)).join("\n");
        assert!(plan.contains(index), "{filter:?}\n{plan}");
        let sorts = plan.contains("USE TEMP B-TREE FOR ORDER BY");
        assert_eq!(sorts, is_sorted, "{filter:?}\n{plan}");
        let scans_history = plan.lines().any(|step| step.starts_with("SCAN e"));
        assert!(!scans_history, "{filter:?}\n{plan}");
    }
}
