//! The node: leases, crashes, stops, a ledger that is away, and news that gets lost.

use std::sync::atomic::Ordering;
use std::time::Duration;

use oyez_domain::ledger::lanes::Health;
use oyez_domain::tpp::Overrides;
use oyez_store::Error;

use super::endpoints::Behaviour;
use super::world::{MINUTE, SLOW_PROBE, World};

fn away() -> Error {
    Error::Unavailable {
        detail: "as the test says".to_owned(),
    }
}

// D-08, P-09
#[tokio::test(start_paused = true)]
async fn after_a_crash_at_any_moment_everything_arrives_with_the_same_bytes() {
    for moment_ms in 0..40 {
        let mut world = World::new(moment_ms);
        world.faults.take(Duration::from_millis(2));
        *world.signing_takes.lock().unwrap() = Duration::from_millis(3);
        world.start();
        let tpp = world.tpp("acme", Overrides::default()).await;
        world.accept(&tpp, 60).await;
        tokio::time::sleep(Duration::from_millis(moment_ms)).await;
        world.crash().await;
        world.start();
        world.all_settled(&tpp, MINUTE).await;
        world.assert_sound();
    }
}

// D-05, D-06
#[tokio::test(start_paused = true)]
async fn no_restart_resets_a_retry_counter_or_revives_an_unresponsive_endpoint() {
    let mut world = World::new(50);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Down);
    world.accept(&tpp, 20).await;
    let mut seen = Vec::new();
    for round in 0..60 {
        tokio::time::sleep(Duration::from_millis(3_333)).await;
        if round % 2 == 0 {
            world.crash().await;
        } else {
            world.stop().await;
        }
        world.start();
        seen.push(match world.health(&tpp).await {
            Health::Failing {
                failures, since, ..
            } => (failures, since),
            Health::Unresponsive {
                failures, since, ..
            } => (failures, since),
            other => panic!("{other:?}"),
        });
    }
    assert!(seen.is_sorted(), "{seen:?}");
    assert!(seen.iter().all(|(_, since)| *since == seen[0].1));
    assert!(matches!(
        world.health(&tpp).await,
        Health::Unresponsive { .. }
    ));
    world.assert_sound();
}

// D-08
#[tokio::test(start_paused = true)]
async fn a_stop_starts_nothing_waits_for_what_is_in_flight_and_gives_the_lanes_back() {
    let mut world = World::new(51);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Slow(Duration::from_secs(3)));
    world.accept(&tpp, 100).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let started = world.arrivals(&tpp).len();
    let took = world.stop().await;
    assert!(took <= Duration::from_millis(2_100), "{took:?}");
    assert_eq!(world.arrivals(&tpp).len(), started);
    assert_eq!(world.outstanding(&tpp).await, 100 - started as u64);
    assert_eq!(world.endpoints.in_flight(), 0);
    let due = world.poll(&tpp, Vec::new(), 200).await;
    assert_eq!(due.len(), 100 - started, "nothing is hidden");
    assert_eq!(
        world.faults.asked("report_lanes"),
        1,
        "one write for all lanes"
    );
    world.options.node_id = oyez_domain::ids::NodeId::new("another").unwrap();
    world.start();
    world.behave(&tpp, Behaviour::Up);
    let begun = tokio::time::Instant::now();
    let another = world.accept(&tpp, 1).await;
    world
        .until("another node takes over", MINUTE, async || {
            !world.file(another[0]).await.attempts.is_empty()
        })
        .await;
    assert!(begun.elapsed() < Duration::from_secs(2));
}

// D-08
#[tokio::test(start_paused = true)]
async fn an_acknowledgement_outlives_a_ledger_that_is_away() {
    let mut world = World::new(52);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Slow(Duration::from_millis(500)));
    world.accept(&tpp, 100).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.faults.fail(away());
    tokio::time::sleep(Duration::from_secs(8)).await;
    let arrived = world.arrivals(&tpp).len();
    assert!(
        arrived < 50,
        "it starts what it holds and no more: {arrived}"
    );
    assert_eq!(world.outstanding(&tpp).await, 100);
    world.faults.mend();
    world.all_settled(&tpp, MINUTE).await;
    assert_eq!(world.arrivals(&tpp).len(), 100, "each once");
    world.assert_sound();
}

// D-08
#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_stops_all_starts_and_what_was_in_flight_still_counts() {
    let mut world = World::new(53);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Slow(Duration::from_secs(1)));
    world.accept(&tpp, 600).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.faults.fail_at("hold_lease", away());
    tokio::time::sleep(Duration::from_secs(16)).await;
    let started = world.arrivals(&tpp).len();
    tokio::time::sleep(MINUTE).await;
    assert_eq!(
        world.arrivals(&tpp).len(),
        started,
        "nothing starts without a lease"
    );
    assert_eq!(world.outstanding(&tpp).await, 600 - started as u64);
    world.faults.mend();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(
        *world.watched.leases_lost.lock().unwrap(),
        1,
        "it was too late to renew"
    );
    world.all_settled(&tpp, MINUTE * 10).await;
    assert_eq!(world.arrivals(&tpp).len(), 600, "each once");
    world.assert_sound();
}

// D-08
#[tokio::test(start_paused = true)]
async fn news_that_is_lost_costs_a_second_and_never_an_event() {
    let mut world = World::new(54);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    tokio::time::sleep(MINUTE).await;
    world.accept_silently(&tpp, 5).await;
    world.all_settled(&tpp, Duration::from_millis(1_100)).await;
}

// D-08
#[tokio::test(start_paused = true)]
async fn an_idle_node_asks_for_lanes_once_per_second_and_for_nothing_else() {
    let mut world = World::new(55);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.accept(&tpp, 5).await;
    tokio::time::sleep(MINUTE).await;
    let chosen = world.faults.asked("due_for_push");
    let asked = world.faults.asked("claim_lanes");
    tokio::time::sleep(MINUTE * 10).await;
    assert_eq!(world.faults.asked("due_for_push"), chosen);
    let claims = world.faults.asked("claim_lanes") - asked;
    assert!((590..=610).contains(&claims), "{claims}");
}

// D-08, D-09
#[tokio::test(start_paused = true)]
async fn a_lane_that_dies_is_claimed_again_after_a_pause_and_no_other_notices() {
    let mut world = World::new(56);
    world.start();
    let dies = world.tpp("dies", Overrides::default()).await;
    let lives = world.tpp("lives", Overrides::default()).await;
    world.behave(&dies, Behaviour::Panics);
    world.accept(&dies, 20).await;
    for _ in 0..20 {
        world.accept(&lives, 1).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(world.outstanding(&lives).await, 0);
    }
    let deaths = world.watched.troubles.lock().unwrap().len();
    assert!((2..=12).contains(&deaths), "{deaths} in a minute");
    world.behave(&dies, Behaviour::Up);
    world.all_settled(&dies, MINUTE).await;
    world.assert_sound();
}

// D-08
#[tokio::test(start_paused = true)]
async fn a_claim_whose_answer_is_lost_leaves_no_lane_without_a_driver() {
    let mut world = World::new(57);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.faults.lose_answers(away());
    world.accept(&tpp, 20).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.faults.mend();
    world.all_settled(&tpp, MINUTE).await;
    world.assert_sound();
}

// D-08
#[tokio::test(start_paused = true)]
async fn a_ledger_too_busy_for_a_claim_costs_no_lane_its_owner() {
    let mut world = World::new(58);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Slow(Duration::from_secs(1)));
    world.accept(&tpp, 100).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let detail = "as the test says".to_owned();
    world.faults.fail_at("claim_lanes", Error::Busy { detail });
    let later = world.tpp("later", Overrides::default()).await;
    world.accept(&later, 1).await;
    world.all_settled(&tpp, MINUTE).await;
    assert_eq!(*world.watched.leases_lost.lock().unwrap(), 0);
    assert_eq!(world.outstanding(&later).await, 1);
    world.faults.mend();
    world.all_settled(&later, Duration::from_secs(6)).await;
    world.assert_sound();
}

// D-08
#[tokio::test(start_paused = true)]
async fn a_clock_of_leases_that_jumps_ahead_and_back_leaves_no_lane_without_a_driver() {
    let mut world = World::new(59);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.accept(&tpp, 20).await;
    // Just renewed.
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    world.lease_clock.advance(MINUTE);
    world.accept(&tpp, 20).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.outstanding(&tpp).await > 0, "nobody had the lane");
    world.lease_clock.recede(MINUTE);
    world.all_settled(&tpp, MINUTE).await;
    assert_eq!(*world.watched.leases_lost.lock().unwrap(), 0);
    world.assert_sound();
}

// D-05, D-06, D-08
#[tokio::test(start_paused = true)]
async fn no_lane_sleeps_by_a_clock_that_was_set_back_while_no_node_ran_or_while_one_did() {
    for (back, ran) in [
        (MINUTE * 30, false),
        (MINUTE * 60 * 24 * 400, false),
        (MINUTE * 30, true),
        (MINUTE * 60 * 24 * 400, true),
    ] {
        let mut world = World::new(61);
        world.options.retry.window = MINUTE * 10_000;
        world.start();
        let mut tpps = Vec::new();
        for number in 0..100 {
            let name = format!("down-{number}");
            let tpp = world.tpp(&name, Overrides::default()).await;
            world.behave(&tpp, Behaviour::Down);
            world.accept(&tpp, 2).await;
            tpps.push(tpp);
        }
        // Given up: they sleep for the slow probe.
        tokio::time::sleep(MINUTE * 3).await;
        let fresh = world.tpp("fresh", Overrides::default()).await;
        if ran {
            world.clock.recede(back);
        } else {
            world.crash().await;
            world.accept(&fresh, 1).await;
            world.clock.recede(back);
            world.start();
            world.all_settled(&fresh, Duration::from_secs(3)).await;
        }
        let asked = world.faults.asked("find_tpp");
        tokio::time::sleep(Duration::from_secs(20)).await;
        let looks = world.faults.asked("find_tpp") - asked;
        assert!(looks <= 110, "each once: {looks}");
        for tpp in &tpps {
            world.behave(tpp, Behaviour::Up);
        }
        for tpp in &tpps {
            world.all_settled(tpp, SLOW_PROBE + MINUTE).await;
        }
    }
}

// D-08, G-13
#[tokio::test(start_paused = true)]
async fn what_was_accepted_while_pushing_was_off_is_pushed_when_a_node_starts_though_nobody_tells_of_it()
 {
    let mut world = World::new(62);
    let tpp = world.tpp("acme", Overrides::default()).await;
    let had_a_lane = world.tpp("had-a-lane", Overrides::default()).await;
    world.start();
    world.accept(&had_a_lane, 1).await;
    world.all_settled(&had_a_lane, MINUTE).await;
    world.stop().await;
    world.goes_by(|rules| rules.switches.push = false);
    world.start();
    for tpp in [&tpp, &had_a_lane] {
        world.accept(tpp, 5).await;
    }
    tokio::time::sleep(MINUTE).await;
    world.stop().await;
    assert_eq!(world.arrivals(&tpp).len(), 0);
    world.goes_by(|rules| rules.switches.push = true);
    world.start();
    for tpp in [&tpp, &had_a_lane] {
        world.all_settled(tpp, Duration::from_secs(3)).await;
    }
    world.assert_sound();
}

// D-09
#[tokio::test(start_paused = true)]
async fn a_lane_that_waits_sleeps() {
    let mut world = World::new(60);
    world.start();
    let refusing = world.tpp("refusing", Overrides::default()).await;
    let down = world.tpp("down", Overrides::default()).await;
    let well = world.tpp("well", Overrides::default()).await;
    world.behave(&refusing, Behaviour::Status(400));
    world.behave(&down, Behaviour::Down);
    for tpp in [&refusing, &down, &well] {
        world.accept(tpp, 1).await;
    }
    let looks = async |time: Duration| {
        let before = world.looks.load(Ordering::Relaxed);
        tokio::time::sleep(time).await;
        world.looks.load(Ordering::Relaxed) - before
    };
    let in_backoff = looks(MINUTE).await;
    assert!(
        in_backoff < 1_000,
        "{in_backoff} looks in a minute of backoffs"
    );
    world.accept(&well, 1).await;
    world.faults.fail(away());
    let without_a_ledger = looks(MINUTE * 10).await;
    assert!(
        without_a_ledger < 10_000,
        "{without_a_ledger} looks without a ledger"
    );
}

// D-04, D-08
#[tokio::test(start_paused = true)]
async fn a_node_whose_lease_ran_out_by_its_own_clock_claims_nothing_over_and_over() {
    let mut world = World::new(60);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Down);
    world.accept(&tpp, 5).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    // The ledger takes the lease for a good one, and its owner cannot renew it.
    world.lease_clock.recede(MINUTE * 10);
    world.faults.fail_at("hold_lease", away());
    world.faults.take(Duration::from_millis(1));
    tokio::time::sleep(Duration::from_secs(16)).await;
    let asked = world.faults.asked("claim_lanes");
    tokio::time::sleep(MINUTE).await;
    let claims = world.faults.asked("claim_lanes") - asked;
    assert!(claims <= 1, "{claims}");
    world.faults.mend();
    world.behave(&tpp, Behaviour::Up);
    world.all_settled(&tpp, MINUTE * 10).await;
    world.assert_sound();
}
