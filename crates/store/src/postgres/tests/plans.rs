//! Every hot statement walks the indexes that were made for it, whatever the sizes of tables were when somebody last looked; and
//! reads no more for all the history there is.

use std::collections::BTreeSet;

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::RegistrationId;
use oyez_domain::ledger::registering::Wish;
use oyez_domain::tpp::Overrides;
use oyez_domain::version::ApiVersion;
use oyez_testkit::making::{self, DAWN, Jtis, UPDATE, client, everything, notice, submission};
use oyez_testkit::postgres::{Database, runtime};

use super::node;
use crate::Store;
use crate::postgres::{
    Ledger, Options, Server, accept, anew, attempts, ends, lanes, net, parts, poll, push, recheck,
    requeue, retention, session, sets, state, tally, withdraw, work, writing,
};

/// A database with some outstanding events of the TPP that has number 1, and the parts of history that they need.
async fn with_outstanding(events: usize) -> Database {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await;
    let tpp = client("acme");
    let profile = making::profile(Overrides::default());
    let made = ledger.register_tpp(Actor::System, tpp.clone(), profile, DAWN);
    assert!(made.await.unwrap().is_some());
    let wish = Wish::Subscription(everything());
    let id = RegistrationId::new("s-1").unwrap();
    let made = ledger.create_registration(tpp, id, wish, ApiVersion::V4_0, DAWN);
    assert!(made.await.unwrap().is_ok());
    take_in(&ledger, events).await;
    ledger.close().await.unwrap();
    database
}

async fn take_in(ledger: &Ledger, events: usize) {
    let (tpp, jtis) = (client("acme"), Jtis::from(1));
    let item = || submission(jtis.next(DAWN), notice(&tpp, Family::Aisp, &[UPDATE]));
    let batch = (0..events).map(|_| item()).collect();
    ledger.accept(batch, DAWN).await.unwrap();
}

/// A statement planned as sessions plan it, and run with these values.
fn explained(how: &str, statement: &str, values: &str) -> String {
    format!(
        "{}; PREPARE it AS {statement}; EXPLAIN ({how}) EXECUTE it ({values})",
        session::settings(&Options::default())
    )
}

/// The plan of a statement, whatever its values.
async fn plan(database: &Database, statement: &str) -> Vec<String> {
    let mut parameters = 0;
    while statement.contains(&format!("${}", parameters + 1)) {
        parameters += 1;
    }
    let nulls = vec!["NULL"; parameters].join(", ");
    let asked = explained("COSTS off", statement, &nulls);
    database.ask(&asked).await
}

/// The indexes that a plan looks into, each with the columns that it is asked by there; and what it reads whole.
fn looks_into(plan: &[String]) -> BTreeSet<String> {
    let mut found: Vec<String> = Vec::new();
    for line in plan {
        let step = line.trim_start().trim_start_matches("->").trim();
        if let Some((_, index)) = step.split_once(" using ") {
            let index = index.split(' ').next().unwrap();
            let of_part = index.split('_').filter(|it| it.parse::<u32>().is_err());
            found.push(of_part.collect::<Vec<_>>().join("_"));
        } else if let Some((_, table)) = step.split_once("Seq Scan on ") {
            found.push(format!("all of {}", table.split(' ').next().unwrap()));
        } else if let Some(condition) = step.strip_prefix("Index Cond: ") {
            let columns = asked_by(condition).join(", ");
            let scan = found.last_mut().unwrap();
            *scan = format!("{scan}({columns})");
        }
    }
    found.into_iter().collect()
}

/// The columns of an index that a condition asks by: those of other tables are named with their table.
fn asked_by(condition: &str) -> Vec<&str> {
    let mut columns = Vec::new();
    for term in condition.split(['(', ')', ' ', ',']) {
        let name = term.split("::").next().unwrap().trim_matches('"');
        if KEYS.contains(&name) && !columns.contains(&name) {
            columns.push(name);
        }
    }
    columns
}

const KEYS: [&str; 13] = [
    "tpp",
    "jti",
    "position",
    "family",
    "due_at",
    "push_at",
    "kind",
    "ends",
    "key",
    "kid",
    "client_id",
    "node_id",
    "wake_at",
];

/// Everything there is so many times.
const MULTIPLY: &str = "
    INSERT INTO outstanding (tpp, position, jti, accepted_at, due_at, push_at, kind, family)
    SELECT tpp, position + n, (left(jti::text, 24) || lpad(to_hex(n + 1), 12, '0'))::uuid, accepted_at, due_at + n,
        push_at + n, kind, family FROM outstanding, generate_series(1, 40000) n;
    INSERT INTO events (tpp, jti, position, accepted_at, kind, family, resource_id, notice)
    SELECT tpp, (left(jti::text, 24) || lpad(to_hex(n + 1), 12, '0'))::uuid, position + n, accepted_at, kind, family,
        resource_id, notice FROM events, generate_series(1, 40000) n;";

/// Nothing is outstanding, and nobody is known.
const EMPTY: &str = "
    DELETE FROM outstanding; DELETE FROM events; DELETE FROM queues; DELETE FROM registrations; DELETE FROM tpps;";

// I-06, D-05, P-02
#[tokio::test]
async fn hot_statements_use_their_indexes_whatever_was_there_when_somebody_last_looked() {
    let database = with_outstanding(1).await;
    let past = [
        ("nobody looked", ""),
        ("one was there", "VACUUM ANALYZE"),
        ("many were there", MULTIPLY),
        ("many were counted", "VACUUM ANALYZE"),
        ("all were gone", EMPTY),
        ("their pages were kept", "VACUUM (ANALYZE, TRUNCATE false)"),
        ("their pages were given back", "VACUUM ANALYZE"),
    ];
    let mut wrong = Vec::new();
    for (state, happened) in past {
        database.run(happened).await;
        for (statement, indexes) in INDEXES {
            let plan = plan(&database, statement).await;
            let found = looks_into(&plan);
            let is_found = |index: &&str| index.split(" or ").any(|it| found.contains(it));
            let compares = plan.iter().any(|line| line.contains("Join Filter"));
            let shares = plan.iter().any(|line| line.contains("Gather"));
            if compares || shares || found.len() != indexes.len() || !indexes.iter().all(is_found) {
                let plan = plan.join("\n");
                wrong.push(format!("{state}: {statement}\n{found:?}\n{plan}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// Hot statements, and the indexes that each was written for.
const INDEXES: &[(&str, &[&str])] = &[
    (state::LOCK, &["queues_pkey(tpp)"]),
    (state::LOCK_FREE, &["queues_pkey(tpp)"]),
    (
        state::STATES,
        &[
            "lanes_pkey(tpp)",
            "nodes_pkey(node_id)",
            "queues_pkey(tpp)",
            "registrations_pkey(tpp, kind)",
            "tpps_pkey(tpp)",
        ],
    ),
    (accept::REMEMBERED, &["idempotency_pkey(tpp, key)"]),
    (work::NAMED, &["outstanding_of_tpp(tpp, jti)"]),
    (
        work::FAILED,
        &["failed_of_tpp(tpp, jti)", "queues_pkey(tpp)"],
    ),
    (
        poll::FIRST_DUE,
        &[
            "disowned_keys_unfinished",
            "events_pkey(tpp, jti)",
            "outstanding_due(tpp, family, due_at)",
            "queues_pkey(tpp)",
            "sets_pkey(tpp, jti)",
        ],
    ),
    (
        poll::OLDEST,
        &[
            "disowned_keys_unfinished",
            "events_pkey(tpp, jti)",
            "outstanding_pkey(tpp, position)",
            "queues_pkey(tpp)",
            "sets_pkey(tpp, jti)",
        ],
    ),
    (
        push::FIRST_PUSHED,
        &[
            "disowned_keys_unfinished",
            "events_pkey(tpp, jti)",
            "outstanding_pkey(tpp, position)",
            "outstanding_push(tpp, push_at, position)",
            "queues_pkey(tpp)",
            "sets_pkey(tpp, jti)",
            "tpps_pkey(tpp)",
        ],
    ),
    (
        poll::TURNS,
        &[
            "disowned_keys_unfinished",
            "events_pkey(tpp, jti)",
            "outstanding_due(tpp, family, due_at)",
            "sets_pkey(tpp, jti)",
        ],
    ),
    (
        push::TURNS,
        &[
            "disowned_keys_unfinished",
            "events_pkey(tpp, jti)",
            "outstanding_push(tpp, push_at)",
            "sets_pkey(tpp, jti)",
        ],
    ),
    (
        net::DUE,
        &[
            "outstanding_due(tpp, family, due_at)",
            "outstanding_push(tpp, push_at)",
            "queues_pkey(tpp)",
            "tpps_client_id_key(client_id)",
        ],
    ),
    (push::LIST, &["outstanding_pkey(tpp, position)"]),
    (
        sets::OPEN_AND_KEPT,
        &[
            "disowned_keys_unfinished",
            "outstanding_of_tpp(tpp, jti)",
            "sets_pkey(tpp, jti)",
        ],
    ),
    (
        recheck::KEPT,
        &[
            "disowned_keys_unfinished",
            "outstanding_of_tpp(tpp, jti)",
            "sets_pkey(tpp, jti)",
            "superseded_sets_pkey(tpp, jti)",
        ],
    ),
    (attempts::RECORDED, &["attempts_pkey(tpp, jti)"]),
    (
        attempts::PAST,
        &["events_pkey(tpp, jti)", "settlements_pkey(tpp, jti)"],
    ),
    (writing::DELETE_OPEN, &["outstanding_pkey(tpp, position)"]),
    (writing::UPDATE_OPEN, &["outstanding_pkey(tpp, position)"]),
    (writing::UPDATE_QUEUES, &["queues_pkey(tpp)"]),
    (writing::SUPERSEDE, &["settlements_pkey(tpp, jti, ends)"]),
    (writing::DELETE_FAILED, &["failed_pkey(tpp, position)"]),
    (
        writing::history::SUPERSEDE_SETS,
        &["sets_pkey(tpp, jti)", "superseded_sets_pkey(tpp, jti)"],
    ),
    (tally::ADD_TOTALS, &["queues_pkey(tpp)"]),
    (ends::SETTLE, &["outstanding_of_tpp(tpp, jti)"]),
    (
        withdraw::WITHDRAW_KINDS,
        &["outstanding_pkey(tpp, position)"],
    ),
    (anew::BEGIN_ANEW, &["outstanding_charged(tpp)"]),
    (anew::BEGIN_SOME_ANEW, &["outstanding_of_tpp(tpp, jti)"]),
    (requeue::SUPERSEDE, &["settlements_pkey(tpp, jti, ends)"]),
    (requeue::OUTSTANDING_AGAIN, &["failed_pkey(tpp, position)"]),
    (
        retention::EXPIRED,
        &[
            "outstanding_pkey(tpp, position)",
            "all of queues",
            "tpps_pkey(tpp)",
        ],
    ),
    (
        retention::FORGET_SETTLEMENTS,
        &["settlements_pkey(tpp, jti)"],
    ),
    (
        retention::OF_EVENTS[0],
        // A jti is one event's, whosever it is.
        &["events_pkey(tpp, jti) or events_jti_idx(jti)"],
    ),
    (retention::OF_EVENTS[2], &["hand_outs_pkey(tpp, jti)"]),
    (retention::OF_EVENTS[7], &["failed_of_tpp(tpp, jti)"]),
    (
        parts::IS_OPEN,
        &["outstanding_of_tpp(tpp, jti)", "queues_pkey"],
    ),
    (
        lanes::FREE_LANES,
        &[
            "lanes_by_wake(wake_at)",
            "nodes_pkey(node_id)",
            "tpps_pkey(tpp)",
        ],
    ),
    (
        lanes::CLAIM_LANES,
        &["lanes_pkey(tpp)", "nodes_pkey(node_id)", "tpps_pkey(tpp)"],
    ),
];

/// How many pages a statement touches, the second time it is asked. What it changes is rolled back.
async fn pages(database: &Database, statement: &str, values: &str) -> u64 {
    let asked = explained("ANALYZE, BUFFERS, COSTS off, TIMING off", statement, values);
    let asked = format!("BEGIN; {asked}; ROLLBACK");
    database.ask(&asked).await;
    pages_in(&database.ask(&asked).await)
}

fn pages_in(plan: &[String]) -> u64 {
    // The first line that tells of them is the whole statement's.
    let told = plan
        .iter()
        .find(|line| line.trim_start().starts_with("Buffers:"));
    let numbers = told.unwrap().split(['=', ' ']);
    numbers.filter_map(|word| word.parse::<u64>().ok()).sum()
}

/// So many outstanding events of the TPP that has number 1.
const FILL: &str = "
    INSERT INTO outstanding (tpp, position, jti, accepted_at, due_at, push_at, kind, family)
    SELECT 1, n, ('018bcfe5-6800-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, n, n, n, 1, 1
    FROM generate_series(1, 20000) n;
    INSERT INTO events (tpp, jti, position, accepted_at, kind, family, resource_id, notice)
    SELECT tpp, jti, position, accepted_at, kind, family, 'a', '' FROM outstanding";

// I-06, P-02
#[tokio::test]
async fn what_was_planned_for_an_empty_queue_serves_a_full_one() {
    let database = with_outstanding(1).await;
    database
        .run("DELETE FROM outstanding; DELETE FROM events")
        .await;
    database.run("VACUUM ANALYZE").await;
    let list = |of: &dyn Fn(u32) -> String| {
        let all: Vec<String> = (10_001..=10_100).map(of).collect();
        format!("'{{{}}}'", all.join(","))
    };
    let tpps = list(&|_| "1".to_owned());
    let positions = list(&|n| n.to_string());
    let jtis = list(&|n| format!("018bcfe5-6800-7000-8000-{n:012x}"));
    let ones = list(&|_| "1".to_owned());
    let changed = [vec![tpps.clone(), positions.clone()], vec![ones; 10]].concat();
    let keys = format!("{tpps}, {jtis}");
    let asked = [
        (work::NAMED, keys.clone()),
        (sets::OPEN_AND_KEPT, keys.clone()),
        (recheck::KEPT, format!("1, {jtis}")),
        (attempts::PAST, keys.clone()),
        (
            poll::FIRST_DUE,
            "'{1}', '{15}', '{101}', '{}', '{}', '{9999999999999}'".to_owned(),
        ),
        (writing::DELETE_OPEN, format!("{tpps}, {positions}, 100")),
        (writing::UPDATE_OPEN, format!("{}, 100", changed.join(", "))),
        (ends::SETTLE, format!("1, {jtis}, 1, 1, NULL")),
        (anew::BEGIN_SOME_ANEW, format!("1, 1, {jtis}")),
    ];
    for (statement, values) in asked {
        let settings = session::settings(&Options::default());
        let plan = database
            .ask(&format!(
                "BEGIN; {settings}; PREPARE it AS {statement}; EXPLAIN EXECUTE it ({values}); {FILL};
                EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off) EXECUTE it ({values}); ROLLBACK"
            ))
            .await;
        let pages = pages_in(&plan);
        let passed_over: u64 = plan
            .iter()
            .filter_map(|line| line.trim_start().strip_prefix("Rows Removed by "))
            .map(|told| told.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum();
        assert!(passed_over <= 100, "{statement}\n{}", plan.join("\n"));
        assert!(
            pages > 0 && pages <= PAGES_MAX,
            "{pages} for {statement}\n{}",
            plan.join("\n")
        );
    }
}

/// For a hundred events: some levels of some indexes and a row each. One walk through the queue alone is twenty thousand.
const PAGES_MAX: u64 = 3_000;

mod slow {
    use std::time::Duration;

    use super::*;
    use crate::postgres::Stage;
    use crate::postgres::partitions::Span;
    use crate::rehearsal::{Left, Past};

    // I-06, P-02
    #[tokio::test]
    async fn hot_statements_touch_as_many_pages_with_much_history_as_with_little() {
        let mut counted = Vec::new();
        for settled in [10_000, 200_000] {
            let database = with_past_and_outstanding(settled, 200).await;
            database.run("VACUUM ANALYZE").await;
            let mut pages_of = Vec::new();
            let hundred = "SELECT string_agg(jti::text, ',' ORDER BY position) || ' ' || string_agg(position::text, ',' ORDER BY position)
                FROM (SELECT * FROM outstanding ORDER BY position LIMIT 100) o";
            let hundred = database.ask(hundred).await.remove(0);
            let (jtis, positions) = hundred.split_once(' ').unwrap();
            for (statement, values) in ASKED {
                let values = values.replace("JTIS", jtis).replace("POSITIONS", positions);
                let values = values.replace("TPPS", "array_fill(1::bigint, ARRAY[100])");
                pages_of.push((*statement, pages(&database, statement, &values).await));
            }
            counted.push(pages_of);
        }
        for (nth, (statement, values)) in ASKED.iter().enumerate() {
            let (few, many) = (counted[0][nth].1, counted[1][nth].1);
            // Whether a page counts as seen by all is up to the database's housekeeping: one that does not is looked at, once for
            // each key. A walk over the past would be thousands.
            let keys = if values.contains("S}'") { 100 } else { 2 };
            let spare = keys + few / 10;
            assert!(
                few > 0 && many <= few + spare,
                "{few}, then {many}: {statement}"
            );
        }
    }

    const ASKED: &[(&str, &str)] = &[
        (state::LOCK_FREE, "'{1}'"),
        (state::STATES, "'{1}'"),
        (accept::REMEMBERED, "'{1}', '{some key}'"),
        (
            poll::FIRST_DUE,
            "'{1}', '{15}', '{101}', '{}', '{}', '{9999999999999}'",
        ),
        (poll::OLDEST, "'{1}', '{1}', '{}', '{}'"),
        (
            push::FIRST_PUSHED,
            "'{1}', '{101}', '{1000000}', false, '{9999999999999}'",
        ),
        (net::DUE, "'{acme,acme}', '{0,-1}'"),
        (push::LIST, "1, 0, 100"),
        (work::NAMED, "TPPS, '{JTIS}'"),
        (work::FAILED, "'{1}', TPPS, '{JTIS}'"),
        (sets::OPEN_AND_KEPT, "TPPS, '{JTIS}'"),
        (recheck::KEPT, "1, '{JTIS}'"),
        (attempts::RECORDED, "TPPS, '{JTIS}'"),
        (attempts::PAST, "TPPS, '{JTIS}'"),
        (writing::DELETE_OPEN, "TPPS, '{POSITIONS}', 100"),
    ];

    /// The same TPP has so many events that were settled in the months before: parts of history that nobody needs now.
    async fn with_past_and_outstanding(settled: u64, events: usize) -> Database {
        let database = with_outstanding(0).await;
        let (address, name) = database.place();
        let server = Server::parse(&address).unwrap().database(name);
        let newest = Span::of(DAWN).start();
        let past = Past {
            whose: vec![client("acme")],
            events: settled,
            over: newest - Duration::from_secs(84 * 24 * 3_600)
                ..newest - Duration::from_secs(3_600),
            notice: notice(&client("acme"), Family::Aisp, &[UPDATE]),
            left: Left::History { set_bytes: 1_300 },
        };
        let filling = runtime().spawn(async move {
            let stage = Stage::open(&server, runtime().handle()).await.unwrap();
            stage.rehearse(&past, |_| ()).await.unwrap();
        });
        filling.await.unwrap();
        let ledger = node(&database, Options::default()).await;
        take_in(&ledger, events).await;
        ledger.close().await.unwrap();
        database
    }
}
