//! History goes by the part (I-06).

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::ClientId;
use oyez_domain::ids::Jti;
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::history::{Retention, Swept};
use oyez_domain::ledger::poll::{Limits, Patience, Poll, SetError};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use oyez_store::Store;
use oyez_store::postgres::{Ledger, Options};
use oyez_testkit::making::{DAWN, Jtis, UPDATE, interaction, notice, submission};
use oyez_testkit::postgres::Database;

use super::clocks::looked_at;
use super::{node, subscriber, until};

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
    let ends = jtis.len();
    assert_eq!(poll(ledger, tpp, jtis, BTreeMap::new(), at).await, ends);
}

/// The first error sets an event aside.
async fn fail(ledger: &Ledger, tpp: &ClientId, jti: Jti, at: Timestamp) {
    let error = SetError {
        err: "jwtSig".to_owned(),
        description: "no".to_owned(),
    };
    poll(ledger, tpp, Vec::new(), BTreeMap::from([(jti, error)]), at).await;
    assert_eq!(ledger.counts(tpp.clone()).await.unwrap().failed, 1);
}

/// Answers how many events it acknowledged.
async fn poll(
    ledger: &Ledger,
    tpp: &ClientId,
    acks: Vec<Jti>,
    errors: BTreeMap<Jti, SetError>,
    at: Timestamp,
) -> usize {
    let poll = Poll {
        client_id: tpp.clone(),
        acks,
        errors: errors.into_iter().collect(),
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
    ledger.poll(poll, at).await.unwrap().settled.len()
}

async fn parts(database: &Database) -> i64 {
    parts_of(database, "events").await
}

async fn parts_of(database: &Database, table: &str) -> i64 {
    let question =
        format!("SELECT count(*) FROM pg_inherits WHERE inhparent = '{table}'::regclass");
    database.number(&question).await
}

/// A ledger with one event of the first weeks, settled, and the moment from when on they may go as a whole.
async fn with_weeks_that_are_over(database: &Database) -> (Ledger, ClientId, Jti, Timestamp) {
    let ledger = node(database, Options::default()).await.unwrap();
    let (acme, jtis) = (subscriber(&ledger, "acme").await, Jtis::from(1));
    let jti = accept_at(&ledger, &acme, &jtis, DAWN).await;
    acknowledge(&ledger, &acme, vec![jti], DAWN).await;
    (ledger, acme, jti, DAWN + DAY * 119)
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

// I-06
#[tokio::test]
async fn weeks_that_cannot_go_do_not_hold_up_those_after_them() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let (acme, jtis) = (subscriber(&ledger, "acme").await, Jtis::from(1));
    let open = accept_at(&ledger, &acme, &jtis, DAWN).await;
    let (later, now) = (DAWN + DAY * 40, DAWN + DAY * 160);
    let settled = accept_at(&ledger, &acme, &jtis, later).await;
    acknowledge(&ledger, &acme, vec![settled], later).await;
    let before = (parts(&database).await, parts_of(&database, "polls").await);
    assert_eq!(ledger.sweep(QUARTER, now).await.unwrap().events, 1);
    assert!(ledger.find_event(open).await.unwrap().is_some());
    assert_eq!(ledger.find_event(settled).await.unwrap(), None);
    // Two are made for what comes. A poll of the weeks that went may have handed out what is open.
    assert_eq!(parts(&database).await, before.0 + 2 - 1);
    assert_eq!(parts_of(&database, "polls").await, before.1 + 2);
    acknowledge(&ledger, &acme, vec![open], now).await;
    let now = now + DAY * 119;
    while ledger.sweep(QUARTER, now).await.unwrap() != Swept::default() {}
    let left = (parts(&database).await, parts_of(&database, "polls").await);
    // But for the weeks just before them.
    assert_eq!(
        left.0 + 1,
        left.1,
        "polls of long before the oldest events are left"
    );
}

// I-03, I-06
#[tokio::test]
async fn a_poll_is_kept_with_its_event_though_a_clock_dates_it_before_the_events_weeks() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let (acme, jtis) = (subscriber(&ledger, "acme").await, Jtis::from(1));
    let (weeks, dawn) = (28 * 24 * 3_600_000, DAWN.unix_ms());
    let edge = Timestamp::from_unix_ms((dawn / weeks + 1) * weeks);
    let old = accept_at(&ledger, &acme, &jtis, DAWN).await;
    acknowledge(&ledger, &acme, vec![old], DAWN).await;
    let minute = Duration::from_secs(60);
    let jti = accept_at(&ledger, &acme, &jtis, edge + minute).await;
    fail(&ledger, &acme, jti, edge - minute).await;
    let before = ledger.find_event(jti).await.unwrap().unwrap();
    assert_eq!(before.errors.len(), 1);
    let now = edge + QUARTER.settled_for + minute * 10;
    assert_eq!(ledger.sweep(QUARTER, now).await.unwrap().events, 1);
    assert_eq!(ledger.find_event(old).await.unwrap(), None);
    let after = ledger.find_event(jti).await.unwrap();
    assert_eq!(after, Some(before));
}

// I-06
#[tokio::test]
async fn weeks_whose_tables_somebody_uses_are_left_to_the_next_round() {
    let database = Database::new().await;
    let (ledger, _, jti, now) = with_weeks_that_are_over(&database).await;
    let reading = database.hold("SELECT count(*) FROM events").await;
    assert_eq!(ledger.sweep(QUARTER, now).await.unwrap().events, 0);
    assert!(ledger.find_event(jti).await.unwrap().is_some());
    drop(reading);
    until("they go", async || {
        ledger.sweep(QUARTER, now).await.unwrap().events == 1
    })
    .await;
    assert_eq!(ledger.find_event(jti).await.unwrap(), None);
}

// I-06
#[tokio::test]
async fn tables_that_a_process_took_away_before_it_died_are_removed_by_another() {
    let database = Database::new().await;
    let (ledger, ..) = with_weeks_that_are_over(&database).await;
    let part = "SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'events'::regclass";
    let part = database.ask(part).await.remove(0);
    database
        .run(&format!(
            "ALTER TABLE events DETACH PARTITION {part}; ALTER TABLE {part} RENAME TO gone_{part};
             CREATE TABLE gone_fishing ()"
        ))
        .await;
    ledger.sweep(QUARTER, DAWN).await.unwrap();
    let left = "SELECT relname FROM pg_class WHERE relname LIKE 'gone%' AND relkind = 'r'";
    assert_eq!(database.ask(left).await, ["gone_fishing"]);
}

// I-06
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_sweep_at_once_drop_each_weeks_once() {
    let database = Database::new().await;
    let (one, acme, _, _) = with_weeks_that_are_over(&database).await;
    let jtis = Jtis::from(100);
    for month in 1..5 {
        let at = DAWN + DAY * 30 * month;
        let jti = accept_at(&one, &acme, &jtis, at).await;
        acknowledge(&one, &acme, vec![jti], at).await;
    }
    let two = node(&database, Options::default()).await.unwrap();
    let now = DAWN + DAY * 239;
    let mut gone = 0;
    // Whoever finds the other one at a week leaves it to the next round.
    until("all weeks are gone", async || {
        let (one, two) = tokio::join!(one.sweep(QUARTER, now), two.sweep(QUARTER, now));
        gone += one.unwrap().events + two.unwrap().events;
        gone >= 5 && parts(&database).await == parts_of(&database, "polls").await
    })
    .await;
    assert_eq!(gone, 5);
}

// I-04, I-06
#[tokio::test]
async fn a_failed_event_is_not_swept_away_under_whoever_queues_it_again() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let (acme, jtis) = (subscriber(&ledger, "acme").await, Jtis::from(1));
    let jti = accept_at(&ledger, &acme, &jtis, DAWN).await;
    fail(&ledger, &acme, jti, DAWN).await;
    let now = DAWN + DAY * 119;
    let queueing = database.hold("SELECT 1 FROM queues FOR UPDATE").await;
    assert_eq!(ledger.sweep(QUARTER, now).await.unwrap().events, 0);
    drop(queueing);
    let always = Timestamp::from_unix_ms(0)..Timestamp::MAX;
    let again = ledger.requeue_failed(Actor::System, acme, always, 9, now);
    assert_eq!(again.await.unwrap(), [jti]);
    assert_eq!(ledger.sweep(QUARTER, now).await.unwrap().events, 0);
    assert!(ledger.find_event(jti).await.unwrap().is_some());
}

// I-06
#[tokio::test]
async fn a_lane_that_is_busy_keeps_a_node_that_is_gone_from_being_forgotten_and_nothing_else() {
    let database = Database::new().await;
    let (ledger, .., now) = with_weeks_that_are_over(&database).await;
    database
        .run(
            "INSERT INTO nodes (node_id, epoch, expires_at) VALUES ('gone', 1, 0);
             INSERT INTO lanes (tpp, owner, epoch) VALUES (1, 'gone', 1)",
        )
        .await;
    let busy = database.hold("SELECT 1 FROM lanes FOR UPDATE").await;
    assert_eq!(ledger.sweep(QUARTER, now).await.unwrap().events, 1);
    let left = "SELECT count(*) FROM nodes n JOIN lanes l ON l.owner = n.node_id";
    assert_eq!(database.number(left).await, 1);
    drop(busy);
    until("it is forgotten", async || {
        ledger.sweep(QUARTER, now).await.unwrap();
        database.number("SELECT count(*) FROM nodes").await == 0
    })
    .await;
    assert_eq!(database.number(left).await, 0);
}

// D-08, I-06
#[tokio::test]
async fn a_process_whose_clock_is_a_year_ahead_ends_and_removes_nothing_for_it() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let now = ledger.shared_clock().await.unwrap().unwrap();
    let (acme, jtis) = (subscriber(&ledger, "acme").await, Jtis::from(1));
    let open = accept_at(&ledger, &acme, &jtis, now).await;
    let settled = accept_at(&ledger, &acme, &jtis, now).await;
    acknowledge(&ledger, &acme, vec![settled], now).await;
    let ahead = now + DAY * 365;
    let expired = ledger.expire(ahead - DAY * 90, 9, ahead).await.unwrap();
    assert_eq!(expired, 0);
    assert_eq!(
        ledger.sweep(QUARTER, ahead).await.unwrap(),
        Swept::default()
    );
    assert!(ledger.find_event(settled).await.unwrap().is_some());
    // What is old by the database's clock expires at its moment.
    let expired = ledger.expire(ahead + DAY, 9, ahead).await.unwrap();
    assert_eq!(expired, 1);
    let ended = ledger.find_event(open).await.unwrap().unwrap().settlements;
    assert!(ended[0].at < now + DAY, "{ended:?}");
}

// I-06
#[tokio::test]
async fn a_backlog_with_nothing_old_in_it_costs_expiry_one_row() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let (acme, jtis) = (subscriber(&ledger, "acme").await, Jtis::from(1));
    let item = || submission(jtis.next(DAWN), notice(&acme, Family::Aisp, &[UPDATE]));
    let batch = (0..2_000).map(|_| item()).collect();
    ledger.accept(batch, DAWN).await.unwrap();
    let before = looked_at(&database, ledger).await;
    let ledger = node(&database, Options::default()).await.unwrap();
    for day in 1..=3 {
        let expired = ledger.expire(DAWN - DAY * day, 250, DAWN).await.unwrap();
        assert_eq!(expired, 0);
    }
    let rows = looked_at(&database, ledger).await - before;
    assert_eq!(rows, 3);
}

// I-06
#[tokio::test]
async fn what_stands_behind_what_was_accepted_ahead_of_time_expires_in_its_own() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let (acme, jtis) = (subscriber(&ledger, "acme").await, Jtis::from(1));
    let ahead = accept_at(&ledger, &acme, &jtis, DAWN + DAY * 30).await;
    accept_at(&ledger, &acme, &jtis, DAWN).await;
    let now = DAWN + DAY * 91;
    assert_eq!(ledger.expire(now - DAY * 90, 9, now).await.unwrap(), 1);
    let file = ledger.find_event(ahead).await.unwrap().unwrap();
    assert_eq!(file.settlements, []);
}
