//! Who migrates, and who is refused.

use oyez_store::postgres::{Ledger, Options};
use oyez_store::{Error, Store as _};
use oyez_testkit::making::rules;
use oyez_testkit::postgres::{self, Database};

use super::node;

// I-06
#[tokio::test]
async fn of_many_nodes_that_start_at_once_on_an_empty_database_each_finds_the_schema() {
    let database = Database::empty().await;
    let server = database.server();
    let opened = postgres::runtime().spawn(async move {
        let open = || {
            let runtime = postgres::runtime().handle();
            Ledger::open(server.clone(), Options::default(), rules(), runtime)
        };
        let (one, two, three, four) = tokio::join!(open(), open(), open(), open());
        [one, two, three, four].map(|opened| opened.map(drop))
    });
    for opened in opened.await.unwrap() {
        opened.unwrap();
    }
}

// I-06
#[tokio::test]
async fn a_schema_that_a_newer_binary_made_is_refused_with_the_mend() {
    let database = Database::new().await;
    database
        .run("INSERT INTO schema_versions (version, name, serves_from) VALUES (99, 'the future', 98)")
        .await;
    let refused = node(&database, Options::default()).await.map(drop);
    let Err(Error::Schema { detail }) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        detail.contains("schema 99") && detail.contains("newer one") && detail.contains("98"),
        "{detail}"
    );
}

// I-06
#[tokio::test]
async fn a_migration_says_from_where_to_where_and_the_next_has_nothing_to_do() {
    let database = Database::empty().await;
    let server = database.server();
    let migrated = postgres::runtime().spawn(async move {
        let runtime = postgres::runtime().handle();
        let look = || Ledger::inspect(&server, Options::default(), runtime);
        let migrate = || Ledger::migrate(&server, Options::default(), runtime);
        assert_eq!(look().await.unwrap().schema, 0);
        let steps = (migrate().await.unwrap(), migrate().await.unwrap());
        (steps, look().await.unwrap())
    });
    let ((first, second), found) = migrated.await.unwrap();
    assert_eq!((first.from, first.to), (0, found.schema_newest));
    assert_eq!((second.from, second.to), (first.to, first.to));
    assert_eq!(
        (found.schema, found.tpps, found.outstanding),
        (first.to, 0, 0)
    );
}

// I-06
#[tokio::test]
async fn a_schema_that_a_newer_binary_widened_is_served_as_it_is() {
    let database = Database::new().await;
    database
        .run(
            "INSERT INTO schema_versions (version, name, serves_from) VALUES (99, 'the future', 1)",
        )
        .await;
    let ledger = node(&database, Options::default()).await.unwrap();
    ledger.prove_writable().await.unwrap();
    let server = database.server();
    let migrated = postgres::runtime().spawn(async move {
        Ledger::migrate(&server, Options::default(), postgres::runtime().handle()).await
    });
    let migrated = migrated.await.unwrap().unwrap();
    assert_eq!((migrated.from, migrated.to), (99, 99));
}
