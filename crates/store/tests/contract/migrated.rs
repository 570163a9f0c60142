//! Ledgers that older binaries left behind, each with rows in every table: after their migration all that the trait can be
//! asked is answered as by a ledger that was made on the newest schema.
//!
//! One story is played on a fresh ledger. What it leaves in the tables of a schema is that schema's sample
//! (`tests/migrations`), taken when the schema was the newest; its file holds those tables that are not as on the schema before.
//! CONTRIBUTING.md says how a sample is made.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ledger::history::{AuditEntry, EventFilter};
use oyez_domain::ledger::lanes::{Health, Hold, LaneFilter, LaneReport, Reason};
use oyez_domain::ledger::push::Verdict;
use oyez_domain::ledger::registering::Wish;
use oyez_domain::life::Outcome;
use oyez_domain::time::Timestamp;
use oyez_domain::version::ApiVersion;
use oyez_store::sqlite;
use oyez_testkit::claims::newest_claim;
use oyez_testkit::making::{
    DAWN, LINKED, UPDATE, callback, everything, keyed, notice, only, pushed_to, rules, submission,
};
use oyez_testkit::postgres::Database;

use crate::chains;
use crate::fixture::{Backend, Ledger, Tpp, ask, operator};

/// A bank's first hour: each table gets rows, and each state of an event is reached.
async fn story(ledger: &Ledger) {
    let later = Duration::from_secs(60);
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let bolt = ledger.subscriber("bolt", everything()).await;
    let cove = ledger.tpp("cove").await;
    let wish = Wish::CallbackUrl(callback("cove.example"));
    cove.creates(wish, ApiVersion::V3_1).await.unwrap();

    pushes(ledger, &acme).await;
    ledger.pass(later);
    polls(ledger, &bolt).await;
    ledger.pass(later);
    let disowned = ledger.disown_key(operator(), "key-1".to_owned(), ledger.now());
    assert!(disowned.await.unwrap() > 0);
    bolt.much_news(3).await;
    bolt.replaces(only(&[UPDATE])).await;
    cove.is_disabled().await;
}

/// Events of which one arrives, one is refused, one is on its way and one waits; then the endpoint fails.
async fn pushes(ledger: &Ledger, acme: &Tpp) {
    let jtis = acme.much_news(3).await;
    assert_eq!(acme.is_pushed().await, jtis);
    acme.news().await;
    acme.answers(jtis[0], Verdict::Acknowledged).await;
    let again_at = ledger.now() + Duration::from_secs(300);
    acme.answers(
        jtis[1],
        Verdict::Refused {
            again_at: Some(again_at),
        },
    )
    .await;
    let lease = ledger.lease().await;
    let report = LaneReport {
        client_id: acme.id.clone(),
        claim: newest_claim(&**ledger, lease, &acme.id).await.number,
        health: Health::Failing {
            since: ledger.now(),
            failures: 2,
            next_probe_at: again_at,
            reason: Reason::new("503"),
        },
        hold: Hold::Keep,
    };
    ledger
        .report_lanes(lease.clone(), vec![report], ledger.now())
        .await
        .unwrap();
}

/// Events that are acknowledged, set aside, queued again, withdrawn, and handed out with nothing said.
async fn polls(ledger: &Ledger, bolt: &Tpp) {
    let jtis = bolt.much_news(6).await;
    bolt.told(Family::Pisp, &[LINKED, UPDATE]).await;
    let keyed = keyed(
        submission(ledger.jti(), notice(&bolt.id, Family::Vrp, &[UPDATE])),
        "k-1",
        7,
    );
    ledger.accept(vec![keyed], ledger.now()).await.unwrap();
    bolt.takes(ask().by("poll-1")).await;
    let told = ask().by("poll-2").max(0).error_cap(1).ack(&jtis[..2]);
    bolt.polls(told.error(jtis[2], "jwtIss").error(jtis[3], "setData"))
        .await;
    assert_eq!(bolt.outcome(jtis[2]).await, Some(Outcome::Failed));
    let now = ledger.pass(Duration::from_secs(1));
    let requeued = ledger.requeue_failed(operator(), bolt.id.clone(), DAWN..now, 1, now);
    assert_eq!(requeued.await.unwrap(), [jtis[2]]);
    let withdrawn = ledger.withdraw(operator(), bolt.id.clone(), vec![jtis[4]], now);
    assert_eq!(withdrawn.await.unwrap(), 1);
}

/// All that a ledger answers, as text.
async fn answers(ledger: &Ledger) -> String {
    let mut said = String::new();
    let mut say = |what: String| writeln!(said, "{what}").unwrap();
    for tpp in ledger.list_tpps(None, 100).await.unwrap().rows {
        let id = tpp.client_id.clone();
        say(format!("{tpp:#?}"));
        say(format!(
            "{:#?}",
            ledger.registrations(id.clone()).await.unwrap()
        ));
        say(format!("{:#?}", ledger.counts(id.clone()).await.unwrap()));
        let hour = DAWN..DAWN + Duration::from_secs(3600);
        say(format!(
            "{:#?}",
            ledger.minutes(Some(id), hour).await.unwrap()
        ));
    }
    let lanes = ledger.list_lanes(LaneFilter::default(), None, 100).await;
    for lane in lanes.unwrap().rows {
        // Reasons were not always kept.
        say(format!(
            "{} {:?} {}",
            lane.client_id,
            lane.health.state(),
            lane.outstanding
        ));
    }
    let events = ledger.list_events(EventFilter::default(), None, 100).await;
    for event in events.unwrap().rows {
        say(format!(
            "{:#?}",
            ledger.find_event(event.jti).await.unwrap().unwrap()
        ));
    }
    for entry in ledger.list_audit(None, None, 100).await.unwrap().rows {
        // What was written before there were chains is in none.
        say(format!(
            "{:#?}",
            AuditEntry {
                link: None,
                ..entry
            }
        ));
    }
    say(format!("{:#?}", ledger.keys_in_use().await.unwrap()));
    said
}

/// It goes on where it was left: who was owed something gets it, and the books balance.
async fn goes_on(ledger: &Ledger, moment: Timestamp) -> String {
    let mut said = String::new();
    for tpp in ledger.list_tpps(None, 100).await.unwrap().rows {
        let poll = ask().by("after").of(&tpp.client_id);
        let polled = ledger.poll(poll, moment).await.unwrap();
        let jtis: Vec<_> = polled.work.iter().map(|work| work.jti).collect();
        writeln!(said, "{} {jtis:?} {:?}", tpp.client_id, polled.refusal).unwrap();
        let acks = ask().by("after").max(0).ack(&jtis).of(&tpp.client_id);
        let settled = ledger.poll(acks, moment).await.unwrap().settled;
        assert_eq!(settled.len(), jtis.len());
        assert!(ledger.counts(tpp.client_id).await.unwrap().balance());
    }
    let key = ledger.disown_key(operator(), "key-2".to_owned(), moment);
    key.await.unwrap();
    for (chain, walked) in chains::walk_all(&**ledger).await {
        assert!(walked.is_ok(), "{chain:?}: {walked:?}");
    }
    said
}

/// What a fresh ledger answers after the story, then and later.
async fn expected(ledger: Ledger) -> [String; 2] {
    story(&ledger).await;
    [answers(&ledger).await, goes_on(&ledger, later()).await]
}

async fn found(ledger: Ledger) -> [String; 2] {
    [answers(&ledger).await, goes_on(&ledger, later()).await]
}

/// Nothing is on its way any more by then.
fn later() -> Timestamp {
    DAWN + Duration::from_secs(3600)
}

/// The files of a folder, in the order of their numbers.
fn files(folder: &str) -> Vec<(u32, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = files
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            (name[..4].parse().unwrap(), path)
        })
        .collect();
    files.sort();
    files
}

/// The statements that make schema `number`, and its sample.
fn samples(backend: &str) -> Vec<(u32, String, String)> {
    let steps = files(&format!("migrations/{backend}"));
    let samples = files(&format!("tests/migrations/{backend}"));
    let numbers = |files: &[(u32, PathBuf)]| files.iter().map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(
        numbers(&samples),
        numbers(&steps),
        "a sample for each schema"
    );
    let (mut schema, mut sample) = (String::new(), Sample::default());
    let whole = steps
        .iter()
        .zip(&samples)
        .map(|((number, step), (_, changed))| {
            schema.push_str(&fs::read_to_string(step).unwrap());
            sample.change(&fs::read_to_string(changed).unwrap());
            (*number, schema.clone(), sample.0.concat())
        });
    whole.collect()
}

/// Statements, of which one fills each table.
#[derive(Default)]
struct Sample(Vec<String>);

impl Sample {
    /// What fills a table anew takes the place of what filled it before.
    fn change(&mut self, text: &str) {
        for statement in text.split_inclusive(";\n") {
            let filled = filled(statement);
            let before = self
                .0
                .iter_mut()
                .find(|it| filled.is_some() && self::filled(it) == filled);
            match before {
                Some(before) => statement.clone_into(before),
                None => self.0.push(statement.to_owned()),
            }
        }
    }
}

/// The table that a statement fills.
fn filled(statement: &str) -> Option<&str> {
    let (_, rest) = statement.split_once("INSERT INTO ")?;
    rest.split(' ').next()
}

// I-06
#[tokio::test]
async fn what_every_older_schema_held_in_a_file_reads_as_if_it_had_been_written_today() {
    let expected = expected(Ledger::new(crate::in_a_file(rules()).await)).await;
    for (number, schema, sample) in samples("sqlite") {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch(&schema).unwrap();
        // Tables that came later are filled last.
        db.execute_batch("BEGIN; PRAGMA defer_foreign_keys = on")
            .unwrap();
        db.execute_batch(&sample).unwrap();
        db.execute_batch("COMMIT").unwrap();
        db.pragma_update(None, "application_id", 0x6f79_657a)
            .unwrap();
        db.pragma_update(None, "user_version", number).unwrap();
        let tables =
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
            AND name NOT LIKE 'withdraw%'";
        let tables: Vec<String> = {
            let mut found = db.prepare(tables).unwrap();
            let found = found.query_map([], |row| row.get(0)).unwrap();
            found.map(Result::unwrap).collect()
        };
        for table in tables {
            let question = format!("SELECT count(*) FROM {table}");
            let rows: i64 = db.query_row(&question, [], |row| row.get(0)).unwrap();
            assert!(rows > 0, "sample {number} has no {table}");
        }
        db.close().unwrap();
        let ledger = sqlite::Ledger::open(&path, sqlite::Options::default(), rules()).unwrap();
        let ledger = Ledger::new(Backend {
            store: Arc::new(ledger),
            lives_in: Box::new(directory),
        });
        assert_eq!(found(ledger).await, expected, "schema {number}");
    }
}

// I-06
#[tokio::test]
async fn what_every_older_schema_held_in_postgres_reads_as_if_it_had_been_written_today() {
    let expected = expected(Ledger::new(crate::in_postgres(rules()).await)).await;
    for (number, schema, sample) in samples("postgres") {
        let database = Database::empty().await;
        database.run(&schema).await;
        database.run(&sample).await;
        let tables =
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
            AND relnamespace = 'public'::regnamespace";
        for table in database.ask(tables).await {
            let rows = database
                .number(&format!("SELECT count(*) FROM {table}"))
                .await;
            assert!(rows > 0, "sample {number} has no {table}");
        }
        let ledger = Ledger::new(Backend {
            store: Arc::new(database.ledger(rules()).await),
            lives_in: Box::new(database),
        });
        assert_eq!(found(ledger).await, expected, "schema {number}");
    }
}
