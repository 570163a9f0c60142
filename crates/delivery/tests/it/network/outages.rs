//! Outages: one probe per step and not one per event, until somebody gives up or it is over.

use std::collections::BTreeSet;
use std::time::Duration;

use oyez_domain::ledger::lanes::Health;
use oyez_testkit::endpoint::{Behaviour, Inbox};
use tokio::time::sleep;

use super::ledger::until;
use super::world::{PATH, Tpp, World};

const AT_ONCE: usize = 8;

const fn is_unresponsive(health: &Health) -> bool {
    matches!(health, Health::Unresponsive { .. })
}

/// Gives up after five retries.
async fn of_five_retries(slow_probe: Option<Duration>) -> World {
    World::with(|options| {
        options.retry.retries_max = 5;
        options.slow_probe = slow_probe;
    })
    .await
}

/// The pauses between arrivals.
fn pauses(inbox: &Inbox) -> Vec<Duration> {
    let times: Vec<_> = inbox.arrivals().iter().map(|seen| seen.came.at).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

// D-04, D-06
#[tokio::test]
async fn a_path_that_answers_404_or_401_to_everything_costs_one_probe_per_step() {
    let world = of_five_retries(None).await;
    for status in [404, 401] {
        let name = format!("tpp-of-{status}");
        let tpp = world.tpp(&name, Behaviour::status(status)).await;
        let jtis = world.publish(&tpp, 200).await;
        let health = world.until_health(&tpp, is_unresponsive).await;
        let Health::Unresponsive { failures, .. } = health else {
            unreachable!("it was waited for");
        };
        assert_eq!(failures, 6, "the first attempt and five retries");
        let inbox = tpp.inbox();
        // Those that were in flight when the first failed, and one per step.
        let attempts = inbox.arrivals().len();
        assert!((6..=AT_ONCE + 5).contains(&attempts), "{attempts}");
        // Each step is at least half of 20, 40, 80, 100, 100 ms.
        let steps = &pauses(&inbox)[attempts - 6..];
        for (pause, least) in steps.iter().zip([10, 20, 40, 50, 50]) {
            assert!(*pause >= Duration::from_millis(least), "{steps:?}");
        }
        let counts = world.counts(&tpp).await;
        assert_eq!((counts.outstanding, counts.accepted), (200, 200));
        // Health is written before the attempts that it is made of (D-06).
        until(async || {
            let mut recorded = 0;
            for jti in &jtis {
                recorded += world.bank.event(*jti).await.attempts.len();
            }
            (recorded == attempts).then_some(())
        })
        .await;
    }
}

// D-06
#[tokio::test]
async fn an_endpoint_that_is_given_up_hears_nothing_and_polls_still_work() {
    let world = of_five_retries(None).await;
    let tpp = world.tpp("acme", Behaviour::status(500)).await;
    let jtis = world.publish(&tpp, 20).await;
    world.until_health(&tpp, is_unresponsive).await;
    let attempts = tpp.endpoint.count(PATH);
    world.publish(&tpp, 1).await;
    let polled: BTreeSet<_> = world.poll(&tpp, &[]).await.into_iter().collect();
    let polled: BTreeSet<_> = polled.into_iter().map(|(jti, _)| jti).collect();
    assert!(jtis.iter().all(|jti| polled.contains(jti)), "{polled:?}");
    // Two sweeps of the node, in which nothing happens.
    sleep(Duration::from_secs(2)).await;
    assert_eq!(tpp.endpoint.count(PATH), attempts);
}

// D-06
#[tokio::test]
async fn a_put_an_operator_or_the_slow_probe_brings_an_endpoint_back() {
    for way in ["put", "operator", "slow probe"] {
        let slow_probe = (way == "slow probe").then_some(Duration::from_millis(300));
        let world = of_five_retries(slow_probe).await;
        let tpp = world.tpp("acme", Behaviour::status(503)).await;
        let jtis = world.publish(&tpp, 30).await;
        world.until_health(&tpp, is_unresponsive).await;
        tpp.endpoint.behave(PATH, Behaviour::accept());
        match way {
            "put" => world.put(&tpp).await,
            "operator" => world.resume(&tpp).await,
            _ => {}
        }
        let counts = world.until_all_settled(&tpp).await;
        assert_eq!(counts.acknowledged, 30, "{way}");
        let health = world.until_health(&tpp, |it| *it == Health::Responsive);
        health.await;
        assert_eq!(*tpp.inbox().accepted(), jtis.into_iter().collect());
    }
}

// D-04, D-08, D-10, P-09
#[tokio::test]
async fn after_an_outage_everything_arrives_once_with_the_same_bytes() {
    let world = World::start().await;
    let tpp = world.tpp("acme", Behaviour::accept()).await;
    tpp.endpoint.go_down().await;
    let jtis = world.publish(&tpp, 100).await;
    let failing = |it: &Health| matches!(it, Health::Failing { failures: 4.., .. });
    world.until_health(&tpp, failing).await;
    tpp.endpoint.come_up().await;
    world.until_all_settled(&tpp).await;
    let inbox = tpp.inbox();
    assert_eq!(inbox.jtis().len(), 100, "each once");
    assert_eq!(*inbox.accepted(), jtis.into_iter().collect());
    assert!(inbox.differing().is_empty());
}

// D-06
#[tokio::test]
async fn an_endpoint_that_recovers_is_asked_one_thing_first_then_two_then_more() {
    let world = World::start().await;
    let tpp = world.tpp("acme", Behaviour::accept()).await;
    tpp.endpoint.go_down().await;
    world.publish(&tpp, 60).await;
    let failing = |it: &Health| matches!(it, Health::Failing { failures: 2.., .. });
    world.until_health(&tpp, failing).await;
    let slowly = Behaviour::accept().late(Duration::from_millis(30));
    tpp.endpoint.behave(PATH, slowly);
    tpp.endpoint.come_up().await;
    world.until_all_settled(&tpp).await;
    let inbox = tpp.inbox();
    let times: Vec<_> = inbox.arrivals().iter().map(|it| it.came.at).collect();
    let answered = times[0] + Duration::from_millis(30);
    assert!(times[1] >= answered, "one alone, until it is answered");
    assert!(times[3] >= times[1] + Duration::from_millis(30), "then two");
    assert!(tpp.endpoint.in_progress_max() <= AT_ONCE);
    assert!(tpp.endpoint.in_progress_max() > 2);
}

// D-05
#[tokio::test]
async fn retry_after_is_honoured_within_the_ceiling() {
    let world = World::with(|options| options.retry.ceiling = Duration::from_secs(600)).await;
    for (name, asked, honoured) in [("short", "60", 60), ("long", "86400", 600)] {
        let told_so = Behaviour::status(429).with_header("retry-after", asked);
        let tpp = world.tpp(name, told_so).await;
        let (attempt, _) = world.first_attempt(&tpp).await;
        let is_failing = |it: &Health| matches!(it, Health::Failing { .. });
        let health = world.until_health(&tpp, is_failing).await;
        let Health::Failing { next_probe_at, .. } = health else {
            unreachable!("it was waited for");
        };
        let after = next_probe_at.since(attempt.started_at);
        let least = Duration::from_secs(honoured);
        let most = least + Duration::from_secs(20);
        assert!((least..=most).contains(&after), "{after:?}");
    }
}

// D-05, D-06, D-08
#[tokio::test]
async fn no_counter_begins_anew_when_a_node_dies() {
    let mut world = World::with(|options| {
        options.lease_ttl = Duration::from_secs(1);
        options.retry.retries_max = 8;
    })
    .await;
    let tpp = world.tpp("acme", Behaviour::status(500)).await;
    world.publish(&tpp, 20).await;
    let mut seen = 0;
    let mut lives = 1;
    loop {
        let health = world
            .until_health(&tpp, |it| match it {
                Health::Failing { failures, .. } => *failures > seen + 1,
                Health::Unresponsive { .. } => true,
                Health::Responsive | Health::Paused { .. } => false,
            })
            .await;
        match health {
            Health::Failing { failures, .. } => {
                assert!(failures > seen);
                seen = failures;
            }
            Health::Unresponsive { failures, .. } => {
                assert_eq!(failures, 9);
                break;
            }
            Health::Responsive | Health::Paused { .. } => unreachable!("it was waited for"),
        }
        world.crash().await;
        world.run();
        lives += 1;
    }
    assert!(lives > 2, "{lives}");
    // Each crash may repeat an attempt that was not recorded yet, with what was in flight beside it.
    let attempts = tpp.endpoint.count(PATH);
    assert!(attempts <= AT_ONCE + 8 + lives, "{attempts}");
    assert!(tpp.inbox().differing().is_empty());
}

// D-05, D-08
#[tokio::test]
async fn a_clock_that_jumps_does_no_harm() {
    let day = Duration::from_secs(86_400);
    let world = World::start().await;
    let tpp = world.tpp("acme", Behaviour::accept()).await;
    let mut published = world.publish(&tpp, 10).await;
    world.bank.clock().advance(day);
    published.extend(world.publish(&tpp, 10).await);
    world.until_all_settled(&tpp).await;
    world.bank.clock().recede(day * 2);
    published.extend(world.publish(&tpp, 10).await);
    world.until_all_settled(&tpp).await;
    assert_eq!(*tpp.inbox().accepted(), published.into_iter().collect());
}

/// Publishes into an outage, and leaves it failing.
async fn outage(world: &World, tpp: &Tpp) {
    tpp.endpoint.behave(PATH, Behaviour::status(500));
    world.publish(tpp, 10).await;
    let failing = |it: &Health| matches!(it, Health::Failing { failures: 2.., .. });
    world.until_health(tpp, failing).await;
}

// D-05, D-06
#[tokio::test]
async fn a_clock_that_jumps_in_an_outage_neither_hammers_nor_silences() {
    let world = World::start().await;
    let tpp = world.tpp("acme", Behaviour::accept()).await;
    outage(&world, &tpp).await;
    let before = tpp.endpoint.count(PATH);
    world.bank.clock().advance(Duration::from_secs(1_800));
    tpp.endpoint.until_count(PATH, before + 3).await;
    let steps = pauses(&tpp.inbox()).split_off(before);
    let least = Duration::from_millis(10);
    assert!(steps.iter().all(|step| *step >= least), "{steps:?}");
    world.bank.clock().recede(Duration::from_secs(7 * 86_400));
    tpp.endpoint.behave(PATH, Behaviour::accept());
    world.until_all_settled(&tpp).await;
}
