//! What is not copied, and what is not copied to.

use std::time::Duration;

use oyez_domain::ids::NodeId;
use oyez_store::Error;
use oyez_store::copy::Fault;
use oyez_testkit::making::{client, rules};

use super::cut_off::{WAYS, with_events};
use super::home::Kind::{Postgres, Sqlite};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_a_target_already_is_left_as_it_is() {
    let rules = rules();
    for [from, to] in WAYS {
        let (from, to) = (
            with_events(from, 2, &rules).await,
            with_events(to, 1, &rules).await,
        );
        let refused = from.try_copy(&to, 1, &rules, &mut |_| {}).unwrap_err();
        assert!(
            matches!(refused, Fault::NotEmpty { table: "tpps" }),
            "{refused}"
        );
        let ledger = to.open(&rules).await;
        let counts = ledger.store().counts(client("tpp-1")).await.unwrap();
        assert_eq!(counts.outstanding, 1);
        ledger.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_this_binary_does_not_know_is_not_copied() {
    let rules = rules();
    for (kind, statement) in [
        (Sqlite, "PRAGMA user_version = 99"),
        (
            Postgres,
            "INSERT INTO schema_versions (version, name, serves_from) VALUES (99, 'of tomorrow', 99)",
        ),
    ] {
        let from = with_events(kind, 1, &rules).await;
        from.tamper(statement).await;
        let to = Sqlite.home().await;
        let refused = from.try_copy(&to, 1, &rules, &mut |_| {}).unwrap_err();
        assert!(
            matches!(refused, Fault::Source(Error::Schema { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_served_is_not_copied() {
    let rules = rules();
    for [from, to] in WAYS {
        let (from, to) = (with_events(from, 1, &rules).await, to.home().await);
        let served = from.open(&rules).await;
        let refused = from.try_copy(&to, 1, &rules, &mut |_| {}).unwrap_err();
        assert!(
            matches!(refused, Fault::Source(Error::InUse { .. })),
            "{refused:?}"
        );
        served.close().await;
        let served = to.open(&rules).await;
        let refused = from.try_copy(&to, 1, &rules, &mut |_| {}).unwrap_err();
        assert!(
            matches!(refused, Fault::Target(Error::InUse { .. })),
            "{refused:?}"
        );
        served.close().await;
        from.copy_to(&to, &rules);
    }
}

// D-05
#[tokio::test(flavor = "multi_thread")]
async fn the_node_whose_lease_holds_is_named() {
    let rules = rules();
    let (from, to) = (with_events(Postgres, 1, &rules).await, Sqlite.home().await);
    let ledger = from.open(&rules).await;
    let (node, ttl) = (NodeId::new("node-7").unwrap(), Duration::from_secs(3_600));
    let held = ledger.store().hold_lease(node, None, ttl).await.unwrap();
    // It died.
    ledger.close().await;
    let refused = from.try_copy(&to, 1, &rules, &mut |_| {}).unwrap_err();
    let Fault::Source(Error::InUse { detail }) = refused else {
        panic!("{refused:?}");
    };
    assert!(detail.contains("node-7"), "{detail}");
    let ledger = from.open(&rules).await;
    let released = ledger.store().release_lease(held.unwrap()).await;
    released.unwrap();
    ledger.close().await;
    from.copy_to(&to, &rules);
}

// S-12
#[tokio::test(flavor = "multi_thread")]
async fn what_was_withdrawn_and_not_written_yet_is_withdrawn_in_the_copy() {
    let rules = rules();
    let from = with_events(Sqlite, 3, &rules).await;
    // As a change of registrations leaves it that had no time for the rest.
    from.tamper(
        "INSERT INTO withdrawals (tpp, from_position, at, outcome, actor) VALUES (1, 1, 5, 41, NULL);
        INSERT INTO withdrawn_kinds (tpp, kind) SELECT 1, kind FROM kinds;
        DELETE FROM queue_kinds WHERE tpp = 1;
        UPDATE queues SET withdrawn = withdrawn + 3 WHERE tpp = 1;",
    )
    .await;
    let to = Postgres.home().await;
    from.copy_to(&to, &rules);
    let ledger = to.open(&rules).await;
    let counts = ledger.store().counts(client("tpp-1")).await.unwrap();
    assert_eq!((counts.outstanding, counts.withdrawn), (0, 3));
    ledger.close().await;
}
