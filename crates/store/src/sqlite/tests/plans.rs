//! Every hot statement walks the index that was made for it, whatever the planner thinks of the sizes.

use oyez_domain::event::EventType;
use oyez_domain::ids::{InteractionId, ResourceId, TransactionId};
use oyez_domain::ledger::history::{EventFilter, StateFilter};
use oyez_domain::life::Ending;
use rusqlite::{Connection, StatementStatus};

use oyez_testkit::making::DAWN;

use super::tpp;
use crate::sqlite::event_list::Way;
use crate::sqlite::{
    attempts, claims, clock, event_list, file, keys, kinds, lanes, migrations, poll, push,
    retention, sets, settle, withdraw, work,
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

// `withdraw::is_open!`: a look into a table that is empty but for a withdrawal that is going on.
const OPEN: &str = "CORRELATED SCALAR SUBQUERY 1";
const OPEN_BY: &str = "w USING PRIMARY KEY (tpp=? AND kind=?)";

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
        lanes::OWNED,
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
    let by_jti = "outstanding USING INDEX outstanding_of_tpp (tpp=? AND jti=?)";
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
        (settle::OUTSTANDING.find, &[by_jti, OPEN, OPEN_BY]),
        (settle::OUTSTANDING.delete, &[by_key]),
        (
            settle::FAILED_ROWS.find,
            &["failed USING INDEX failed_by_jti (jti=?)"],
        ),
        (sets::FIND_OUTSTANDING, &[by_jti, OPEN, OPEN_BY]),
        (work::KEPT, &["sets USING INTEGER PRIMARY KEY (rowid=?)"]),
        (
            work::NOTICE,
            &["events USING INTEGER PRIMARY KEY (rowid=?)"],
        ),
        (
            retention::EXPIRED,
            &[
                "outstanding USING INDEX outstanding_by_age (accepted_at<?)",
                OPEN,
                OPEN_BY,
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

// I-06, S-05
#[test]
fn a_change_of_registration_is_judged_by_kinds_and_walks_narrow_rows_alone() {
    let walk: &[&str] = &[
        "outstanding USING PRIMARY KEY (tpp=? AND position>?)",
        "SCALAR SUBQUERY 1",
        "withdrawals USING INTEGER PRIMARY KEY (rowid=?)",
        "LIST SUBQUERY 2",
        "withdrawn_kinds USING PRIMARY KEY (tpp=?)",
        "CREATE BLOOM FILTER",
    ];
    let expected: &[(&str, &[&str])] = &[
        (
            kinds::FIND,
            &[
                "kinds USING COVERING INDEX sqlite_autoindex_kinds_1 (types=?)",
                "CORRELATED SCALAR SUBQUERY 1",
                "q USING PRIMARY KEY (tpp=? AND kind=?)",
            ],
        ),
        (
            kinds::OF_TPP,
            &[
                "q USING PRIMARY KEY (tpp=?)",
                "k USING INTEGER PRIMARY KEY (rowid=?)",
            ],
        ),
        (withdraw::BATCH, walk),
        (withdraw::LEFT, walk),
    ];
    assert_plans(expected);
}

// D-10, I-04
#[test]
fn statements_of_pushes_and_lanes_use_their_index() {
    let by_jti = "outstanding USING INDEX outstanding_of_tpp (tpp=? AND jti=?)";
    let by_key = "outstanding USING PRIMARY KEY (tpp=? AND position=?)";
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
                "CO-ROUTINE (subquery-1)",
                "outstanding USING COVERING INDEX outstanding_by_age (accepted_at>?)",
                "SCAN (subquery-1)",
            ],
        ),
        (clock::MOVE_BACK, &["outstanding USING PRIMARY KEY (tpp=?)"]),
        (push::TAKE_OFF, &[by_key]),
        (attempts::GIVE_BACK, &[by_key]),
        (attempts::OPEN, &[by_jti, OPEN, OPEN_BY]),
        (push::PUT_BACK, &[by_jti, OPEN, OPEN_BY]),
        (push::BEGIN_ONE_ANEW, &[by_jti, OPEN, OPEN_BY]),
        (
            push::BEGIN_ANEW,
            &["outstanding USING INDEX outstanding_charged (tpp=?)"],
        ),
        (
            push::LISTED_AT_ONCE,
            &["outstanding USING PRIMARY KEY (tpp=? AND position>?)"],
        ),
        (
            push::LIST,
            &["outstanding USING PRIMARY KEY (tpp=? AND position>? AND position<?)"],
        ),
        (
            lanes::OWNED,
            &[
                "l USING INTEGER PRIMARY KEY (rowid=?)",
                "n USING PRIMARY KEY (node_id=?)",
                "q USING INTEGER PRIMARY KEY (rowid=?)",
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

// D-05
#[test]
fn who_claims_looks_at_lanes_that_wake_and_only_who_asks_for_all_looks_at_every_tpp() {
    let expected: &[(&str, &[&str])] = &[
        (
            claims::FREE_LANES,
            &[
                "l USING INDEX lanes_by_wake (wake_at<?)",
                "CORRELATED SCALAR SUBQUERY 1",
                "n USING PRIMARY KEY (node_id=?)",
                "t USING INTEGER PRIMARY KEY (rowid=?)",
                "USE TEMP B-TREE FOR LAST TERM OF ORDER BY",
            ],
        ),
        (
            claims::SLEEPERS,
            &[
                "SCAN q",
                "t USING INTEGER PRIMARY KEY (rowid=?)",
                "l USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
            ],
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

/// Every filter alone and with every other.
fn filters() -> Vec<EventFilter> {
    let states = [
        None,
        Some(StateFilter::Outstanding),
        Some(StateFilter::Settled(Ending::Acknowledged)),
        Some(StateFilter::Settled(Ending::Failed)),
    ];
    let given = |set: usize, bit: usize| set & (1 << bit) != 0;
    let all = states.into_iter().flat_map(|state| {
        (0..64).map(move |set| EventFilter {
            state,
            client_id: given(set, 0).then(tpp),
            event_type: given(set, 1).then(|| EventType("urn:x".to_owned())),
            resource_id: given(set, 2).then(|| ResourceId::new("r").unwrap()),
            txn: given(set, 3).then(|| TransactionId::new("t").unwrap()),
            interaction_id: given(set, 4).then(|| InteractionId::new("i").unwrap()),
            accepted_from: given(set, 5).then_some(DAWN),
            accepted_before: given(set, 5).then_some(DAWN),
        })
    });
    all.collect()
}

// I-03
#[test]
fn every_list_walks_an_index_in_its_own_order_and_sorts_nothing() {
    let db = empty();
    for filter in filters() {
        let plan = plan(&db, &event_list::statement(&filter, Way::Walk));
        let is_outstanding = filter.state == Some(StateFilter::Outstanding);
        let first = match (&filter.resource_id, &filter.client_id, is_outstanding) {
            (Some(_), ..) => "SEARCH e USING INDEX events_by_resource (resource_id=? AND jti<?)",
            (None, Some(_), true) => "SEARCH o USING INDEX outstanding_of_tpp (tpp=? AND jti<?)",
            (None, Some(_), false) => "SEARCH e USING INDEX events_by_tpp (tpp=? AND jti<?)",
            (None, None, false) => "SEARCH e USING INDEX events_by_jti (jti<?)",
            (None, None, true) => "CO-ROUTINE newest",
        };
        assert_eq!(plan[0], first, "{filter:?}\n{plan:#?}");
        let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE"));
        assert!(!sorts, "{filter:?}\n{plan:#?}");
        let scans = [
            "SCAN e",
            "SCAN o",
            "SCAN s",
            "SCAN outstanding",
            "MATERIALIZE",
        ];
        let scans = plan
            .iter()
            .find(|step| scans.iter().any(|scan| step.starts_with(scan)));
        assert_eq!(scans, None, "{filter:?}\n{plan:#?}");
    }
}

// I-03
#[test]
fn what_a_filter_names_is_gathered_by_its_own_index() {
    let db = empty();
    let mut gathered = 0;
    for filter in filters() {
        let index = match filter.state {
            _ if filter.interaction_id.is_some() => "attempts_by_interaction (interaction_id=?)",
            _ if filter.txn.is_some() => "events_by_txn (txn=?)",
            _ if filter.resource_id.is_some() => continue,
            Some(StateFilter::Settled(Ending::Failed)) => {
                "settlements_rare (outcome>? AND outcome<?)"
            }
            _ => continue,
        };
        gathered += 1;
        assert!(event_list::gathering(&filter).is_some(), "{filter:?}");
        let plan = plan(&db, &event_list::statement(&filter, Way::Gather)).join("\n");
        assert!(plan.contains(index), "{filter:?}\n{plan}");
        assert!(!plan.contains("SCAN e"), "{filter:?}\n{plan}");
    }
    assert!(gathered > 100, "{gathered}");
}

mod slow {
    use std::ops::ControlFlow;
    use std::path::Path;
    use std::slice::from_ref;
    use std::time::Duration;

    use oyez_domain::actor::Actor;
    use oyez_domain::event::Family;
    use oyez_domain::ids::RegistrationId;
    use oyez_domain::ledger::registering::Wish;
    use oyez_domain::tpp::Overrides;
    use oyez_domain::version::ApiVersion;
    use oyez_testkit::making::{
        Jtis, UPDATE, client, everything, notice, profile, pushed_to, rules, submission,
    };
    use rusqlite::types::Value;

    use super::*;
    use crate::Store;
    use crate::rehearsal::{Left, Past};
    use crate::sqlite::{self, Ledger, Options};

    /// Steps of SQLite's machine that a statement takes: rows walked, and looks into an index.
    fn steps(db: &Connection, statement: &str, values: &[Value]) -> i32 {
        let mut prepared = db.prepare(statement).unwrap();
        for (nth, value) in values.iter().enumerate() {
            prepared.raw_bind_parameter(nth + 1, value).unwrap();
        }
        let mut rows = prepared.raw_query();
        while rows.next().unwrap().is_some() {}
        drop(rows);
        prepared.get_status(StatementStatus::VmStep)
    }

    /// The first TPP has so many events settled, and then 200 outstanding.
    async fn with_past(path: &Path, settled: u64) {
        let open = || Ledger::open(path, Options::default(), rules()).unwrap();
        let ledger = open();
        let overrides = Overrides::default();
        let made = ledger.register_tpp(Actor::System, client("acme"), profile(overrides), DAWN);
        assert!(made.await.unwrap().is_some());
        let wish = Wish::Subscription(pushed_to("tpp.example", everything()));
        let id = RegistrationId::new("s-1").unwrap();
        let made = ledger.create_registration(client("acme"), id, wish, ApiVersion::V4_0, DAWN);
        assert!(made.await.unwrap().is_ok());
        ledger.close().await.unwrap();
        let past = Past {
            whose: vec![client("acme")],
            events: settled,
            over: DAWN - Duration::from_secs(84 * 24 * 3_600)..DAWN - Duration::from_secs(3_600),
            notice: notice(&client("acme"), Family::Aisp, &[UPDATE]),
            left: Left::History { set_bytes: 1_300 },
        };
        sqlite::rehearse(path, &past, |_| ControlFlow::Continue(())).unwrap();
        let ledger = open();
        let jtis = Jtis::from(1);
        let item = || {
            submission(
                jtis.next(DAWN),
                notice(&client("acme"), Family::Aisp, &[UPDATE]),
            )
        };
        ledger
            .accept((0..200).map(|_| item()).collect(), DAWN)
            .await
            .unwrap();
        ledger.close().await.unwrap();
    }

    // I-06, P-02
    #[tokio::test]
    async fn hot_statements_take_as_many_steps_with_much_history_as_with_little() {
        let mut counted = Vec::new();
        for settled in [10_000, 200_000] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("ledger.db");
            with_past(&path, settled).await;
            let path = file::resolve(&path).unwrap();
            let (db, _) = file::open_for_writing(&path).unwrap();
            let oldest = "SELECT jti, position, event FROM outstanding ORDER BY position LIMIT 1";
            let (jti, position, event): (Value, Value, Value) = db
                .query_row(oldest, [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .unwrap();
            let (tpp, now) = (Value::Integer(1), Value::Integer(DAWN.unix_ms()));
            let due = [
                tpp.clone(),
                now.clone(),
                Value::Integer(0),
                Value::Integer(101),
            ];
            let pushed = [tpp.clone(), now, Value::Integer(101), Value::Null];
            let (named, placed) = ([tpp.clone(), jti], [tpp, position]);
            let asked: &[(&str, &[Value])] = &[
                (poll::CHOOSE, &due),
                (poll::NEXT_DUE, &due[..3]),
                (poll::OLDEST, &due[..2]),
                (push::DUE, &pushed),
                (push::NEXT_PUSH, &pushed[..2]),
                (sets::FIND_OUTSTANDING, &named),
                (settle::OUTSTANDING.find, &named),
                (settle::FAILED_ROWS.find, &named),
                (attempts::SETTLED, &named),
                (work::KEPT, from_ref(&event)),
                (work::NOTICE, from_ref(&event)),
                (settle::OUTSTANDING.delete, &placed),
            ];
            let steps = asked
                .iter()
                .map(|(statement, values)| steps(&db, statement, values));
            counted.push(steps.collect::<Vec<_>>());
        }
        assert_eq!(counted[0], counted[1]);
        assert!(counted[0].iter().all(|steps| *steps > 0), "{counted:?}");
    }
}
