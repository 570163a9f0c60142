//! History goes by the part (I-06).

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ids::ClientId;
use oyez_domain::ids::Jti;
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::history::{Retention, Swept};
use oyez_domain::ledger::poll::{Limits, Patience, Poll};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use oyez_store::Store;
use oyez_store::postgres::{Ledger, Options};
use oyez_testkit::making::{DAWN, Jtis, UPDATE, interaction, notice, submission};
use oyez_testkit::postgres::Database;

use super::{node, subscriber};

const DAY: Duration = Duration::from_secs(24 * 3600);

const QUARTER: Retention = Retention {
    settled_for: Duration::from_secs(90 * 24 * 3600),
    keys_for: DAY,
    minutes_for: DAY,
    batch_max: 1_000,
};

async fn accept_at(ledger: &Ledger, tpp: &ClientId, jtis: &Jtis, at: Timestamp) -> Jti {
    let batch = vec![submission(
        jtis.next(at),
        notice(tpp, Family::Aisp, &[UPDATE]),
    )];
    match ledger.accept(batch, at).await.unwrap()[0] {
        Acceptance::Accepted(jti) => jti,
        other => panic!("{other:?}"),
    }
}

async fn acknowledge(ledger: &Ledger, tpp: &ClientId, jtis: Vec<Jti>, at: Timestamp) {
    let poll = Poll {
        client_id: tpp.clone(),
        acks: jtis.clone(),
        errors: Vec::new(),
        families: Family::ALL.to_vec(),
        events_max: 0,
        patience: Patience::Immediate,
        interaction_id: interaction("acknowledges"),
        limits: Limits {
            redelivery_delay: DAY,
            error_cap: NonZeroU32::MIN,
            hand_out_cap: None,
            order: DeliveryOrder::Concurrent,
        },
    };
    let settled = ledger.poll(poll, at).await.unwrap().settled;
    assert_eq!(settled.len(), jtis.len());
}

async fn parts(database: &Database) -> i64 {
    database
        .number("SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass")
        .await
}

// I-06
#[tokio::test]
async fn weeks_that_are_over_go_as_a_whole_once_the_last_event_in_them_may() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let (acme, jtis) = (subscriber(&ledger, "acme").await, Jtis::from(1));
    let mut old = Vec::new();
    for day in 0..8 {
        old.push(accept_at(&ledger, &acme, &jtis, DAWN + DAY * 9 * day).await);
    }
    let last = old.pop().unwrap();
    acknowledge(&ledger, &acme, old.clone(), DAWN + DAY * 70).await;
    let before = parts(&database).await;
    assert!(before >= 3, "{before}");
    // Not yet: ninety days have not passed for those settled last.
    let now = DAWN + DAY * 159;
    assert_eq!(ledger.sweep(QUARTER, now).await.unwrap().events, 0);
    let now = DAWN + DAY * 162;
    let mut gone = 0;
    loop {
        match ledger.sweep(QUARTER, now).await.unwrap() {
            Swept { events: 0, .. } => break,
            Swept { events, .. } => gone += events,
        }
    }
    let young = 7 - usize::try_from(gone).unwrap();
    // Only whole parts went; the one that is open has its row.
    assert!(gone >= 4, "{gone}");
    for (nth, jti) in old.iter().enumerate() {
        let found = ledger.find_event(*jti).await.unwrap();
        assert_eq!(found.is_some(), nth >= 7 - young, "{nth}");
    }
    assert!(ledger.find_event(last).await.unwrap().is_some());
    assert!(parts(&database).await < before + 2);
    assert_eq!(ledger.counts(acme.clone()).await.unwrap().acknowledged, 7);
    // What is accepted afterwards finds its place.
    accept_at(&ledger, &acme, &jtis, now).await;
}

// I-06
#[tokio::test]
async fn what_is_open_keeps_its_weeks_and_what_ended_long_ago_beside_it_goes_by_the_row() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let (acme, jtis) = (subscriber(&ledger, "acme").await, Jtis::from(1));
    let open = accept_at(&ledger, &acme, &jtis, DAWN).await;
    let settled = accept_at(&ledger, &acme, &jtis, DAWN).await;
    acknowledge(&ledger, &acme, vec![settled], DAWN).await;
    let (late, later) = (DAWN + DAY * 120, DAWN + DAY * 126);
    assert_eq!(ledger.sweep(QUARTER, late).await.unwrap().events, 0);
    assert!(ledger.find_event(settled).await.unwrap().is_some());
    assert_eq!(ledger.sweep(QUARTER, later).await.unwrap().events, 1);
    assert_eq!(ledger.find_event(settled).await.unwrap(), None);
    assert!(ledger.find_event(open).await.unwrap().is_some());
}
