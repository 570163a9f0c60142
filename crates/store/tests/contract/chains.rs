//! Chains of the audit trail that somebody laid hands on, by plain SQL, in either database: each is found where it breaks (I-05).

use std::path::Path;
use std::sync::Arc;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::trail::{Break, Link, Walk, Walked};
use oyez_domain::tpp::Standing;
use oyez_store::{Store, sqlite};
use oyez_testkit::making::rules;
use oyez_testkit::postgres::Database;

use crate::fixture::{Backend, Ledger, operator};

/// A chain, and what came of walking it.
pub(crate) type Chain = (Option<ClientId>, Result<Walked, Break>);

/// Walks every chain of a ledger, a few entries at a time.
pub(crate) async fn walk_all(ledger: &dyn Store) -> Vec<Chain> {
    let heads = ledger.chain_heads(None, 1_000).await.unwrap();
    let tpps = heads.tpps.rows.into_iter();
    let chains = tpps.map(|(client_id, head)| (Some(client_id), head));
    let mut walked = Vec::new();
    for (client_id, head) in std::iter::once((None, heads.operators)).chain(chains) {
        let came_of_it = walk(ledger, client_id.clone(), head).await;
        walked.push((client_id, came_of_it));
    }
    walked
}

async fn walk(
    ledger: &dyn Store,
    client_id: Option<ClientId>,
    head: Option<Link>,
) -> Result<Walked, Break> {
    let (mut walk, mut next) = (Walk::default(), Some(0));
    while let Some(after) = next {
        let page = ledger.read_chain(client_id.clone(), after, 2).await;
        let page = page.unwrap();
        for entry in &page.rows {
            walk.next(entry);
            head.iter().for_each(|head| walk.expect(*head));
        }
        next = page.next;
    }
    walk.end(head.as_slice())
}

/// Two TPPs to whom much happened, and two keys that were given up.
async fn busy_day(ledger: &Ledger) {
    let acme = ledger.tpp("acme").await;
    let bolt = ledger.tpp("bolt").await;
    for _ in 0..3 {
        for tpp in [&acme, &bolt] {
            tpp.is_disabled().await;
            let back =
                ledger.set_standing(operator(), tpp.id.clone(), Standing::Active, ledger.now());
            back.await.unwrap();
        }
    }
    for kid in ["key-1", "key-2", "key-3"] {
        let disowned = ledger.disown_key(operator(), kid.to_owned(), ledger.now());
        disowned.await.unwrap();
    }
}

/// What somebody does to the entries, and what is found: of acme's chain, of the operators'.
struct Deed {
    sql: &'static str,
    of_acme: Option<Break>,
    of_operators: Option<Break>,
}

/// Entries 1, 3, 4, 7, 8, 11 and 12 are acme's, the last three the operators'.
const DEEDS: [Deed; 7] = [
    Deed {
        sql: "UPDATE audit SET actor = 'operator:eve' WHERE sequence = 4",
        of_acme: Some(Break::Edited {
            sequence: 4,
            number: 3,
        }),
        of_operators: None,
    },
    Deed {
        sql: "DELETE FROM audit WHERE sequence = 4",
        of_acme: Some(Break::Removed {
            number: 3,
            next: 4,
            sequence: 7,
        }),
        of_operators: None,
    },
    Deed {
        sql: "UPDATE audit SET action = o.action, before = o.before, after = o.after, number = o.number, hash = o.hash
            FROM (SELECT sequence AS was, action, before, after, number, hash FROM audit) o
            WHERE audit.sequence IN (3, 4) AND o.was = 7 - audit.sequence",
        of_acme: Some(Break::Reordered {
            sequence: 3,
            number: 3,
            expected: 2,
        }),
        of_operators: None,
    },
    Deed {
        sql: "DELETE FROM audit WHERE sequence = 12",
        of_acme: Some(Break::EndRemoved { last: 6, head: 7 }),
        of_operators: None,
    },
    Deed {
        sql: "UPDATE audit SET hash = NULL, number = NULL WHERE sequence = 8",
        of_acme: Some(Break::NotChained { sequence: 8 }),
        of_operators: None,
    },
    Deed {
        sql: "DELETE FROM audit WHERE tpp IS NULL",
        of_acme: None,
        of_operators: Some(Break::EndRemoved { last: 0, head: 3 }),
    },
    Deed {
        sql: "UPDATE audit SET after = '{\"kid\":\"key-2\",\"sets\":1}' WHERE sequence = 16",
        of_acme: None,
        of_operators: Some(Break::Edited {
            sequence: 16,
            number: 2,
        }),
    },
];

async fn finds(ledger: &dyn Store, deed: &Deed) {
    let found: Vec<Option<Break>> = walk_all(ledger)
        .await
        .into_iter()
        .map(|it| it.1.err())
        .collect();
    let expected = [deed.of_operators, deed.of_acme, None];
    assert_eq!(found, expected, "{}", deed.sql);
}

fn open(path: &Path) -> Arc<sqlite::Ledger> {
    Arc::new(sqlite::Ledger::open(path, sqlite::Options::default(), rules()).unwrap())
}

// I-05
#[tokio::test]
async fn whatever_is_done_to_the_trail_in_a_file_is_found() {
    for deed in &DEEDS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let store = open(&path);
        let ledger = Ledger::new(Backend {
            store: store.clone(),
            lives_in: Box::new(()),
        });
        busy_day(&ledger).await;
        assert!(walk_all(&*ledger).await.iter().all(|it| it.1.is_ok()));
        store.close().await.unwrap();
        let db = rusqlite::Connection::open(&path).unwrap();
        assert!(db.execute(deed.sql, []).unwrap() > 0);
        db.close().unwrap();
        finds(&*open(&path), deed).await;
    }
}

// I-05
#[tokio::test]
async fn whatever_is_done_to_the_trail_in_postgres_is_found() {
    for deed in &DEEDS {
        let database = Database::new().await;
        let store = Arc::new(database.ledger(rules()).await);
        let ledger = Ledger::new(Backend {
            store,
            lives_in: Box::new(()),
        });
        busy_day(&ledger).await;
        assert!(walk_all(&*ledger).await.iter().all(|it| it.1.is_ok()));
        database.run(deed.sql).await;
        finds(&*ledger, deed).await;
    }
}
