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

use crate::Store;
use crate::postgres::{
    Ledger, Options, Server, accept, attempts, net, poll, push, recheck, session, sets, state,
    work, writing,
};

/// A database with some outstanding events of the TPP that has number 1, and the parts of history that they need.
async fn with_outstanding(events: usize) -> Database {
    let database = Database::new().await;
    let (address, name) = database.place();
    let server = Server::parse(&address).unwrap().database(name);
    let options = Options::default();
    let ledger = Ledger::open(server, options, making::rules(), runtime().handle());
    let ledger = ledger.await.unwrap();
    let tpp = client("acme");
    let profile = making::profile(Overrides::default());
    let made = ledger.register_tpp(Actor::System, tpp.clone(), profile, DAWN);
    assert!(made.await.unwrap().is_some());
    let wish = Wish::Subscription(everything());
    let id = RegistrationId::new("s-1").unwrap();
    let made = ledger.create_registration(tpp.clone(), id, wish, ApiVersion::V4_0, DAWN);
    assert!(made.await.unwrap().is_ok());
    let jtis = Jtis::from(1);
    let item = || submission(jtis.next(DAWN), notice(&tpp, Family::Aisp, &[UPDATE]));
    let batch = (0..events).map(|_| item()).collect();
    ledger.accept(batch, DAWN).await.unwrap();
    ledger.close().await.unwrap();
    database
}

/// A statement planned as sessions plan it, and run with these values.
fn explained(how: &str, statement: &str, values: &str) -> String {
    format!(
        "{}; PREPARE it AS {statement}; EXPLAIN ({how}) EXECUTE it ({values})",
        session::settings(&Options::default())
    )
}

/// The indexes and tables that a statement looks into, and what it sorts.
async fn looks_into(database: &Database, statement: &str) -> BTreeSet<String> {
    let mut parameters = 0;
    while statement.contains(&format!("${}", parameters + 1)) {
        parameters += 1;
    }
    let nulls = vec!["NULL"; parameters].join(", ");
    let plan = database
        .ask(&explained("COSTS off", statement, &nulls))
        .await;
    let steps = plan.iter().filter_map(|line| {
        let step = line.trim_start().trim_start_matches("->").trim();
        let of_part = |name: &str| {
            let digits = |c: char| c.is_ascii_digit();
            let parts: Vec<&str> = name
                .split('_')
                .filter(|it| !it.chars().all(digits))
                .collect();
            parts.join("_")
        };
        if let Some((_, index)) = step.split_once(" using ") {
            return Some(of_part(index.split(' ').next()?));
        }
        let table = step.split_once("Seq Scan on ")?.1;
        Some(format!("all of {}", table.split(' ').next()?))
    });
    steps.collect()
}

// I-06, D-05, P-02
#[tokio::test]
async fn hot_statements_use_their_indexes_and_no_others() {
    let database = with_outstanding(1).await;
    let expected: &[(&str, &[&str])] = &[
        (state::LOCK, &["queues_pkey"]),
        (state::LOCK_FREE, &["queues_pkey"]),
        (
            state::STATES,
            &[
                "lanes_pkey",
                "nodes_pkey",
                "queues_pkey",
                "registrations_pkey",
                "tpps_pkey",
            ],
        ),
        (accept::REMEMBERED, &["idempotency_pkey"]),
        (work::NAMED, &["outstanding_of_tpp"]),
        (work::FAILED, &["failed_of_tpp", "queues_pkey"]),
        (
            poll::FIRST_DUE,
            &["events_pkey", "outstanding_due", "queues_pkey", "sets_pkey"],
        ),
        (
            poll::OLDEST,
            &[
                "events_pkey",
                "outstanding_pkey",
                "queues_pkey",
                "sets_pkey",
            ],
        ),
        (
            push::FIRST_PUSHED,
            &[
                "events_pkey",
                "outstanding_pkey",
                "outstanding_push",
                "queues_pkey",
                "sets_pkey",
                "tpps_pkey",
            ],
        ),
        (
            net::DUE,
            &[
                "outstanding_due",
                "outstanding_push",
                "queues_pkey",
                "tpps_client_id_key",
            ],
        ),
        (push::LIST, &["outstanding_pkey"]),
        (sets::OPEN_AND_KEPT, &["outstanding_of_tpp", "sets_pkey"]),
        (
            recheck::KEPT,
            &["outstanding_of_tpp", "sets_pkey", "superseded_sets_pkey"],
        ),
        (attempts::RECORDED, &["attempts_pkey"]),
        (attempts::PAST, &["events_pkey", "settlements_pkey"]),
        (writing::DELETE_OPEN, &["outstanding_pkey"]),
        (writing::UPDATE_OPEN, &["outstanding_pkey"]),
        (writing::UPDATE_QUEUES, &["queues_pkey"]),
        (writing::SUPERSEDE, &["settlements_pkey"]),
    ];
    for (statement, indexes) in expected {
        let found = looks_into(&database, statement).await;
        let indexes: BTreeSet<String> = indexes.iter().map(|&it| it.to_owned()).collect();
        assert_eq!(found, indexes, "{statement}");
    }
}

/// How many pages a statement touches, the second time it is asked.
async fn pages(database: &Database, statement: &str, values: &str) -> u64 {
    let asked = explained("ANALYZE, BUFFERS, COSTS off, TIMING off", statement, values);
    database.ask(&asked).await;
    let plan = database.ask(&asked).await;
    // The first line that tells of them is the whole statement's.
    let told = plan
        .iter()
        .find(|line| line.trim_start().starts_with("Buffers:"));
    let numbers = told.unwrap().split(['=', ' ']);
    numbers.filter_map(|word| word.parse::<u64>().ok()).sum()
}

mod slow {
    use oyez_domain::time::Timestamp;

    use super::*;
    use crate::postgres::partitions::{Of, Span};

    // I-06, P-02
    #[tokio::test]
    async fn hot_statements_touch_as_many_pages_with_much_history_as_with_little() {
        let mut counted = Vec::new();
        for settled in [10_000, 200_000] {
            let database = with_outstanding(200).await;
            database.run(&past(settled)).await;
            database.run("VACUUM ANALYZE").await;
            let mut pages_of = Vec::new();
            let jtis = "SELECT jti::text FROM outstanding ORDER BY position LIMIT 100";
            let jtis = database.ask(jtis).await.join(",");
            for (statement, values) in ASKED {
                let values = values.replace("JTIS", &jtis);
                pages_of.push((*statement, pages(&database, statement, &values).await));
            }
            counted.push(pages_of);
        }
        assert_eq!(counted[0], counted[1]);
        assert!(counted[0].iter().all(|(_, pages)| *pages > 0));
    }

    const ASKED: &[(&str, &str)] = &[
        (state::LOCK_FREE, "'{1}'"),
        (state::STATES, "'{1}'"),
        (poll::FIRST_DUE, "'{1}', '{15}', '{101}', '{}', '{}'"),
        (push::FIRST_PUSHED, "'{1}', '{101}', '{1000000}', false"),
        (net::DUE, "'{acme,acme}', '{0,-1}'"),
        (work::NAMED, "array_fill(1::bigint, ARRAY[100]), '{JTIS}'"),
        (
            sets::OPEN_AND_KEPT,
            "array_fill(1::bigint, ARRAY[100]), '{JTIS}'",
        ),
    ];

    /// So many events of the same TPP that were settled in the months before, with what they leave behind.
    fn past(events: u64) -> String {
        let spans = 4;
        let mut statements = String::new();
        let newest = Span::of(DAWN);
        for back in 1..=spans {
            let first_ms = newest.start().unix_ms() - back * 28 * 24 * 3_600 * 1_000;
            let span = Span::of(Timestamp::from_unix_ms(first_ms));
            for table in ["events", "sets", "settlements"] {
                statements.push_str(&span.making(table, Of::Jti));
            }
            let each = events / u64::try_from(spans).unwrap();
            statements.push_str(&format!(
                "CREATE TEMP TABLE old_{back} AS SELECT n,
                    (lpad(to_hex({first_ms} + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid AS jti
                FROM generate_series(1, {each}) n;
                INSERT INTO events SELECT 1, jti, -n, {first_ms} + n, 1, 0, 'r-' || n, NULL, repeat('x', 600)
                FROM old_{back};
                INSERT INTO sets SELECT 1, jti, {first_ms}, 'k-1', repeat('x', 1300) FROM old_{back};
                INSERT INTO settlements SELECT 1, jti, 0, 11, false, {first_ms} + n, NULL FROM old_{back};"
            ));
        }
        statements
    }
}
