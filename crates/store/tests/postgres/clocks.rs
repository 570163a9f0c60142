//! Nodes whose clocks differ: by minutes, and by the moment that they always do (D-05, D-08, D-09).

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, NodeId};
use oyez_domain::ledger::lanes::{Health, Hold, LaneReport, Lease, Reason, Reported, Wanted};
use oyez_domain::ledger::poll::{Limits, Patience, Poll};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use oyez_store::Store;
use oyez_store::postgres::{Ledger, Options};
use oyez_testkit::claims::newest_claim;
use oyez_testkit::making::{DAWN, Jtis, UPDATE, interaction, notice, submission};
use oyez_testkit::postgres::Database;

use tokio::time::Instant;

use super::{node, pushed, subscriber, until};

async fn accept(ledger: &Ledger, id: &ClientId, jtis: &Jtis, now: Timestamp) {
    let notice = notice(id, Family::Aisp, &[UPDATE]);
    let batch = vec![submission(jtis.next(now), notice)];
    ledger.accept(batch, now).await.unwrap();
}

async fn lease(ledger: &Ledger, name: &str, ttl: Duration) -> Lease {
    let lease = ledger.hold_lease(NodeId::new(name).unwrap(), None, ttl);
    lease.await.unwrap().unwrap()
}

async fn claims(ledger: &Ledger, lease: &Lease, wanted: Wanted, now: Timestamp) -> Vec<String> {
    let lanes = ledger.claim_lanes(lease.clone(), wanted, 100, now);
    let lanes = lanes.await.unwrap().into_iter();
    lanes.map(|lane| lane.client_id.to_string()).collect()
}

// D-05, D-08
#[tokio::test]
async fn leases_go_by_the_databases_clock_however_far_apart_those_of_nodes_are() {
    for by in [1, -1] {
        let database = Database::new().await;
        let right = node(&database, Options::default()).await.unwrap();
        let wrong = node(&database, Options::default()).await.unwrap();
        let elsewhere = if by > 0 { DAWN + APART } else { DAWN - APART };
        let acme = pushed(&right, "acme").await;
        accept(&right, &acme, &Jtis::from(1), DAWN).await;
        let of_right = lease(&right, "right", SHORT).await;
        assert_eq!(claims(&right, &of_right, Wanted::Due, DAWN).await, ["acme"]);
        let of_wrong = lease(&wrong, "wrong", LONG).await;
        let taken = claims(&wrong, &of_wrong, Wanted::All, elsewhere).await;
        assert_eq!(taken, Vec::<String>::new());
        let renewed = right.hold_lease(of_right.node_id.clone(), Some(of_right.epoch), SHORT);
        assert!(renewed.await.unwrap().is_some());
        until("the lease runs out", async || {
            claims(&wrong, &of_wrong, Wanted::All, elsewhere).await == ["acme"]
        })
        .await;
        let renewed = right.hold_lease(of_right.node_id.clone(), Some(of_right.epoch), SHORT);
        assert!(renewed.await.unwrap().is_none());
    }
}

// D-05, D-08
#[tokio::test]
async fn what_a_node_accepts_whose_clock_is_ahead_another_pushes_at_once_and_one_that_is_behind_too()
 {
    for (accepts, claims_) in [
        (AHEAD, RIGHT),
        (RIGHT, BEHIND),
        (AHEAD, BEHIND),
        (BEHIND, AHEAD),
    ] {
        let database = Database::new().await;
        let ledger = node(&database, Options::default()).await.unwrap();
        let clock = clock(&database).await;
        let acme = pushed(&ledger, "acme").await;
        accept(&ledger, &acme, &Jtis::from(1), by(accepts, clock)).await;
        let lease = lease(&ledger, "one", LONG).await;
        for wanted in [Wanted::Share, Wanted::Due] {
            let claimed = claims(&ledger, &lease, wanted, by(claims_, clock)).await;
            let expected: &[&str] = if wanted == Wanted::Share {
                &["acme"]
            } else {
                &[]
            };
            assert_eq!(claimed, expected, "{accepts} {claims_}");
        }
    }
}

// D-05, D-06
#[tokio::test]
async fn a_probe_comes_as_long_after_a_failure_as_whoever_had_it_meant_whatever_its_clock_says() {
    for (fails, probes) in [(AHEAD, BEHIND), (BEHIND, AHEAD)] {
        let database = Database::new().await;
        let ledger = node(&database, Options::default()).await.unwrap();
        let started = clock(&database).await;
        let (one, two) = (
            lease(&ledger, "one", LONG).await,
            lease(&ledger, "two", LONG).await,
        );
        let acme = pushed(&ledger, "acme").await;
        accept(&ledger, &acme, &Jtis::from(1), by(fails, started)).await;
        let now = by(fails, clock(&database).await);
        assert_eq!(claims(&ledger, &one, Wanted::Due, now).await, ["acme"]);
        let next_probe_at = now + STEP;
        let report = LaneReport {
            client_id: acme.clone(),
            claim: newest_claim(&ledger, &one, &acme).await.number,
            health: Health::Failing {
                since: now,
                failures: 1,
                next_probe_at,
                reason: Reason::new("connect: refused"),
            },
            hold: Hold::LetGo {
                wake_at: Some(next_probe_at),
            },
        };
        let reported = ledger.report_lanes(one, vec![report], now).await;
        assert_eq!(reported.unwrap(), [Reported::Written]);
        let failed_at = clock(&database).await;
        let mut lanes = Vec::new();
        until("the probe is due", async || {
            let now = by(probes, clock(&database).await);
            let claimed = ledger.claim_lanes(two.clone(), Wanted::Due, 1, now);
            lanes = claimed.await.unwrap();
            !lanes.is_empty()
        })
        .await;
        let came_at = clock(&database).await;
        let waited = came_at.since(failed_at);
        assert!(
            waited + LATE_MAX >= STEP && waited <= STEP + LATE_MAX,
            "{waited:?}"
        );
        // By its own clock it is time.
        let due_at = lanes[0].health.next_probe_at().unwrap();
        let now = by(probes, came_at);
        assert!(
            due_at <= now && now.since(due_at) <= LATE_MAX,
            "{due_at} {now}"
        );
    }
}

/// What the database says the time is.
async fn clock(database: &Database) -> Timestamp {
    let question = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    Timestamp::from_unix_ms(database.number(question).await)
}

/// What a node says the time is, whose clock is so many minutes off.
fn by(minutes: i64, clock: Timestamp) -> Timestamp {
    Timestamp::from_unix_ms(clock.unix_ms() + minutes * 60_000)
}

const AHEAD: i64 = 5;
const RIGHT: i64 = 0;
const BEHIND: i64 = -5;
const STEP: Duration = Duration::from_secs(2);
/// What a busy machine may be late by.
const LATE_MAX: Duration = Duration::from_secs(1);

const APART: Duration = Duration::from_secs(300);
const LONG: Duration = Duration::from_secs(60);
/// Long enough for what is asked while it holds.
const SHORT: Duration = Duration::from_secs(3);

// D-09
#[tokio::test]
async fn what_another_node_accepted_a_moment_ahead_makes_nobody_walk_a_backlog() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let (tpp, jtis) = (subscriber(&ledger, "behind").await, Jtis::from(1));
    let batch =
        (0..BACKLOG).map(|_| submission(jtis.next(DAWN), notice(&tpp, Family::Aisp, &[UPDATE])));
    ledger.accept(batch.collect(), DAWN).await.unwrap();
    let ahead = DAWN + Duration::from_secs(2);
    let one_more = vec![submission(
        jtis.next(ahead),
        notice(&tpp, Family::Aisp, &[UPDATE]),
    )];
    ledger.accept(one_more, ahead).await.unwrap();
    let before = looked_at(&database, ledger).await;

    let ledger = node(&database, Options::default()).await.unwrap();
    let behind = DAWN + Duration::from_secs(1);
    let polled = ledger.poll(poll(&tpp, 10), behind).await.unwrap();
    assert_eq!((polled.work.len(), polled.more_available), (10, true));
    let looked_at = looked_at(&database, ledger).await - before;
    assert!(
        (10..200).contains(&looked_at),
        "{looked_at} rows for 10 events"
    );
}

// D-09
#[tokio::test]
async fn nor_does_it_make_anybody_walk_what_is_held_and_walks_begin_behind_that() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let (tpp, jtis) = (subscriber(&ledger, "held").await, Jtis::from(1));
    let item = |at| submission(jtis.next(at), notice(&tpp, Family::Aisp, &[UPDATE]));
    let batch = (0..BACKLOG).map(|_| item(DAWN)).collect();
    ledger.accept(batch, DAWN).await.unwrap();
    let all = u32::try_from(BACKLOG).unwrap();
    let held = ledger.poll(poll(&tpp, all), DAWN).await.unwrap();
    assert_eq!(held.work.len(), BACKLOG);
    let ahead = DAWN + Duration::from_secs(2);
    ledger.accept(vec![item(ahead)], ahead).await.unwrap();
    let before = looked_at(&database, ledger).await;

    let ledger = node(&database, Options::default()).await.unwrap();
    let behind = DAWN + Duration::from_secs(1);
    let polled = ledger.poll(poll(&tpp, 10), behind).await.unwrap();
    assert_eq!((polled.work.len(), polled.more_available), (1, false));
    assert_eq!(polled.next_due_at, Some(DAWN + DELAY));
    let looked_at = looked_at(&database, ledger).await - before;
    assert!(
        (1..200).contains(&looked_at),
        "{looked_at} rows for 1 event"
    );
    let least = database.number(WALKS_BEGIN).await;
    assert_eq!(least, (DAWN + DELAY).unix_ms());
}

// P-14
#[tokio::test]
async fn a_clock_that_was_set_back_takes_the_time_it_takes_and_delays_no_other_tpp() {
    let database = Database::new().await;
    let brisk = Options {
        statement_time_max: Duration::from_millis(700),
        ..Options::default()
    };
    let ledger = node(&database, brisk).await.unwrap();
    let (long, other) = (
        subscriber(&ledger, "long").await,
        subscriber(&ledger, "other").await,
    );
    accept(&ledger, &long, &Jtis::from(1), DAWN).await;
    for tpp in [&long, &other] {
        ledger.poll(poll(tpp, 1), DAWN).await.unwrap();
    }
    database.run(SLOW_UPDATES).await;
    let back = DAWN - Duration::from_secs(3_600);
    let began = Instant::now();
    let (of_long, of_other) = tokio::join!(ledger.poll(poll(&long, 1), back), async {
        let polled = ledger.poll(poll(&other, 1), DAWN).await;
        (polled, began.elapsed())
    });
    // Its hold was moved back with the clock.
    assert_eq!(of_long.unwrap().next_due_at, Some(back + DELAY));
    let (polled, after) = of_other;
    assert_eq!(polled.unwrap().next_due_at, None);
    assert!(began.elapsed() >= SLOW && after < SLOW, "{after:?}");
}

fn poll(tpp: &ClientId, events_max: u32) -> Poll {
    Poll {
        client_id: tpp.clone(),
        acks: Vec::new(),
        errors: Vec::new(),
        families: Family::ALL.to_vec(),
        events_max,
        patience: Patience::WaitForDue,
        interaction_id: interaction("behind"),
        limits: Limits {
            redelivery_delay: DELAY,
            error_cap: NonZeroU32::MIN,
            hand_out_cap: None,
            order: DeliveryOrder::Concurrent,
        },
    }
}

const DELAY: Duration = Duration::from_secs(60);

/// From now on whatever changes outstanding events takes so long.
const SLOW_UPDATES: &str = "
    CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NULL; END';
    CREATE TRIGGER slowly AFTER UPDATE ON outstanding FOR EACH STATEMENT EXECUTE FUNCTION slowly()";
const SLOW: Duration = Duration::from_secs(2);

/// How many rows of outstanding events were ever read. A session tells of it when it ends, at the latest.
pub(super) async fn looked_at(database: &Database, ledger: Ledger) -> i64 {
    ledger.close().await.unwrap();
    until("its sessions end", async || {
        database.connections().await == 0
    })
    .await;
    database.number(ROWS_READ).await
}

const BACKLOG: usize = 2_000;

const ROWS_READ: &str = "
    SELECT (seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_user_tables WHERE relname = 'outstanding'";

const WALKS_BEGIN: &str = "
    SELECT max(due) FROM queues CROSS JOIN unnest(due_from) due";
