//! What spoils a session, and what becomes of the request that met it (I-01).

use oyez_domain::actor::Actor;
use oyez_domain::tpp::{Overrides, Standing};
use oyez_testkit::making::{DAWN, client, profile};
use oyez_testkit::postgres::Database;

use super::node;
use crate::Store;
use crate::postgres::session::STATEMENTS_MAX;
use crate::postgres::{Ledger, Options};

fn with_sessions(sessions: usize) -> Options {
    Options {
        sessions,
        ..Options::default()
    }
}

/// The kinds of requests.
#[derive(Clone, Copy)]
enum Asked {
    InGroups,
    ForAChange,
    ForALook,
}

const ALL: [Asked; 3] = [Asked::InGroups, Asked::ForAChange, Asked::ForALook];

/// One of a kind.
async fn works(ledger: &Ledger, asked: Asked) {
    let acme = client("acme");
    match asked {
        Asked::InGroups => {
            let put_back = ledger.put_back(acme, Vec::new(), DAWN);
            assert_eq!(put_back.await.unwrap(), 0);
        }
        Asked::ForAChange => {
            let stands = ledger.set_standing(Actor::System, acme, Standing::Active, DAWN);
            assert!(stands.await.unwrap().is_some());
        }
        Asked::ForALook => assert!(ledger.find_tpp(acme).await.unwrap().is_some()),
    }
}

async fn ledger(database: &Database) -> Ledger {
    let ledger = node(database, with_sessions(2)).await;
    let made = ledger.register_tpp(
        Actor::System,
        client("acme"),
        profile(Overrides::default()),
        DAWN,
    );
    assert!(made.await.unwrap().is_some());
    for asked in ALL {
        works(&ledger, asked).await;
    }
    ledger
}

// I-01
#[tokio::test]
async fn a_table_that_is_altered_while_it_is_served_fails_no_request() {
    let database = Database::new().await;
    let ledger = ledger(&database).await;
    for (asked, column_type) in ALL.into_iter().zip(["varchar", "text", "varchar"]) {
        let altered = format!("ALTER TABLE tpps ALTER client_id TYPE {column_type} COLLATE \"C\"");
        database.run(&altered).await;
        works(&ledger, asked).await;
        for asked in ALL {
            works(&ledger, asked).await;
        }
    }
}

// I-01
#[tokio::test]
async fn a_pooler_that_forgets_prepared_statements_fails_no_request() {
    let database = Database::new().await;
    let ledger = ledger(&database).await;
    let pool = &ledger.shared.pool;
    for asked in ALL {
        let sessions = [pool.take().await.unwrap(), pool.take().await.unwrap()];
        for session in &sessions {
            session.run("DEALLOCATE ALL").await.unwrap();
        }
        drop(sessions);
        works(&ledger, asked).await;
    }
}

// I-01
#[tokio::test]
async fn statements_that_were_prepared_together_stay_until_their_request_is_done() {
    let database = Database::new().await;
    let ledger = node(&database, with_sessions(1)).await;
    let session = ledger.shared.pool.take().await.unwrap();
    session.prepare(&["SELECT 0"]).await.unwrap();
    for nth in 0..=STATEMENTS_MAX {
        session.prepare(&[&format!("SELECT {nth}")]).await.unwrap();
        assert!(session.has_prepared("SELECT 0"), "after {nth}");
    }
    drop(session);
    let session = ledger.shared.pool.take().await.unwrap();
    assert!(!session.has_prepared("SELECT 0"));
}
