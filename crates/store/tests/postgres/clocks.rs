//! Nodes whose clocks differ: by minutes, and by the moment that they always do (D-05, D-08, D-09).

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, Jti, NodeId};
use oyez_domain::ledger::lanes::{Health, Hold, LaneReport, Lease, Reason, Reported, Wanted};
use oyez_domain::ledger::poll::{Limits, Patience, Poll};
use oyez_domain::ledger::push::{Answer, Attempt, DueForPush, Ended, Peer, Recorded, Verdict};
use oyez_domain::ledger::sets::Look;
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

// D-08, P-08
#[tokio::test]
async fn what_one_node_hands_out_comes_back_after_its_delay_by_every_other_nodes_clock() {
    for (hands_out, asks) in [(AHEAD, BEHIND), (BEHIND, AHEAD), (AHEAD, RIGHT)] {
        let database = Database::new().await;
        let one = node(&database, Options::default()).await.unwrap();
        let two = node(&database, Options::default()).await.unwrap();
        let acme = subscriber(&node(&database, Options::default()).await.unwrap(), "acme").await;
        let polled = async |ledger: &Ledger, minutes| {
            let now = by(minutes, clock(&database).await);
            let mut asked = poll(&acme, 1);
            asked.limits.redelivery_delay = STEP;
            (now, ledger.poll(asked, now).await.unwrap())
        };
        accept(
            &one,
            &acme,
            &Jtis::from(1),
            by(hands_out, clock(&database).await),
        )
        .await;
        let (_, handed_out) = polled(&one, hands_out).await;
        assert_eq!(handed_out.work.len(), 1);
        let held_at = clock(&database).await;
        let mut again = polled(&two, asks).await;
        assert_eq!(again.1.work.len(), 0, "{hands_out} {asks}");
        let due_at = again.1.next_due_at.unwrap();
        assert!(due_at <= again.0 + STEP && due_at + LATE_MAX >= again.0 + STEP);
        until("it is due again", async || {
            again = polled(&two, asks).await;
            !again.1.work.is_empty()
        })
        .await;
        let waited = clock(&database).await.since(held_at);
        assert!(
            waited + LATE_MAX >= STEP && waited <= STEP + LATE_MAX,
            "{waited:?}"
        );
        // And of its acceptance both say the same.
        let accepted_at = again.1.work[0].accepted_at;
        assert!(again.0.since(accepted_at) <= STEP + LATE_MAX * 2 && accepted_at <= again.0);
    }
}

// D-05, D-08, P-14
#[tokio::test]
async fn what_one_node_pushes_or_puts_off_another_pushes_when_its_time_is_over_and_no_sooner() {
    for (first, second) in [(AHEAD, BEHIND), (BEHIND, AHEAD)] {
        let database = Database::new().await;
        let one = node(&database, Options::default()).await.unwrap();
        let two = node(&database, Options::default()).await.unwrap();
        let acme = pushed(&node(&database, Options::default()).await.unwrap(), "acme").await;
        let jtis = Jtis::from(1);
        for _ in 0..2 {
            accept(&one, &acme, &jtis, by(first, clock(&database).await)).await;
        }
        let now = by(first, clock(&database).await);
        let of_one = lease(&one, "one", LONG).await;
        assert_eq!(claims(&one, &of_one, Wanted::Due, now).await, ["acme"]);
        let chosen = choose(&one, &of_one, &acme, now).await;
        assert_eq!(chosen.work.len(), 2);
        assert_eq!(chosen.in_flight_until, now + STEP);
        // One was refused and is put off for a while; of the other nothing more is heard.
        let refused = Ended {
            in_flight_until: chosen.in_flight_until,
            attempt: attempt(chosen.work[0].jti, now, now + STEP),
        };
        let recorded = one.record_attempts(acme.clone(), vec![refused], now);
        assert_eq!(recorded.await.unwrap(), [Recorded::Applied]);
        let held_at = clock(&database).await;
        one.release_lease(of_one).await.unwrap();

        let of_two = lease(&two, "two", LONG).await;
        let now = by(second, clock(&database).await);
        assert_eq!(claims(&two, &of_two, Wanted::All, now).await, ["acme"]);
        let mut came = 0;
        until("both are due again", async || {
            let now = by(second, clock(&database).await);
            let due = choose(&two, &of_two, &acme, now).await;
            let waited = clock(&database).await.since(held_at);
            assert!(
                due.work.is_empty() || waited + LATE_MAX >= STEP,
                "{waited:?}"
            );
            came += due.work.len();
            came == 2
        })
        .await;
        let waited = clock(&database).await.since(held_at);
        assert!(waited <= STEP + LATE_MAX, "{waited:?}");
    }
}

async fn choose(ledger: &Ledger, lease: &Lease, id: &ClientId, now: Timestamp) -> DueForPush {
    let claim = newest_claim(ledger, lease, id).await;
    let look = Look {
        events_max: 2,
        in_flight_for: STEP,
    };
    let due = ledger.due_for_push(claim, id.clone(), look, now).await;
    due.unwrap().expect("the lane is its own")
}

fn attempt(jti: Jti, started_at: Timestamp, again_at: Timestamp) -> Attempt {
    Attempt {
        jti,
        started_at,
        latency: Duration::from_millis(5),
        interaction_id: interaction("refused"),
        peer: Peer::default(),
        answer: Answer::Response {
            status: 400,
            body_head: Vec::new(),
            deviation: None,
        },
        verdict: Verdict::Refused {
            again_at: Some(again_at),
        },
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
