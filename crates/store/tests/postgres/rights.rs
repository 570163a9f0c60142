//! What the user of a ledger may do in its database (I-06).

use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ids::NodeId;
use oyez_store::postgres::{Inspection, Ledger, Options};
use oyez_store::{Error, Store};
use oyez_testkit::making::{DAWN, Jtis, UPDATE, notice, rules, submission};
use oyez_testkit::postgres::{self, Database};

use super::subscriber;

async fn open_as(database: &Database, user: &str) -> Result<Ledger, Error> {
    let server = database.server().user(user);
    let opening = async move {
        let runtime = postgres::runtime().handle();
        Ledger::open(server, Options::default(), rules(), runtime).await
    };
    postgres::runtime().spawn(opening).await.unwrap()
}

async fn inspect_as(database: &Database, user: &str) -> Inspection {
    let server = database.server().user(user);
    let looking = async move {
        let runtime = postgres::runtime().handle();
        Ledger::inspect(&server, Options::default(), runtime).await
    };
    let found = postgres::runtime().spawn(looking).await.unwrap();
    found.unwrap()
}

// I-06
#[tokio::test]
async fn a_user_who_lacks_rights_is_told_the_sql_that_gives_them_and_makes_parts_in_the_owners_name()
 {
    let database = Database::empty().await;
    let (owner, user) = (
        format!("owner_{}", database.name()),
        format!("user_{}", database.name()),
    );
    database
        .run(&format!(
            "CREATE ROLE {owner} LOGIN; CREATE ROLE {user} LOGIN NOINHERIT; GRANT CREATE ON SCHEMA public TO {owner}"
        ))
        .await;
    open_as(&database, &owner)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    let Err(Error::ReadOnly { detail }) = open_as(&database, &user).await.map(drop) else {
        panic!("a user without rights was let in");
    };
    assert!(
        detail.contains(&format!("GRANT {owner} TO {user};")),
        "{detail}"
    );
    // As it is told, one after the other.
    let lacks = inspect_as(&database, &user).await.lacks;
    assert_eq!(lacks.len(), 3, "{lacks:?}");
    for lack in lacks {
        assert!(detail.contains(&lack.what), "{detail}");
        database.run(&lack.mend).await;
    }
    assert_eq!(inspect_as(&database, &user).await.lacks, []);
    let ledger = open_as(&database, &user).await.unwrap();
    let acme = subscriber(&ledger, "acme").await;
    let item = submission(
        Jtis::from(1).next(DAWN),
        notice(&acme, Family::Aisp, &[UPDATE]),
    );
    ledger.accept(vec![item], DAWN).await.unwrap();
    let lease = ledger.hold_lease(NodeId::new("node").unwrap(), None, Duration::from_secs(9));
    assert!(lease.await.unwrap().is_some());
    let others = format!(
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner <> '{owner}'"
    );
    assert_eq!(database.number(&others).await, 0);
    ledger.close().await.unwrap();
    // What an administrator takes away again.
    database
        .run(&format!("REVOKE CREATE ON SCHEMA public FROM {owner}"))
        .await;
    let lacks = inspect_as(&database, &user).await.lacks;
    assert_eq!(
        lacks[0].mend,
        format!("GRANT CREATE ON SCHEMA public TO {owner}")
    );
    database
        .run(&format!(
            "DROP OWNED BY {user}, {owner}; DROP ROLE {user}, {owner}"
        ))
        .await;
}
