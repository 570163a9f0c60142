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
    Ledger, Options, Server, accept, attempts, net, poll, push, recheck, session, sets, state,
    work, writing,
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
    for (statement, indexes) in INDEXES {
        let found = looks_into(&database, statement).await;
        let indexes: BTreeSet<String> = indexes.iter().map(|&it| it.to_owned()).collect();
        assert_eq!(found, indexes, "{statement}");
    }
}

/// Hot statements, and the indexes that each was written for.
const INDEXES: &[(&str, &[&str])] = &[
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
        &[
            "disowned_keys_unfinished",
            "events_pkey",
            "outstanding_due",
            "queues_pkey",
            "sets_pkey",
        ],
    ),
    (
        poll::OLDEST,
        &[
            "disowned_keys_unfinished",
            "events_pkey",
            "outstanding_pkey",
            "queues_pkey",
            "sets_pkey",
        ],
    ),
    (
        push::FIRST_PUSHED,
        &[
            "disowned_keys_unfinished",
            "events_pkey",
            "outstanding_pkey",
            "outstanding_push",
            "queues_pkey",
            "sets_pkey",
            "tpps_pkey",
        ],
    ),
    (
        poll::TURNS,
        &[
            "disowned_keys_unfinished",
            "events_pkey",
            "outstanding_due",
            "sets_pkey",
        ],
    ),
    (
        push::TURNS,
        &[
            "disowned_keys_unfinished",
            "events_pkey",
            "outstanding_push",
            "sets_pkey",
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
    (
        sets::OPEN_AND_KEPT,
        &[
            "disowned_keys_unfinished",
            "outstanding_of_tpp",
            "sets_pkey",
        ],
    ),
    (
        recheck::KEPT,
        &[
            "disowned_keys_unfinished",
            "outstanding_of_tpp",
            "sets_pkey",
            "superseded_sets_pkey",
        ],
    ),
    (attempts::RECORDED, &["attempts_pkey"]),
    (attempts::PAST, &["events_pkey", "settlements_pkey"]),
    (writing::DELETE_OPEN, &["outstanding_pkey"]),
    (writing::UPDATE_OPEN, &["outstanding_pkey"]),
    (writing::UPDATE_QUEUES, &["queues_pkey"]),
    (writing::SUPERSEDE, &["settlements_pkey"]),
];

/// How many pages a statement touches, the second time it is asked. What it changes is rolled back.
async fn pages(database: &Database, statement: &str, values: &str) -> u64 {
    let asked = explained("ANALYZE, BUFFERS, COSTS off, TIMING off", statement, values);
    let asked = format!("BEGIN; {asked}; ROLLBACK");
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
        assert_eq!(counted[0], counted[1]);
        assert!(counted[0].iter().all(|(_, pages)| *pages > 0));
    }

    const ASKED: &[(&str, &str)] = &[
        (state::LOCK_FREE, "'{1}'"),
        (state::STATES, "'{1}'"),
        (accept::REMEMBERED, "'{1}', '{some key}'"),
        (poll::FIRST_DUE, "'{1}', '{15}', '{101}', '{}', '{}'"),
        (poll::OLDEST, "'{1}', '{1}', '{}', '{}'"),
        (push::FIRST_PUSHED, "'{1}', '{101}', '{1000000}', false"),
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
