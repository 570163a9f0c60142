//! A database that goes away and comes back, or does not do what is asked.

use std::time::Duration;

use oyez_store::postgres::{Ledger, Options, Server};
use oyez_store::{Error, Store};
use oyez_testkit::making::{Jtis, client, rules};
use oyez_testkit::postgres::{self, Database};
use tokio::time::Instant;

use super::{accept, node, subscriber, until};

/// Everybody's connections to this database but one's own.
const CUT: &str = "
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

// I-01
#[tokio::test]
async fn after_its_connections_were_cut_a_node_recovers_by_itself_and_told_no_lie() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let (acme, jtis) = (subscriber(&ledger, "acme").await, Jtis::from(1));
    let mut accepted = 0;
    for _ in 0..5 {
        database.run(CUT).await;
        until("it works again", async || {
            match accept(&ledger, &acme, &jtis).await {
                Ok(_) => true,
                Err(Error::Unavailable { .. }) => false,
                Err(other) => panic!("{other}"),
            }
        })
        .await;
        accepted += 1;
    }
    assert_eq!(ledger.counts(acme).await.unwrap().accepted, accepted);
}

// I-01
#[tokio::test]
async fn who_holds_one_tpps_lock_delays_no_other_and_that_one_is_told_that_it_is_busy() {
    let database = Database::new().await;
    let impatient = Options {
        lock_time_max: Duration::from_millis(200),
        wait_max: Duration::from_millis(200),
        ..Options::default()
    };
    let ledger = node(&database, impatient).await.unwrap();
    let jtis = Jtis::from(1);
    let (acme, bolt) = (
        subscriber(&ledger, "acme").await,
        subscriber(&ledger, "bolt").await,
    );
    let holding = database
        .hold("SELECT 1 FROM queues JOIN tpps USING (tpp) WHERE client_id = 'acme' FOR UPDATE OF queues")
        .await;
    let (of_acme, of_bolt) =
        tokio::join!(accept(&ledger, &acme, &jtis), accept(&ledger, &bolt, &jtis));
    assert!(matches!(of_acme, Err(Error::Busy { .. })), "{of_acme:?}");
    of_bolt.unwrap();
    drop(holding);
    until("the lock is free", async || {
        accept(&ledger, &acme, &jtis).await.is_ok()
    })
    .await;
}

// I-01
#[tokio::test]
async fn a_database_that_takes_no_writes_is_named_so_and_used_again_when_it_does() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let (acme, jtis) = (subscriber(&ledger, "acme").await, Jtis::from(1));
    let name = database.name();
    database
        .run(&format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = on"
        ))
        .await;
    database.run(CUT).await;
    until("it is refused", async || {
        accept(&ledger, &acme, &jtis).await.is_err()
    })
    .await;
    let refused = ledger.prove_writable().await;
    assert!(
        matches!(
            refused,
            Err(Error::ReadOnly { .. } | Error::Unavailable { .. })
        ),
        "{refused:?}"
    );
    database
        .run(&format!(
            "SET transaction_read_only = off; ALTER DATABASE {name} RESET default_transaction_read_only"
        ))
        .await;
    until("it writes again", async || {
        ledger.prove_writable().await.is_ok()
    })
    .await;
    assert_eq!(accept(&ledger, &acme, &jtis).await.unwrap().len(), 1);
}

// I-01
#[tokio::test]
async fn where_no_database_is_a_node_does_not_start_and_names_no_password() {
    let nowhere = Server::parse("postgresql://oyez@127.0.0.1:1/oyez").unwrap();
    let nowhere = nowhere.password(b"open sesame");
    let began = Instant::now();
    let opened = postgres::runtime().spawn(async move {
        let runtime = postgres::runtime().handle();
        let opened = Ledger::open(nowhere, Options::default(), rules(), runtime).await;
        opened.map(drop)
    });
    let refused = opened.await.unwrap().unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
    assert!(!refused.to_string().contains("sesame"), "{refused}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_closed_ledger_refuses_and_hangs_up() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    subscriber(&ledger, "acme").await;
    ledger.close().await.unwrap();
    let refused = ledger.find_tpp(client("acme")).await;
    assert!(
        matches!(refused, Err(Error::Unavailable { .. })),
        "{refused:?}"
    );
    until("nobody is connected", async || {
        database.connections().await == 0
    })
    .await;
}
