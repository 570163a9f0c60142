//! Servers on a shared ledger: who is believed to be the database, what happens while it is away, and that what one process
//! takes in another hands out.

use std::pin::pin;
use std::time::Duration;

use oyez_testkit::certificates::Authority;
use oyez_testkit::endpoint::{Behaviour, Endpoint};
use oyez_testkit::postgres::{Cluster, Durability, PASSWORD};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::bank::Desk;
use crate::house::{self, EVENTS, House, NOTIFICATIONS};

/// A desk whose bank has its ledger in this database.
fn migrate(desk: &Desk, url: &str, more: &[(&str, &str)]) -> crate::bank::Done {
    let own = [
        ("OYEZ_STORE__BACKEND", "postgres"),
        ("OYEZ_STORE__URL", url),
    ];
    let variables: Vec<_> = own.iter().chain(more).copied().collect();
    desk.run_with("migrate -c bank/oyez.toml", "", &variables)
}

#[test]
fn a_database_is_believed_by_its_certificate_and_told_the_password_of_a_file() {
    let authority = Authority::new("the bank's own");
    let cluster = Cluster::start_secured(&authority.server(&["localhost"]));
    let desk = Desk::with_bank();
    desk.write("bank/ca.crt", &authority.pem());
    desk.write("bank/stranger.crt", &Authority::new("a stranger").pem());
    desk.write("bank/password", &format!("{PASSWORD}\n"));
    desk.write("bank/wrong", "open barley");
    let url = cluster.address_of_host();
    let (believed, password) = (
        ("OYEZ_STORE__TRUST_ANCHORS", "ca.crt"),
        ("OYEZ_STORE__PASSWORD_FILE", "password"),
    );
    let made = migrate(&desk, &url, &[believed, password]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let refusals = [
        [("OYEZ_STORE__TRUST_ANCHORS", "stranger.crt"), password],
        [believed, ("OYEZ_STORE__PASSWORD_FILE", "wrong")],
        [("OYEZ_STORE__TLS", "off"), password],
    ];
    for variables in refusals {
        let refused = migrate(&desk, &url, &variables);
        assert_eq!(refused.code, 3, "{variables:?}: {}", refused.stdout);
        assert!(refused.stderr.contains("mend: "), "{}", refused.stderr);
        for secret in [PASSWORD, "open barley"] {
            assert!(!refused.stderr.contains(secret), "{}", refused.stderr);
        }
    }
}

#[test]
fn a_password_in_the_url_is_a_fault_of_the_configuration() {
    let desk = Desk::with_bank();
    let url = "postgresql://oyez:sesame@db.bank.example/oyez";
    let refused = migrate(&desk, url, &[]);
    assert_ne!(refused.code, 0);
    assert!(
        refused.stderr.contains("without a password"),
        "{}",
        refused.stderr
    );
    let missing = [("OYEZ_STORE__BACKEND", "postgres")];
    let missing = desk.run_with("check -c bank/oyez.toml", "", &missing);
    let said = format!("{}{}", missing.stdout, missing.stderr);
    assert!(said.contains("store.url"), "{said}");
}

// I-01, G-10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_everybody_is_told_to_come_back_and_then_all_goes_on() {
    let mut cluster = Cluster::start(Durability::Full);
    let url = cluster.address();
    let mut house = House::new(&[
        ("OYEZ_STORE__BACKEND", "postgres"),
        ("OYEZ_STORE__URL", &url),
    ]);
    house.start();
    let tpp = house.subscriber("tpp-1").await;
    let publisher = house.colleague("publisher");
    let item = |key: &str| house::item("tpp-1", "r-1", key);
    assert_eq!(publisher.post("/v1/events", &item("k-1")).await.status, 200);
    cluster.halt();
    for _ in 0..3 {
        let refused = publisher.post("/v1/events", &item("k-2")).await;
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
        let body = json!({ "returnImmediately": true });
        let refused = tpp.post(EVENTS).json(&body).send().await;
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
    }
    assert_eq!(publisher.get("/health/ready").await.status, 503);
    assert_eq!(publisher.get("/health/live").await.status, 200);
    cluster.resume();
    let recovers = async {
        while publisher.post("/v1/events", &item("k-2")).await.status != 200 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, recovers)
        .await
        .expect("it recovers by itself");
    assert_eq!(publisher.get("/health/ready").await.status, 200);
    let again = publisher.post("/v1/events", &item("k-1")).await.json();
    assert_eq!(again["outcomes"][0]["outcome"], "duplicate", "{again}");
    let body = json!({ "returnImmediately": true });
    let polled = tpp.post(EVENTS).json(&body).send().await;
    assert_eq!(house::sets(&polled.json()).len(), 2);
    assert_eq!(house.stop(), 0);
}

// P-07, G-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_takes_in_answers_a_poll_that_waits_at_another() {
    let mut house = House::on_postgres(&[("OYEZ_LISTENER__ADDRESS", "127.0.0.1:0")]).await;
    house.start();
    let tpp = house.subscriber("tpp-1").await;
    let beside = house.beside("internal");
    let body = json!({ "returnImmediately": false, "maxEvents": 10 });
    let waiting = tpp.post(EVENTS).json(&body).send();
    let mut waiting = pin!(waiting);
    let began = Instant::now();
    let publisher = house.colleague_at(beside.address("internal"), "publisher");
    let mut published = 0;
    let polled = loop {
        if let Ok(polled) = timeout(Duration::from_millis(500), &mut waiting).await {
            break polled;
        }
        // Whether it waits by now nobody can see: until it is answered there is more news.
        let item = house::item("tpp-1", "r-1", &format!("k-{published}"));
        assert_eq!(publisher.post("/v1/events", &item).await.status, 200);
        published += 1;
    };
    assert!(!house::sets(&polled.json()).is_empty(), "{polled:?}");
    assert!(began.elapsed() < LONG_POLL, "{:?}", began.elapsed());
    drop(beside);
    assert_eq!(house.stop(), 0);
}

// D-05, D-08
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_was_pushing_another_takes_over_in_time() {
    let mut house = House::on_postgres(&[("OYEZ_STORE__TAKEOVER", "2s")]).await;
    house.start();
    let endpoint = Endpoint::start(&house.site().authority.server(&[])).await;
    endpoint.behave(NOTIFICATIONS, Behaviour::accept());
    house.pushed("tpp-1", &endpoint, &json!({})).await;
    let beside = house.beside("internal,delivery");
    let publisher = house.colleague_at(beside.address("internal"), "publisher");
    let publish = async |key: &str| {
        let item = house::item("tpp-1", "r-1", key);
        assert_eq!(publisher.post("/v1/events", &item).await.status, 200);
    };
    publish("k-1").await;
    endpoint.until_count(NOTIFICATIONS, 1).await;
    // Whichever of them has the lane: both are killed in turn, and the other goes on.
    house.kill();
    publish("k-2").await;
    endpoint.until_count(NOTIFICATIONS, 2).await;
    house.start();
    drop(beside);
    let publisher = house.colleague("publisher");
    let item = house::item("tpp-1", "r-1", "k-3");
    assert_eq!(publisher.post("/v1/events", &item).await.status, 200);
    endpoint.until_count(NOTIFICATIONS, 3).await;
    assert_eq!(endpoint.inbox(NOTIFICATIONS).accepted().len(), 3);
    assert_eq!(house.stop(), 0);
}

#[test]
fn a_check_says_what_is_in_the_database() {
    let cluster = Cluster::start(Durability::None);
    let desk = Desk::with_bank();
    let url = cluster.address();
    let store = [
        ("OYEZ_STORE__BACKEND", "postgres"),
        ("OYEZ_STORE__URL", &*url),
    ];
    let before = desk.run_with("check -c bank/oyez.toml", "", &store);
    assert!(
        before.stdout.contains("there is no ledger yet"),
        "{}",
        before.stdout
    );
    assert_eq!(migrate(&desk, &url, &[]).code, 0);
    let after = desk.run_with("check -c bank/oyez.toml", "", &store);
    assert!(
        after.stdout.contains("events outstanding: 0") && after.stdout.contains("on PostgreSQL"),
        "{}",
        after.stdout
    );
}

// I-06
#[test]
fn who_may_not_make_parts_of_history_is_told_the_sql_that_lets_them() {
    let cluster = Cluster::start(Durability::None);
    let desk = Desk::with_bank();
    let url = cluster.address();
    assert_eq!(migrate(&desk, &url, &[]).code, 0);
    cluster.ask("CREATE ROLE guest LOGIN");
    cluster.ask("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO guest");
    let as_guest = url.replace("postgres@", "guest@");
    let store = [
        ("OYEZ_STORE__BACKEND", "postgres"),
        ("OYEZ_STORE__URL", &*as_guest),
    ];
    let checked = desk.run_with("check -c bank/oyez.toml", "", &store);
    assert_eq!(checked.code, 1, "{}", checked.stdout);
    let refused = desk.run_with("serve -c bank/oyez.toml", "", &store);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    for said in [checked.stdout, refused.stderr] {
        assert!(said.contains("GRANT postgres TO guest;"), "{said}");
    }
    cluster.ask("GRANT postgres TO guest");
    let checked = desk.run_with("check -c bank/oyez.toml", "", &store);
    let said = checked.stdout;
    assert!(said.contains("this machine's clock: 0.0 s"), "{said}");
    assert!(!said.contains("GRANT"), "{said}");
}

/// Far longer than the longest distance between two tries.
const PATIENCE: Duration = Duration::from_secs(20);
/// As long as a poll waits by default.
const LONG_POLL: Duration = Duration::from_secs(25);
